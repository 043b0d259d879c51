//! The space on the data directory's device: a reserve, and the marks between which new data is
//! taken.
//!
//! A file keeps [`RESERVE_BYTES`] of the device, so that a disk that others fill still has what log
//! and state need for repairs. As much of it is given up as one of them finds no space for, since
//! whoever filled the disk may take the rest; it is made whole again once there is plenty. Well
//! before that, from the low mark on, new data is refused, and taken again from the high mark on;
//! what repairs goes on. Nothing here runs on a timer: whoever writes looks.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// The bytes of the reserve: a checkpoint twice over (4 MiB each), five segments of the log, and
/// the tables of a store of some ten thousand secrets while they are merged.
pub const RESERVE_BYTES: u64 = 16 << 20;
/// The free bytes beside the reserve below which new data is refused.
pub const LOW_WATER_BYTES: u64 = 8 << 20;
/// The free bytes beside the reserve from which new data is taken again.
pub const HIGH_WATER_BYTES: u64 = 16 << 20;
/// The least size of a device that has a reserve and marks; on a smaller one only writes tell that
/// it is full.
const DEVICE_BYTES_MIN: u64 = 48 << 20;
/// The bytes that each estimate of a write is rounded up by: folders, manifests, indirect blocks.
const MARGIN_BYTES: u64 = 256 << 10;
/// The free bytes below which the size of the next merge counts, and checkpoints are kept small.
const SCARCE_BYTES: u64 = 256 << 20;
/// The part of the device that a merge may raise the low mark by.
const MERGE_PART: u64 = 8;
/// The time for which a look at the device counts.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// The unit in which the reserve is given up.
const STEP_BYTES: u64 = 1 << 20;
/// The file's name in the data directory.
const RESERVE_FILE: &str = "reserve";
/// The size of the pieces in which a reserve is written where space cannot be reserved otherwise.
const PIECE_BYTES: usize = 256 << 10;

/// A device's figures, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// The bytes that this process may still write.
    pub free: u64,
    /// The size of the file system.
    pub total: u64,
}

/// The device below the data directory. A test puts a pretended one here.
pub trait Volume: Send + Sync + 'static {
    /// Returns the figures of the moment.
    ///
    /// # Errors
    /// The operating system's.
    fn figures(&self) -> io::Result<Figures>;
}

/// The device that a directory lies on.
struct Device(PathBuf);

impl Volume for Device {
    fn figures(&self) -> io::Result<Figures> {
        figures(&self.0)
    }
}

/// Returns the figures of the device that `path` lies on.
///
/// # Errors
/// The operating system's.
pub fn figures(path: &Path) -> io::Result<Figures> {
    let device = rustix::fs::statvfs(path)?;
    Ok(Figures {
        free: device.f_bavail.saturating_mul(device.f_frsize),
        total: device.f_blocks.saturating_mul(device.f_frsize),
    })
}

/// The state of the space, for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account {
    /// The free bytes, without the reserve.
    pub free: u64,
    /// The bytes of the reserve that are left; zero where there is none.
    pub reserve: u64,
    /// The free bytes, beside a whole reserve, below which new data is refused; zero on a device
    /// that is too small.
    pub low_mark: u64,
    /// True while new data is refused.
    pub is_low: bool,
}

/// Follows the space of one data directory, and keeps its reserve. All methods may be called from
/// any thread; those that say so wait for the disk.
pub struct Space {
    dir: PathBuf,
    volume: Arc<dyn Volume>,
    total: u64,
    now: Mutex<Now>,
    /// Held while the file changes.
    changing: Mutex<()>,
    low: watch::Sender<bool>,
    /// True while less than [`SCARCE_BYTES`] are free.
    scarce: AtomicBool,
}

#[derive(Default)]
struct Now {
    looked: Option<Instant>,
    free: u64,
    /// The bytes of the reserve that are left.
    held: u64,
    /// The bytes that the next merge may write before it frees any.
    merge: u64,
    /// True once the log has said that a reserve cannot be made.
    is_told: bool,
    /// The other nodes without space, while those with space are no majority.
    others: Vec<String>,
}

