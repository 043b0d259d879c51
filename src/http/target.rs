//! Reads a request target, before anything else looks at it.
//!
//! Under `/v1/`, a path with `//`, `.` or `..` is answered with a redirect to its clean form, as
//! Go's servers do. Percent-encoding is decoded once; an encoded `.`, `/`, `\` or control
//! character is refused, so that no later reader can see another path than the policy did
//! (CVE-2026-3605).

use crate::path::PathError;

/// The place that a request target names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A path below `/v1/`, decoded and checked: `secret/data/app`.
    Api(String),
    /// The client is to ask again at this clean path (still encoded, without query).
    Redirect(String),
    /// `/`.
    Root,
    /// `/ui` and the paths below.
    Ui,
    /// A path that coffer does not serve.
    Unknown,
}

/// Reasons to refuse a target; always the client's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// The percent encoding is malformed; the client must encode the percent sign as `%25`.
    #[error("path has an incomplete percent-encoding")]
    Encoding,
    /// A separator or a dot is encoded; the client must send it as it is.
    #[error("relative paths not supported")]
    EncodedSeparator,
    /// The decoded path is not UTF-8.
    #[error("path is not UTF-8")]
    NotUtf8,
    /// The path breaks the path rules.
    #[error(transparent)]
    Path(#[from] PathError),
}

const API: &str = "/v1/";

/// Reads the path of a request target, without its query.
pub fn parse(raw: &str) -> Result<Target, TargetError> {
    let Some(path) = raw.strip_prefix(API) else {
        return Ok(match raw {
            "/" => Target::Root,
            "/ui" => Target::Ui,
            _ if raw.starts_with("/ui/") => Target::Ui,
            _ => Target::Unknown,
        });
    };
    if needs_cleaning(path) {
        return Ok(Target::Redirect(clean(raw)));
    }
    let decoded = decode(path)?;
    crate::path::check(&decoded)?;
    Ok(Target::Api(decoded))
}

fn needs_cleaning(path: &str) -> bool {
    if path.is_empty() {
        return false;
    }
    let body = path.strip_suffix('/').unwrap_or(path);
    body.split('/')
        .any(|segment| matches!(segment, "" | "." | ".."))
}

/// Resolves empty and dotted segments; keeps a trailing slash.
fn clean(raw: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    for segment in raw.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            _ => segments.push(segment),
        }
    }
    let mut out = String::with_capacity(raw.len());
    for segment in &segments {
        out.push('/');
        out.push_str(segment);
    }
    if raw.ends_with('/') || segments.is_empty() {
        out.push('/');
    }
    out
}

fn decode(path: &str) -> Result<String, TargetError> {
    if !path.contains('%') {
        return Ok(path.to_owned());
    }
    let mut out = Vec::with_capacity(path.len());
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let (Some(high), Some(low)) = (bytes.next().and_then(hex), bytes.next().and_then(hex))
        else {
            return Err(TargetError::Encoding);
        };
        let decoded = high << 4 | low;
        if matches!(decoded, b'.' | b'/' | b'\\') {
            return Err(TargetError::EncodedSeparator);
        }
        out.push(decoded);
    }
    String::from_utf8(out).map_err(|_| TargetError::NotUtf8)
}

fn hex(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn plain_paths_pass_decoded_once() {
        for (raw, path) in [
            ("/v1/", ""),
            ("/v1/secret/data/app", "secret/data/app"),
            ("/v1/secret/metadata/", "secret/metadata/"),
            ("/v1/a%20b", "a b"),
            ("/v1/a+b", "a+b"),
            ("/v1/a%252fb", "a%2fb"),
            ("/v1/%c3%bc", "ü"),
            ("/v1/..a/b..", "..a/b.."),
        ] {
            assert_eq!(parse(raw), Ok(Target::Api(path.into())), "{raw}");
        }
    }

    #[test]
    fn unclean_paths_are_redirected() {
        for (raw, clean) in [
            ("/v1/secret//x", "/v1/secret/x"),
            ("/v1//sys/health", "/v1/sys/health"),
            ("/v1/secret/../cubbyhole/x", "/v1/cubbyhole/x"),
            ("/v1/a/./x", "/v1/a/x"),
            ("/v1/a/.", "/v1/a"),
            ("/v1/a/..", "/v1"),
            ("/v1/a//", "/v1/a/"),
            ("/v1/../../..", "/"),
            ("/v1/../../evil", "/evil"),
            ("/v1//", "/v1/"),
        ] {
            assert_eq!(parse(raw), Ok(Target::Redirect(clean.into())), "{raw}");
        }
    }

    #[test]
    fn cve_2026_3605_encoded_separators_are_refused() {
        for raw in [
            "/v1/secret/%2e%2e/x",
            "/v1/secret/%2E%2e/x",
            "/v1/secret/.%2e/x",
            "/v1/secret/a%2fb",
            "/v1/secret/a%2Fb",
            "/v1/secret/a%5cb",
            "/v1/secret/%2e",
        ] {
            assert_eq!(parse(raw), Err(TargetError::EncodedSeparator), "{raw}");
        }
        for raw in ["/v1/%zz", "/v1/%", "/v1/%a"] {
            assert_eq!(parse(raw), Err(TargetError::Encoding), "{raw}");
        }
        assert_eq!(
            parse("/v1/a%00b"),
            Err(TargetError::Path(PathError::Control))
        );
        assert_eq!(parse("/v1/%ff"), Err(TargetError::NotUtf8));
    }

    #[test]
    fn the_rest_is_not_ours() {
        assert_eq!(parse("/"), Ok(Target::Root));
        assert_eq!(parse("/ui/vault/x"), Ok(Target::Ui));
        for raw in ["/v1", "/v2/x", "//v1/x", "*", "", "/uix"] {
            assert_eq!(parse(raw), Ok(Target::Unknown), "{raw}");
        }
    }

    proptest! {
        #[test]
        fn what_passes_is_clean(raw in "/v1/[a-z./%2eEfF0-9]{0,40}") {
            match parse(&raw) {
                Ok(Target::Api(path)) => prop_assert_eq!(crate::path::check(&path), Ok(())),
                Ok(Target::Redirect(to)) => {
                    prop_assert!(!to.contains("//"));
                    let again = parse(&to);
                    prop_assert!(!matches!(again, Ok(Target::Redirect(_))), "{:?}", again);
                }
                Ok(Target::Root | Target::Ui | Target::Unknown) | Err(_) => {}
            }
        }
    }
}
