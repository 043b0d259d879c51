//! Announces this node's address on the local network.

use super::DiscoveryError;
use super::auto_join::Mdns;
use super::mdns::{daemon, failed, stop};
use mdns_sd::{ServiceDaemon, ServiceInfo};
use std::net::IpAddr;

/// Seconds between looks for new interfaces and addresses: Wi-Fi comes up after the node.
const INTERFACES_EVERY_S: u32 = 60;
/// The longest name of an instance, in bytes.
const INSTANCE_BYTES_MAX: usize = 63;

/// A node's announcement.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Announcement {
    /// The operator's `node_id`.
    pub node_id: String,
    /// A text that tells the node from all others.
    pub unique: String,
    /// The address of the node's API, when that is an IP address; every address of its interfaces
    /// otherwise.
    pub address: Option<IpAddr>,
    /// The port of the node's API.
    pub port: u16,
    /// The scheme of the API: `http` or `https`.
    pub scheme: String,
    /// The id of the node's cluster.
    pub cluster_id: String,
}

/// Answers searches until it is dropped.
pub struct Announcer {
    daemon: ServiceDaemon,
}

impl Announcer {
    /// Begins to answer searches for `service`.
    pub fn start(service: &Mdns, said: &Announcement) -> Result<Self, DiscoveryError> {
        let info = info(service, said)?;
        let daemon = daemon(service.v4, service.v6)?;
        let begun = daemon
            .set_ip_check_interval(INTERFACES_EVERY_S)
            .and_then(|()| daemon.register(info))
            .map_err(failed);
        if let Err(error) = begun {
            stop(&daemon);
            return Err(error);
        }
        Ok(Self { daemon })
    }
}

impl Drop for Announcer {
    fn drop(&mut self) {
        // Says goodbye on its way; no caller waits for it.
        drop(self.daemon.shutdown());
    }
}

fn info(service: &Mdns, said: &Announcement) -> Result<ServiceInfo, DiscoveryError> {
    let mut instance = said.node_id.clone();
    while instance.len() > INSTANCE_BYTES_MAX {
        instance.pop();
    }
    let host = format!("coffer-{}.{}.", said.unique, service.domain);
    let text = [
        ("scheme", said.scheme.as_str()),
        ("cluster", said.cluster_id.as_str()),
    ];
    let full_name = service.full_name();
    let addresses: Vec<IpAddr> = said.address.into_iter().collect();
    let info = ServiceInfo::new(
        &full_name,
        &instance,
        &host,
        addresses.as_slice(),
        said.port,
        &text[..],
    );
    let info = info.map_err(failed)?;
    Ok(match said.address {
        Some(_) => info,
        None => info.enable_addr_auto(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::{AutoJoin, Found};
    use super::*;
    use std::time::Duration;

    fn said(name: &str, address: &str, port: u16) -> Announcement {
        Announcement {
            node_id: name.into(),
            unique: uuid::Uuid::new_v4().simple().to_string(),
            address: Some(address.parse().unwrap()),
            port,
            scheme: "http".into(),
            cluster_id: format!("cluster-of-{name}"),
        }
    }

    /// Runs over the loopback interface, which carries multicast of IPv4 but not of IPv6.
    #[tokio::test]
    async fn several_servers_are_found_and_only_those_of_the_service() {
        let unique = uuid::Uuid::new_v4().simple().to_string();
        let service = Mdns {
            service: format!("_c{}._tcp", &unique[..10]),
            timeout: Duration::from_secs(5),
            ..Mdns::default()
        };
        let one = said("one", "127.0.0.2", 8200);
        let other = said("other", "127.0.0.3", 8300);
        let _one = Announcer::start(&service, &one).unwrap();
        let _other = Announcer::start(&service, &other).unwrap();
        let mut found = Vec::new();
        for _ in 0..4 {
            found = AutoJoin::Mdns(service.clone()).search().await.unwrap();
            if found.len() == 2 {
                break;
            }
        }
        let expected = |said: &Announcement| Found {
            address: (said.address.unwrap(), said.port).into(),
            scheme: Some("http".into()),
            cluster_id: Some(said.cluster_id.clone()),
        };
        assert_eq!(found, [expected(&one), expected(&other)]);
        let nobody = Mdns {
            service: "_nobody-here._tcp".into(),
            timeout: Duration::from_millis(300),
            ..service
        };
        assert_eq!(AutoJoin::Mdns(nobody).search().await.unwrap(), []);
    }
}
