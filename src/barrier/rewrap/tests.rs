//! Walks over a store in memory, with others that write between a step's reads and its entry.

use super::*;
use crate::barrier::{Batch, SealConfig, SealType, Sealed};
use crate::secret::{Key256, Secret};
use crate::store::{BoxFuture, Inmem, Observer, ReadError, Storage, StorageStatus};
use futures_util::FutureExt;
use std::io;
use std::sync::{Arc, Mutex, Weak};

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

type Hook = Box<dyn FnOnce() + Send>;

/// A store before a commit of which somebody else may act, or after a read, once.
struct Racing {
    inner: Arc<Inmem>,
    hook: Mutex<Option<Hook>>,
    read_hook: Mutex<Option<Hook>>,
}

impl Storage for Racing {
    fn get(&self, key: &[u8]) -> Result<Option<Record>, ReadError> {
        let found = self.inner.get(key);
        let hook = self.read_hook.lock().unwrap().take();
        hook.into_iter().for_each(|hook| hook());
        found
    }
    fn scan(&self, prefix: &[u8], visit: &mut dyn FnMut(&[u8]) -> Visit) -> Result<(), ReadError> {
        self.inner.scan(prefix, visit)
    }
    fn commit(&self, transaction: Transaction) -> BoxFuture<'_, Result<Revision, CommitError>> {
        let hook = self.hook.lock().unwrap().take();
        hook.into_iter().for_each(|hook| hook());
        self.inner.commit(transaction)
    }
    fn read_barrier(&self) -> BoxFuture<'_, Result<(), ReadError>> {
        self.inner.read_barrier()
    }
    fn observe(&self, observer: Weak<dyn Observer>) {
        self.inner.observe(observer);
    }
    fn status(&self) -> StorageStatus {
        self.inner.status()
    }
    fn shutdown(&self) -> BoxFuture<'_, ()> {
        self.inner.shutdown()
    }
}

/// A store with its key, a barrier over it that others race with, and one of those others.
struct World {
    inner: Arc<Inmem>,
    racing: Arc<Racing>,
    key: Key256,
    barrier: Arc<Unsealed>,
    other: Arc<Unsealed>,
}

fn done<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("does not wait")
}

fn world() -> World {
    let inner = Arc::new(Inmem::new());
    let key = Key256::generate();
    let config = SealConfig {
        seal_type: SealType::Shamir,
        shares: 1,
        threshold: 1,
    };
    let fresh = Sealed::new(Arc::clone(&inner) as _).initialize(&key, config, NOW);
    let fresh = fresh.unwrap();
    done(fresh.barrier.commit(fresh.batch, NOW)).unwrap();
    let racing = Arc::new(Racing {
        inner: Arc::clone(&inner),
        hook: Mutex::default(),
        read_hook: Mutex::default(),
    });
    let barrier = Sealed::new(Arc::clone(&racing) as _).unseal(&key).unwrap();
    let other = Sealed::new(Arc::clone(&inner) as _).unseal(&key).unwrap();
    World {
        inner,
        racing,
        key,
        barrier,
        other,
    }
}

impl World {
    /// Has `act` come before the next commit of the barrier.
    fn between(&self, act: impl FnOnce(&Arc<Unsealed>) + Send + 'static) {
        let other = Arc::clone(&self.other);
        *self.racing.hook.lock().unwrap() = Some(Box::new(move || act(&other)));
    }

    fn walk(&self, rewrites: bool) -> RewrapWalk {
        let below = self.barrier.key_status().unwrap().key_term;
        let mut walk = self.barrier.walk_records(below, rewrites).unwrap();
        while !walk.is_done() {
            done(self.barrier.step(&mut walk, NOW)).unwrap();
        }
        walk
    }

    fn drop_terms(&self, walk: &RewrapWalk) -> Result<usize, BarrierError> {
        done(self.barrier.drop_terms(walk, NOW))
    }
}

