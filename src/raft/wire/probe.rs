//! Arbitrary bytes as a command or a membership: what the fuzzer of the wire format calls.

use super::types::Command;
use super::{command, record};
use crate::store::Transaction;
use bytes::Bytes;

/// Reads the bytes of a log entry; `None` when they are not a transaction of a known version.
pub fn read_command(bytes: &[u8]) -> Option<Transaction> {
    match command::decode(&Command(Bytes::copy_from_slice(bytes))).ok()? {
        command::Content::Transaction(transaction) => Some(transaction),
        command::Content::Restore(_) => None,
    }
}

/// Returns whether `bytes` are a membership.
pub fn is_membership(bytes: &[u8]) -> bool {
    record::decode_members(bytes).is_ok()
}
