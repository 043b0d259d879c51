//! The configuration as `sys/config/state/sanitized` shows it, without anything that may be a
//! credential.

use crate::config::{Config, Listener, Storage};
use serde_json::{Map, Value, json};
use std::time::Duration;

/// Returns the keys that Vault shows.
pub(super) fn sanitized(config: &Config) -> Map<String, Value> {
    let seconds = |ttl: Option<Duration>| ttl.unwrap_or_default().as_secs();
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let logging = &config.logging;
    let value = json!({
        "api_addr": text(&config.api_address),
        "cache_size": config.cache_size.unwrap_or(0),
        "cluster_addr": text(&config.cluster_address),
        "cluster_name": text(&config.cluster_name),
        "default_lease_ttl": seconds(config.default_lease_ttl),
        "disable_cache": config.disable_cache,
        "disable_mlock": config.disable_mlock,
        "enable_response_header_hostname": config.response_header_hostname,
        "enable_response_header_raft_node_id": config.response_header_raft_node_id,
        "enable_ui": config.ui,
        "introspection_endpoint": config.introspection_endpoint,
        "listeners": config.listeners.iter().map(listener).collect::<Vec<_>>(),
        "log_format": match logging.format {
            crate::config::LogFormat::Standard => "standard",
            crate::config::LogFormat::Json => "json",
        },
        "log_level": logging.level.map(crate::config::LogLevel::name).unwrap_or_default(),
        "max_lease_ttl": seconds(config.max_lease_ttl),
        "pid_file": config.pid_file.as_ref().map(|path| path.display().to_string())
            .unwrap_or_default(),
        "raw_storage_endpoint": config.raw_storage_endpoint,
        "seals": config.seals.iter().map(|seal| json!({
            "disabled": seal.disabled, "name": seal.name, "type": seal.kind,
        })).collect::<Vec<_>>(),
        "storage": storage(config),
    });
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn listener(listener: &Listener) -> Value {
    json!({
        "config": {
            "address": listener.address,
            "cluster_address": listener.cluster_address,
            "tls_disable": listener.tls.is_none(),
        },
        "type": if listener.is_unix { "unix" } else { "tcp" },
    })
}

fn storage(config: &Config) -> Value {
    let kind = match &config.storage {
        Some(Storage::Raft(_)) => "raft",
        Some(Storage::Inmem) | None => "inmem",
        Some(Storage::Other { kind, .. }) => kind,
    };
    json!({
        "cluster_addr": config.cluster_address,
        "disable_clustering": false,
        "raft": match &config.storage {
            Some(Storage::Raft(raft)) => json!({"path": raft.path, "node_id": raft.node_id}),
            _ => Value::Null,
        },
        "redirect_addr": config.api_address,
        "type": kind,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_what_is_public_only() {
        let text = "storage \"raft\" { path = \"/p\" }\napi_addr = \"http://a:1\"\n\
                    seal \"transit\" { token = \"s3cret\" }\n\
                    listener \"tcp\" { address = \"127.0.0.1:1\" tls_disable = 1 }\n";
        let texts = [("a.hcl".to_owned(), text.to_owned())];
        let config = crate::config::from_text(&texts, &[]).unwrap().config;
        let map = sanitized(&config);
        assert_eq!(map["storage"]["type"], "raft");
        assert_eq!(map["listeners"][0]["config"]["address"], "127.0.0.1:1");
        assert_eq!(map["seals"][0]["type"], "transit");
        assert!(!Value::Object(map).to_string().contains("s3cret"));
    }
}