impl Space {
    /// Looks at the device of `dir`, and makes the reserve if there is space for it. Waits for the
    /// disk.
    pub fn open(dir: &Path, volume: Option<Arc<dyn Volume>>) -> Arc<Self> {
        let volume = volume.unwrap_or_else(|| Arc::new(Device(dir.to_path_buf())));
        let seen = volume.figures().unwrap_or_default();
        let space = Self {
            dir: dir.to_path_buf(),
            volume,
            total: seen.total,
            now: Mutex::default(),
            changing: Mutex::default(),
            low: watch::Sender::new(false),
            scarce: AtomicBool::new(true),
        };
        if space.guards() {
            space.now().held = space.found();
            space.settle();
        } else {
            space.remove();
            crate::telemetry::info!(
                path = %dir.display(),
                size = mib(seen.total),
                least = mib(DEVICE_BYTES_MIN),
                "the device is too small for a reserve: a full disk is noticed by the first write \
                 that fails"
            );
        }
        Arc::new(space)
    }

    /// Returns true while new data is refused.
    pub fn is_low(&self) -> bool {
        *self.low.borrow()
    }

    /// Returns true while less is free than what many checkpoints and merges take, and on a device
    /// that is too small for a reserve.
    pub fn is_scarce(&self) -> bool {
        !self.guards() || self.scarce.load(Ordering::Relaxed)
    }

    /// Follows [`Space::is_low`].
    pub fn follow(&self) -> watch::Receiver<bool> {
        self.low.subscribe()
    }

    /// Returns whether new data may come, by a look that is not older than a moment.
    ///
    /// # Errors
    /// The message for the client when it may not.
    pub fn admit(&self) -> Result<(), String> {
        let (looked, others_have_space) = {
            let now = self.now();
            (now.looked, now.others.is_empty())
        };
        let is_low = match looked.is_some_and(|at| at.elapsed() < LOOK_EVERY) {
            true => self.is_low(),
            false => self.look(),
        };
        match (is_low, others_have_space) {
            (false, true) => return Ok(()),
            (false, false) => return self.admit_others(),
            (true, _) => {}
        }
        let (free, high) = {
            let now = self.now();
            (now.room(), RESERVE_BYTES + self.marks(&now).1)
        };
        Err(format!(
            "no space left on device: {} of {} are left at {}, and new data is taken from {} on; \
             nothing was written. Reading, deleting, revoking, sealing and snapshots still work: \
             delete secrets or versions that are not needed, move other files away, or use a \
             larger disk",
            mib(free),
            mib(self.total),
            self.dir.display(),
            mib(high),
        ))
    }

    fn admit_others(&self) -> Result<(), String> {
        let others = &self.now().others;
        match others.as_slice() {
            [] => Ok(()),
            names => Err(format!(
                "no space left on device: the disks of {} are nearly full, and too few members \
                 have space for new data; nothing was written. Reading, deleting, revoking, \
                 sealing and snapshots still work: delete what is not needed, or free space on \
                 these nodes",
                names.join(", ")
            )),
        }
    }

    /// Takes the names of the other nodes whose disks are nearly full, while those with space are
    /// no majority; none otherwise.
    pub fn hear_of_others(&self, short: Vec<String>) {
        let before = std::mem::replace(&mut self.now().others, short.clone());
        match (before.is_empty(), short.is_empty()) {
            (true, false) => tracing::warn!(
                nodes = short.join(", "),
                "the disks of other members are nearly full: new data is refused"
            ),
            (false, true) => tracing::warn!("enough members have space again: new data is taken"),
            _ => {}
        }
    }

    /// Returns true while other nodes have too little space for new data.
    pub fn others_are_short(&self) -> bool {
        !self.now().others.is_empty()
    }

    /// Looks at the device; returns true while new data is refused.
    pub fn look(&self) -> bool {
        if !self.guards() {
            return false;
        }
        let seen = self.volume.figures();
        let was_low = self.is_low();
        let (room, is_low) = {
            let mut now = self.now();
            now.looked = Some(Instant::now());
            // A device that cannot be asked says what it said last.
            now.free = seen.map_or(now.free, |seen| seen.free);
            let (low, high) = self.marks(&now);
            let mark = if was_low { high } else { low };
            let is_scarce = now.room() < SCARCE_BYTES;
            self.scarce.store(is_scarce, Ordering::Relaxed);
            (now.room(), now.room() < RESERVE_BYTES + mark)
        };
        if self
            .low
            .send_if_modified(|low| std::mem::replace(low, is_low) != is_low)
        {
            let path = self.dir.display();
            match is_low {
                true => tracing::warn!(
                    %path,
                    left = mib(room),
                    "the disk is nearly full: new data is refused, and what repairs goes on; \
                     delete what is not needed, or free space otherwise"
                ),
                false => tracing::warn!(
                    %path,
                    left = mib(room),
                    "the disk has space again: new data is taken"
                ),
            }
        }
        is_low
    }

