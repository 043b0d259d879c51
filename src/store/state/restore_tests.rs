//! Restores against a map, with crashes, checkpoints and images between the steps.

use super::*;
use crate::clock::Timestamp;
use bytes::Bytes;
use std::collections::BTreeMap;

type Model = BTreeMap<Key, Bytes>;

/// Draws numbers that a seed determines.
struct Draw(u64);

impl Draw {
    fn below(&mut self, limit: u64) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }

    fn record(&mut self) -> (Key, Bytes) {
        let key = format!("\u{10}key {:03}", self.below(300));
        let length = usize::try_from(self.below(1500)).unwrap();
        (key.into(), vec![self.below(256) as u8; length].into())
    }
}

/// An entry of the log, which is all that is left after a crash.
enum Entry {
    Run(Transaction),
    Restore(Restore),
}

struct World {
    dir: tempfile::TempDir,
    state: State,
    log: Vec<Entry>,
    /// The records that readers should see, and those that the restore under way has gathered.
    model: Model,
    staged: Option<(u128, u64, Model)>,
}

const LIMITS: Limits = Limits {
    overlay_bytes_max: 16 << 10,
    overlay_records_max: 64,
    replay_bytes_max: 64 << 10,
};

fn at(index: usize) -> Position {
    let index = index as u64;
    Position { term: 1, index }
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self {
            state: State::open(dir.path(), LIMITS).unwrap(),
            dir,
            log: Vec::new(),
            model: Model::new(),
            staged: None,
        }
    }

    fn apply(&mut self, entry: Entry) -> bool {
        self.log.push(entry);
        self.replay(self.log.len())
    }

    fn replay(&self, index: usize) -> bool {
        let change = match &self.log[index - 1] {
            Entry::Run(transaction) => Change::Run(transaction, 100),
            Entry::Restore(step) => Change::Restore(step, 100),
        };
        self.state.apply(at(index), change).unwrap()
    }

    /// Cuts the power: entries that no checkpoint has are replayed from the log.
    fn crash(&mut self) {
        let elsewhere = tempfile::tempdir().unwrap();
        let spare = State::open(elsewhere.path(), LIMITS).unwrap();
        drop(std::mem::replace(&mut self.state, spare));
        self.state = State::open(self.dir.path(), LIMITS).unwrap();
        self.catch_up();
    }

    fn catch_up(&self) {
        let saved = self.state.mark().position.map_or(0, |at| at.index);
        for index in saved as usize + 1..=self.log.len() {
            self.replay(index);
        }
    }

    /// Replaces the state by an image, as for a follower that is behind: it gets the last
    /// checkpoint and the log after it.
    fn move_by_image(&mut self) {
        let Some((mark, image)) = self.state.image().unwrap() else {
            return;
        };
        let dir = tempfile::tempdir().unwrap();
        let state = State::open(dir.path(), LIMITS).unwrap();
        run(&state, 1, put(b"\x10left over", b"x"));
        state.checkpoint().unwrap();
        let mut last: Option<Key> = None;
        let ordered = image.inspect(move |item| {
            let key = &item.as_ref().unwrap().0;
            assert!(last.as_ref().is_none_or(|last| last < key), "{key:?}");
            last = Some(key.clone());
        });
        state.install(&mark, Image::new(ordered)).unwrap();
        self.state = state;
        self.dir = dir;
        self.catch_up();
    }

    fn check(&self, seed: u64) {
        let mut found = Vec::new();
        self.state
            .scan(b"", &mut |key| {
                found.push(Key::copy_from_slice(key));
                Visit::Next
            })
            .unwrap();
        let expected: Vec<Key> = self.model.keys().cloned().collect();
        assert_eq!(found, expected, "seed {seed}");
        for (key, value) in &self.model {
            let record = self.state.get(key).unwrap().unwrap();
            assert_eq!(record.value, value, "seed {seed}: {key:?}");
        }
        let restoring = self.staged.as_ref().map(|(id, ..)| *id);
        assert_eq!(self.state.restoring(), restoring, "seed {seed}");
    }
}

fn put(key: &[u8], value: &[u8]) -> Vec<Op> {
    vec![Op::Put {
        key: Key::copy_from_slice(key),
        value: Bytes::copy_from_slice(value),
    }]
}

fn run(state: &State, index: usize, ops: Vec<Op>) {
    let transaction = Transaction {
        ops,
        ..Transaction::default()
    };
    assert!(
        state
            .apply(at(index), Change::Run(&transaction, 9))
            .unwrap()
    );
}

