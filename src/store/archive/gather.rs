//! What is in a state, counted by what can be told without its keys.

use std::collections::BTreeMap;

/// What a record is, as far as its key tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kind {
    /// How many.
    pub count: u64,
    /// Bytes of their keys and values.
    pub bytes: u64,
}

/// Kinds by name: the public parameters by theirs, and `sealed records` for all whose names are
/// ciphertext too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents(pub BTreeMap<String, Kind>);

/// More public parameters than there are would come from a damaged archive.
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
