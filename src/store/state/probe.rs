//! Decodes arbitrary bytes as entries of fjall, for the fuzzer of the state's formats.

use super::{Mark, StateError, form};
use crate::store::Record;

/// Reads bytes as the mark.
pub fn read_mark(bytes: &[u8]) -> Result<Mark, StateError> {
    Mark::decode(bytes)
}

/// Reads bytes as a record's value.
pub fn read_record(bytes: &[u8]) -> Result<Record, StateError> {
    form::decode_record(bytes)
}
