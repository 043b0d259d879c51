//! One write of the log, called a group.
//!
//! ```text
//! offset bytes  field (little endian)
//!      0     4  magic "CFLG"
//!      4     1  format version
//!      5     1  flags; bit 0: first group of its segment
//!      6     2  number of records
//!      8     8  log id, random, made with the data directory
//!     16     8  generation of the segment
//!     24     8  sequence number of the group, from 1, never used twice
//!     32     8  index of the first entry in it; 0 when it has none
//!     40     8  highest committed index when it was written, plus one; 0: none
//!     48     4  bytes of records
//!     52     4  size in blocks of 512 bytes, padding included
//!     56     4  CRC-32 of all blocks, this field as zero
//!     60        records, each in postcard, one after the other
//!               zeros up to the size
//! ```

use super::LogError;
use crate::raft::wire::record::Record;

/// The unit of sizes and of the search for groups; every device's block is a multiple of it.
pub(super) const UNIT_BYTES: usize = 512;
/// Bytes before the records.
pub(super) const HEADER_BYTES: usize = 60;
/// The only format so far.
pub(super) const VERSION: u8 = 1;

const MAGIC: &[u8; 4] = b"CFLG";
const FLAG_START: u8 = 1;
const CRC_OFFSET: usize = 56;

/// A group's fields besides its records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) starts_segment: bool,
    pub(super) log_id: u64,
    pub(super) generation: u64,
    pub(super) sequence: u64,
    pub(super) committed_next: u64,
}

/// A group read from a segment.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) header: Header,
    pub(super) records: Vec<Record>,
    /// The offset of each record in the group, in bytes.
    pub(super) offsets: Vec<u32>,
    /// The size of the group in the segment, padding included.
    pub(super) bytes: usize,
}

/// A group's place in a buffer.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Encoded {
    /// The size, padding included.
    pub(super) bytes: usize,
    /// The offset of each record, in bytes.
    pub(super) offsets: Vec<u32>,
}

/// Encodes `records` into `buffer`, padded to `block`.
pub(super) fn encode(
    header: &Header,
    records: &[Record],
    block: usize,
    buffer: &mut [u8],
) -> Result<Encoded, LogError> {
    let capacity = buffer.len();
    let body = buffer
        .get_mut(HEADER_BYTES..)
        .ok_or(LogError::GroupTooLarge)?;
    let mut used = 0;
    let mut first_index = None;
    let mut offsets = Vec::with_capacity(records.len());
    for record in records {
        offsets.push(u32::try_from(HEADER_BYTES + used).map_err(|_| LogError::GroupTooLarge)?);
        let room = body.get_mut(used..).ok_or(LogError::GroupTooLarge)?;
        let bytes = postcard::to_slice(record, room).map_err(|_| LogError::GroupTooLarge)?;
        used += bytes.len();
        first_index = first_index.or(record.entry_position().map(|p| p.index));
    }
    let size = (HEADER_BYTES + used).next_multiple_of(block);
    if size > capacity {
        return Err(LogError::GroupTooLarge);
    }
    let count = u16::try_from(records.len()).map_err(|_| LogError::GroupTooLarge)?;
    let length = u32::try_from(used).map_err(|_| LogError::GroupTooLarge)?;
    let units = u32::try_from(size / UNIT_BYTES).map_err(|_| LogError::GroupTooLarge)?;
    let fields = [
        &MAGIC[..],
        &[VERSION, if header.starts_segment { FLAG_START } else { 0 }],
        &count.to_le_bytes(),
        &header.log_id.to_le_bytes(),
        &header.generation.to_le_bytes(),
        &header.sequence.to_le_bytes(),
        &first_index.unwrap_or(0).to_le_bytes(),
        &header.committed_next.to_le_bytes(),
        &length.to_le_bytes(),
        &units.to_le_bytes(),
        &[0; 4],
    ];
    let head = buffer
        .get_mut(..HEADER_BYTES)
        .ok_or(LogError::GroupTooLarge)?;
    head.copy_from_slice(&fields.concat());
    let group = buffer.get_mut(..size).ok_or(LogError::GroupTooLarge)?;
    group
        .get_mut(HEADER_BYTES + used..)
        .ok_or(LogError::GroupTooLarge)?
        .fill(0);
    let crc = crc32fast::hash(group).to_le_bytes();
    group
        .get_mut(CRC_OFFSET..HEADER_BYTES)
        .ok_or(LogError::GroupTooLarge)?
        .copy_from_slice(&crc);
    Ok(Encoded {
        bytes: size,
        offsets,
    })
}

/// The result of decoding the beginning of some bytes as a group.
pub(super) enum FoundGroup {
    /// No group of this log, or a damaged one.
    Nothing,
    /// A whole group.
    Group(Group),
    /// A whole group of a format this version does not know.
    Version(u8),
}

/// Reads the group at the beginning of `bytes`.
pub(super) fn decode(bytes: &[u8], log_id: u64) -> FoundGroup {
    match parse(bytes, log_id) {
        Some(found) => found,
        None => FoundGroup::Nothing,
    }
}

