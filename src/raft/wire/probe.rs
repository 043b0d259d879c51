//! Decodes arbitrary bytes as a command or a membership, for the fuzzer of the wire format.

use super::types::Command;
use super::{command, record};
use crate::store::Transaction;
use bytes::Bytes;

/// Decodes the bytes of a log entry; `None` when they are not a transaction of a known version.
pub fn read_command(bytes: &[u8]) -> Option<Transaction> {
    match command::decode(&Command(Bytes::copy_from_slice(bytes))).ok()? {
        command::Content::Transaction(transaction) => Some(transaction),
        command::Content::Restore(_) => None,
    }
}

/// Returns true when `bytes` are a membership.
pub fn is_membership(bytes: &[u8]) -> bool {
    record::decode_members(bytes).is_ok()
}
