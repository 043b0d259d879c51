//! The encoding of keys and values in fjall; the diagram is in `mod.rs`.

use super::StateError;
use crate::store::{Key, Record, Revision};
use bytes::Bytes;

pub(super) const MARK_KEY: &[u8] = &[0];
const RECORD_PREFIX: u8 = 1;
pub(super) const RECORDS: &[u8] = &[RECORD_PREFIX];
pub(super) const REVISION_BYTES: usize = 8;

pub(super) fn record_key(key: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1 + key.len());
    bytes.push(RECORD_PREFIX);
    bytes.extend_from_slice(key);
    bytes
}

pub(super) fn user_key(key: &[u8]) -> Key {
    Key::copy_from_slice(key.get(1..).unwrap_or_default())
}

pub(super) fn encode_record(record: &Record) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(REVISION_BYTES + record.value.len());
    bytes.extend_from_slice(&record.revision.0.to_le_bytes());
    bytes.extend_from_slice(&record.value);
    bytes
}

pub(super) fn decode_record(bytes: &[u8]) -> Result<Record, StateError> {
    let (revision, value) = bytes
        .split_first_chunk::<REVISION_BYTES>()
        .ok_or(StateError::Damaged("record shorter than its revision"))?;
    Ok(Record {
        revision: Revision(u64::from_le_bytes(*revision)),
        value: Bytes::copy_from_slice(value),
    })
}
