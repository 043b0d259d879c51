//! Announces this node on the local network, for others to join it: while it has its keys, and only
//! where the configuration speaks of multicast DNS, in `retry_join` or as `service_registration
//! "mdns" {}`.

use super::error::StartError;
use super::join::Joiner;
use super::shared::Shared;
use crate::config::Config;
use crate::discovery::{Announcement, Announcer, AutoJoin, Mdns};
use crate::outbound::{Address, Route};
use crate::router::Role;
use std::net::IpAddr;
use std::sync::Arc;

/// The kind of `service_registration` that announces by multicast DNS.
pub(super) const REGISTRATION: &str = "mdns";

/// Returns the services that this node is announced as.
pub(super) fn services(config: &Config, joiner: &Joiner) -> Result<Vec<Mdns>, StartError> {
    let mut services: Vec<Mdns> = Vec::new();
    let searched = joiner.places.iter().filter_map(|place| place.service());
    services.extend(searched.map(|AutoJoin::Mdns(mdns)| mdns.clone()));
    let registration = config.service_registration.as_ref();
    if let Some(stanza) = registration.filter(|stanza| stanza.kind == REGISTRATION) {
        let fields = stanza.fields.iter();
        let pairs = fields.map(|(key, value)| (key.clone(), value.expose().clone()));
        let service = Mdns::of(&pairs.collect::<Vec<_>>()).map_err(|error| {
            let position = &stanza.position;
            StartError::Unsupported(format!("{position}: service_registration: {error}"))
        })?;
        services.push(service);
    }
    let mut once: Vec<Mdns> = Vec::new();
    for service in services {
        let is_same =
            |other: &Mdns| other.service == service.service && other.domain == service.domain;
        if !once.iter().any(is_same) {
            once.push(service);
        }
    }
    Ok(once)
}

/// Announces the node while its role lets it, until the node is gone.
pub(super) fn spawn(shared: &Arc<Shared>, services: Vec<Mdns>) {
    if services.is_empty() {
        return;
    }
    let (mut role, node) = (shared.role(), Arc::downgrade(shared));
    crate::task::spawn(async move {
        let mut announced: Vec<Announcer> = Vec::new();
        loop {
            let serves = matches!(
                &*role.borrow_and_update(),
                Role::Active { .. } | Role::Standby { .. }
            );
            let Some(shared) = node.upgrade() else { return };
            match (serves, announced.is_empty()) {
                (true, true) => announced = start(&shared, &services),
                (false, false) => announced.clear(),
                _ => {}
            }
            drop(shared);
            if role.changed().await.is_err() {
                return;
            }
        }
    });
}

fn start(shared: &Shared, services: &[Mdns]) -> Vec<Announcer> {
    let Some(said) = announcement(shared) else {
        return Vec::new();
    };
    let mut announced = Vec::new();
    for service in services {
        match Announcer::start(service, &said) {
            Ok(announcer) => {
                crate::telemetry::info!(
                    service = service.service,
                    port = said.port,
                    "announced by mDNS"
                );
                announced.push(announcer);
            }
            Err(error) => tracing::warn!(%error, "this node cannot be announced"),
        }
    }
    announced
}

fn announcement(shared: &Shared) -> Option<Announcement> {
    let raft = shared.leadership.raft()?;
    let cluster = shared.state().session.as_ref()?.cluster.id.clone();
    let address = Address::parse(&shared.addresses().api).ok()?;
    let Route::Tcp { host, port, tls } = address.route else {
        return None;
    };
    Some(Announcement {
        node_id: shared.joiner.node_id.clone(),
        unique: format!("{:016x}", raft.raft_id()),
        address: host.parse::<IpAddr>().ok(),
        port,
        scheme: if tls { "https" } else { "http" }.into(),
        cluster_id: cluster,
    })
}
