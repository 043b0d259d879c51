//! Signs requests by AWS's Signature Version 4.

use super::credentials::Credentials;
use crate::clock::Timestamp;
use ring::{digest, hmac};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// The parts of a request that are signed.
pub(super) struct Unsigned<'a> {
    pub method: &'a str,
    /// The path, as it is sent.
    pub path: &'a str,
    /// The query, its names in order, as it is sent.
    pub query: &'a str,
    /// All headers but the signature's own: names in small letters, in order.
    pub headers: &'a [(&'a str, &'a str)],
    pub body: &'a [u8],
}

/// The service that a request goes to, and its time.
pub(super) struct Scope<'a> {
    pub region: &'a str,
    pub service: &'a str,
    /// The value of `x-amz-date`, which [`amz_date`] made.
    pub time: &'a str,
}

/// Returns the value of `x-amz-date`: `20150830T123600Z`.
pub(super) fn amz_date(now: Timestamp) -> String {
    let text = now.rfc3339();
    let digits = text.chars().take_while(|c| *c != '.' && *c != 'Z');
    let mut date: String = digits.filter(|c| !matches!(c, '-' | ':')).collect();
    date.push('Z');
    date
}

/// Returns the value of `Authorization`.
pub(super) fn sign(request: &Unsigned<'_>, scope: &Scope<'_>, by: &Credentials) -> String {
    let names: Vec<&str> = request.headers.iter().map(|(name, _)| *name).collect();
    let names = names.join(";");
    let headers = request.headers.iter();
    let headers: String = headers
        .map(|(name, value)| format!("{name}:{}\n", value.trim()))
        .collect();
    let canonical = format!(
        "{}\n{}\n{}\n{headers}\n{names}\n{}",
        request.method,
        request.path,
        request.query,
        hash(request.body)
    );
    let day = scope.time.get(..8).unwrap_or_default();
    let place = format!("{day}/{}/{}/aws4_request", scope.region, scope.service);
    let text = format!(
        "{ALGORITHM}\n{}\n{place}\n{}",
        scope.time,
        hash(canonical.as_bytes())
    );
    let first = format!("AWS4{}", by.secret.expose());
    let mut key = mac(zeroize::Zeroizing::new(first).as_bytes(), day);
    for part in [scope.region, scope.service, "aws4_request"] {
        key = mac(key.as_ref(), part);
    }
    let signature = hex::encode(mac(key.as_ref(), &text));
    format!(
        "{ALGORITHM} Credential={}/{place}, SignedHeaders={names}, Signature={signature}",
        by.id
    )
}

fn mac(key: &[u8], text: &str) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes())
}

fn hash(bytes: &[u8]) -> String {
    hex::encode(digest::digest(&digest::SHA256, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    const TIME: &str = "20150830T123600Z";

    fn signed(service: &str, request: &Unsigned<'_>) -> String {
        let by = Credentials {
            id: "AKIDEXAMPLE".into(),
            secret: Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".into()),
            session: None,
        };
        let scope = Scope {
            region: "us-east-1",
            service,
            time: TIME,
        };
        let header = sign(request, &scope, &by);
        header.rsplit('=').next().unwrap().to_owned()
    }

    /// The example of AWS's guide, and three of the published test suite.
    #[test]
    fn agrees_with_what_aws_published() {
        let host = ("host", "example.amazonaws.com");
        let date = ("x-amz-date", TIME);
        let form = ("content-type", "application/x-www-form-urlencoded");
        let plain = Unsigned {
            method: "GET",
            path: "/",
            query: "",
            headers: &[host, date],
            body: b"",
        };
        assert_eq!(
            signed("service", &plain),
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
        );
        let post = Unsigned {
            method: "POST",
            ..plain
        };
        assert_eq!(
            signed("service", &post),
            "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"
        );
        let with_form = Unsigned {
            headers: &[form, host, date],
            body: b"Param1=value1",
            ..post
        };
        assert_eq!(
            signed("service", &with_form),
            "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"
        );
        let users = Unsigned {
            method: "GET",
            path: "/",
            query: "Action=ListUsers&Version=2010-05-08",
            headers: &[
                (
                    "content-type",
                    "application/x-www-form-urlencoded; charset=utf-8",
                ),
                ("host", "iam.amazonaws.com"),
                date,
            ],
            body: b"",
        };
        assert_eq!(
            signed("iam", &users),
            "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
        );
    }

    #[test]
    fn a_time_is_written_as_aws_does() {
        let time = Timestamp::parse_rfc3339("2015-08-30T12:36:00Z").unwrap();
        assert_eq!(amz_date(time), TIME);
        let later = time.plus(std::time::Duration::from_millis(250));
        assert_eq!(amz_date(later), TIME);
    }
}
