//! Decodes arbitrary bytes as `state.bin`, for the fuzzer.

use super::records::RecordsReader;
use super::{ArchiveError, Header};

/// Reads bytes as the state; returns its header, and the number of its records and of their bytes.
pub fn read_state(bytes: &[u8]) -> Result<(Header, u64, u64), ArchiveError> {
    let mut records = RecordsReader::begin(bytes)?;
    let (mut count, mut length) = (0, 0);
    while let Some((key, value)) = records.next()? {
        count += 1;
        length += u64::try_from(key.len() + value.len()).unwrap_or(u64::MAX);
    }
    Ok((records.header, count, length))
}
