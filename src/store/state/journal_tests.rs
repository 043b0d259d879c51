//! Values that the log holds until a checkpoint.

use super::*;
use crate::store::space::Pretended;
use bytes::Bytes;
use std::collections::HashMap;
use std::sync::atomic::AtomicUsize;

/// A log in memory.
#[derive(Default)]
struct Entries {
    values: Mutex<HashMap<(u64, u32), Bytes>>,
    reads: AtomicUsize,
}

impl Journal for Entries {
    fn value(&self, index: u64, number: u32) -> std::io::Result<Option<Bytes>> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        Ok(self.values.lock().unwrap().get(&(index, number)).cloned())
    }
}

struct Made {
    state: State,
    log: Arc<Entries>,
    index: u64,
    _dir: tempfile::TempDir,
}

fn key(name: &str) -> Key {
    Key::copy_from_slice(name.as_bytes())
}

fn made(limits: Limits) -> Made {
    let dir = tempfile::tempdir().unwrap();
    let state = State::open(dir.path(), limits).unwrap();
    let log = Arc::new(Entries::default());
    state.leave_values_to(Arc::clone(&log) as _);
    Made {
        state,
        log,
        index: 0,
        _dir: dir,
    }
}

impl Made {
    fn run(&mut self, ops: Vec<Op>) {
        self.index += 1;
        let index = self.index;
        for (number, op) in (0..).zip(&ops) {
            if let Op::Put { value, .. } = op {
                let mut values = self.log.values.lock().unwrap();
                values.insert((index, number), value.clone());
            }
        }
        let transaction = Transaction {
            time: Timestamp(index),
            preconditions: Vec::new(),
            ops,
        };
        let change = Change::Run(&transaction, 1024);
        let position = Position { term: 1, index };
        assert!(self.state.apply(position, change).unwrap());
    }

    fn put(&mut self, name: &str, value: &Bytes) {
        let (key, value) = (key(name), value.clone());
        self.run(vec![Op::Put { key, value }]);
    }

    fn delete(&mut self, name: &str) {
        self.run(vec![Op::Delete { key: key(name) }]);
    }

    fn read(&self, name: &str) -> Option<Bytes> {
        let found = self.state.get(name.as_bytes()).unwrap();
        found.map(|record| record.value)
    }

    fn reads(&self) -> usize {
        self.log.reads.load(Ordering::Relaxed)
    }

    /// Returns the number of records and tombstones that the next checkpoint saves.
    fn unsaved(&self) -> usize {
        self.state.read().active.map().len()
    }
}

fn long(fill: u8) -> Bytes {
    Bytes::from(vec![fill; 1000])
}

fn limits(overlay_bytes_max: usize) -> Limits {
    Limits {
        overlay_bytes_max,
        ..Limits::default()
    }
}

#[test]
fn memory_leaves_long_values_to_the_log_and_reads_them_there() {
    let mut made = made(limits(32 << 10));
    for number in 0..100u8 {
        made.put(&format!("long/{number}"), &long(number));
        made.put(&format!("short/{number}"), &Bytes::from(vec![number; 20]));
    }
    let overlay = made.state.read().active.map().clone();
    let held = |name: &str| matches!(overlay[&key(name)], Some(Kept::Held(..)));
    assert!(
        !held("long/0") && held("long/99"),
        "the newest are in memory"
    );
    assert!(held("short/0") && held("short/99"));
    assert_eq!(made.reads(), 0, "nothing is read to be left");
    for number in 0..100u8 {
        assert_eq!(made.read(&format!("long/{number}")), Some(long(number)));
        let short = made.read(&format!("short/{number}")).unwrap();
        assert_eq!(short, vec![number; 20]);
    }
    let once = made.reads();
    assert!(once > 50, "{once}");
    made.read("long/0");
    assert_eq!(made.reads(), once, "what was read is remembered");
    made.put("long/0", &long(200));
    assert_eq!(
        made.read("long/0"),
        Some(long(200)),
        "and forgotten with a new value"
    );
    made.state.checkpoint().unwrap();
    made.log.values.lock().unwrap().clear();
    for number in 1..100u8 {
        assert_eq!(made.read(&format!("long/{number}")), Some(long(number)));
    }
}

#[test]
fn a_checkpoint_is_due_by_the_bytes_to_replay_and_later_than_memory_alone_would_have_it() {
    let mut made = made(limits(32 << 10));
    for number in 0..200u8 {
        made.put("hot", &long(number));
        assert!(!made.state.is_checkpoint_due());
    }
    // Short values are not for the log.
    let mut number = 0;
    while !made.state.is_checkpoint_due() {
        number += 1;
        made.put(&format!("short/{number}"), &Bytes::from_static(b"short"));
        assert!(number < 1000);
    }
    // Without a log nothing is left to it.
    let dir = tempfile::tempdir().unwrap();
    let alone = State::open(dir.path(), limits(32 << 10)).unwrap();
    let mut index = 0;
    while !alone.is_checkpoint_due() {
        index += 1;
        let transaction = Transaction {
            time: Timestamp(index),
            preconditions: Vec::new(),
            ops: vec![Op::Put {
                key: key(&format!("long/{index}")),
                value: long(1),
            }],
        };
        let position = Position { term: 1, index };
        alone.apply(position, Change::Run(&transaction, 1)).unwrap();
        assert!(index < 40);
    }
}

