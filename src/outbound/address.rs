//! The address of a server: a URL, or a unix socket's path.

use super::error::SetupError;

/// A server's address, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The way to the server.
    pub route: Route,
    /// The value of `Host`.
    pub authority: String,
    /// The part before `/v1`, without a slash at the end.
    pub prefix: String,
}

/// The way to a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// Plain or TLS over TCP.
    Tcp {
        /// The name or address, without brackets.
        host: String,
        /// The port.
        port: u16,
        /// True if the server speaks TLS.
        tls: bool,
    },
    /// A socket in the file system.
    Unix(String),
}

impl Address {
    /// Reads `http://host:port/prefix`, `https://...` or `unix:///path`.
    pub fn parse(text: &str) -> Result<Self, SetupError> {
        let (address, rest) = Self::split(text)?;
        Ok(Self {
            prefix: rest.trim_end_matches('/').to_owned(),
            ..address
        })
    }

    /// Reads the URL of a resource; returns the server's address and the target of the request.
    pub fn parse_with_target(text: &str) -> Result<(Self, String), SetupError> {
        let (address, rest) = Self::split(text)?;
        let target = match rest {
            "" => "/",
            rest => rest,
        };
        Ok((address, target.to_owned()))
    }

    /// Splits a URL into the server, without a prefix, and the rest.
    fn split(text: &str) -> Result<(Self, &str), SetupError> {
        // A part that may be a user's name and password is not repeated.
        let bad = || SetupError::Address(without_user(text));
        if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(bad());
        }
        let (scheme, rest) = text.split_once("://").ok_or_else(bad)?;
        if scheme == "unix" {
            let address = Self {
                route: Route::Unix(rest.to_owned()),
                authority: String::from("localhost"),
                prefix: String::new(),
            };
            return Ok((address, ""));
        }
        let tls = match scheme {
            "http" => false,
            "https" => true,
            _ => return Err(SetupError::Scheme(scheme.to_owned())),
        };
        let (authority, rest) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        let authority = authority
            .rsplit_once('@')
            .map_or(authority, |(_, host)| host);
        let (host, port) = split_port(authority, if tls { 443 } else { 80 }).ok_or_else(bad)?;
        if host.is_empty() {
            return Err(bad());
        }
        let address = Self {
            route: Route::Tcp { host, port, tls },
            authority: authority.to_owned(),
            prefix: String::new(),
        };
        Ok((address, rest))
    }

    /// Returns the URL of a request's target, as messages print it.
    pub fn url(&self, target: &str) -> String {
        let scheme = match &self.route {
            Route::Tcp { tls: true, .. } => "https",
            Route::Tcp { .. } | Route::Unix(_) => "http",
        };
        format!("{scheme}://{}{target}", self.authority)
    }
}

fn without_user(text: &str) -> String {
    let end = text.rfind('@').map_or(0, |at| at + 1);
    let start = text.find("://").map_or(0, |at| at + 3).min(end);
    let kept = |range| text.get(range).unwrap_or_default();
    format!("{}{}", kept(0..start), kept(end..text.len()))
}

/// Splits `host:port` into the host, without brackets, and the port.
pub(super) fn split_port(authority: &str, default: u16) -> Option<(String, u16)> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (host, tail) = rest.split_once(']')?;
        let port = match tail.strip_prefix(':') {
            Some(port) => port.parse().ok()?,
            None => default,
        };
        return Some((host.to_owned(), port));
    }
    match authority.split_once(':') {
        Some((host, port)) => Some((host.to_owned(), port.parse().ok()?)),
        None => Some((authority.to_owned(), default)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_urls_apart() {
        for (text, host, port, tls, prefix) in [
            ("http://127.0.0.1:8200", "127.0.0.1", 8200, false, ""),
            ("https://pi.local", "pi.local", 443, true, ""),
            ("http://pi/vault/", "pi", 80, false, "/vault"),
            ("https://[::1]:8200", "::1", 8200, true, ""),
            ("https://[fe80::1]", "fe80::1", 443, true, ""),
        ] {
            let address = Address::parse(text).expect(text);
            let host = host.to_owned();
            assert_eq!(address.route, Route::Tcp { host, port, tls }, "{text}");
            assert_eq!(address.prefix, prefix, "{text}");
        }
        let unix = Address::parse("unix:///run/coffer.sock").expect("valid");
        assert_eq!(unix.route, Route::Unix(String::from("/run/coffer.sock")));
        assert_eq!(unix.url("/v1/a"), "http://localhost/v1/a");
    }

    #[test]
    fn a_url_is_a_server_and_what_is_asked_of_it() {
        for (text, authority, target) in [
            ("https://idp/.well-known/x?y=1", "idp", "/.well-known/x?y=1"),
            ("http://[::1]:8500/v1/", "[::1]:8500", "/v1/"),
            ("http://a", "a", "/"),
        ] {
            let (address, found) = Address::parse_with_target(text).expect(text);
            assert_eq!(
                (address.authority.as_str(), found.as_str()),
                (authority, target)
            );
            assert_eq!(address.prefix, "");
        }
    }

    #[test]
    fn refuses_what_is_no_address() {
        for text in [
            "",
            "127.0.0.1:8200",
            "http://",
            "http://a:b",
            "ftp://a",
            "http://[::1",
            "http://a:8200 ",
            "http://a\n:8200",
            "http://a b",
        ] {
            assert!(Address::parse(text).is_err(), "{text}");
        }
        let error = Address::parse("http://user:canary@a:b").expect_err("no port");
        assert_eq!(error, SetupError::Address(String::from("http://a:b")));
    }
}
