//! The variables that the command line reads. Each has three spellings: `COFFER_ADDR`, then
//! OpenBao's `BAO_ADDR`, then Vault's `VAULT_ADDR`. A value that cannot be used is an error that
//! names its variable, never a default in its place.

use std::ffi::OsString;

const PREFIXES: [&str; 3] = ["COFFER_", "BAO_", "VAULT_"];

/// The caller's variable cannot be used: mend it or unset it. The reason repeats no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("failed to read environment: {name}: {reason}")]
pub struct VariableError {
    /// The spelling that was found.
    pub name: String,
    /// The fault of its value.
    pub reason: String,
}

/// Returns the value of `COFFER_name`, `BAO_name` or `VAULT_name`; empty counts as not set.
pub fn variable(name: &str) -> Result<Option<String>, VariableError> {
    parsed(name, |text| Ok(text.to_owned()))
}

/// Returns the value as [`variable`] does, behind the spelling that was found.
pub fn named(name: &str) -> Result<Option<(String, String)>, VariableError> {
    let spellings = PREFIXES.map(|prefix| format!("{prefix}{name}"));
    find(spellings.iter().map(String::as_str), |full| {
        std::env::var_os(full)
    })
}

/// Returns the value as [`variable`] does, read by `read`, whose error describes the fault.
pub fn parsed<T>(
    name: &str,
    read: impl Fn(&str) -> Result<T, String>,
) -> Result<Option<T>, VariableError> {
    understood(named(name)?, read)
}

fn understood<T>(
    found: Option<(String, String)>,
    read: impl Fn(&str) -> Result<T, String>,
) -> Result<Option<T>, VariableError> {
    let Some((name, value)) = found else {
        return Ok(None);
    };
    let value = read(&value).map_err(|reason| VariableError { name, reason })?;
    Ok(Some(value))
}

/// Returns the first of these that is set.
fn find<'a>(
    names: impl IntoIterator<Item = &'a str>,
    read: impl Fn(&str) -> Option<OsString>,
) -> Result<Option<(String, String)>, VariableError> {
    for name in names {
        let Some(value) = read(name).filter(|value| !value.is_empty()) else {
            continue;
        };
        let name = name.to_owned();
        return match value.into_string() {
            Ok(value) => Ok(Some((name, value))),
            Err(_) => Err(VariableError {
                name,
                reason: String::from("not UTF-8 text"),
            }),
        };
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStringExt;

    fn read(full: &str) -> Option<OsString> {
        match full {
            "COFFER_ADDR" => Some(OsString::new()),
            "BAO_ADDR" => Some(OsString::from("b")),
            "VAULT_ADDR" => Some(OsString::from("v")),
            "VAULT_TOKEN" => Some(OsString::from_vec(vec![0xff])),
            _ => None,
        }
    }

    #[test]
    fn our_own_spelling_goes_first_and_empty_is_unset() {
        let names = ["COFFER_ADDR", "BAO_ADDR", "VAULT_ADDR"];
        let found = find(names, read).expect("text").expect("set");
        assert_eq!(found, (String::from("BAO_ADDR"), String::from("b")));
        assert_eq!(find(["BAO_FORMAT", "VAULT_FORMAT"], read), Ok(None));
    }

    #[test]
    fn a_value_that_makes_no_sense_is_named() {
        let error = find(["BAO_TOKEN", "VAULT_TOKEN"], read).expect_err("no text");
        let message = "failed to read environment: VAULT_TOKEN: not UTF-8 text";
        assert_eq!(error.to_string(), message);
        let found = Some((String::from("VAULT_X"), String::from("abc")));
        let number = |text: &str| text.parse::<u32>().map_err(|error| error.to_string());
        let error = understood(found, number).expect_err("no number");
        assert_eq!(error.name, "VAULT_X");
        let found = Some((String::from("VAULT_X"), String::from("7")));
        assert_eq!(understood(found, number), Ok(Some(7)));
    }
}
