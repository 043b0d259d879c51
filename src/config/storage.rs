//! `storage "kind" {...}`.

use super::Position;
use super::environment::Environment;
use super::section::Section;
use crate::secret::{Secret, SecretString};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The kind of storage.
#[derive(Debug)]
pub enum Storage {
    /// The data is on this node's disk, replicated.
    Raft(Raft),
    /// The data is in memory, and gone with the process.
    Inmem,
    /// A kind of Vault's that this build cannot serve from.
    Other {
        /// `consul`, `file`, ...
        kind: String,
        /// The keys; some are credentials.
        fields: BTreeMap<String, SecretString>,
        /// The place of the stanza.
        position: Position,
    },
}

/// `storage "raft" {...}`.
#[derive(Debug, Default)]
pub struct Raft {
    /// `path`.
    pub path: PathBuf,
    /// `node_id`; the host's name where it is empty.
    pub node_id: String,
    /// `retry_join {...}`, in order.
    pub retry_join: Vec<RetryJoin>,
    /// `retry_join_as_non_voter`.
    pub retry_join_as_non_voter: bool,
    /// `performance_multiplier`: the factor by which the cluster notices the loss of its leader
    /// later than at its best; zero where none is configured.
    pub performance_multiplier: u32,
}

/// The largest `performance_multiplier`, as in Vault.
const MULTIPLIER_MAX: u64 = 10;

/// One source of addresses of a cluster to join.
#[derive(Debug)]
pub struct RetryJoin {
    /// `leader_api_addr`.
    pub leader_api_address: Option<String>,
    /// `auto_join`, `provider=mdns ...`.
    pub auto_join: Option<String>,
    /// `auto_join_scheme`.
    pub auto_join_scheme: Option<String>,
    /// `auto_join_port`.
    pub auto_join_port: Option<u16>,
    /// `leader_tls_servername`.
    pub tls_server_name: Option<String>,
    /// `leader_ca_cert_file`.
    pub ca_cert_file: Option<PathBuf>,
    /// `leader_client_cert_file`.
    pub client_cert_file: Option<PathBuf>,
    /// `leader_client_key_file`.
    pub client_key_file: Option<PathBuf>,
    /// `leader_ca_cert`, PEM.
    pub ca_cert: Option<String>,
    /// `leader_client_cert`, PEM.
    pub client_cert: Option<String>,
    /// `leader_client_key`, PEM.
    pub client_key: Option<SecretString>,
    /// The place of the block.
    pub position: Position,
}

/// Keys of Vault's raft that this build's log does not need.
const WITHOUT_EFFECT: [&str; 11] = [
    "trailing_logs",
    "snapshot_threshold",
    "snapshot_interval",
    "max_entry_size",
    "max_mount_and_namespace_table_entry_size",
    "autopilot_reconcile_interval",
    "autopilot_update_interval",
    "autopilot_redundancy_zone",
    "autopilot_upgrade_version",
    "raft_log_verifier_enabled",
    "raft_log_verification_interval",
];

/// Reads the storage stanza: the last one of the last file wins, and a second one in the same file
/// is an error.
pub(super) fn read(top: &Section<'_>, environment: &Environment) -> Option<Storage> {
    let mut stanzas = top.labelled("storage");
    stanzas.extend(top.labelled("backend"));
    let (kind, section) = stanzas.pop()?;
    if let Some((_, other)) = stanzas.last()
        && other.position.file == section.position.file
    {
        let message = "only one storage stanza is allowed";
        section.problems.error(&section.position, message);
    }
    let storage = match kind.as_str() {
        "raft" => Storage::Raft(raft(&section, environment)),
        "inmem" | "inmem_ha" => Storage::Inmem,
        _ => Storage::Other {
            fields: section.rest(),
            position: section.position.clone(),
            kind,
        },
    };
    section.finish();
    Some(storage)
}

