//! `state.bin`: the records, framed.
//!
//! ```text
//! magic    8 bytes "COFRSTAT"
//! version  1 byte
//! header   <length: u16 LE> <Header: postcard>
//! record   01 <key length: u32 LE> <value length: u32 LE> <key> <value>   ascending by key
//! end      00 <CRC-32 of everything before: u32 LE>
//! ```
//!
//! A record has no revision: once restored, it has that of the log entry that restored it.

use super::ArchiveError;
use crate::clock::Timestamp;
use crate::store::Key;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::io::{self, Read, Write};

const MAGIC: &[u8; 8] = b"COFRSTAT";
const VERSION: u8 = 1;
const RECORD: u8 = 1;
const END: u8 = 0;
/// The bytes before a record's key: its kind, and two lengths.
const FRAME_BYTES: u64 = 9;
/// The bytes of the end.
const END_BYTES: u64 = 5;
/// The longest key that is read, in bytes; the longest path makes a fraction of it.
pub const KEY_BYTES_MAX: usize = 64 << 10;
/// The longest value that is read, in bytes; a log entry is no longer.
pub const VALUE_BYTES_MAX: usize = 1 << 20;

/// The origin and the size of the state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The cluster's UUID.
    pub cluster_id: String,
    /// Raft's term of the last entry that is in it.
    pub term: u64,
    /// The index of the last entry that is in it.
    pub index: u64,
    /// The highest cluster time among the entries in it.
    pub time_floor: Timestamp,
    /// The number of records that follow.
    pub records: u64,
    /// The bytes of their keys and values.
    pub bytes: u64,
}

impl Header {
    fn encode(&self) -> Result<Vec<u8>, ArchiveError> {
        let damaged = ArchiveError::State("its header is too long");
        let Ok(body) = postcard::to_stdvec(self) else {
            return Err(damaged);
        };
        let length = u16::try_from(body.len()).map_err(|_| damaged)?;
        let mut bytes = MAGIC.to_vec();
        bytes.push(VERSION);
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(&body);
        Ok(bytes)
    }

    /// Returns the length of the whole `state.bin`, in bytes.
    pub(super) fn state_bytes(&self) -> Result<u64, ArchiveError> {
        let head = u64::try_from(self.encode()?.len()).unwrap_or(u64::MAX);
        Ok(head + self.records * FRAME_BYTES + self.bytes + END_BYTES)
    }
}

/// Writes `state.bin`.
pub(super) struct RecordsWriter<W> {
    out: W,
    crc: crc32fast::Hasher,
}

impl<W: Write> RecordsWriter<W> {
    pub(super) fn begin(out: W, header: &Header) -> Result<Self, ArchiveError> {
        let mut writer = Self {
            out,
            crc: crc32fast::Hasher::new(),
        };
        writer.put(&header.encode()?).map_err(ArchiveError::Io)?;
        Ok(writer)
    }

    pub(super) fn record(&mut self, key: &[u8], value: &[u8]) -> Result<(), ArchiveError> {
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes();
        let [a, b, c, d] = length(key);
        let [e, f, g, h] = length(value);
        self.put(&[RECORD, a, b, c, d, e, f, g, h])
            .and_then(|()| self.put(key))
            .and_then(|()| self.put(value))
            .map_err(ArchiveError::Io)
    }

    pub(super) fn end(mut self) -> Result<(), ArchiveError> {
        let ended = self.put(&[END]);
        let sum = self.crc.finalize().to_le_bytes();
        ended
            .and_then(|()| self.out.write_all(&sum))
            .map_err(ArchiveError::Io)
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.crc.update(bytes);
        self.out.write_all(bytes)
    }
}

/// Reads `state.bin`, without trust in any of it.
pub(super) struct RecordsReader<R> {
    input: R,
    crc: crc32fast::Hasher,
    /// The header as read.
    pub(super) header: Header,
    last: Option<Key>,
    records: u64,
    bytes: u64,
}

impl<R: Read> RecordsReader<R> {
    /// Reads the header; [`ArchiveError::Foreign`] when the state is another program's.
    pub(super) fn begin(input: R) -> Result<Self, ArchiveError> {
        let mut reader = Self {
            input,
            crc: crc32fast::Hasher::new(),
            header: Header::default(),
            last: None,
            records: 0,
            bytes: 0,
        };
        let mut magic = [0; 8];
        match reader.take(&mut magic) {
            Err(ArchiveError::Truncated(_)) => return Err(ArchiveError::Foreign),
            taken => taken?,
        }
        if &magic != MAGIC {
            return Err(ArchiveError::Foreign);
        }
        let [version] = reader.array()?;
        if version != VERSION {
            return Err(ArchiveError::Version(version));
        }
        let length = u16::from_le_bytes(reader.array()?);
        let body = reader.bytes(usize::from(length))?;
        reader.header =
            postcard::from_bytes(&body).map_err(|_| ArchiveError::State("its header"))?;
        Ok(reader)
    }

    /// Returns the next record; `None` once all were there and the checksum is right.
    pub(super) fn next(&mut self) -> Result<Option<(Key, Bytes)>, ArchiveError> {
        let [what] = self.array()?;
        match what {
            RECORD => self.record().map(Some),
            END => self.end().map(|()| None),
            _ => Err(ArchiveError::State("what is neither a record nor the end")),
        }
    }

    fn record(&mut self) -> Result<(Key, Bytes), ArchiveError> {
        let key_bytes = self.length(KEY_BYTES_MAX)?;
        let value_bytes = self.length(VALUE_BYTES_MAX)?;
        let key = Key::from(self.bytes(key_bytes)?);
        let value = Bytes::from(self.bytes(value_bytes)?);
        if self.last.as_ref().is_some_and(|last| *last >= key) {
            return Err(ArchiveError::State("records are out of order"));
        }
        self.last = Some(key.clone());
        self.records += 1;
        self.bytes += u64::try_from(key_bytes + value_bytes).unwrap_or(u64::MAX);
        Ok((key, value))
    }

    fn end(&mut self) -> Result<(), ArchiveError> {
        let found = self.crc.clone().finalize();
        if u32::from_le_bytes(self.array()?) != found {
            return Err(ArchiveError::State("its checksum is wrong"));
        }
        if (self.records, self.bytes) != (self.header.records, self.header.bytes) {
            return Err(ArchiveError::State("records are missing"));
        }
        Ok(())
    }

    fn length(&mut self, limit: usize) -> Result<usize, ArchiveError> {
        let length = u32::from_le_bytes(self.array()?);
        usize::try_from(length)
            .ok()
            .filter(|length| *length <= limit)
            .ok_or(ArchiveError::State("a record is longer than may be"))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], ArchiveError> {
        let mut bytes = [0; N];
        self.take(&mut bytes)?;
        Ok(bytes)
    }

    fn bytes(&mut self, length: usize) -> Result<Vec<u8>, ArchiveError> {
        let mut bytes = vec![0; length];
        self.take(&mut bytes)?;
        Ok(bytes)
    }

    fn take(&mut self, into: &mut [u8]) -> Result<(), ArchiveError> {
        let read = self.input.read_exact(into);
        read.map_err(ArchiveError::reading(super::STATE))?;
        self.crc.update(into);
        Ok(())
    }
}