fn put(barrier: &Arc<Unsealed>, path: &str, value: &str) {
    let mut batch = Batch::new();
    let value = Secret::new(value.as_bytes().to_vec());
    barrier.view("").put_blindly(&mut batch, path, value);
    done(barrier.commit(batch, NOW)).unwrap();
}

fn read(barrier: &Arc<Unsealed>, path: &str) -> String {
    let entry = barrier.view("").get(path).unwrap().expect("is there");
    String::from_utf8(entry.value.expose().clone()).unwrap()
}

fn rotate(barrier: &Unsealed) {
    done(barrier.rotate(NOW)).unwrap();
}

/// Rotates, seals everything anew and drops the terms below `below`.
fn replace_key(barrier: &Arc<Unsealed>, below: u32) {
    rotate(barrier);
    for rewrites in [true, false] {
        let mut walk = barrier.walk_records(below, rewrites).unwrap();
        while !walk.is_done() {
            done(barrier.step(&mut walk, NOW)).unwrap();
        }
        if !rewrites {
            assert!(done(barrier.drop_terms(&walk, NOW)).unwrap() > 0);
        }
    }
}

fn is_conflict<T>(result: &Result<T, BarrierError>) -> bool {
    matches!(result, Err(BarrierError::Commit(CommitError::Conflict)))
}

fn value(at: usize) -> String {
    match at % 100 {
        7 => "long ".repeat(300 + at),
        _ => format!("value {at}"),
    }
}

#[test]
fn all_records_leave_the_older_terms_which_are_then_dropped() {
    let world = world();
    let path = |at: usize| format!("folder-{}/secret-{at}", at % 13);
    for at in 0..1000 {
        if at % 400 == 399 {
            rotate(&world.barrier);
        }
        put(&world.barrier, &path(at), &value(at));
    }
    let applied = world.inner.status().applied_index;
    let counted = world.walk(false);
    assert_eq!(
        world.inner.status().applied_index,
        applied,
        "counting writes nothing"
    );
    // The number of encryptions is a record besides.
    assert_eq!(counted.looked_at, 1001);
    assert_eq!(counted.found()[&1], 399);
    assert_eq!(counted.left(), 799);
    assert!(is_conflict(&world.drop_terms(&counted)), "they are in use");
    assert_eq!(world.barrier.older_terms().unwrap().len(), 2);

    let before = world.barrier.key_status().unwrap().encryptions;
    let walk = world.walk(true);
    assert_eq!((walk.rewritten, walk.left(), walk.unreadable), (799, 0, 0));
    let encryptions = world.barrier.key_status().unwrap().encryptions;
    assert!(encryptions >= before + 799, "they count as uses of the key");
    let again = world.walk(true);
    assert_eq!(again.rewritten, 0);
    let counted = world.walk(false);
    assert_eq!(world.drop_terms(&counted).unwrap(), 2);
    assert_eq!(world.barrier.older_terms().unwrap(), []);
    assert_eq!(world.drop_terms(&world.walk(false)).unwrap(), 0, "once");

    let later = Sealed::new(Arc::clone(&world.inner) as _).unseal(&world.key);
    for barrier in [&world.barrier, &world.other, &later.unwrap()] {
        assert_eq!(barrier.key_status().unwrap().key_term, 3);
        for at in 0..1000 {
            assert_eq!(read(barrier, &path(at)), value(at));
        }
    }
    rotate(&world.barrier);
    assert_eq!(
        world.barrier.key_status().unwrap().key_term,
        4,
        "numbers go on"
    );
}

#[test]
fn an_interrupted_walk_is_begun_anew_by_another_node_and_does_the_rest() {
    let world = world();
    for at in 0..500 {
        put(&world.barrier, &format!("a{at}"), &value(at));
    }
    rotate(&world.barrier);
    let mut walk = world.barrier.walk_records(2, true).unwrap();
    done(world.barrier.step(&mut walk, NOW)).unwrap();
    assert!(!walk.is_done());
    let first = walk.rewritten;
    let other = Sealed::new(Arc::clone(&world.inner) as _)
        .unseal(&world.key)
        .unwrap();
    let mut rest = other.walk_records(2, true).unwrap();
    while !rest.is_done() {
        done(other.step(&mut rest, NOW)).unwrap();
    }
    let rewritten = first + rest.rewritten;
    assert!((500..=501).contains(&rewritten), "{rewritten}");
    assert_eq!(world.drop_terms(&world.walk(false)).unwrap(), 1);
    for at in 0..500 {
        assert_eq!(read(&other, &format!("a{at}")), value(at));
    }
}

