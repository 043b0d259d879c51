//! The banner of the server, before its log. Scripts read this shape, so it stays Vault's.

use crate::clock::format_duration;
use crate::config::{Config, Listener, Storage};
use std::fmt::Write;
use std::path::Path;

/// Width of the names' column.
const NAME_COLUMNS: usize = 24;

/// Returns names and values, sorted by name as they are printed.
pub fn rows(
    config: &Config,
    addresses: (&str, &str),
    bound: &[String],
    (memory_locked, recovery): (bool, bool),
) -> Vec<(String, String)> {
    let mut rows = vec![
        ("Api Address".to_owned(), addresses.0.to_owned()),
        ("Cgo".to_owned(), "disabled".to_owned()),
        ("Cluster Address".to_owned(), addresses.1.to_owned()),
    ];
    for (at, (listener, address)) in config.listeners.iter().zip(bound).enumerate() {
        rows.push((format!("Listener {}", at + 1), describe(listener, address)));
    }
    let level = config.logging.level.map(crate::config::LogLevel::name);
    rows.extend([
        ("Log Level".to_owned(), level.unwrap_or_default().to_owned()),
        (
            "Mlock".to_owned(),
            format!("supported: true, enabled: {memory_locked}"),
        ),
        ("Recovery Mode".to_owned(), recovery.to_string()),
        ("Storage".to_owned(), storage(config).to_owned()),
        (
            "Version".to_owned(),
            format!("Coffer v{}", env!("CARGO_PKG_VERSION")),
        ),
    ]);
    rows
}

/// Formats the whole block with its headline.
pub fn render(rows: &[(String, String)]) -> String {
    let mut text = String::from("==> Coffer server configuration:\n\n");
    for (name, value) in rows {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{name:>NAME_COLUMNS$}: {value}");
    }
    text.push('\n');
    text
}

fn describe(listener: &Listener, address: &str) -> String {
    if listener.is_unix {
        return format!("unix (addr: \"{address}\", tls: \"disabled\")");
    }
    let tls = if listener.tls.is_some() {
        "enabled"
    } else {
        "disabled"
    };
    format!(
        "tcp (addr: \"{address}\", cluster address: \"{}\", max_request_duration: \"{}\", \
         max_request_size: \"{}\", tls: \"{tls}\")",
        listener.cluster_address,
        format_duration(listener.request_duration_max),
        listener.request_bytes_max,
    )
}

fn storage(config: &Config) -> &'static str {
    match &config.storage {
        Some(Storage::Raft(_)) => "raft (HA available)",
        _ => "inmem",
    }
}

/// Formats the banner of dev mode, which follows the other. `path` is the directory of data that
/// lasts; `None` in memory.
pub fn dev(address: &str, unseal_key: &str, root_token: &str, path: Option<&Path>) -> String {
    let life = path.map_or_else(
        || "all data is lost when it stops".to_owned(),
        |path| {
            format!(
                "the data and the key that opens it stay in {}",
                path.display()
            )
        },
    );
    format!(
        "WARNING! This is a dev server: it unsealed itself, it speaks without TLS, and {life}.\n\
         Never keep a real secret in it.\n\n\
         The command line knows the root token already. Tell it the address with\n\n    \
         $ export VAULT_ADDR='{address}'\n\n\
         Unseal Key: {unseal_key}\n\
         Root Token: {root_token}\n\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_like_vaults() {
        let text = "storage \"raft\" {\n  path = \"/p\"\n}\nlog_level = \"info\"\n\
                    listener \"tcp\" {\n  address = \"127.0.0.1:8200\"\n  tls_disable = 1\n}\n";
        let texts = [("a.hcl".to_owned(), text.to_owned())];
        let config = crate::config::from_text(&texts, &[]).unwrap().config;
        let addresses = ("http://127.0.0.1:8200", "https://127.0.0.1:8201");
        let rows = rows(&config, addresses, &["127.0.0.1:8200".into()], (true, true));
        let text = render(&rows);
        for line in [
            "==> Coffer server configuration:\n",
            "             Api Address: http://127.0.0.1:8200\n",
            "              Listener 1: tcp (addr: \"127.0.0.1:8200\", cluster address: \
             \"127.0.0.1:8201\", max_request_duration: \"1m30s\", max_request_size: \"33554432\", \
             tls: \"disabled\")\n",
            "               Log Level: info\n",
            "                   Mlock: supported: true, enabled: true\n",
            "           Recovery Mode: true\n",
            "                 Storage: raft (HA available)\n",
        ] {
            assert!(text.contains(line), "{line:?} is not in\n{text}");
        }
    }
}
