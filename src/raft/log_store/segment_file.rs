//! One preallocated file of the log.

use super::LogError;
use super::group::UNIT_BYTES;
use crate::raft::disk::device::Verdict;
use crate::telemetry::writes;
use rustix::fs::{AtFlags, Mode, OFlags, StatxFlags};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The value of O_DSYNC on Linux, on all architectures that this program is built for. rustix 1.1
/// gives O_SYNC for its `DSYNC`, with which every change of the file's time costs a commit of
/// ext4's journal: measured, 2 KB and 0.16 flushes more for a put.
const DSYNC: OFlags = OFlags::from_bits_retain(0o10000);

/// The size of the pieces in which zeros are written.
const FILL_BYTES: usize = 256 << 10;
/// The alignment when the kernel does not tell it (before 6.1): every known device accepts it.
const BLOCK_BYTES_DEFAULT: usize = 4096;
const BLOCK_BYTES_MAX: usize = 64 << 10;

/// Memory that the device can read from and write to directly.
pub(super) struct AlignedBuffer {
    memory: Vec<u8>,
    offset: usize,
    size: usize,
}

impl AlignedBuffer {
    pub(super) fn new(size: usize, block: usize) -> Self {
        let memory = vec![0; size + block];
        let offset = memory.as_ptr().align_offset(block);
        Self {
            memory,
            offset,
            size,
        }
    }

    pub(super) fn is_aligned_to(&self, block: usize) -> bool {
        let start = self.bytes().as_ptr();
        start.align_offset(block) == 0 && self.size.is_multiple_of(block)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        let end = self.offset + self.size;
        self.memory.get(self.offset..end).unwrap_or_default()
    }

    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        let end = self.offset + self.size;
        self.memory.get_mut(self.offset..end).unwrap_or_default()
    }
}

/// A file of a fixed size whose blocks are all allocated, so that a write changes no metadata.
pub(super) struct SegmentFile {
    file: File,
    path: PathBuf,
    /// True when writes reach the device by themselves; otherwise each one is followed by
    /// fdatasync.
    direct: bool,
    /// The same file for reads through the kernel's cache, once there was one; `None` in it when it
    /// could not be opened.
    cached: OnceLock<Option<File>>,
    /// The unit of writes, in bytes: they start and end at multiples of it.
    pub(super) block: usize,
    pub(super) size: usize,
}

impl SegmentFile {
    /// Makes a file of zeros, which appears under its name only when it is whole.
    pub(super) fn create(dir: &Path, slot: u64, size: usize) -> Result<Self, LogError> {
        let path = path_of(dir, slot, size);
        let temporary = path.with_extension("new");
        let fail = |what| failure(what, &temporary);
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::CLOEXEC;
        let made = rustix::fs::open(&temporary, flags, Mode::RUSR | Mode::WUSR)
            .map_err(io::Error::from)
            .map_err(fail("create"))?;
        let made = File::from(made);
        let filled = fill(&made, size).and_then(|()| made.sync_all());
        if let Err(error) = filled {
            // Half a segment is worth nothing, and its space may be what is missing.
            let _ = std::fs::remove_file(&temporary);
            return Err(fail("fill")(error));
        }
        writes().log.add(size, 2);
        drop(made);
        std::fs::rename(&temporary, &path).map_err(failure("name", &path))?;
        sync_dir(dir)?;
        Self::open(path)
    }

    /// Opens an existing file.
    pub(super) fn open(path: PathBuf) -> Result<Self, LogError> {
        let base = OFlags::RDWR | OFlags::CLOEXEC;
        let direct = OFlags::DIRECT | DSYNC;
        if let Ok(fd) = rustix::fs::open(&path, base | direct, Mode::empty()) {
            let mut segment = Self::with(File::from(fd), path.clone(), true)?;
            segment.block = direct_block(&path);
            let mut probe = AlignedBuffer::new(segment.block, segment.block);
            if segment.size.is_multiple_of(segment.block)
                && segment.file.read_exact_at(probe.bytes_mut(), 0).is_ok()
            {
                return Ok(segment);
            }
        }
        let fd = rustix::fs::open(&path, base, Mode::empty())
            .map_err(io::Error::from)
            .map_err(failure("open", &path))?;
        Self::with(File::from(fd), path, false)
    }

