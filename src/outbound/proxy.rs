//! Chooses the proxy of a request as Go's client does: by the scheme of the server's URL, unless
//! `NO_PROXY` names the server. This machine itself is never behind a proxy.

use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::header::HeaderValue;
use ipnet::IpNet;
use percent_encoding::percent_decode_str;

use crate::cidr;
use crate::secret::{Secret, SecretString};

use super::address::split_port;

/// Reasons why the caller's text is no proxy, or names no server. The message repeats no
/// credentials.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProxyError {
    /// The address cannot be read; the form is `http://host:port`.
    #[error("not the address of a proxy: expected http://, https:// or socks5:// and a host")]
    Address,
    /// The proxy has a scheme that this client does not speak.
    #[error("unsupported proxy scheme {0:?}: expected http, https or socks5")]
    Scheme(String),
    /// An entry of the list of exceptions is neither a host, an address nor a network.
    #[error("{0:?} is no host, address or network")]
    Exception(String),
}

/// A proxy. It may hold credentials, so it has no `Debug`.
pub struct Proxy {
    pub(super) scheme: Scheme,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) credentials: Option<(String, SecretString)>,
}

/// The protocol of a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    Http,
    Https,
    Socks5,
}

impl Proxy {
    /// Reads `http://user:password@host:port`; without a scheme it is `http`.
    pub fn parse(text: &str) -> Result<Self, ProxyError> {
        let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            "socks5" | "socks5h" => Scheme::Socks5,
            // Any other text there may be half of a password.
            name if !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric()) => {
                return Err(ProxyError::Scheme(name.to_owned()));
            }
            _ => return Err(ProxyError::Address),
        };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let (credentials, authority) = match authority.rsplit_once('@') {
            Some((user, authority)) => (Some(credentials(user)?), authority),
            None => (None, authority),
        };
        let default = match scheme {
            Scheme::Http => 80,
            Scheme::Https => 443,
            Scheme::Socks5 => 1080,
        };
        let (host, port) = split_port(authority, default).ok_or(ProxyError::Address)?;
        if !is_host(&host) {
            return Err(ProxyError::Address);
        }
        Ok(Self {
            scheme,
            host,
            port,
            credentials,
        })
    }

    /// Returns the header with the credentials for an HTTP proxy.
    pub(super) fn authorization(&self) -> Option<HeaderValue> {
        let (user, password) = self.credentials.as_ref()?;
        let pair = Secret::new(format!("{user}:{}", password.expose()));
        let text = Secret::new(format!("Basic {}", STANDARD.encode(pair.expose())));
        let mut value = HeaderValue::from_str(text.expose()).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

/// Reads `user` or `user:password`, with percent signs for characters that a URL cannot hold.
fn credentials(text: &str) -> Result<(String, SecretString), ProxyError> {
    let decoded = |part: &str| {
        let escapes = part.split('%').skip(1);
        let well_formed = |escape: &str| {
            let digits = escape.get(..2);
            digits.is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))
        };
        let text = percent_decode_str(part).decode_utf8();
        match (escapes.clone().all(well_formed), text) {
            (true, Ok(text)) => Ok(text.into_owned()),
            _ => Err(ProxyError::Address),
        }
    };
    let (user, password) = text.split_once(':').unwrap_or((text, ""));
    Ok((decoded(user)?, Secret::new(decoded(password)?)))
}

fn is_host(host: &str) -> bool {
    let odd = |c: char| c.is_whitespace() || c.is_control() || "/@%\\\"<>".contains(c);
    !host.is_empty() && !host.contains(odd)
}

/// The proxies for all servers.
#[derive(Default)]
pub struct Proxies {
    /// The proxy for every server, exceptions or not.
    pub always: Option<Proxy>,
    /// The proxy for servers at `http://`.
    pub http: Option<Proxy>,
    /// The proxy for servers at `https://`.
    pub https: Option<Proxy>,
    /// The servers that are asked without a proxy.
    pub exceptions: Exceptions,
}

