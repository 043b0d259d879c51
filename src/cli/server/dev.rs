//! `server -dev`.

use super::banner;
use super::flags::Flags;
use crate::cli::token_file;
use crate::config::{self, Loaded};
use crate::node::{Dev, DevStart, Node};
use crate::secret::Secret;
use base64::Engine;

const LISTEN_ADDRESS: &str = "127.0.0.1:8200";
/// The file for share and root token of a dev node that lasts, in its data directory.
const KEYS_FILE: &str = "dev.keys";

/// Builds the configuration: in memory, or with `-dev-path` in the embedded store, behind one plain
/// listener. `-config` may add to it, as in Vault.
pub fn config(flags: &Flags) -> Result<Loaded, String> {
    let mut loaded = config::load(&flags.config).map_err(|error| error.to_string())?;
    let address = flags
        .dev_listen_address
        .as_deref()
        .unwrap_or(LISTEN_ADDRESS);
    let storage = match &flags.dev_path {
        Some(path) => {
            let directory = std::fs::create_dir_all(path);
            directory.map_err(|error| format!("-dev-path {}: {error}", path.display()))?;
            serde_json::json!({"raft": {"path": path, "node_id": "dev"}})
        }
        None => serde_json::json!({"inmem": {}}),
    };
    let text = serde_json::json!({
        "storage": storage,
        "listener": {"tcp": {"address": address, "tls_disable": true}},
    });
    let texts = [("-dev-listen-address.json".to_owned(), text.to_string())];
    let dev = config::from_text(&texts, &[]).map_err(|error| error.to_string())?;
    loaded.config.storage = dev.config.storage;
    loaded.config.listeners.splice(0..0, dev.config.listeners);
    Ok(loaded)
}

/// Returns the steps that the node takes at its start.
pub fn options(flags: &Flags) -> Dev {
    Dev {
        root_token: flags.dev_root_token.clone().map(Secret::new),
        mount_kv: !flags.dev_no_kv,
        keys: flags.dev_path.as_ref().map(|path| path.join(KEYS_FILE)),
    }
}

/// Stores the token for the client verbs, and returns the text that shows share and token.
pub fn announce(node: &Node, start: &DevStart, flags: &Flags) -> String {
    let token = start.root_token.expose();
    if !flags.dev_no_store_token
        && let Err(error) = token_file::store(&start.root_token)
    {
        tracing::warn!(%error, "the root token could not be stored in ~/.vault-token");
    }
    let key = base64::engine::general_purpose::STANDARD.encode(start.unseal_key.expose());
    let path = flags.dev_path.as_deref();
    banner::dev(&node.addresses().api, &key, token, path)
}
