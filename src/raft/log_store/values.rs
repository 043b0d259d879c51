//! The values of applied entries, which the state leaves to the log until a checkpoint.

use super::index::EntryPlace;
use super::segment_file::SegmentFile;
use super::{LogError, LogStore};
use crate::raft::wire::command;
use crate::raft::wire::record::command_of;
use crate::store::state::Journal;
use bytes::Bytes;
use openraft::EntryPayload;
use std::io;

impl Journal for LogStore {
    fn value(&self, index: u64, number: u32) -> io::Result<Option<Bytes>> {
        let number = usize::try_from(number).unwrap_or(usize::MAX);
        match self.place_of(index) {
            EntryPlace::Nowhere => Ok(None),
            EntryPlace::Here(entry) => match &entry.payload {
                EntryPayload::Normal(command) => value(&command.0, number),
                EntryPayload::Blank | EntryPayload::Membership(_) => Ok(None),
            },
            EntryPlace::File(file, offset, bytes) => match read(&file, offset, bytes, index) {
                Ok(record) => {
                    let command = command_of(&record, index);
                    value(command.unwrap_or_default(), number)
                }
                // The segment may have been given up, and written on, since it was looked for.
                Err(_) if matches!(self.place_of(index), EntryPlace::Nowhere) => Ok(None),
                Err(error) => Err(error.into()),
            },
        }
    }
}

/// Reads the record of a command, the entry `index`, at `offset`.
fn read(file: &SegmentFile, offset: usize, bytes: usize, index: u64) -> Result<Vec<u8>, LogError> {
    let is_it = |record: &[u8]| command_of(record, index).is_some();
    if let Some(cached) = file.read_cached(offset, bytes)
        && is_it(&cached)
    {
        return Ok(cached);
    }
    let direct = file.read(offset, bytes)?;
    match is_it(direct.bytes()) {
        true => Ok(direct.bytes().to_vec()),
        false => Err(LogError::Unreadable),
    }
}

/// Returns the value that the change `number` of a command writes.
fn value(command: &[u8], number: usize) -> io::Result<Option<Bytes>> {
    let found = command::value(command, number).map_err(io::Error::other)?;
    Ok(found.map(Bytes::copy_from_slice))
}