impl Proxies {
    /// Returns the proxy on the way to a server.
    pub(super) fn find(&self, host: &str, port: u16, tls: bool) -> Option<&Proxy> {
        if self.always.is_some() {
            return self.always.as_ref();
        }
        let proxy = if tls { &self.https } else { &self.http };
        let proxy = proxy.as_ref()?;
        (!self.exceptions.contain(host, port)).then_some(proxy)
    }

    /// Returns true if a proxy is to be reached over TLS.
    pub fn speak_tls(&self) -> bool {
        let mut all = [&self.always, &self.http, &self.https]
            .into_iter()
            .flatten();
        all.any(|proxy| proxy.scheme == Scheme::Https)
    }
}

/// The servers that are asked without a proxy: `NO_PROXY`.
#[derive(Debug, Default)]
pub struct Exceptions(Vec<Exception>);

#[derive(Debug, PartialEq, Eq)]
enum Exception {
    All,
    Network(IpNet),
    Address(IpAddr, Option<u16>),
    /// The domain with a dot before it; the flag is true if it stands for itself as well.
    Domain {
        suffix: String,
        itself: bool,
        port: Option<u16>,
    },
}

impl Exceptions {
    /// Reads hosts, domains, addresses and networks with commas between them, or `*`. `a.b` is the
    /// host and all below it, `.a.b` and `*.a.b` only those below; a port may follow.
    pub fn parse(text: &str) -> Result<Self, ProxyError> {
        let entries = text.split(',').map(|entry| entry.trim().to_lowercase());
        let entries = entries.filter(|entry| !entry.is_empty());
        Ok(Self(
            entries.map(|e| exception(&e)).collect::<Result<_, _>>()?,
        ))
    }

    fn contain(&self, host: &str, port: u16) -> bool {
        let host = host.trim_end_matches('.').to_lowercase();
        let address: Option<IpAddr> = host.parse().ok();
        if host == "localhost" || address.is_some_and(|address| address.is_loopback()) {
            return true;
        }
        let right = |wanted: &Option<u16>| wanted.is_none_or(|wanted| wanted == port);
        self.0.iter().any(|exception| match exception {
            Exception::All => true,
            Exception::Network(network) => address.is_some_and(|a| cidr::contains(network, a)),
            Exception::Address(one, wanted) => address == Some(*one) && right(wanted),
            Exception::Domain {
                suffix,
                itself,
                port,
            } => {
                let same = *itself && suffix.strip_prefix('.') == Some(host.as_str());
                address.is_none() && right(port) && (same || host.ends_with(suffix.as_str()))
            }
        })
    }
}

