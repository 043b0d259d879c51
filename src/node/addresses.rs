//! How this node is reached: what was configured, or what can be told from its listeners.

use super::host;
use crate::http::Bound;
use std::net::{IpAddr, SocketAddr};

/// URLs as status pages and redirects show them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Addresses {
    /// `http://192.168.50.101:8200`.
    pub api: String,
    /// `https://192.168.50.101:8201`: always https, because nodes speak TLS to each other.
    pub cluster: String,
}

/// Fills what `api` and `cluster` (as configured) leave open from the first TCP listener, given as
/// what it is bound to and whether it speaks TLS.
pub(super) fn resolve(
    api: Option<&str>,
    cluster: Option<&str>,
    bound: &[Bound],
    tls: bool,
) -> Addresses {
    let first = bound.iter().find_map(|bound| match bound {
        Bound::Tcp(address) => Some(*address),
        Bound::Unix(_) => None,
    });
    let scheme = if tls { "https" } else { "http" };
    let api = match api {
        Some(url) => with_host(url),
        None => first
            .map(|at| format!("{scheme}://{}", reachable(at)))
            .unwrap_or_default(),
    };
    let cluster = match cluster {
        Some(url) => format!("https://{}", after_scheme(&with_host(url))),
        None => next_port(after_scheme(&api)),
    };
    Addresses { api, cluster }
}

/// Puts this host's name where a URL has none (`http://:8200`).
fn with_host(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) if rest.starts_with(':') => {
            format!("{scheme}://{}{rest}", host::name())
        }
        _ => url.to_owned(),
    }
}

fn after_scheme(url: &str) -> &str {
    url.split_once("://").map_or(url, |(_, rest)| rest)
}

/// Vault's rule: the cluster port is the API's plus one.
fn next_port(host_port: &str) -> String {
    match host_port.rsplit_once(':') {
        Some((host, port)) => match port.parse::<u16>() {
            Ok(port) => format!("https://{host}:{}", port.saturating_add(1)),
            Err(_) => String::new(),
        },
        None => String::new(),
    }
}

/// A listener on all addresses is reached at the private one.
fn reachable(address: SocketAddr) -> SocketAddr {
    if !address.ip().is_unspecified() {
        return address;
    }
    let private = crate::config::expand_template("{{ GetPrivateIP }}")
        .ok()
        .and_then(|text| text.parse::<IpAddr>().ok());
    SocketAddr::new(
        private.unwrap_or(IpAddr::from([127, 0, 0, 1])),
        address.port(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cluster_addresses_are_https_whatever_was_configured() {
        let all = resolve(Some("http://a:8200"), Some("http://a:8201"), &[], false);
        assert_eq!(all.api, "http://a:8200");
        assert_eq!(all.cluster, "https://a:8201");
    }

    #[test]
    fn what_is_missing_follows_from_the_listener() {
        let bound = [Bound::Tcp(SocketAddr::from(([127, 0, 0, 1], 8200)))];
        let all = resolve(None, None, &bound, true);
        assert_eq!(all.api, "https://127.0.0.1:8200");
        assert_eq!(all.cluster, "https://127.0.0.1:8201");
    }

    #[test]
    fn an_empty_host_is_this_one() {
        let all = resolve(Some("http://:8200"), Some("http://:8201"), &[], false);
        assert_eq!(all.api, format!("http://{}:8200", host::name()));
        assert_eq!(all.cluster, format!("https://{}:8201", host::name()));
    }
}