    /// Makes sure that `bytes` can be written, if need be by giving up the reserve, which stays
    /// whole where it would not be enough. Waits for the disk.
    ///
    /// # Errors
    /// [`io::ErrorKind::StorageFull`].
    pub fn ensure(&self, bytes: u64) -> io::Result<()> {
        while !self.has(bytes) {
            let held = self.now().held;
            if !self.has_beside(held, bytes) || !self.give_up(bytes) {
                return Err(io::ErrorKind::StorageFull.into());
            }
        }
        Ok(())
    }

    /// Returns true when `bytes` can be written without the reserve, or nobody knows better.
    pub fn has(&self, bytes: u64) -> bool {
        self.has_beside(0, bytes)
    }

    /// Returns true when `bytes` can be written once `more` bytes are free than now.
    fn has_beside(&self, more: u64, bytes: u64) -> bool {
        let wanted = bytes.saturating_add(MARGIN_BYTES);
        let seen = self.volume.figures();
        !self.guards() || seen.is_ok_and(|seen| seen.free.saturating_add(more) >= wanted)
    }

    /// Gives up as much of the reserve as `bytes` take, or the rest of it; returns true when there
    /// was any. Waits for the disk.
    pub fn give_up(&self, bytes: u64) -> bool {
        let one = self.changing();
        let held = self.now().held;
        let taken = bytes.saturating_add(MARGIN_BYTES);
        let left = held.saturating_sub(taken.next_multiple_of(STEP_BYTES));
        let is_given = held > 0 && self.shrink(left);
        self.now().held = left;
        drop(one);
        if is_given {
            tracing::warn!(
                path = %self.dir.display(),
                left = mib(left),
                "the disk is full: a part of the reserve is given up for repairs"
            );
        }
        self.look();
        is_given
    }

    /// Makes the reserve whole again unless new data is refused. Waits for the disk.
    pub fn settle(&self) {
        if !self.guards() {
            return;
        }
        let is_low = self.look();
        let _one = self.changing();
        let (held, room, high) = {
            let now = self.now();
            (now.held, now.room(), self.marks(&now).1)
        };
        if held == RESERVE_BYTES {
            return;
        }
        let path = self.dir.display();
        // It changes nothing about what is left for all, so there is nothing to wait for.
        let made = match is_low {
            false => self.fill(),
            true => Err(io::ErrorKind::StorageFull.into()),
        };
        let held = if made.is_ok() {
            RESERVE_BYTES
        } else {
            self.found()
        };
        let is_told = {
            let mut now = self.now();
            now.held = held;
            std::mem::replace(&mut now.is_told, made.is_err())
        };
        match made {
            Ok(()) => {
                crate::telemetry::info!(%path, reserve = mib(RESERVE_BYTES), "keeping a reserve");
                self.look();
            }
            Err(error) if !is_told => tracing::warn!(
                %path, %error, left = mib(room), wanted = mib(RESERVE_BYTES + high),
                "there is no space for a whole reserve: free some"
            ),
            Err(_) => {}
        }
    }

    /// Returns true while a part of the reserve is given up, or could not be made.
    pub fn lacks_reserve(&self) -> bool {
        self.guards() && self.now().held < RESERVE_BYTES
    }

    /// Takes the bytes that the next merge may write: the low mark leaves as much. Asks only while
    /// space is scarce.
    pub fn plan(&self, merge: impl FnOnce() -> u64) {
        if !self.guards() {
            return;
        }
        self.look();
        let is_scarce = self.now().free < SCARCE_BYTES;
        let merge = if is_scarce { merge() } else { 0 };
        self.now().merge = merge.min(self.total / MERGE_PART);
    }

    /// Returns the figures, for metrics.
    pub fn account(&self) -> Account {
        self.look();
        let now = self.now();
        let low_mark = if self.guards() { self.marks(&now).0 } else { 0 };
        Account {
            free: now.free,
            reserve: now.held,
            low_mark,
            is_low: self.is_low(),
        }
    }