#[test]
fn checkpoints_come_later_while_values_are_replaced_soon_and_as_before_otherwise() {
    let mut made = made(Limits::default());
    // Each put stands for 64 KiB of log.
    let until_due = |made: &mut Made, name: &dyn Fn(u64) -> String, old: Option<u64>| {
        let mut count = 0;
        while !made.state.is_checkpoint_due() {
            made.index += 1;
            let index = made.index;
            let mut ops = vec![Op::Put {
                key: key(&name(index)),
                value: long(1),
            }];
            if let Some(gone) = old.and_then(|age| index.checked_sub(age)) {
                let key = key(&name(gone));
                ops.push(Op::Delete { key });
            }
            let mut values = made.log.values.lock().unwrap();
            values.insert((index, 0), long(1));
            drop(values);
            let transaction = Transaction {
                time: Timestamp(index),
                preconditions: Vec::new(),
                ops,
            };
            let change = Change::Run(&transaction, 64 << 10);
            let position = Position { term: 1, index };
            made.state.apply(position, change).unwrap();
            count += 1;
        }
        made.state.checkpoint().unwrap();
        count
    };
    let each = |index: u64| format!("k{index}");
    let same = |_: u64| String::from("same");
    assert_eq!(until_due(&mut made, &each, None), 64, "4 MiB");
    assert_eq!(until_due(&mut made, &each, None), 64, "as nothing is gone");
    assert_eq!(until_due(&mut made, &same, None), 64);
    assert_eq!(until_due(&mut made, &same, None), 128, "replaced at once");
    assert_eq!(
        until_due(&mut made, &each, Some(100)),
        256,
        "or deleted, some of it saved"
    );
    assert_eq!(
        until_due(&mut made, &each, Some(100)),
        384,
        "24 MiB at most"
    );
    assert_eq!(until_due(&mut made, &each, None), 384);
    assert_eq!(until_due(&mut made, &each, None), 192, "and back");
    assert_eq!(until_due(&mut made, &each, None), 96);
    assert_eq!(until_due(&mut made, &each, None), 64);
}

#[test]
fn checkpoints_stay_small_while_space_is_scarce() {
    let folder = tempfile::tempdir().unwrap();
    let volume = Pretended::new(folder.path(), 4 << 30);
    let space = Space::open(folder.path(), Some(Arc::clone(&volume) as _));
    let mut made = made(Limits::default());
    made.state = made.state.within(Arc::clone(&space));
    let most = Limits::default().replay_bytes_max;
    made.state.replay_bytes.store(most, Ordering::Relaxed);
    assert_eq!(made.state.limits_now().replay_bytes_max, most);
    volume.set(200 << 20);
    assert!(!space.look(), "new data is taken still");
    let least = REPLAY_BYTES_LEAST;
    assert_eq!(made.state.limits_now().replay_bytes_max, least);
    volume.set(4 << 30);
    space.look();
    assert_eq!(made.state.limits_now().replay_bytes_max, most);
}

#[test]
fn a_revision_is_compared_without_reading_the_log() {
    let mut made = made(limits(4 << 10));
    for number in 0..10u8 {
        made.put(&format!("{number}"), &long(number));
    }
    let transaction = |revision| Transaction {
        time: Timestamp(0),
        preconditions: vec![crate::store::Precondition {
            key: key("0"),
            revision,
        }],
        ops: Vec::new(),
    };
    for (revision, holds) in [(Revision(1), true), (Revision(2), false)] {
        made.index += 1;
        let position = Position {
            term: 1,
            index: made.index,
        };
        let transaction = transaction(revision);
        let change = Change::Run(&transaction, 1);
        assert_eq!(made.state.apply(position, change).unwrap(), holds);
    }
    assert_eq!(made.reads(), 0);
}

#[test]
fn a_value_that_the_log_has_otherwise_or_not_at_all_is_damage() {
    let mut made = made(limits(4 << 10));
    for number in 0..10u8 {
        made.put(&format!("{number}"), &long(number));
    }
    made.log.values.lock().unwrap().insert((1, 0), long(9));
    made.log.values.lock().unwrap().remove(&(2, 0));
    for name in ["0", "1"] {
        let found = made.state.get(name.as_bytes());
        assert!(matches!(found, Err(StateError::Damaged(_))), "{found:?}");
    }
    assert!(made.state.checkpoint().is_err(), "nothing wrong is saved");
    assert_eq!(made.read("2"), Some(long(2)), "and the rest can be read");
}

#[test]
fn what_is_deleted_before_it_was_saved_leaves_nothing_to_save() {
    let mut made = made(Limits::default());
    made.put("saved", &long(1));
    made.state.checkpoint().unwrap();
    made.put("unsaved", &long(2));
    assert_eq!(made.unsaved(), 1);
    made.delete("unsaved");
    assert_eq!((made.unsaved(), made.read("unsaved")), (0, None));
    made.put("saved", &long(3));
    made.delete("saved");
    assert_eq!(
        (made.unsaved(), made.read("saved")),
        (1, None),
        "a tombstone"
    );
    made.state.checkpoint().unwrap();
    assert_eq!((made.read("saved"), made.read("unsaved")), (None, None));
    // In one transaction, whatever the order.
    let (name, value) = (key("x"), long(4));
    let put = || Op::Put {
        key: name.clone(),
        value: value.clone(),
    };
    let delete = || Op::Delete { key: name.clone() };
    made.run(vec![put()]);
    made.run(vec![delete(), put(), delete(), put()]);
    assert_eq!(made.read("x"), Some(long(4)));
    made.run(vec![put(), delete()]);
    assert_eq!(made.read("x"), None);
}