fn exception(entry: &str) -> Result<Exception, ProxyError> {
    let wrong = || ProxyError::Exception(entry.to_owned());
    if entry == "*" {
        return Ok(Exception::All);
    }
    if entry.contains('/') {
        return cidr::parse(entry).map(Exception::Network).ok_or_else(wrong);
    }
    if let Ok(address) = entry.parse() {
        return Ok(Exception::Address(address, None));
    }
    // Port zero, at which no server listens, stands for none.
    let (host, port) = split_port(entry, 0).ok_or_else(wrong)?;
    let port = Some(port).filter(|port| *port != 0);
    if let Ok(address) = host.parse() {
        return Ok(Exception::Address(address, port));
    }
    let below = host.strip_prefix("*.").or_else(|| host.strip_prefix('.'));
    let domain = below.unwrap_or(&host);
    if !is_host(domain) || domain.contains('*') {
        return Err(wrong());
    }
    Ok(Exception::Domain {
        suffix: format!(".{domain}"),
        itself: below.is_none(),
        port,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxies_are_taken_apart() {
        for (text, scheme, host, port, user) in [
            ("proxy", Scheme::Http, "proxy", 80, None),
            ("proxy:3128", Scheme::Http, "proxy", 3128, None),
            ("http://proxy:3128/", Scheme::Http, "proxy", 3128, None),
            ("HTTPS://[::1]", Scheme::Https, "::1", 443, None),
            ("socks5h://10.0.0.1", Scheme::Socks5, "10.0.0.1", 1080, None),
            (
                "http://a:b@proxy",
                Scheme::Http,
                "proxy",
                80,
                Some(("a", "b")),
            ),
            (
                "a%40x:b%3a@proxy:1",
                Scheme::Http,
                "proxy",
                1,
                Some(("a@x", "b:")),
            ),
        ] {
            let proxy = Proxy::parse(text).expect(text);
            assert_eq!(proxy.scheme, scheme, "{text}");
            assert_eq!((proxy.host.as_str(), proxy.port), (host, port), "{text}");
            let found = proxy.credentials.as_ref();
            let found = found.map(|(user, password)| (user.as_str(), password.expose().as_str()));
            assert_eq!(found, user, "{text}");
        }
        let proxy = Proxy::parse("http://Aladdin:opensesame@proxy").ok();
        let header = proxy.and_then(|proxy| proxy.authorization()).expect("one");
        assert_eq!(header, "Basic QWxhZGRpbjpvcGVuc2VzYW1l");
        assert!(!format!("{header:?}").contains("QWx"), "shown: {header:?}");
    }

    #[test]
    fn what_is_no_proxy_is_refused_without_its_password() {
        for text in [
            "",
            "%%",
            "http://",
            "http://user:canary@",
            "http://user:canary@host:port",
            "http://user:canary%zz@host",
            "http://user:canary@ho st",
            "ftp://user:canary@host",
            "user:canary://x@host",
            "http://user:canary@[::1",
        ] {
            let error = Proxy::parse(text).err().expect(text);
            assert!(!error.to_string().contains("canary"), "{text}: {error}");
        }
        let error = Proxy::parse("ftp://host").err();
        assert_eq!(error, Some(ProxyError::Scheme(String::from("ftp"))));
    }

    #[test]
    fn exceptions_match_as_in_go() {
        for (list, host, port, expected) in [
            ("", "pi.lan", 8200, false),
            ("*", "pi.lan", 8200, true),
            ("pi.lan", "pi.lan", 8200, true),
            ("pi.lan", "PI.lan", 8200, true),
            ("pi.lan", "a.pi.lan", 8200, true),
            ("pi.lan", "xpi.lan", 8200, false),
            (".lan", "pi.lan", 8200, true),
            (".pi.lan", "pi.lan", 8200, false),
            ("*.lan", "pi.lan", 8200, true),
            ("other, pi.lan:8200", "pi.lan", 8200, true),
            ("pi.lan:8201", "pi.lan", 8200, false),
            ("10.0.0.0/8", "10.1.2.3", 8200, true),
            ("10.0.0.0/8", "11.1.2.3", 8200, false),
            ("10.0.0.1", "10.0.0.1", 8200, true),
            ("10.0.0.1:80", "10.0.0.1", 8200, false),
            ("fd00::/8", "fd12::1", 8200, true),
            ("[fd12::1]:8200", "fd12::1", 8200, true),
            ("", "localhost", 8200, true),
            ("", "127.0.0.9", 8200, true),
            ("", "::1", 8200, true),
        ] {
            let exceptions = Exceptions::parse(list).expect(list);
            assert_eq!(exceptions.contain(host, port), expected, "{list}: {host}");
        }
        for list in ["10.0.0.0/99", "a,b/c", "pi.lan:x", "a*b", "[::1"] {
            assert!(Exceptions::parse(list).is_err(), "{list}");
        }
    }

    #[test]
    fn a_proxy_for_all_knows_no_exceptions() {
        let proxy = |host: &str| Proxy::parse(host).ok();
        let mut proxies = Proxies {
            http: proxy("plain"),
            https: proxy("https://tls"),
            exceptions: Exceptions::parse("near").expect("valid"),
            ..Proxies::default()
        };
        let found = |proxies: &Proxies, host: &str, tls: bool| {
            let proxy = proxies.find(host, 8200, tls);
            proxy.map(|proxy| proxy.host.clone())
        };
        assert_eq!(found(&proxies, "far", false).as_deref(), Some("plain"));
        assert_eq!(found(&proxies, "far", true).as_deref(), Some("tls"));
        assert_eq!(found(&proxies, "near", true), None);
        assert!(proxies.speak_tls());
        proxies.always = proxy("always");
        for host in ["far", "near", "127.0.0.1"] {
            assert_eq!(found(&proxies, host, true).as_deref(), Some("always"));
        }
    }
}
