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
    /// `endurance_tbw`: the terabytes that the device can be given in its life.
    pub endurance_tbw: Option<f64>,
    /// `write_budget_mb_per_day`: the megabytes that the device may be given in 24 hours before a
    /// warning.
    pub write_budget_mb_per_day: Option<u64>,
    /// `system_root`: the folder that holds `sys` and `proc`, for containers that have the host's
    /// elsewhere, and for tests; `/` where none is configured.
    pub system_root: PathBuf,
}

/// The largest `performance_multiplier`, as in Vault.
const MULTIPLIER_MAX: u64 = 10;

/// The largest `endurance_tbw`, and the largest `write_budget_mb_per_day`.
const ENDURANCE_TBW_MAX: f64 = 1e6;
const WRITE_BUDGET_MB_MAX: u64 = 1_000_000_000;

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
        endurance_tbw: endurance(section),
        write_budget_mb_per_day: write_budget(section),
        system_root: PathBuf::from(section.text("system_root").unwrap_or_else(|| "/".into())),
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

fn endurance(section: &Section<'_>) -> Option<f64> {
    let key = "endurance_tbw";
    let terabytes = section.decimal(key)?;
    if terabytes > 0.0 && terabytes <= ENDURANCE_TBW_MAX {
        return Some(terabytes);
    }
    section.wrong(
        key,
        "expected the terabytes that the card can be given in its life, more than 0 and at most \
         1000000, such as 40 or 2.5; without this key it is assumed by the card's size",
    );
    None
}

fn write_budget(section: &Section<'_>) -> Option<u64> {
    let key = "write_budget_mb_per_day";
    match section.integer(key)? {
        megabytes @ 1..=WRITE_BUDGET_MB_MAX => Some(megabytes),
        _ => {
            section.wrong(
                key,
                "expected megabytes in 24 hours, from 1 to 1000000000; remove the key to be warned \
                 of nothing",
            );
            None
        }
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

#[cfg(test)]
mod tests {
    use super::{Raft, Storage};
    use crate::config::from_text;

    fn read(line: &str) -> Result<Raft, String> {
        let text = format!(
            "storage \"raft\" {{\n path = \"/p\"\n {line}\n}}\n\
             listener \"tcp\" {{\n address = \"127.0.0.1:0\"\n tls_disable = true\n}}\n"
        );
        let loaded = from_text(&[("test.hcl".into(), text)], &[]);
        match loaded.map_err(|error| error.to_string())?.config.storage {
            Some(Storage::Raft(raft)) => Ok(raft),
            other => Err(format!("{other:?}")),
        }
    }

    #[test]
    fn the_keys_about_wear_are_read_and_bounded() {
        let found = read("endurance_tbw = 2.5").unwrap();
        assert_eq!(found.endurance_tbw, Some(2.5));
        assert_eq!(found.write_budget_mb_per_day, None);
        assert_eq!(found.system_root, std::path::Path::new("/"));
        let found = read("endurance_tbw = \"40\"\n write_budget_mb_per_day = 500").unwrap();
        assert_eq!(found.endurance_tbw, Some(40.0));
        assert_eq!(found.write_budget_mb_per_day, Some(500));
        for (line, message) in [
            (
                "endurance_tbw = 0",
                "test.hcl:3:18: endurance_tbw: expected the terabytes",
            ),
            ("endurance_tbw = -1", "endurance_tbw: expected"),
            (
                "endurance_tbw = \"inf\"",
                "endurance_tbw: expected a number",
            ),
            (
                "endurance_tbw = \"much\"",
                "endurance_tbw: expected a number",
            ),
            (
                "write_budget_mb_per_day = 0",
                "test.hcl:3:28: write_budget_mb_per_day: expected megabytes",
            ),
            (
                "write_budget_mb_per_day = 1.5",
                "write_budget_mb_per_day: expected a whole number",
            ),
            ("write_budget_mb_per_day = 1000000001", "remove the key"),
        ] {
            let error = read(line).unwrap_err();
            assert!(error.contains(message), "{line}: {error}");
        }
    }
}
