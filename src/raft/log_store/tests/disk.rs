//! Copies of the log's files, and the damage that a device may do to them.

use std::collections::BTreeMap;
use std::path::Path;

pub(super) const BLOCK: usize = 512;

/// The files of a directory.
#[derive(Clone, PartialEq)]
pub(super) struct Disk(pub(super) BTreeMap<String, Vec<u8>>);

/// A block in a file.
pub(super) type Block = (String, usize);

impl Disk {
    pub(super) fn of(dir: &Path) -> Self {
        let files = std::fs::read_dir(dir).unwrap().map(|file| {
            let file = file.unwrap();
            let name = file.file_name().into_string().unwrap();
            (name, std::fs::read(file.path()).unwrap())
        });
        Self(files.collect())
    }

    /// Writes the files that differ from `there`, and no others.
    pub(super) fn put(&self, dir: &Path, there: &mut Option<Disk>) {
        let same = |name: &String, bytes: &Vec<u8>| {
            there.as_ref().and_then(|disk| disk.0.get(name)) == Some(bytes)
        };
        for (name, bytes) in self.0.iter().filter(|(name, bytes)| !same(name, bytes)) {
            std::fs::write(dir.join(name), bytes).unwrap();
        }
        if let Some(there) = there {
            for name in there.0.keys().filter(|name| !self.0.contains_key(*name)) {
                std::fs::remove_file(dir.join(name)).unwrap();
            }
        }
        *there = Some(self.clone());
    }

    /// Returns the blocks in which `later` differs. A file that is new there counts as zeros here:
    /// it was whole on the device before it got its name.
    pub(super) fn changed(&self, later: &Disk) -> Vec<Block> {
        let mut blocks = Vec::new();
        for (name, bytes) in &later.0 {
            let before = self.0.get(name);
            for (number, block) in bytes.chunks(BLOCK).enumerate() {
                let old = before.map(|before| &before[number * BLOCK..][..BLOCK]);
                if old.unwrap_or(&[0; BLOCK]) != block {
                    blocks.push((name.clone(), number));
                }
            }
        }
        blocks
    }

    /// Returns a copy of this disk with some blocks of `later`.
    pub(super) fn with(&self, later: &Disk, blocks: &[Block]) -> Disk {
        let mut mixed = self.clone();
        for (name, bytes) in &later.0 {
            mixed
                .0
                .entry(name.clone())
                .or_insert_with(|| vec![0; bytes.len()]);
        }
        for (name, number) in blocks {
            let range = number * BLOCK..(number + 1) * BLOCK;
            mixed.0.get_mut(name).unwrap()[range.clone()].copy_from_slice(&later.0[name][range]);
        }
        mixed
    }
}

/// A small generator of random numbers, so that a failing run can be repeated by its seed.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from((self.0 >> 11) % u64::try_from(sides).unwrap()).unwrap()
    }
}
