//! The targets of redirects, and the limits on them.

use hyper::header::HeaderMap;
use hyper::{StatusCode, header};

use super::address::{Address, Route};
use super::error::ExchangeError;

/// Returns the target of a redirect; `None` for another answer. Counts only redirects after which a
/// request is made again as it was.
pub(super) fn location(status: StatusCode, headers: &HeaderMap) -> Option<&str> {
    match status.as_u16() {
        301 | 302 | 307 | 308 => headers.get(header::LOCATION)?.to_str().ok(),
        _ => None,
    }
}

/// Returns the server and the request's target of `location`, which `from` gives as the answer for
/// `url`. Headers go along, so TLS must not be left, and no server of a network may name a socket
/// of this machine.
pub(super) fn follow(
    from: &Address,
    url: &str,
    location: &str,
) -> Result<(Address, String), ExchangeError> {
    if location.starts_with('/') && !location.starts_with("//") {
        return Ok((from.clone(), location.to_owned()));
    }
    let (to, target) = Address::parse_with_target(location)?;
    let is_tls = |address: &Address| matches!(address.route, Route::Tcp { tls: true, .. });
    if matches!(to.route, Route::Unix(_)) || is_tls(from) && !is_tls(&to) {
        return Err(ExchangeError::Redirect {
            url: url.to_owned(),
            location: location.to_owned(),
        });
    }
    Ok((to, target))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn followed(from: &str, location: &str) -> Result<(String, String), ExchangeError> {
        let from = Address::parse(from).expect("valid");
        follow(&from, "http://a/v1/x", location).map(|(to, target)| (to.authority, target))
    }

    #[test]
    fn a_redirect_never_leaves_tls() {
        let refused = followed("https://a:8200", "http://b:8200/v1/x");
        assert!(matches!(refused, Err(ExchangeError::Redirect { .. })));
        let refused = followed("http://a:8200", "unix:///run/x");
        assert!(matches!(refused, Err(ExchangeError::Redirect { .. })));
        for (from, location, authority, target) in [
            ("http://a:8200", "https://b:8200/v1/x", "b:8200", "/v1/x"),
            ("https://a:8200", "https://b/v1/x/?y=/z", "b", "/v1/x/?y=/z"),
            ("https://a:8200", "/v1/y", "a:8200", "/v1/y"),
            ("http://a:8200", "http://b", "b", "/"),
        ] {
            let found = followed(from, location).expect(location);
            assert_eq!(found, (authority.to_owned(), target.to_owned()));
        }
        assert!(followed("http://a", "//b/v1/x").is_err(), "no scheme");
        assert!(followed("http://a", "b/v1/x").is_err(), "not absolute");
    }

    #[test]
    fn only_answers_that_keep_the_request_are_redirects() {
        let mut headers = HeaderMap::new();
        let ok = StatusCode::TEMPORARY_REDIRECT;
        assert_eq!(location(ok, &headers), None);
        headers.insert(header::LOCATION, "/v1/x".parse().expect("valid"));
        assert_eq!(location(ok, &headers), Some("/v1/x"));
        for other in [StatusCode::OK, StatusCode::SEE_OTHER, StatusCode::CREATED] {
            assert_eq!(location(other, &headers), None);
        }
    }
}
