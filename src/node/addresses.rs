//! The addresses of this node: those configured, or those that follow from its listeners.
//!
//! A node that others join must be told its address, because a listener does not know under which
//! name or address another machine reaches it: `cluster_addr`, or `api_addr`, whose host the
//! cluster address then shares.

use super::host;
use crate::config::{self, Config};
use crate::http::Bound;
use std::net::{IpAddr, SocketAddr};

/// The refusal of [`check`]; it begins in Vault's words.
const UNSET: &str = "cluster address must be set when using raft storage: set cluster_addr \
     (or VAULT_CLUSTER_ADDR) to where the other nodes reach this one, such as \
     \"https://pi-1.home:8201\", or api_addr (or VAULT_API_ADDR) to where clients do, and the \
     cluster address has its host";

/// The node's URLs, as status pages and redirects show them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Addresses {
    /// The URL of the API: `http://192.168.50.101:8200`.
    pub api: String,
    /// The URL for members: `https://192.168.50.101:8201`; always https, because nodes speak TLS to
    /// each other.
    pub cluster: String,
}

impl Addresses {
    /// Returns `host:port` of the cluster's address.
    pub fn cluster_host_port(&self) -> String {
        after_scheme(&self.cluster).to_owned()
    }
}

/// Refuses a replicated store for which neither `cluster_addr` nor `api_addr` is set.
///
/// # Errors
/// The settings that are missing, as a message for the operator.
pub(super) fn check(config: &Config) -> Result<(), String> {
    let is_raft = matches!(config.storage, Some(config::Storage::Raft(_)));
    match is_raft && config.cluster_address.is_none() && config.api_address.is_none() {
        true => Err(UNSET.into()),
        false => Ok(()),
    }
}

/// Returns the addresses of a node with these listeners; `cluster` is the address that its first
/// cluster listener is bound to.
pub(super) fn configured(
    config: &Config,
    bound: &[Bound],
    cluster: Option<SocketAddr>,
) -> Addresses {
    let first = config.listeners.first();
    resolve(
        config.api_address.as_deref(),
        config.cluster_address.as_deref(),
        bound,
        first.is_some_and(|first| first.tls.is_some()),
        cluster,
    )
}

/// Completes `api` and `cluster` (as configured) from the first TCP listener, by its bound address
/// and whether it speaks TLS, and from the first cluster listener.
fn resolve(
    api: Option<&str>,
    cluster: Option<&str>,
    bound: &[Bound],
    tls: bool,
    cluster_bound: Option<SocketAddr>,
) -> Addresses {
    let first = bound.iter().find_map(|bound| match bound {
        Bound::Tcp(address) => Some(*address),
        Bound::Unix(_) => None,
    });
    let scheme = if tls { "https" } else { "http" };
    let api = match api {
        Some(url) => with_port(&with_host(url), first),
        None => first
            .map(|at| format!("{scheme}://{}", reachable(at)))
            .unwrap_or_default(),
    };
    let cluster = match (cluster, cluster_bound) {
        (Some(url), _) => {
            let url = with_port(&with_host(url), cluster_bound);
            format!("https://{}", after_scheme(&url))
        }
        (None, Some(bound)) if !bound.ip().is_unspecified() => format!("https://{bound}"),
        (None, Some(bound)) => match after_scheme(&api).rsplit_once(':') {
            Some((host, _)) => format!("https://{host}:{}", bound.port()),
            None => format!("https://{}", reachable(bound)),
        },
        (None, None) => next_port(after_scheme(&api)),
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

/// Puts the port of the listener where a URL has port 0, as the listener's own address may.
fn with_port(url: &str, bound: Option<SocketAddr>) -> String {
    match (url.strip_suffix(":0"), bound) {
        (Some(host), Some(bound)) => format!("{host}:{}", bound.port()),
        _ => url.to_owned(),
    }
}

fn after_scheme(url: &str) -> &str {
    url.split_once("://").map_or(url, |(_, rest)| rest)
}

/// Returns the cluster address by Vault's rule: the cluster port is the API's plus one.
fn next_port(host_port: &str) -> String {
    match host_port.rsplit_once(':') {
        Some((host, port)) => match port.parse::<u16>() {
            Ok(port) => format!("https://{host}:{}", port.saturating_add(1)),
            Err(_) => String::new(),
        },
        None => String::new(),
    }
}

/// Returns the address at which a listener is reached: for one on all addresses, the private one.
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
        let all = resolve(
            Some("http://a:8200"),
            Some("http://a:8201"),
            &[],
            false,
            None,
        );
        assert_eq!(all.api, "http://a:8200");
        assert_eq!(all.cluster, "https://a:8201");
    }

    #[test]
    fn what_is_missing_follows_from_the_listener() {
        let bound = [Bound::Tcp(SocketAddr::from(([127, 0, 0, 1], 8200)))];
        let all = resolve(None, None, &bound, true, None);
        assert_eq!(all.api, "https://127.0.0.1:8200");
        assert_eq!(all.cluster, "https://127.0.0.1:8201");
    }

    #[test]
    fn the_cluster_listener_tells_its_port() {
        let on = |ip: [u8; 4]| Some(SocketAddr::from((ip, 9301)));
        let all = resolve(Some("http://pi:8200"), None, &[], false, on([127, 0, 0, 4]));
        assert_eq!(all.cluster, "https://127.0.0.4:9301");
        assert_eq!(all.cluster_host_port(), "127.0.0.4:9301");
        let all = resolve(Some("http://pi:8200"), None, &[], false, on([0, 0, 0, 0]));
        assert_eq!(all.cluster, "https://pi:9301", "reached as the API is");
    }

    #[test]
    fn port_0_is_the_listeners_port() {
        let bound = [Bound::Tcp(SocketAddr::from(([127, 0, 0, 1], 8300)))];
        let cluster = Some(SocketAddr::from(([127, 0, 0, 1], 9301)));
        let all = resolve(
            Some("http://a:0"),
            Some("http://a:0"),
            &bound,
            false,
            cluster,
        );
        assert_eq!(all.api, "http://a:8300");
        assert_eq!(all.cluster, "https://a:9301");
    }

    #[test]
    fn an_empty_host_is_this_one() {
        let all = resolve(Some("http://:8200"), Some("http://:8201"), &[], false, None);
        assert_eq!(all.api, format!("http://{}:8200", host::name()));
        assert_eq!(all.cluster, format!("https://{}:8201", host::name()));
    }
}