    /// Returns true where the device is large enough for a reserve.
    fn guards(&self) -> bool {
        self.total >= DEVICE_BYTES_MIN
    }

    /// Returns the low and the high mark, in free bytes beside a whole reserve.
    fn marks(&self, now: &Now) -> (u64, u64) {
        let low = LOW_WATER_BYTES.max(now.merge + MARGIN_BYTES);
        (low, low + (HIGH_WATER_BYTES - LOW_WATER_BYTES))
    }

    fn file(&self) -> PathBuf {
        self.dir.join(RESERVE_FILE)
    }

    /// Returns the bytes that the reserve's file has blocks for, in whole steps.
    fn found(&self) -> u64 {
        let found = std::fs::metadata(self.file());
        let bytes = found.map_or(0, |found| found.len().min(found.blocks() * 512));
        bytes.min(RESERVE_BYTES) / STEP_BYTES * STEP_BYTES
    }

    /// Reserves the blocks without writing to them, which costs a card nothing; writes them where
    /// the file system knows no other way.
    fn fill(&self) -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true).mode(0o600);
        let mut file = options.open(self.file())?;
        let flags = rustix::fs::FallocateFlags::empty();
        match rustix::fs::fallocate(&file, flags, 0, RESERVE_BYTES) {
            Ok(()) => {}
            Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => {
                let piece = vec![0; PIECE_BYTES];
                for _ in 0..RESERVE_BYTES / (PIECE_BYTES as u64) {
                    file.write_all(&piece)?;
                }
            }
            Err(error) => return Err(error.into()),
        }
        file.sync_all()
    }

    /// Cuts the file to `left` bytes, so that the blocks behind them are free when this returns.
    fn shrink(&self, left: u64) -> bool {
        if left == 0 {
            return self.remove();
        }
        let file = OpenOptions::new().write(true).open(self.file());
        let cut = file.and_then(|file| file.set_len(left).and_then(|()| file.sync_all()));
        cut.is_ok()
    }

    /// Removes the file, so that its blocks are free when this returns. Returns true if it was
    /// there.
    fn remove(&self) -> bool {
        let gone = std::fs::remove_file(self.file()).is_ok();
        if gone {
            // Some file systems reuse blocks only once the removal is on the device.
            let synced = File::open(&self.dir).and_then(|dir| dir.sync_all());
            drop(synced);
        }
        gone
    }

    fn changing(&self) -> MutexGuard<'_, ()> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Now {
    /// Returns the free bytes and those of the reserve.
    fn room(&self) -> u64 {
        self.free.saturating_add(self.held)
    }
}

/// Returns `bytes` for people, such as `7.2 MiB`.
fn mib(bytes: u64) -> String {
    let tenths = bytes.saturating_mul(10) >> 20;
    format!("{}.{} MiB", tenths / 10, tenths % 10)
}

/// A device of a size and with free bytes that a test sets; the reserve counts as any file does.
#[cfg(test)]
pub struct Pretended {
    dir: PathBuf,
    /// The bytes that would be free without a reserve.
    pub room: std::sync::atomic::AtomicU64,
}

#[cfg(test)]
impl Pretended {
    /// Returns a device for `dir` with `room` bytes for the reserve and everything else.
    pub fn new(dir: &Path, room: u64) -> Arc<Self> {
        Arc::new(Self {
            dir: dir.to_path_buf(),
            room: room.into(),
        })
    }

    /// Sets the bytes that would be free without a reserve.
    pub fn set(&self, room: u64) {
        self.room.store(room, std::sync::atomic::Ordering::SeqCst);
    }
}

