//! The variables that the command line reads. Each has three spellings: `COFFER_ADDR`, then
//! OpenBao's `BAO_ADDR`, then Vault's `VAULT_ADDR`.

const PREFIXES: [&str; 3] = ["COFFER_", "BAO_", "VAULT_"];

/// The value of `COFFER_name`, `BAO_name` or `VAULT_name`; empty counts as not set.
pub fn variable(name: &str) -> Option<String> {
    named(name).map(|(_, value)| value)
}

/// As [`variable`], with the spelling that was found.
pub fn named(name: &str) -> Option<(String, String)> {
    find(name, |full| std::env::var(full).ok())
}

fn find(name: &str, read: impl Fn(&str) -> Option<String>) -> Option<(String, String)> {
    PREFIXES.iter().find_map(|prefix| {
        let full = format!("{prefix}{name}");
        let value = read(&full).filter(|value| !value.is_empty())?;
        Some((full, value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_spelling_goes_first_and_empty_is_unset() {
        let read = |full: &str| match full {
            "COFFER_ADDR" => Some(String::new()),
            "BAO_ADDR" => Some(String::from("b")),
            "VAULT_ADDR" => Some(String::from("v")),
            "VAULT_TOKEN" => Some(String::from("t")),
            _ => None,
        };
        let found = |name, value| Some((String::from(name), String::from(value)));
        assert_eq!(find("ADDR", read), found("BAO_ADDR", "b"));
        assert_eq!(find("TOKEN", read), found("VAULT_TOKEN", "t"));
        assert_eq!(find("FORMAT", read), None);
    }
}
