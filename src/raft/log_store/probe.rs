//! Decodes arbitrary bytes as a group, for the fuzzer of the log's format.

use super::group::{self, FoundGroup};

/// Reads the group at the beginning of `bytes` as recovery does, and returns the number of its
/// records and its size in bytes; `None` when there is none of the log `log_id`, or of another
/// version.
pub fn read_group(bytes: &[u8], log_id: u64) -> Option<(usize, usize)> {
    match group::decode(bytes, log_id) {
        FoundGroup::Group(group) => Some((group.records.len(), group.bytes)),
        FoundGroup::Nothing | FoundGroup::Version(_) => None,
    }
}
