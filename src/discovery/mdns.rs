//! Searches the local network for servers.

use super::DiscoveryError;
use super::auto_join::{AutoJoin, Mdns};
use mdns_sd::{IfKind, ResolvedService, ScopedIp, ServiceDaemon, ServiceEvent};
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// The time after the last new answer in which further servers may answer.
const QUIET: Duration = Duration::from_millis(700);
/// The most servers of one search.
const FOUND_MAX: usize = 64;
/// The longest that the search's thread may take to end.
const SHUTDOWN_MAX: Duration = Duration::from_secs(1);

/// A server that an answer on the network claims to be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    /// The address of the server's API.
    pub address: SocketAddr,
    /// The scheme of the API, `http` or `https`, when the answer has it.
    pub scheme: Option<String>,
    /// The id of the server's cluster, when the answer has it.
    pub cluster_id: Option<String>,
}

impl AutoJoin {
    /// Looks for servers; sorted, each address once. Nothing is left running.
    pub async fn search(&self) -> Result<Vec<Found>, DiscoveryError> {
        let Self::Mdns(mdns) = self.clone();
        let searched = tokio::task::spawn_blocking(move || mdns.search()).await;
        searched.unwrap_or_else(|error| Err(DiscoveryError::Mdns(error.to_string())))
    }
}

impl Mdns {
    fn search(&self) -> Result<Vec<Found>, DiscoveryError> {
        let daemon = daemon(self.v4, self.v6)?;
        let found = self.gather(&daemon);
        stop(&daemon);
        found
    }

    fn gather(&self, daemon: &ServiceDaemon) -> Result<Vec<Found>, DiscoveryError> {
        let events = daemon.browse(&self.full_name()).map_err(failed)?;
        let mut found = BTreeSet::new();
        let end = Instant::now() + self.timeout;
        let mut wait_until = end;
        while let Ok(event) = events.recv_deadline(wait_until.min(end)) {
            let ServiceEvent::ServiceResolved(service) = event else {
                continue;
            };
            let known = found.len();
            found.extend(self.addresses(&service));
            if found.len() >= FOUND_MAX {
                break;
            }
            if found.len() > known {
                wait_until = Instant::now() + QUIET;
            }
        }
        Ok(found.into_iter().take(FOUND_MAX).collect())
    }

    fn addresses(&self, service: &ResolvedService) -> Vec<Found> {
        let text = |key: &str| service.get_property_val_str(key).map(str::to_owned);
        let scheme = text("scheme").filter(|scheme| scheme == "http" || scheme == "https");
        let usable = service.get_addresses().iter().map(ScopedIp::to_ip_addr);
        usable
            .filter(|address| self.wants(*address))
            .map(|address| Found {
                address: SocketAddr::new(address, service.get_port()),
                scheme: scheme.clone(),
                cluster_id: text("cluster"),
            })
            .collect()
    }

    /// Returns true for an address that the search asks for. A link-local address of IPv6 means
    /// nothing without its interface, which no URL can name.
    fn wants(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(_) => self.v4,
            IpAddr::V6(v6) => self.v6 && !v6.is_unicast_link_local(),
        }
    }
}

/// Starts a daemon that speaks on the interfaces of the families asked for.
pub(super) fn daemon(v4: bool, v6: bool) -> Result<ServiceDaemon, DiscoveryError> {
    let daemon = ServiceDaemon::new().map_err(failed)?;
    for (wanted, kind) in [(v4, IfKind::IPv4), (v6, IfKind::IPv6)] {
        if !wanted {
            daemon.disable_interface(kind).map_err(failed)?;
        }
    }
    Ok(daemon)
}

/// Stops a daemon, and waits for its thread to end.
pub(super) fn stop(daemon: &ServiceDaemon) {
    if let Ok(stopped) = daemon.shutdown() {
        // It ends on its own if it needs longer.
        let _ = stopped.recv_timeout(SHUTDOWN_MAX);
    }
}

pub(super) fn failed(error: mdns_sd::Error) -> DiscoveryError {
    DiscoveryError::Mdns(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_a_family_that_was_not_asked_for_and_link_local_ones_are_left_out() {
        let wants = |v4, v6, address: &str| {
            let mdns = Mdns {
                v4,
                v6,
                ..Mdns::default()
            };
            mdns.wants(address.parse().unwrap())
        };
        for (address, both, only_v4, only_v6) in [
            ("192.168.1.16", true, true, false),
            ("169.254.1.1", true, true, false),
            ("fd00::2", true, false, true),
            ("::1", true, false, true),
            ("fe80::1", false, false, false),
        ] {
            let found = [(true, true), (true, false), (false, true)];
            let found = found.map(|(v4, v6)| wants(v4, v6, address));
            assert_eq!(found, [both, only_v4, only_v6], "{address}");
        }
    }
}