#[test]
fn a_write_between_is_neither_lost_nor_undone() {
    let world = world();
    for at in 0..50 {
        put(&world.barrier, &format!("a{at}"), "before");
    }
    rotate(&world.barrier);
    world.between(|other| {
        put(other, "a7", "between");
        let mut batch = Batch::new();
        other.view("").delete(&mut batch, "a8");
        done(other.commit(batch, NOW)).unwrap();
    });
    let walk = world.walk(true);
    // All but those that others wrote, the number of encryptions perhaps among them.
    assert!((48..=49).contains(&walk.rewritten), "{}", walk.rewritten);
    assert_eq!(read(&world.barrier, "a7"), "between");
    assert!(world.barrier.view("").get("a8").unwrap().is_none());
    assert_eq!(read(&world.barrier, "a9"), "before");
    assert_eq!(world.drop_terms(&world.walk(false)).unwrap(), 1);
    assert_eq!(read(&world.other, "a7"), "between");
}

#[test]
fn a_record_that_a_stale_node_sealed_under_an_older_term_is_refused() {
    let world = world();
    let mut batch = Batch::new();
    let view = world.other.view("");
    view.put_blindly(&mut batch, "late", Secret::new(b"late".to_vec()));
    let stale = world.other.seal_batch(batch, NOW).unwrap();
    rotate(&world.barrier);
    world.walk(true);
    let counted = world.walk(false);
    // Before the drop and after it.
    let late = done(world.inner.commit(stale.transaction.clone()));
    assert!(matches!(late, Err(CommitError::Conflict)));
    assert_eq!(world.drop_terms(&counted).unwrap(), 1);
    let late = done(world.inner.commit(stale.transaction));
    assert!(matches!(late, Err(CommitError::Conflict)));
    assert!(world.barrier.view("").get("late").unwrap().is_none());
}

#[test]
fn a_batch_on_its_way_while_its_term_is_dropped_is_sealed_anew() {
    let world = world();
    put(&world.barrier, "a", "before");
    world.between(move |other| replace_key(other, 2));
    // The caller notices nothing; what it deletes and expects goes along.
    let view = world.barrier.view("");
    let mut batch = Batch::new();
    batch.replace(&view.read("new").unwrap(), Secret::new(b"new".to_vec()));
    view.delete(&mut batch, "a");
    done(world.barrier.commit(batch, NOW)).unwrap();
    assert_eq!(world.barrier.older_terms().unwrap(), []);
    assert_eq!(read(&world.other, "new"), "new");
    assert!(world.other.view("").get("a").unwrap().is_none());
    // A conflict that is none of the keyring's stays one.
    let slot = view.read("new").unwrap();
    world.between(|other| {
        rotate(other);
        put(other, "new", "theirs");
    });
    let mut batch = Batch::new();
    batch.replace(&slot, Secret::new(b"ours".to_vec()));
    assert!(is_conflict(
        &done(world.barrier.commit(batch, NOW)).map(drop)
    ));
    assert_eq!(read(&world.barrier, "new"), "theirs");
}

#[test]
fn a_read_that_a_drop_overtakes_reads_again() {
    let world = world();
    put(&world.barrier, "a", "value");
    let other = Arc::clone(&world.other);
    let hook: Hook = Box::new(move || replace_key(&other, 2));
    *world.racing.read_hook.lock().unwrap() = Some(hook);
    assert_eq!(read(&world.barrier, "a"), "value");
    assert_eq!(world.barrier.older_terms().unwrap(), []);
}