    fn with(file: File, path: PathBuf, direct: bool) -> Result<Self, LogError> {
        let meta = file.metadata().map_err(failure("inspect", &path))?;
        let size = usize::try_from(meta.len()).unwrap_or(0);
        Ok(Self {
            file,
            path,
            direct,
            cached: OnceLock::new(),
            block: UNIT_BYTES,
            size,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns true when writes reach the device by themselves.
    pub(super) fn is_direct(&self) -> bool {
        self.direct
    }

    /// Writes `bytes`, which come from an [`AlignedBuffer`], and returns once they are on the
    /// device.
    pub(super) fn write(&self, bytes: &[u8], offset: usize) -> Result<(), LogError> {
        let at = u64::try_from(offset).unwrap_or(u64::MAX);
        self.file
            .write_all_at(bytes, at)
            .map_err(failure("write", &self.path))?;
        writes().log.add(bytes.len(), 1);
        if self.direct {
            return Ok(());
        }
        self.file.sync_data().map_err(failure("flush", &self.path))
    }

    /// Writes as a failing device does: the front of `bytes`, or nothing, and an error.
    pub(super) fn fail(
        &self,
        bytes: &[u8],
        offset: usize,
        verdict: Verdict,
    ) -> Result<(), LogError> {
        let kind = match verdict {
            Verdict::Write => return self.write(bytes, offset),
            Verdict::Tear(size) => {
                let whole = size / self.block * self.block;
                self.write(bytes.get(..whole).unwrap_or(bytes), offset)?;
                io::ErrorKind::BrokenPipe
            }
            Verdict::Fail(kind) => kind,
        };
        Err(failure("write", &self.path)(kind.into()))
    }

    /// Fills `bytes`, which are aligned and whole blocks, from `offset` on.
    pub(super) fn read_into(&self, bytes: &mut [u8], offset: usize) -> Result<(), LogError> {
        let at = u64::try_from(offset).unwrap_or(u64::MAX);
        self.file
            .read_exact_at(bytes, at)
            .map_err(failure("read", &self.path))
    }

    /// Reads `size` bytes from `offset` on.
    pub(super) fn read(&self, offset: usize, size: usize) -> Result<AlignedBuffer, LogError> {
        let block = self.block.max(UNIT_BYTES);
        // The device wants whole blocks, whatever was the block when this was written.
        let lead = offset % block;
        let whole = (lead + size).next_multiple_of(block);
        let mut buffer = AlignedBuffer::new(whole, block);
        self.read_into(buffer.bytes_mut(), offset - lead)?;
        buffer.offset += lead;
        buffer.size = size;
        Ok(buffer)
    }

    /// Reads `size` bytes from `offset` on through the kernel's cache; `None` when that fails. The
    /// bytes may be older than what was written directly meanwhile, so the caller verifies them.
    pub(super) fn read_cached(&self, offset: usize, size: usize) -> Option<Vec<u8>> {
        let file = match self.direct {
            true => {
                let open = || File::open(&self.path).ok();
                self.cached.get_or_init(open).as_ref()?
            }
            false => &self.file,
        };
        let mut bytes = vec![0; size];
        let at = u64::try_from(offset).ok()?;
        file.read_exact_at(&mut bytes, at).ok()?;
        Some(bytes)
    }

    /// Removes the file.
    pub(super) fn remove(&self) -> Result<(), LogError> {
        std::fs::remove_file(&self.path).map_err(failure("remove", &self.path))
    }
}

/// Returns the path of a segment, `raft/0000000000000001-1310720.log`: a number, and the size, so
/// that a file that has been cut short is noticed whatever is left of it.
fn path_of(dir: &Path, slot: u64, size: usize) -> PathBuf {
    dir.join(format!("{slot:016}-{size}.log"))
}

/// Returns the number and the size in a segment's name.
pub(super) fn slot_of(path: &Path) -> Option<(u64, usize)> {
    let name = path.file_name()?.to_str()?.strip_suffix(".log")?;
    let (slot, size) = name.split_once('-')?;
    Some((slot.parse().ok()?, size.parse().ok()?))
}

/// Returns true when `dir` holds a segment, whatever its contents: a log was begun there.
pub fn exists(dir: &Path) -> Result<bool, LogError> {
    for entry in std::fs::read_dir(dir).map_err(failure("list", dir))? {
        let path = entry.map_err(failure("list", dir))?.path();
        if slot_of(&path).is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

fn fill(file: &File, size: usize) -> io::Result<()> {
    let zeros = vec![0; FILL_BYTES.min(size)];
    let mut done = 0;
    while done < size {
        let piece = zeros.get(..zeros.len().min(size - done)).unwrap_or(&zeros);
        file.write_all_at(piece, u64::try_from(done).unwrap_or(u64::MAX))?;
        done += piece.len();
    }
    Ok(())
}

/// Returns the alignment of direct writes to `path`, in bytes.
fn direct_block(path: &Path) -> usize {
    let told = rustix::fs::statx(
        rustix::fs::CWD,
        path,
        AtFlags::empty(),
        StatxFlags::DIOALIGN,
    );
    let Ok(told) = told else {
        return BLOCK_BYTES_DEFAULT;
    };
    let block = told.stx_dio_offset_align.max(told.stx_dio_mem_align);
    match usize::try_from(block) {
        Ok(block) if block.is_power_of_two() && block <= BLOCK_BYTES_MAX => block.max(UNIT_BYTES),
        _ => BLOCK_BYTES_DEFAULT,
    }
}

/// Makes names in `dir` durable.
pub(super) fn sync_dir(dir: &Path) -> Result<(), LogError> {
    File::open(dir)
        .and_then(|dir| dir.sync_all())
        .map_err(failure("sync", dir))
}

pub(super) fn failure(what: &'static str, file: &Path) -> impl Fn(io::Error) -> LogError + use<> {
    let file = file.to_path_buf();
    move |source| LogError::Io {
        what,
        file: file.clone(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A write waits for its data, not for the file's times.
    #[test]
    fn direct_writes_are_data_synchronous_only() {
        const FULLY_SYNCHRONOUS: u32 = 0o4_000_000;
        let dir = tempfile::tempdir().unwrap();
        let segment = SegmentFile::create(dir.path(), 0, 1 << 20).unwrap();
        if !segment.direct {
            eprintln!("skipped: this file system has no direct writes");
            return;
        }
        let flags = rustix::fs::fcntl_getfl(&segment.file).unwrap().bits();
        assert_ne!(flags & DSYNC.bits(), 0, "{flags:o}");
        assert_eq!(flags & FULLY_SYNCHRONOUS, 0, "{flags:o}");
    }
}
