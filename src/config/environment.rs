//! Overrides from the environment: `COFFER_X` before `VAULT_X` before `BAO_X`.

use super::tree::{Entry, Node, Value};
use super::{Notice, Position};
use crate::hcl::Form;
use std::collections::BTreeMap;
use std::ffi::OsString;

/// The variables with one of the three prefixes, read once.
#[derive(Default)]
pub(super) struct Environment(BTreeMap<String, String>);

/// Variable (without prefix) and the top-level key it overrides.
const TOP_KEYS: [(&str, &str); 10] = [
    ("REDIRECT_ADDR", "api_addr"),
    ("API_ADDR", "api_addr"),
    ("CLUSTER_ADDR", "cluster_addr"),
    ("CLUSTER_NAME", "cluster_name"),
    ("LOG_LEVEL", "log_level"),
    ("LOG_FORMAT", "log_format"),
    ("UI", "ui"),
    ("DISABLE_MLOCK", "disable_mlock"),
    ("RAW_STORAGE_ENDPOINT", "raw_storage_endpoint"),
    ("MEMORY_PROFILE", "memory_profile"),
];

const PREFIXES: [&str; 3] = ["COFFER_", "VAULT_", "BAO_"];

/// Variables of Vault's servers that ask for more than this build does, with the values that ask
/// for nothing.
const UNBUILT: [(&str, &[&str]); 1] = [("ENABLE_FILE_PERMISSIONS_CHECK", &["0", "f", "false"])];

/// Returns the variables as text. A variable with one of the prefixes that is not text is refused
/// by name; others are ignored.
pub(super) fn texts(
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Vec<(String, String)>, Vec<Notice>> {
    let mut texts = Vec::new();
    let mut broken = Vec::new();
    for (name, value) in variables {
        let Ok(name) = name.into_string() else {
            continue;
        };
        match value.into_string() {
            Ok(value) => texts.push((name, value)),
            Err(_) if is_ours(&name) => broken.push(notice(name, "not UTF-8 text")),
            Err(_) => {}
        }
    }
    match broken.is_empty() {
        true => Ok(texts),
        false => Err(broken),
    }
}

fn is_ours(name: &str) -> bool {
    PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

fn notice(name: String, message: &str) -> Notice {
    Notice {
        position: Position {
            file: name.into(),
            line: 0,
            column: 0,
        },
        message: message.to_owned(),
    }
}

impl Environment {
    pub(super) fn new(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(
            variables
                .into_iter()
                .filter(|(name, value)| is_ours(name) && !value.is_empty())
                .collect(),
        )
    }

    /// Returns the variable's full name and value.
    pub(super) fn lookup(&self, name: &str) -> Option<(String, String)> {
        PREFIXES.iter().find_map(|prefix| {
            let name = format!("{prefix}{name}");
            let value = self.0.get(&name)?.clone();
            Some((name, value))
        })
    }

    /// Refuses by name the variables that this build would ignore otherwise.
    pub(super) fn refuse_unbuilt(&self) -> Result<(), Vec<Notice>> {
        let asked = UNBUILT.iter().filter_map(|(variable, harmless)| {
            let (name, value) = self.lookup(variable)?;
            let idle = harmless.contains(&value.to_lowercase().as_str());
            (!idle).then(|| notice(name, "not in this build: unset it"))
        });
        let refused: Vec<Notice> = asked.collect();
        match refused.is_empty() {
            true => Ok(()),
            false => Err(refused),
        }
    }

    /// Returns entries to put behind those of the files.
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
                    form: Form::Attribute,
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStringExt;

    #[test]
    fn a_variable_of_ours_that_is_no_text_is_named() {
        let set = |name: &str, bytes: &[u8]| {
            let value = OsString::from_vec(bytes.to_vec());
            texts([(OsString::from(name), value)])
        };
        let broken = set("VAULT_API_ADDR", b"\xff").expect_err("no text");
        assert_eq!(broken[0].to_string(), "VAULT_API_ADDR: not UTF-8 text");
        assert_eq!(set("LS_COLORS", b"\xff"), Ok(vec![]));
        let text = (String::from("VAULT_UI"), String::from("0"));
        assert_eq!(set("VAULT_UI", b"0"), Ok(vec![text]));
    }

    #[test]
    fn what_asks_for_more_than_is_built_is_refused_by_name() {
        let check = |name: &str, value: &str| {
            let variables = [(name.to_owned(), value.to_owned())];
            Environment::new(variables).refuse_unbuilt()
        };
        for (name, value) in [
            ("VAULT_ENABLE_FILE_PERMISSIONS_CHECK", "true"),
            ("BAO_ENABLE_FILE_PERMISSIONS_CHECK", "1"),
        ] {
            let refused = check(name, value).expect_err(name);
            assert_eq!(
                refused[0].to_string(),
                format!("{name}: not in this build: unset it")
            );
        }
        for (name, value) in [
            ("VAULT_ENABLE_FILE_PERMISSIONS_CHECK", "False"),
            ("VAULT_ENABLE_FILE_PERMISSIONS_CHECK", ""),
            ("VAULT_ADDR", "http://pi"),
        ] {
            assert_eq!(check(name, value), Ok(()), "{name}");
        }
    }
}