#[test]
fn a_step_whose_term_is_replaced_meanwhile_writes_nothing_under_it() {
    let world = world();
    put(&world.barrier, "a", "value");
    rotate(&world.barrier);
    world.between(|other| rotate(other));
    let walk = world.walk(true);
    assert_eq!(walk.rewritten, 0);
    assert!(is_conflict(&world.drop_terms(&walk)), "the keyring changed");
    let walk = world.walk(true);
    assert_eq!(walk.rewritten, 2);
    assert_eq!(world.drop_terms(&world.walk(false)).unwrap(), 2);
    assert_eq!(read(&world.barrier, "a"), "value");
}

#[test]
fn a_term_stays_when_the_keyring_changed_or_a_walk_is_not_done() {
    let world = world();
    put(&world.barrier, "a", "value");
    rotate(&world.barrier);
    world.walk(true);
    let unfinished = world.barrier.walk_records(2, false).unwrap();
    assert!(is_conflict(&world.drop_terms(&unfinished)));
    let counted = world.walk(false);
    let change = |config: &mut crate::barrier::RotationConfig| config.interval_s = 86_400;
    done(world.other.configure_rotation(change, NOW)).unwrap();
    assert!(is_conflict(&world.drop_terms(&counted)));
    let counted = world.walk(false);
    world.between(|other| rotate(other));
    assert!(is_conflict(&world.drop_terms(&counted)));
    assert_eq!(world.barrier.older_terms().unwrap().len(), 2);
    assert_eq!(read(&world.barrier, "a"), "value");
}

#[test]
fn a_record_that_cannot_be_read_keeps_its_term() {
    let world = world();
    put(&world.barrier, "a", "value");
    put(&world.barrier, "b", "value");
    rotate(&world.barrier);
    let key = world.barrier.view("").key("a").unwrap();
    let record = world.inner.get(&key).unwrap().unwrap();
    let mut damaged = record.value.to_vec();
    *damaged.last_mut().unwrap() ^= 1;
    let value = damaged.into();
    let transaction = Transaction {
        ops: vec![Op::Put { key, value }],
        ..Transaction::default()
    };
    done(world.inner.commit(transaction)).unwrap();
    let walk = world.walk(true);
    assert_eq!((walk.rewritten, walk.unreadable, walk.left()), (2, 1, 1));
    let walk = world.walk(true);
    assert_eq!((walk.rewritten, walk.unreadable, walk.left()), (0, 1, 1));
    assert!(is_conflict(&world.drop_terms(&walk)));
    assert_eq!(read(&world.barrier, "b"), "value");
}

#[test]
fn a_snapshot_of_before_is_restored_with_its_own_terms() {
    let world = world();
    put(&world.barrier, "a", "before");
    let mut keys = Vec::new();
    let mut visit = |key: &[u8]| {
        keys.push(Key::copy_from_slice(key));
        Visit::Next
    };
    world.inner.scan(b"", &mut visit).unwrap();
    let value = |key: &Key| world.inner.get(key).unwrap().unwrap().value;
    let snapshot: Vec<_> = keys
        .iter()
        .map(|key| Ok((key.clone(), value(key))))
        .collect();
    rotate(&world.barrier);
    world.walk(true);
    assert_eq!(world.drop_terms(&world.walk(false)).unwrap(), 1);

    let records = world
        .barrier
        .restorable(Box::new(snapshot.into_iter()), false);
    let restored = Arc::new(Inmem::new());
    let put = |(key, value)| Op::Put { key, value };
    let ops: io::Result<Vec<Op>> = records.map(|record| record.map(put)).collect();
    let transaction = Transaction {
        ops: ops.unwrap(),
        ..Transaction::default()
    };
    done(restored.commit(transaction)).unwrap();
    let barrier = Sealed::new(restored as _).unseal(&world.key).unwrap();
    assert_eq!(barrier.key_status().unwrap().key_term, 1);
    assert_eq!(read(&barrier, "a"), "before");
}
