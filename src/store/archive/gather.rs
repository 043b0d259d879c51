//! Counts the records of a state by kind, as far as that shows without its keys.

use std::collections::BTreeMap;

/// The records of one kind, as far as their keys show it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// The number of records.
    pub count: u64,
    /// The bytes of their keys and values.
    pub bytes: u64,
}

/// Kinds by name: a public parameter by its own, and `sealed records` for all records whose names
/// are ciphertext too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents(pub BTreeMap<String, Totals>);

/// The most kinds: more public parameters than there are would come from a damaged archive.
const KINDS_MAX: usize = 16;
const SEALED_RECORDS: &str = "sealed records";

impl Contents {
    pub(super) fn count(&mut self, key: &[u8], value: &[u8]) {
        // Public parameters have a namespace byte of their own, and a name in letters.
        let name = match key.split_first() {
            Some((0, name)) => std::str::from_utf8(name).ok(),
            _ => None,
        };
        let known = |name: &&str| {
            let is_word = |c: char| c.is_ascii_lowercase() || c == '-';
            name.chars().all(is_word) && self.0.len() < KINDS_MAX
        };
        let name = name.filter(known).unwrap_or(SEALED_RECORDS);
        let kind = self.0.entry(name.to_owned()).or_default();
        kind.count += 1;
        kind.bytes += u64::try_from(key.len() + value.len()).unwrap_or(u64::MAX);
    }
}
