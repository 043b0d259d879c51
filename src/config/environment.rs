//! Overrides from the environment: `COFFER_X` before `VAULT_X` before `BAO_X`.

use super::Position;
use super::tree::{Entry, Node, Value};
use std::collections::BTreeMap;

/// The variables that matter, taken once.
#[derive(Default)]
pub(super) struct Environment(BTreeMap<String, String>);

/// Variable (without prefix) and the top-level key it overrides.
const TOP_KEYS: [(&str, &str); 9] = [
    ("REDIRECT_ADDR", "api_addr"),
    ("API_ADDR", "api_addr"),
    ("CLUSTER_ADDR", "cluster_addr"),
    ("CLUSTER_NAME", "cluster_name"),
    ("LOG_LEVEL", "log_level"),
    ("LOG_FORMAT", "log_format"),
    ("UI", "ui"),
    ("DISABLE_MLOCK", "disable_mlock"),
    ("RAW_STORAGE_ENDPOINT", "raw_storage_endpoint"),
];

const PREFIXES: [&str; 3] = ["COFFER_", "VAULT_", "BAO_"];

impl Environment {
    pub(super) fn new(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let known = |name: &str| PREFIXES.iter().any(|prefix| name.starts_with(prefix));
        Self(
            variables
                .into_iter()
                .filter(|(name, value)| known(name) && !value.is_empty())
                .collect(),
        )
    }

    /// The variable's full name and value.
    pub(super) fn lookup(&self, name: &str) -> Option<(String, String)> {
        PREFIXES.iter().find_map(|prefix| {
            let name = format!("{prefix}{name}");
            let value = self.0.get(&name)?.clone();
            Some((name, value))
        })
    }

    /// Entries to put behind those of the files.
    pub(super) fn entries(&self) -> Vec<Entry> {
        let mut entries = Vec::new();
        for (variable, key) in TOP_KEYS {
            if let Some((name, value)) = self.lookup(variable) {
                let position = Position {
                    file: name.into(),
                    line: 0,
                    column: 0,
                };
                entries.push(Entry {
                    key: key.to_owned(),
                    position: position.clone(),
                    node: Node {
                        position,
                        value: Value::Text(value),
                    },
                });
            }
        }
        entries
    }
}