fn step(world: &mut World, draw: &mut Draw) {
    match draw.below(20) {
        0..6 => {
            let (key, value) = draw.record();
            let op = match draw.below(3) {
                0 => {
                    world.model.remove(&key);
                    Op::Delete { key }
                }
                _ => {
                    world.model.insert(key.clone(), value.clone());
                    Op::Put { key, value }
                }
            };
            world.apply(Entry::Run(Transaction {
                ops: vec![op],
                ..Transaction::default()
            }));
        }
        6 => {
            let id = u128::from(draw.below(1000));
            assert!(world.apply(Entry::Restore(Restore::Begin { id })));
            world.staged = Some((id, 0, Model::new()));
        }
        7..13 => chunk(world, draw),
        13 => {
            let Some((id, chunks, staged)) = world.staged.take() else {
                return;
            };
            let time_floor = Timestamp(draw.below(1 << 40));
            let commit = |id, chunks| {
                Entry::Restore(Restore::Commit {
                    id,
                    chunks,
                    time_floor,
                })
            };
            assert!(!world.apply(commit(id, chunks + 1)));
            assert!(!world.apply(commit(id + 1, chunks)));
            let before = world.state.mark().time_floor;
            assert!(world.apply(commit(id, chunks)));
            assert_eq!(world.state.mark().time_floor, before.max(time_floor));
            world.model = staged;
        }
        14 => {
            let Some((id, ..)) = world.staged.take() else {
                return;
            };
            assert!(!world.apply(Entry::Restore(Restore::Abandon { id: id + 1 })));
            assert!(world.apply(Entry::Restore(Restore::Abandon { id })));
        }
        15..17 => drop(world.state.checkpoint().unwrap()),
        17..19 => world.crash(),
        _ => world.move_by_image(),
    }
}

fn chunk(world: &mut World, draw: &mut Draw) {
    let records: Vec<_> = (0..draw.below(12)).map(|_| draw.record()).collect();
    let (id, number) = match &mut world.staged {
        Some((id, chunks, staged)) => {
            staged.extend(records.iter().cloned());
            *chunks += 1;
            (*id, *chunks - 1)
        }
        None => (7, 0),
    };
    let chunk = |number| {
        Entry::Restore(Restore::Chunk {
            id,
            number,
            records: records.clone(),
        })
    };
    assert_eq!(world.apply(chunk(number)), world.staged.is_some());
    assert!(!world.apply(chunk(number)), "the same chunk twice");
}

#[test]
fn a_restore_is_what_was_archived_whatever_comes_between() {
    let begun = std::env::var("SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let first = begun.unwrap_or_else(|| {
        let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
        now.as_secs() << 8
    });
    let count = if begun.is_some() { 1 } else { 3 };
    for seed in first..first + count {
        println!("SEED={seed}");
        let mut draw = Draw(seed);
        let mut world = World::new();
        for _ in 0..120 {
            step(&mut world, &mut draw);
            if draw.below(6) == 0 {
                world.check(seed);
            }
        }
        world.crash();
        world.check(seed);
        world.state.checkpoint().unwrap();
        world.crash();
        world.check(seed);
    }
}

#[test]
fn what_was_replaced_leaves_the_disk() {
    let mut world = World::new();
    let keyspaces = |world: &World| {
        let folder = world.dir.path().join("keyspaces");
        std::fs::read_dir(folder).unwrap().count()
    };
    world.apply(Entry::Run(Transaction {
        ops: put(b"\x10old", &[1; 4000]),
        ..Transaction::default()
    }));
    world.state.checkpoint().unwrap();
    let before = keyspaces(&world);
    for id in 1..4 {
        world.apply(Entry::Restore(Restore::Begin { id }));
        let records = vec![(Key::from_static(b"\x10new"), Bytes::from_static(b"v"))];
        world.apply(Entry::Restore(Restore::Chunk {
            id,
            number: 0,
            records,
        }));
        world.state.checkpoint().unwrap();
        assert_eq!(world.state.get(b"\x10new").unwrap().is_some(), id > 1);
        world.apply(Entry::Restore(Restore::Commit {
            id,
            chunks: 1,
            time_floor: Timestamp(0),
        }));
        assert!(world.state.is_checkpoint_due());
        assert!(world.state.get(b"\x10old").unwrap().is_none());
        world.state.checkpoint().unwrap();
        assert!(!world.state.is_checkpoint_due());
    }
    world.crash();
    assert_eq!(keyspaces(&world), before);
    assert!(world.state.get(b"\x10new").unwrap().is_some());
}

#[test]
fn a_view_stands_still() {
    let world = World::new();
    assert!(world.state.view().unwrap().is_none());
    let state = &world.state;
    run(state, 1, put(b"\x10a", &[1; 900]));
    run(state, 2, put(b"\x10b", b"short"));
    state.checkpoint().unwrap();
    let view = state.view().unwrap().unwrap();
    run(state, 3, put(b"\x10c", b"later"));
    state.checkpoint().unwrap();
    state
        .install(&Mark::default(), Image::new(std::iter::empty()))
        .unwrap();
    assert_eq!(view.position(), Some(at(2)));
    let records: Vec<_> = view.records().map(|record| record.unwrap()).collect();
    let bytes: usize = records.iter().map(|(k, v)| k.len() + v.len()).sum();
    assert_eq!((records.len(), bytes), (2, 4 + 900 + 5));
    let sizes = view.sizes().unwrap();
    assert_eq!((sizes.records, sizes.bytes), (2, bytes as u64));
}