fn raft(section: &Section<'_>, environment: &Environment) -> Raft {
    let from_environment = |name: &str| environment.lookup(name).map(|(_, value)| value);
    let path = from_environment("RAFT_PATH").or_else(|| section.text("path"));
    let named = section.text("node_id");
    let node_id = from_environment("RAFT_NODE_ID")
        .or(named)
        .unwrap_or_default();
    if path.as_deref().unwrap_or_default().is_empty()
        && section.text("path").is_none_or(|p| p.is_empty())
    {
        section
            .problems
            .error(&section.position, "storage \"raft\" needs a path");
    }
    section.without_effect(&WITHOUT_EFFECT);
    Raft {
        path: PathBuf::from(path.unwrap_or_default()),
        node_id: node_id.trim().to_owned(),
        retry_join: section
            .blocks("retry_join")
            .iter()
            .map(retry_join)
            .collect(),
        retry_join_as_non_voter: as_non_voter(section, environment),
        performance_multiplier: performance_multiplier(section),
    }
}

fn as_non_voter(section: &Section<'_>, environment: &Environment) -> bool {
    let said = section.boolean("retry_join_as_non_voter").unwrap_or(false);
    // In Vault a value that is not empty means yes.
    said || environment
        .lookup("RAFT_RETRY_JOIN_AS_NON_VOTER")
        .is_some_and(|(_, value)| !value.is_empty())
}

fn port(section: &Section<'_>) -> Option<u16> {
    let key = "auto_join_port";
    let port = section.integer(key)?;
    match u16::try_from(port) {
        Ok(port) => Some(port).filter(|port| *port != 0),
        Err(_) => {
            section.wrong(key, "expected a port");
            None
        }
    }
}

fn performance_multiplier(section: &Section<'_>) -> u32 {
    let key = "performance_multiplier";
    match section.integer(key) {
        Some(times) if times > MULTIPLIER_MAX => {
            section.wrong(key, "the largest multiplier is 10");
            0
        }
        times => u32::try_from(times.unwrap_or(0)).unwrap_or(0),
    }
}

fn retry_join(section: &Section<'_>) -> RetryJoin {
    let file = |key: &str| {
        section
            .text(key)
            .filter(|p| !p.is_empty())
            .map(PathBuf::from)
    };
    let pem = |key: &str| section.text(key).filter(|text| !text.is_empty());
    let join = RetryJoin {
        leader_api_address: super::address::url(section, "leader_api_addr"),
        auto_join: section.text("auto_join"),
        auto_join_scheme: section.text("auto_join_scheme"),
        auto_join_port: port(section),
        tls_server_name: section.text("leader_tls_servername"),
        ca_cert_file: file("leader_ca_cert_file"),
        client_cert_file: file("leader_client_cert_file"),
        client_key_file: file("leader_client_key_file"),
        ca_cert: pem("leader_ca_cert"),
        client_cert: pem("leader_client_cert"),
        client_key: pem("leader_client_key").map(Secret::new),
        position: section.position.clone(),
    };
    for (inline, in_file) in [
        ("leader_ca_cert", "leader_ca_cert_file"),
        ("leader_client_cert", "leader_client_cert_file"),
        ("leader_client_key", "leader_client_key_file"),
    ] {
        if section.has(inline) && section.has(in_file) {
            section.wrong(inline, format_args!("{in_file} says the same: remove one"));
        }
    }
    let (cert, key) = (
        join.client_cert.is_some() || join.client_cert_file.is_some(),
        join.client_key.is_some() || join.client_key_file.is_some(),
    );
    if cert != key {
        section.problems.error(
            &section.position,
            "retry_join needs both a client certificate and its key, or neither",
        );
    }
    if join.leader_api_address.is_none() == join.auto_join.is_none()
        && section.has("leader_api_addr") == section.has("auto_join")
    {
        section.problems.error(
            &section.position,
            "retry_join needs either leader_api_addr or auto_join",
        );
    }
    section.finish();
    join
}
