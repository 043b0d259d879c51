//! The whole configuration.

use super::address::url;
use super::environment::Environment;
use super::section::Section;
use super::{
    AuditDevice, Listener, Logging, Seal, ServiceRegistration, Storage, Telemetry, indicator,
    listener, logging, stanza, storage, telemetry,
};
use crate::hardware::Indicator;
use crate::memory::Profile;
use std::path::PathBuf;
use std::time::Duration;

/// The whole configuration of files and environment, checked and typed.
#[derive(Debug, Default)]
pub struct Config {
    /// `storage` or `backend`; absent only in dev mode.
    pub storage: Option<Storage>,
    /// `listener`, in order.
    pub listeners: Vec<Listener>,
    /// `seal`, in order; empty means shamir.
    pub seals: Vec<Seal>,
    /// `service_registration`.
    pub service_registration: Option<ServiceRegistration>,
    /// `audit`.
    pub audit_devices: Vec<AuditDevice>,
    /// `telemetry`.
    pub telemetry: Telemetry,
    /// `log_*`.
    pub logging: Logging,
    /// `indicator`, in order.
    pub indicators: Vec<Indicator>,
    /// `api_addr`: the URL of this node for clients.
    pub api_address: Option<String>,
    /// `cluster_addr`: the URL of this node for other nodes.
    pub cluster_address: Option<String>,
    /// `cluster_name`.
    pub cluster_name: Option<String>,
    /// `disable_mlock`.
    pub disable_mlock: bool,
    /// `ui`.
    pub ui: bool,
    /// `default_lease_ttl`; 768 h where none is configured.
    pub default_lease_ttl: Option<Duration>,
    /// `max_lease_ttl`; 768 h where none is configured.
    pub max_lease_ttl: Option<Duration>,
    /// `raw_storage_endpoint`: serves `sys/raw`.
    pub raw_storage_endpoint: bool,
    /// `introspection_endpoint`.
    pub introspection_endpoint: bool,
    /// `disable_cache`.
    pub disable_cache: bool,
    /// `cache_size`, in records.
    pub cache_size: Option<u64>,
    /// `memory_profile`: the sizes of caches; by the machine's memory where none is configured.
    pub memory_profile: Option<Profile>,
    /// `pid_file`.
    pub pid_file: Option<PathBuf>,
    /// `plugin_directory`; there are no plugins.
    pub plugin_directory: Option<PathBuf>,
    /// `enable_response_header_hostname`.
    pub response_header_hostname: bool,
    /// `enable_response_header_raft_node_id`.
    pub response_header_raft_node_id: bool,
}

/// Keys of Vault and OpenBao that are valid but change nothing here.
const WITHOUT_EFFECT: [&str; 38] = [
    "license_path",
    "experiments",
    "ha_storage",
    "ha_backend",
    "hsm",
    "kms",
    "entropy",
    "sentinel",
    "plugin",
    "plugin_tmpdir",
    "plugin_file_uid",
    "plugin_file_permissions",
    "plugin_auto_download",
    "plugin_auto_register",
    "plugin_download_behavior",
    "user_lockout",
    "detect_deadlocks",
    "disable_clustering",
    "disable_indexing",
    "disable_sealwrap",
    "disable_performance_standby",
    "disable_sentinel_trace",
    "disable_printable_check",
    "disable_standby_reads",
    "administrative_namespace_path",
    "imprecise_lease_role_tracking",
    "reporting",
    "enable_post_unseal_trace",
    "post_unseal_trace_directory",
    "allow_audit_log_prefixing",
    "request_limiter",
    "adaptive_overload_protection",
    "unsafe_cross_namespace_identity",
    "unsafe_allow_api_audit_creation",
    "enable_rate_limit",
    "initialize",
    "enable_unauthenticated_access",
    "remove_irrevocable_lease_after",
];

pub(super) fn read(top: &Section<'_>, environment: &Environment) -> Config {
    let flag = |key: &str| top.boolean(key).unwrap_or(false);
    let file = |key: &str| top.text(key).filter(|p| !p.is_empty()).map(PathBuf::from);
    let config = Config {
        storage: storage::read(top, environment),
        listeners: listener::read(top),
        seals: stanza::seals(top, environment),
        service_registration: stanza::service_registration(top),
        audit_devices: stanza::audit_devices(top),
        telemetry: telemetry::read(top),
        logging: logging::read(top),
        indicators: indicator::read(top),
        api_address: url(top, "api_addr"),
        cluster_address: url(top, "cluster_addr"),
        cluster_name: top.text("cluster_name").filter(|name| !name.is_empty()),
        disable_mlock: flag("disable_mlock"),
        ui: flag("ui") || flag("enable_ui"),
        default_lease_ttl: top.duration("default_lease_ttl"),
        max_lease_ttl: top.duration("max_lease_ttl"),
        raw_storage_endpoint: flag("raw_storage_endpoint"),
        introspection_endpoint: flag("introspection_endpoint"),
        disable_cache: flag("disable_cache"),
        cache_size: top.integer("cache_size"),
        memory_profile: top.choice("memory_profile", &Profile::NAMES),
        pid_file: file("pid_file"),
        plugin_directory: file("plugin_directory"),
        response_header_hostname: flag("enable_response_header_hostname"),
        response_header_raft_node_id: flag("enable_response_header_raft_node_id"),
    };
    check(top, &config);
    top.without_effect(&WITHOUT_EFFECT);
    top.without_effect(&["default_max_request_duration"]);
    top.finish();
    config
}

fn check(top: &Section<'_>, config: &Config) {
    if let (Some(default), Some(longest)) = (config.default_lease_ttl, config.max_lease_ttl)
        && default > longest
    {
        top.wrong("default_lease_ttl", "is longer than max_lease_ttl");
    }
}

#[cfg(test)]
mod unit {
    use super::Profile;
    use crate::config::from_text;

    #[test]
    fn a_memory_profile_is_one_of_two_words() {
        let load = |text: &str, variables: &[(&str, &str)]| {
            let texts = [("test.hcl".to_owned(), text.to_owned())];
            let loaded = from_text(&texts, variables).map_err(|error| error.to_string());
            loaded.map(|loaded| loaded.config.memory_profile)
        };
        let small = "memory_profile = \"small\"\n";
        assert_eq!(load("", &[]), Ok(None));
        assert_eq!(load(small, &[]), Ok(Some(Profile::Small)));
        let default = Ok(Some(Profile::Default));
        assert_eq!(load("memory_profile = \"Default\"\n", &[]), default);
        assert_eq!(
            load(small, &[("COFFER_MEMORY_PROFILE", "default")]),
            default
        );
        let refusal = "memory_profile: expected one of small, default";
        let tiny = "ui = true\nmemory_profile = \"tiny\"\n";
        assert_eq!(load(tiny, &[]), Err(format!("test.hcl:2:18: {refusal}")));
        let huge = load(small, &[("VAULT_MEMORY_PROFILE", "huge")]);
        assert_eq!(huge, Err(format!("VAULT_MEMORY_PROFILE: {refusal}")));
    }
}
