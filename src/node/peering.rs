//! This node's identity, and the listeners at which other nodes reach it.

use super::addresses;
use super::error::StartError;
use crate::config::{self, Config};
use crate::http::Bound;
use crate::peer::{self, Identity, Peers};
use crate::raft;
use std::net::SocketAddr;
use std::sync::Arc;

/// The network and the addresses of a node whose store is replicated, made before the store is
/// opened.
pub(super) struct Peering {
    pub peers: Arc<Peers>,
    /// The address that the first cluster listener is bound to.
    pub bound: Option<SocketAddr>,
    /// `host:port` at which members find this node.
    pub address: String,
    /// The URL of the API, `http://192.168.50.101:8200`, as far as it is known before the API
    /// listens.
    pub api_address: String,
}

impl Peering {
    /// Reads or makes the node's key and listens for members. `None` where the store has no other
    /// nodes, and in dev mode, which stays alone.
    ///
    /// # Errors
    /// No setting tells members this node's address, the data directory is another program's, the
    /// key cannot be used, or a port is taken.
    pub async fn start(config: &Config, is_dev: bool) -> Result<Option<Self>, StartError> {
        let Some(config::Storage::Raft(raft)) = &config.storage else {
            return Ok(None);
        };
        if is_dev {
            return Ok(None);
        }
        addresses::check(config).map_err(StartError::Unsupported)?;
        let storage = |error: String| StartError::Storage(error);
        // A directory that is not ours gets no key from us.
        raft::check_directory(&raft.path).map_err(|error| storage(error.to_string()))?;
        let identity = Identity::open(&raft.path.join(peer::IDENTITY_FILE));
        let identity = identity.map_err(|error| storage(error.to_string()))?;
        let peers = Peers::new(identity, peer::Limits::default());
        let bound = peers.listen(&listened(config)).await;
        let bound = bound.map_err(|error| StartError::ClusterListener(error.to_string()))?;
        let bound = bound.first().copied();
        let known = addresses::configured(config, &configured_listeners(config), bound);
        Ok(Some(Self {
            peers,
            bound,
            address: known.cluster_host_port(),
            api_address: known.api,
        }))
    }
}

/// Returns the addresses to listen on, each once.
fn listened(config: &Config) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for listener in &config.listeners {
        let address = &listener.cluster_address;
        if !address.is_empty() && !all.contains(address) {
            all.push(address.clone());
        }
    }
    all
}

/// Returns the API's listeners as they will be bound, where the configuration already tells.
fn configured_listeners(config: &Config) -> Vec<Bound> {
    let tcp = config.listeners.iter().filter(|listener| !listener.is_unix);
    tcp.filter_map(|listener| listener.address.parse::<SocketAddr>().ok())
        .filter(|address| address.port() != 0)
        .map(Bound::Tcp)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(listeners: &str) -> Config {
        let text = format!("storage \"raft\" {{ path = \"/p\" }}\n{listeners}");
        let texts = [("a.hcl".to_owned(), text)];
        crate::config::from_text(&texts, &[]).unwrap().config
    }

    #[test]
    fn listens_at_each_place_once() {
        let config = config(
            "listener \"tcp\" { address = \"127.0.0.1:8200\" tls_disable = 1 }\n\
             listener \"tcp\" { address = \"127.0.0.2:8200\" tls_disable = 1 \
             cluster_address = \"127.0.0.1:8201\" }\n\
             listener \"tcp\" { address = \"127.0.0.3:0\" tls_disable = 1 }\n\
             listener \"unix\" { address = \"/run/x\" }\n",
        );
        assert_eq!(listened(&config), ["127.0.0.1:8201", "127.0.0.3:0"]);
        let known = configured_listeners(&config);
        assert_eq!(known.len(), 2, "port 0 tells nothing yet");
    }
}
