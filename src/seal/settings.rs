//! The settings of a provider: the keys of its `seal` stanza, and variables.
//!
//! A credential may be written as `file:///path` or `env://NAME`. It is read anew for each call
//! then, so that one that is replaced while the server runs counts at once, and one on a medium
//! that is not there yet is only away.

use super::ProviderError;
use crate::secret::{Secret, SecretString};
use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

/// The longest text that a variable or a file of a setting may hold.
const TEXT_BYTES_MAX: u64 = 64 << 10;
/// The prefixes of the server's own variables, the first one that is set counts.
const PREFIXES: [&str; 3] = ["COFFER_", "VAULT_", "BAO_"];

type Reader = dyn Fn(&str) -> Option<String> + Send + Sync;

/// Reads variables: those of the process, or a test's.
#[derive(Clone)]
pub struct Variables(Arc<Reader>);

impl Variables {
    /// Returns the variables of this process. One that is not UTF-8 counts as not set.
    pub fn of_process() -> Self {
        Self(Arc::new(|name| std::env::var(name).ok()))
    }

    /// Returns the variables that `read` knows.
    pub fn new(read: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }

    /// Returns the value of the variable; an empty one counts as not set.
    pub fn get(&self, name: &str) -> Option<String> {
        (self.0)(name).filter(|value| !value.is_empty())
    }

    /// Returns the value of the server's own variable, whatever prefix it has.
    pub(super) fn own(&self, name: &str) -> Option<String> {
        let full = PREFIXES.iter().map(|prefix| format!("{prefix}{name}"));
        full.into_iter().find_map(|name| self.get(&name))
    }
}

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Variables")
    }
}

/// The settings of one provider.
#[derive(Debug)]
pub struct Settings {
    /// The kind of the stanza: `transit`.
    pub kind: String,
    /// Its `name`; empty where it has none.
    pub name: String,
    /// Its other keys.
    pub fields: BTreeMap<String, SecretString>,
    /// The variables that add to them.
    pub variables: Variables,
}

/// The fault of a stanza, for the operator. Repeats no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SettingError(pub String);

/// A value that stands in the stanza, or that another place holds.
#[derive(Debug)]
pub(super) enum Credential {
    /// The value itself.
    Value(SecretString),
    /// The first line of a file.
    File(PathBuf),
    /// A variable.
    Variable(String, Variables),
}

impl Settings {
    /// Refuses a key that the provider does not know.
    pub(super) fn check_keys(&self, known: &[&str]) -> Result<(), SettingError> {
        let stranger = self.fields.keys().find(|key| !known.contains(&&***key));
        match stranger {
            None => Ok(()),
            Some(key) => Err(SettingError(format!(
                "{key} is not a key of it: it knows {}",
                known.join(", ")
            ))),
        }
    }

    /// Returns the text of a key; an empty one counts as not given.
    pub(super) fn text(&self, key: &str) -> Option<String> {
        let value = self.fields.get(key)?.expose().trim();
        (!value.is_empty()).then(|| value.to_owned())
    }

    /// Returns a variable of the server, or else the key.
    pub(super) fn variable_or(&self, variable: &str, key: &str) -> Option<String> {
        self.variables.own(variable).or_else(|| self.text(key))
    }

    /// Returns the key, or else a variable of the server.
    pub(super) fn text_or(&self, key: &str, variable: &str) -> Option<String> {
        self.text(key).or_else(|| self.variables.own(variable))
    }

    /// Returns a key that is true or false.
    pub(super) fn flag(&self, text: Option<String>, key: &str) -> Result<bool, SettingError> {
        match text.map(|text| text.to_lowercase()).as_deref() {
            None | Some("false" | "0" | "f") => Ok(false),
            Some("true" | "1" | "t") => Ok(true),
            Some(_) => Err(SettingError(format!("{key}: expected true or false"))),
        }
    }

    /// Returns the place of a credential.
    pub(super) fn source(&self, text: String) -> Credential {
        if let Some(path) = text.strip_prefix("file://") {
            return Credential::File(path.into());
        }
        match text.strip_prefix("env://") {
            Some(name) => Credential::Variable(name.to_owned(), self.variables.clone()),
            None => Credential::Value(Secret::new(text)),
        }
    }

    /// Returns the error for a key that must be given.
    pub(super) fn missing(key: &str, variable: &str) -> SettingError {
        SettingError(format!("it needs {key}, in its stanza or as {variable}"))
    }
}