#[cfg(test)]
impl Volume for Pretended {
    fn figures(&self) -> io::Result<Figures> {
        let held = std::fs::metadata(self.dir.join(RESERVE_FILE)).map_or(0, |file| file.len());
        let room = self.room.load(std::sync::atomic::Ordering::SeqCst);
        Ok(Figures {
            free: room.saturating_sub(held),
            total: 1 << 30,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn open(room: u64) -> (tempfile::TempDir, Arc<Pretended>, Arc<Space>) {
        let dir = tempfile::tempdir().unwrap();
        let volume = Pretended::new(dir.path(), room);
        let space = Space::open(dir.path(), Some(Arc::clone(&volume) as _));
        (dir, volume, space)
    }

    #[test]
    fn new_data_is_refused_from_the_low_mark_to_the_high_one() {
        let (_dir, volume, space) = open(100 * MIB);
        assert_eq!(space.account().reserve, RESERVE_BYTES);
        for (room, is_low) in [
            (24 * MIB, false),
            (24 * MIB - 1, true),
            (31 * MIB, true),
            (32 * MIB, false),
            (25 * MIB, false),
        ] {
            volume.set(room);
            assert_eq!(space.look(), is_low, "{room}");
        }
        volume.set(20 * MIB);
        space.look();
        let told = space.admit().unwrap_err();
        for word in ["no space left", "20.0 MiB", "32.0 MiB", "delete"] {
            assert!(told.contains(word), "{told}");
        }
    }

    #[test]
    fn the_reserve_holds_blocks_and_goes_as_they_are_needed() {
        let (dir, volume, space) = open(100 * MIB);
        let file = dir.path().join(RESERVE_FILE);
        let blocks = || std::fs::metadata(&file).map_or(0, |file| file.blocks() * 512);
        assert!(blocks() >= RESERVE_BYTES, "it is not sparse: {}", blocks());
        volume.set(17 * MIB);
        assert!(space.ensure(MIB / 2).is_ok());
        assert_eq!(space.account().reserve, RESERVE_BYTES, "there was enough");
        assert!(space.ensure(2 * MIB).is_ok());
        assert_eq!(space.account().reserve, 13 * MIB, "a part was given up");
        assert!(blocks() < 14 * MIB, "{}", blocks());
        assert!(space.ensure(20 * MIB).is_err(), "there is not so much");
        assert_eq!(space.account().reserve, 13 * MIB, "nothing went in vain");
        assert!(space.ensure(16 * MIB).is_ok());
        assert!(!file.exists());
        assert!(!space.give_up(1), "it is gone already");
        volume.set(31 * MIB);
        space.settle();
        assert!(!file.exists(), "there is not plenty");
        assert!(space.is_low());
        volume.set(33 * MIB);
        space.settle();
        assert!(blocks() >= RESERVE_BYTES && !space.is_low());
    }

    #[test]
    fn a_start_finds_the_reserve_and_makes_a_cut_one_whole() {
        let (dir, volume, space) = open(100 * MIB);
        assert!(space.give_up(5 * MIB));
        assert_eq!(space.account().reserve, 10 * MIB);
        volume.set(20 * MIB);
        let again = || Space::open(dir.path(), Some(Arc::clone(&volume) as _));
        let space = again();
        assert_eq!(space.account().reserve, 10 * MIB, "what is left of it");
        assert!(space.is_low(), "a start looks");
        volume.set(100 * MIB);
        assert_eq!(again().account().reserve, RESERVE_BYTES);
        volume.set(20 * MIB);
        assert_eq!(
            again().account().reserve,
            RESERVE_BYTES,
            "it was there before"
        );
    }

    #[test]
    fn a_disk_without_space_for_one_has_no_reserve_and_is_low() {
        let (dir, _volume, space) = open(20 * MIB);
        assert!(!dir.path().join(RESERVE_FILE).exists());
        assert!(space.is_low());
        assert!(!space.give_up(1));
    }

    #[test]
    fn a_merge_that_is_to_come_raises_the_marks() {
        let (_dir, volume, space) = open(60 * MIB);
        space.plan(|| 30 * MIB);
        assert!(!space.look());
        volume.set(46 * MIB);
        assert!(space.look());
        space.plan(|| 0);
        assert!(!space.look());
        volume.set(600 * MIB);
        space.plan(|| unreachable!("there is plenty"));
    }

    #[test]
    fn a_small_device_is_left_alone() {
        struct Small;
        impl Volume for Small {
            fn figures(&self) -> io::Result<Figures> {
                let (free, total) = (0, 8 * MIB);
                Ok(Figures { free, total })
            }
        }
        let dir = tempfile::tempdir().unwrap();
        let space = Space::open(dir.path(), Some(Arc::new(Small)));
        assert!(!dir.path().join(RESERVE_FILE).exists());
        assert!(!space.look() && space.admit().is_ok());
        assert!(space.ensure(MIB).is_ok(), "the write itself will tell");
    }
}
