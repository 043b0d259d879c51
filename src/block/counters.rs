//! The kernel's counters of a disk, from its `stat`.

/// The size of a sector in `stat`, in bytes, whatever the disk's own is.
const SECTOR_BYTES: u64 = 512;
/// The places of the fields in `stat`, from zero.
const WRITES: usize = 4;
const SECTORS_WRITTEN: usize = 6;
const FLUSHES: usize = 15;

/// The writes that a disk was given since the machine started, by all programs and by the file
/// system itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Bytes written.
    pub bytes: u64,
    /// Writes, after the kernel merged neighbours.
    pub writes: u64,
    /// Flushes of the disk's own cache. `None` before Linux 5.5; zero for a disk without a cache,
    /// as most SD cards are.
    pub flushes: Option<u64>,
}

impl Counters {
    /// Reads the text of `/sys/block/*/stat`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let fields: Vec<u64> = text
            .split_whitespace()
            .map_while(|field| field.parse().ok())
            .collect();
        Some(Self {
            bytes: fields.get(SECTORS_WRITTEN)?.saturating_mul(SECTOR_BYTES),
            writes: *fields.get(WRITES)?,
            flushes: fields.get(FLUSHES).copied(),
        })
    }
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn the_fields_are_those_of_the_kernels_document() {
        let text = "  1269  20  45110  329  786054  113199  11722714  739654  0  191588  890818 \
                    0  0  0  0  163494  150834\n";
        let read = Counters::parse(text).unwrap();
        assert_eq!(read.writes, 786_054);
        assert_eq!(read.bytes, 11_722_714 * 512);
        assert_eq!(read.flushes, Some(163_494));
        let old = "1 2 3 4 5 6 7 8 9 10 11";
        assert_eq!(Counters::parse(old).unwrap().flushes, None, "before 5.5");
        assert_eq!(Counters::parse("1 2 3"), None);
        assert_eq!(Counters::parse("x"), None);
    }
}