fn parse(bytes: &[u8], log_id: u64) -> Option<FoundGroup> {
    let head = bytes.first_chunk::<HEADER_BYTES>()?;
    if head.first_chunk::<4>()? != MAGIC || word(head, 8)? != log_id {
        return None;
    }
    let size = usize::try_from(half(head, 52)?)
        .ok()?
        .checked_mul(UNIT_BYTES)?;
    let group = bytes.get(..size)?;
    if crc(group)? != half(head, CRC_OFFSET)? {
        return None;
    }
    let [version, flags] = *head.get(4..6)?.first_chunk::<2>()?;
    if version != VERSION {
        return Some(FoundGroup::Version(version));
    }
    let count = u16::from_le_bytes(*head.get(6..8)?.first_chunk::<2>()?);
    let length = usize::try_from(half(head, 48)?).ok()?;
    let mut rest = group.get(HEADER_BYTES..HEADER_BYTES.checked_add(length)?)?;
    let mut records = Vec::with_capacity(usize::from(count));
    let mut offsets = Vec::with_capacity(usize::from(count));
    for _ in 0..count {
        offsets.push(u32::try_from(HEADER_BYTES + length - rest.len()).ok()?);
        let (record, left) = postcard::take_from_bytes(rest).ok()?;
        records.push(record);
        rest = left;
    }
    Some(FoundGroup::Group(Group {
        header: Header {
            starts_segment: flags & FLAG_START != 0,
            log_id,
            generation: word(head, 16)?,
            sequence: word(head, 24)?,
            committed_next: word(head, 40)?,
        },
        records,
        offsets,
        bytes: size,
    }))
}

/// Computes the checksum that a group should have.
fn crc(group: &[u8]) -> Option<u32> {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(group.get(..CRC_OFFSET)?);
    hasher.update(&[0; 4]);
    hasher.update(group.get(HEADER_BYTES..)?);
    Some(hasher.finalize())
}

fn word(bytes: &[u8], offset: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(offset..)?.first_chunk()?))
}

fn half(bytes: &[u8], offset: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(offset..)?.first_chunk()?))
}

/// Returns the generation that an unverified group names. No generation is zero.
pub(super) fn claimed_generation(bytes: &[u8], log_id: u64) -> Option<u64> {
    may_begin(bytes, log_id).then(|| word(bytes, 16)).flatten()
}

/// Returns the size that an unverified group names, padding included.
pub(super) fn claimed_bytes(bytes: &[u8], log_id: u64) -> Option<usize> {
    let units = may_begin(bytes, log_id)
        .then(|| half(bytes, 52))
        .flatten()?;
    usize::try_from(units).ok()?.checked_mul(UNIT_BYTES)
}

/// Returns true for bytes that could begin a group of this log; the bytes after them need not be
/// looked at otherwise.
pub(super) fn may_begin(bytes: &[u8], log_id: u64) -> bool {
    bytes.starts_with(MAGIC) && word(bytes, 8) == Some(log_id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raft::wire::record::Position;
    use bytes::Bytes;

    const HEADER: Header = Header {
        starts_segment: false,
        log_id: 77,
        generation: 3,
        sequence: 9,
        committed_next: 5,
    };

    fn sample(block: usize) -> Vec<u8> {
        let records = [
            Record::Blank(Position { term: 1, index: 4 }),
            Record::Command(Position { term: 1, index: 5 }, Bytes::from(vec![8; 700])),
        ];
        let mut buffer = vec![0xee; 8192];
        let size = encode(&HEADER, &records, block, &mut buffer).unwrap();
        buffer.truncate(size.bytes);
        buffer
    }

    #[test]
    fn a_group_reads_back() {
        for block in [512, 4096] {
            let bytes = sample(block);
            assert_eq!(bytes.len() % block, 0);
            let FoundGroup::Group(group) = decode(&bytes, 77) else {
                panic!("not found");
            };
            assert_eq!(group.header, HEADER);
            assert_eq!(group.records.len(), 2);
            assert_eq!(group.bytes, bytes.len());
        }
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let bytes = sample(512);
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut bad = bytes.clone();
                bad[at] ^= 1 << bit;
                assert!(
                    matches!(decode(&bad, 77), FoundGroup::Nothing),
                    "{at}.{bit}"
                );
            }
        }
    }

    #[test]
    fn cut_and_foreign_groups_are_nothing() {
        let bytes = sample(512);
        for end in 0..bytes.len() {
            assert!(
                matches!(decode(&bytes[..end], 77), FoundGroup::Nothing),
                "{end}"
            );
        }
        assert!(matches!(decode(&bytes, 78), FoundGroup::Nothing));
    }

    #[test]
    fn a_newer_format_is_told_apart_from_damage() {
        let mut bytes = sample(512);
        bytes[4] = 2;
        let crc = crc(&bytes).unwrap().to_le_bytes();
        bytes[CRC_OFFSET..HEADER_BYTES].copy_from_slice(&crc);
        assert!(matches!(decode(&bytes, 77), FoundGroup::Version(2)));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let record = Record::Command(Position { term: 1, index: 1 }, Bytes::from(vec![0; 2000]));
        let mut buffer = vec![0; 1024];
        assert!(encode(&HEADER, &[record], 512, &mut buffer).is_err());
    }
}
