//! One row of the mount table.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The number of digits of a mount's uuid that name its storage; two of a thousand mounts share
/// them with a chance of 2^-40.
const STORAGE_NAME_CHARS: usize = 16;

/// The class of a mount, which decides the beginning of its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Class {
    /// A secrets engine, at its own path.
    Secret,
    /// An auth method, below `auth/`.
    Auth,
}

impl Class {
    /// Returns the beginning of the API paths of this class.
    pub const fn api_prefix(self) -> &'static str {
        match self {
            Self::Secret => "",
            Self::Auth => "auth/",
        }
    }

    /// Returns the beginning of the storage paths of this class.
    pub const fn storage_prefix(self) -> &'static str {
        match self {
            Self::Secret => "logical/",
            Self::Auth => "auth/",
        }
    }

    /// Returns the name in audit records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Secret => "secret",
            Self::Auth => "auth",
        }
    }
}

/// A mount as stored. Version 1 of the record: append no fields, add a variant to the table's
/// stored form instead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The class: secrets engine or auth method.
    pub class: Class,
    /// The path, which ends in `/`, without `auth/`: `secret/`, `token/`.
    pub path: String,
    /// The kind of the engine: `kv`, `token`.
    pub kind: String,
    /// The id that names its storage; it survives remounting.
    pub uuid: String,
    /// The accessor: `kv_1a2b3c4d`, `auth_token_1a2b3c4d`.
    pub accessor: String,
    /// A text for people.
    pub description: String,
    /// The options, such as `version=2`; `None` reads as null.
    pub options: Option<BTreeMap<String, String>>,
    /// Kept for clients; nothing is replicated to other clusters yet.
    pub local: bool,
    /// Kept for clients; every record is encrypted alike.
    pub seal_wrap: bool,
    /// Kept for clients.
    pub external_entropy_access: bool,
    /// The settings that `tune` changes.
    pub config: Config,
}

/// The settings that `tune` changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// The default lifetime of leases, in seconds; zero is the system's default.
    pub default_lease_ttl_s: u64,
    /// The longest lifetime of leases, in seconds; zero is the system's maximum.
    pub max_lease_ttl_s: u64,
    /// Kept for clients; there is no read cache to bypass.
    pub force_no_cache: bool,
    /// The visibility in listings: `unauth`, `hidden` or empty.
    pub listing_visibility: String,
    /// Request fields that audit devices write in clear.
    pub audit_non_hmac_request_keys: Vec<String>,
    /// Response fields that audit devices write in clear.
    pub audit_non_hmac_response_keys: Vec<String>,
    /// Request headers that reach the engine.
    pub passthrough_request_headers: Vec<String>,
    /// Headers that the engine may answer with.
    pub allowed_response_headers: Vec<String>,
    /// The type of tokens: `default-service`, `default-batch`, `service`, `batch`; empty for
    /// secrets engines.
    pub token_type: String,
    /// Kept for clients.
    pub plugin_version: String,
}

impl Entry {
    /// Returns a mount with a fresh uuid and accessor.
    pub fn new(class: Class, path: &str, kind: &str) -> Self {
        let prefix = match class {
            Class::Secret => "",
            Class::Auth => "auth_",
        };
        let random = uuid::Uuid::new_v4();
        let suffix = hex::encode(
            random
                .as_bytes()
                .iter()
                .take(4)
                .copied()
                .collect::<Vec<_>>(),
        );
        let token_type = match class {
            Class::Secret => String::new(),
            Class::Auth => String::from("default-service"),
        };
        Self {
            class,
            path: with_slash(path),
            kind: kind.to_owned(),
            uuid: uuid::Uuid::new_v4().to_string(),
            accessor: format!("{prefix}{kind}_{suffix}"),
            description: String::new(),
            options: None,
            local: false,
            seal_wrap: false,
            external_entropy_access: false,
            config: Config {
                token_type,
                ..Config::default()
            },
        }
    }

    /// Returns the API path: `secret/`, `auth/token/`.
    pub fn full_path(&self) -> String {
        format!("{}{}", self.class.api_prefix(), self.path)
    }

    /// Returns the barrier subtree: `logical/<name>/`, `auth/<name>/`. The name is the beginning of
    /// the uuid: it stands in every key of the mount, several times in every log entry.
    pub fn storage_path(&self) -> String {
        let digits = self.uuid.chars().filter(|c| *c != '-');
        let name: String = digits.take(STORAGE_NAME_CHARS).collect();
        format!("{}{name}/", self.class.storage_prefix())
    }
}

/// Returns `path` with exactly one slash at its end and none at its start.
pub(super) fn with_slash(path: &str) -> String {
    format!("{}/", path.trim_matches('/'))
}