impl Credential {
    /// Returns the bytes of the value. A file's are taken as they are.
    ///
    /// # Errors
    /// [`ProviderError::Away`] where the file or the variable is not there,
    /// [`ProviderError::Refused`] where another user may have put it there.
    pub(super) fn bytes(&self) -> Result<Secret<Vec<u8>>, ProviderError> {
        match self {
            Self::Value(value) => Ok(Secret::new(value.expose().as_bytes().to_vec())),
            Self::Variable(name, variables) => match variables.get(name) {
                Some(value) => Ok(Secret::new(value.into_bytes())),
                None => Err(ProviderError::Away(format!("{name} is not set"))),
            },
            Self::File(path) => read(path),
        }
    }

    /// Returns the value as text, without white space around it.
    ///
    /// # Errors
    /// As for [`Credential::bytes`]; [`ProviderError::Refused`] for what is not text, or nothing.
    pub(super) fn text(&self) -> Result<SecretString, ProviderError> {
        let bytes = self.bytes()?;
        let text = std::str::from_utf8(bytes.expose()).unwrap_or_default();
        match text.trim() {
            "" => Err(ProviderError::Refused(format!("{self} holds no text"))),
            text => Ok(Secret::new(text.to_owned())),
        }
    }
}

impl fmt::Display for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(_) => f.write_str("the stanza"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Variable(name, _) => f.write_str(name),
        }
    }
}

fn read(path: &std::path::Path) -> Result<Secret<Vec<u8>>, ProviderError> {
    let failed = |error: std::io::Error| {
        let why = format!("{}: {error}", path.display());
        match error.kind() {
            std::io::ErrorKind::PermissionDenied => ProviderError::Refused(why),
            _ => ProviderError::Away(why),
        }
    };
    let file = crate::file::read(path).map_err(failed)?;
    // The buffer has its full size from the start: growing would leave copies of a key behind.
    let length = file.metadata().map_err(failed)?.len().min(TEXT_BYTES_MAX);
    let room = usize::try_from(length).unwrap_or_default() + 1;
    let mut bytes = Secret::new(Vec::with_capacity(room));
    let read = file.take(TEXT_BYTES_MAX).read_to_end(bytes.expose_mut());
    read.map_err(failed)?;
    Ok(bytes)
}

#[cfg(test)]
pub(super) use tests::settings as test_settings;

#[cfg(test)]
mod tests {
    use super::*;

    pub(in crate::seal) fn settings(kind: &str, fields: &[(&str, &str)]) -> Settings {
        let fields = fields.iter().map(|(key, value)| {
            let value = Secret::new((*value).to_owned());
            ((*key).to_owned(), value)
        });
        Settings {
            kind: kind.into(),
            name: String::new(),
            fields: fields.collect(),
            variables: Variables::new(|name| match name {
                "VAULT_X" => Some("vault".into()),
                "BAO_X" => Some("bao".into()),
                "SECRET" => Some(" s3cret\n".into()),
                _ => None,
            }),
        }
    }

    #[test]
    fn a_credential_is_read_where_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        let settings = settings("transit", &[]);
        let source = settings.source(format!("file://{}", path.display()));
        assert!(matches!(source.text(), Err(ProviderError::Away(_))));
        std::fs::write(&path, "one\n").unwrap();
        assert_eq!(source.text().unwrap().expose(), "one");
        std::fs::write(&path, "two").unwrap();
        assert_eq!(source.text().unwrap().expose(), "two");
        std::fs::write(&path, "\n").unwrap();
        assert!(matches!(source.text(), Err(ProviderError::Refused(_))));
        let variable = settings.source("env://SECRET".into());
        assert_eq!(variable.text().unwrap().expose(), "s3cret");
        let absent = settings.source("env://NONE".into());
        let why = absent.text().unwrap_err().to_string();
        assert_eq!(why, "it is away: NONE is not set");
        let value = settings.source("s.token".into());
        assert_eq!(value.text().unwrap().expose(), "s.token");
    }

    #[test]
    fn keys_and_variables_have_an_order_and_strangers_are_named() {
        let settings = settings("transit", &[("key", "stanza"), ("empty", " ")]);
        assert_eq!(settings.variable_or("X", "key").as_deref(), Some("vault"));
        assert_eq!(settings.text_or("key", "X").as_deref(), Some("stanza"));
        assert_eq!(settings.text_or("empty", "X").as_deref(), Some("vault"));
        assert_eq!(settings.text("empty"), None);
        assert_eq!(settings.check_keys(&["key", "empty"]), Ok(()));
        let refused = settings.check_keys(&["key"]).unwrap_err().to_string();
        assert!(refused.contains("empty is not a key of it"));
    }
}
