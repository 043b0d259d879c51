//! Names of policies, and the names that a token may be given.

use super::builtin::{DEFAULT, RESPONSE_WRAPPING, ROOT};
use super::{PolicyError, store};

/// Longest name in bytes.
pub const NAME_BYTES_MAX: usize = 256;

/// Returns the one form of a name: lower case, without white space around it.
pub fn normalize(name: &str) -> Result<String, PolicyError> {
    let name = name.trim().to_lowercase();
    let storable = !name.is_empty()
        && name.len() <= NAME_BYTES_MAX
        && crate::path::check(&format!("{}{name}", store::PREFIX)).is_ok()
        && !name.ends_with('/');
    if storable {
        Ok(name)
    } else {
        Err(PolicyError::Name)
    }
}

/// Returns a list of names, each in its one form, sorted, once, with `default` if `add_default`.
/// For lists that allow or forbid: none of their names stands for another.
pub fn normalize_list<S: AsRef<str>>(names: &[S], add_default: bool) -> Vec<String> {
    let mut list: Vec<String> = names
        .iter()
        .map(|name| name.as_ref().trim().to_lowercase())
        .filter(|name| !name.is_empty())
        .collect();
    if add_default {
        list.push(DEFAULT.to_owned());
    }
    list.sort_unstable();
    list.dedup();
    list
}

/// Returns a list of names as a token is given it: [`normalize_list`], but where `root` is among
/// them it is the only one. For grants alone: a list that forbids would lose its other names.
pub fn sanitize<S: AsRef<str>>(names: &[S], add_default: bool) -> Vec<String> {
    let list = normalize_list(names, add_default);
    if list.iter().any(|name| name == ROOT) {
        return vec![ROOT.to_owned()];
    }
    list
}

/// Refuses names that cannot be attached, and `root` in any spelling unless `by_root`
/// (CVE-2024-9180, CVE-2025-5999). Every way to give a policy to a token or a role calls this.
pub fn check_attachable<S: AsRef<str>>(names: &[S], by_root: bool) -> Result<(), PolicyError> {
    for name in names {
        let plain = name.as_ref().trim().to_lowercase();
        if plain == RESPONSE_WRAPPING {
            return Err(PolicyError::Unattachable(format!(
                "cannot assign policy {plain:?}"
            )));
        }
        if plain == ROOT && !by_root {
            return Err(PolicyError::Unattachable(
                "root tokens may not be created without parent token being root".to_owned(),
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_one_form() {
        assert_eq!(normalize(" Team-A "), Ok("team-a".to_owned()));
        for name in ["", " ", "a/../b", "a\nb", "a/", "/a"] {
            assert_eq!(normalize(name), Err(PolicyError::Name), "{name:?}");
        }
        assert_eq!(sanitize(&["b", " B", "A", ""], true), ["a", "b", "default"]);
        assert_eq!(sanitize(&["a", "ROOT"], true), ["root"]);
        assert_eq!(
            normalize_list(&["ROOT", " Admin", "admin"], false),
            ["admin", "root"]
        );
    }

    #[test]
    fn cve_2024_9180_root_in_any_spelling_is_refused() {
        for name in ["root", "Root", " root", "root ", "ROOT\t", "\u{a0}root"] {
            assert!(check_attachable(&["a", name], false).is_err(), "{name:?}");
            assert!(check_attachable(&["a", name], true).is_ok(), "{name:?}");
        }
        assert!(check_attachable(&["Response-Wrapping"], true).is_err());
    }
}
