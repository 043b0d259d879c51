//! Reads the proxies of this machine's programs from variables.

use std::ffi::OsString;

use super::proxy::{Exceptions, Proxies, Proxy};

/// A variable cannot be used: mend it or unset it. The reason repeats no credentials.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {reason}")]
pub struct VariableError {
    /// The spelling that was found.
    pub name: String,
    /// The fault of its value.
    pub reason: String,
}

impl Proxies {
    /// Reads `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`, or the same in small letters; an empty
    /// variable counts as not set. `read` gives a variable's value.
    ///
    /// # Errors
    /// A value is invalid, or `HTTP_PROXY` may be a stranger's.
    pub fn from_variables(read: &dyn Fn(&str) -> Option<OsString>) -> Result<Self, VariableError> {
        let proxy = |text: &str| Proxy::parse(text).map_err(|error| error.to_string());
        let exceptions = |text: &str| Exceptions::parse(text).map_err(|error| error.to_string());
        let http = find(["HTTP_PROXY", "http_proxy"], read, proxy)?;
        // In a CGI program a stranger sets this variable, by a header (CVE-2016-5385).
        if read("REQUEST_METHOD").is_some() && http.is_some() {
            return Err(VariableError {
                name: String::from("HTTP_PROXY"),
                reason: String::from("not used where REQUEST_METHOD is set"),
            });
        }
        Ok(Self {
            always: None,
            http,
            https: find(["HTTPS_PROXY", "https_proxy"], read, proxy)?,
            exceptions: find(["NO_PROXY", "no_proxy"], read, exceptions)?.unwrap_or_default(),
        })
    }
}

/// Returns the first of `names` that is set, as `parse` reads it.
fn find<T>(
    names: [&str; 2],
    read: &dyn Fn(&str) -> Option<OsString>,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<Option<T>, VariableError> {
    for name in names {
        let Some(value) = read(name).filter(|value| !value.is_empty()) else {
            continue;
        };
        let text = value.to_str().ok_or_else(|| String::from("not UTF-8 text"));
        let parsed = text.and_then(parse);
        return parsed.map(Some).map_err(|reason| VariableError {
            name: name.to_owned(),
            reason,
        });
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(set: &[(&str, &str)]) -> Result<Proxies, VariableError> {
        Proxies::from_variables(&|name| {
            let found = set.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| OsString::from(value))
        })
    }

    #[test]
    fn large_letters_go_before_small_ones_and_empty_is_unset() {
        let proxies = with(&[
            ("HTTP_PROXY", "large:1"),
            ("http_proxy", "small:1"),
            ("HTTPS_PROXY", ""),
            ("https_proxy", "small:2"),
            ("no_proxy", "near"),
        ])
        .expect("valid");
        let host = |host: &str, tls| {
            let found = proxies.find(host, 8200, tls);
            found.map(|proxy| proxy.host.clone())
        };
        assert_eq!(host("far", false).as_deref(), Some("large"));
        assert_eq!(host("far", true).as_deref(), Some("small"));
        assert_eq!(host("near", true), None);
    }

    #[test]
    fn a_variable_that_makes_no_sense_is_named() {
        for (name, value) in [
            ("HTTP_PROXY", "ftp://user:canary@host"),
            ("https_proxy", "http://user:canary@h:port"),
            ("NO_PROXY", "10.0.0.0/99"),
        ] {
            let error = with(&[(name, value)]).err().expect(name);
            assert_eq!(error.name, name);
            assert!(!error.to_string().contains("canary"), "{error}");
        }
    }

    #[test]
    fn cve_2016_5385_a_header_sets_no_proxy() {
        let set = [("HTTP_PROXY", "far:1"), ("REQUEST_METHOD", "GET")];
        assert!(with(&set).is_err());
        assert!(with(&set[..1]).is_ok());
        // A header sets no variable of this name.
        assert!(with(&[("https_proxy", "far:1"), set[1]]).is_ok());
    }
}
