//! Tests of the promises that every implementation of [`Storage`] keeps, run over the store in
//! memory and over the replicated one.

use super::{CommitError, Key, Observer, Op, Precondition, Revision, Storage, Transaction, Visit};
use crate::clock::Timestamp;
use std::sync::{Arc, Mutex};

/// Runs all of the tests. `open` returns an empty store that leads, and the keeper of its files.
pub async fn holds<G>(open: impl AsyncFn() -> (G, Arc<dyn Storage>)) {
    macro_rules! each {
        ($($case:ident),* $(,)?) => {$(
            let (_files, storage) = open().await;
            $case(storage.as_ref()).await;
            storage.shutdown().await;
        )*};
    }
    each![
        a_commit_is_read_with_its_revision,
        a_transaction_applies_whole_or_not_at_all,
        absence_is_a_precondition,
        revisions_grow,
        keys_are_walked_in_the_order_of_their_bytes,
        observers_know_before_the_writer,
        the_floor_of_the_clock_never_sinks,
    ];
    let (_files, storage) = open().await;
    nothing_works_after_the_end(storage.as_ref()).await;
    let (_files, storage) = open().await;
    of_those_who_compare_one_wins(&storage).await;
    storage.shutdown().await;
}

fn key(name: &str) -> Key {
    Key::copy_from_slice(name.as_bytes())
}

fn put(name: &str, value: &str) -> Op {
    Op::Put {
        key: key(name),
        value: Key::copy_from_slice(value.as_bytes()),
    }
}

fn delete(name: &str) -> Op {
    Op::Delete { key: key(name) }
}

fn of(ops: Vec<Op>) -> Transaction {
    Transaction {
        ops,
        ..Transaction::default()
    }
}

fn expecting(ops: Vec<Op>, expected: &[(&str, Revision)]) -> Transaction {
    let preconditions = expected.iter().map(|(name, revision)| Precondition {
        key: key(name),
        revision: *revision,
    });
    Transaction {
        preconditions: preconditions.collect(),
        ..of(ops)
    }
}

fn read(storage: &dyn Storage, name: &str) -> Option<(Revision, String)> {
    let record = storage.get(name.as_bytes()).unwrap()?;
    let value = String::from_utf8(record.value.to_vec()).unwrap();
    Some((record.revision, value))
}

fn walk(storage: &dyn Storage, prefix: &str, next: impl Fn(&str) -> Visit) -> Vec<String> {
    let mut seen = Vec::new();
    let mut visit = |key: &[u8]| {
        seen.push(String::from_utf8(key.to_vec()).unwrap());
        next(seen.last().unwrap())
    };
    storage.scan(prefix.as_bytes(), &mut visit).unwrap();
    seen
}

async fn conflicts(storage: &dyn Storage, transaction: Transaction) -> bool {
    matches!(
        storage.commit(transaction).await,
        Err(CommitError::Conflict)
    )
}

async fn a_commit_is_read_with_its_revision(storage: &dyn Storage) {
    assert_eq!(read(storage, "a"), None);
    let first = storage.commit(of(vec![put("a", "1")])).await.unwrap();
    assert_eq!(read(storage, "a"), Some((first, "1".into())));
    let second = storage.commit(of(vec![put("a", "2")])).await.unwrap();
    assert_eq!(read(storage, "a"), Some((second, "2".into())));
    assert_eq!(read(storage, "ab"), None, "a key is no prefix");
    let status = storage.status();
    assert!(status.leads);
    assert!(status.applied_index >= second.0);
    storage.read_barrier().await.unwrap();
}

async fn a_transaction_applies_whole_or_not_at_all(storage: &dyn Storage) {
    let ops = vec![put("a", "1"), put("b", "1"), put("b", "2"), put("c", "1")];
    let revision = storage.commit(of(ops)).await.unwrap();
    for (name, value) in [("a", "1"), ("b", "2"), ("c", "1")] {
        assert_eq!(
            read(storage, name),
            Some((revision, value.into())),
            "{name}"
        );
    }
    let ops = || vec![put("a", "3"), delete("b"), put("d", "3")];
    let right = ("a", revision);
    for wrong in [
        ("b", Revision(0)),
        ("b", Revision(revision.0 + 1)),
        ("d", revision),
    ] {
        assert!(conflicts(storage, expecting(ops(), &[right, wrong])).await);
        assert!(conflicts(storage, expecting(ops(), &[wrong, right])).await);
    }
    assert_eq!(read(storage, "a"), Some((revision, "1".into())));
    assert_eq!(read(storage, "b"), Some((revision, "2".into())));
    assert_eq!(read(storage, "d"), None);
    let all = expecting(ops(), &[right, ("b", revision), ("d", Revision(0))]);
    let second = storage.commit(all).await.unwrap();
    assert_eq!(read(storage, "a"), Some((second, "3".into())));
    assert_eq!(read(storage, "b"), None);
    assert_eq!(
        read(storage, "c"),
        Some((revision, "1".into())),
        "untouched"
    );
    assert_eq!(read(storage, "d"), Some((second, "3".into())));
}

async fn absence_is_a_precondition(storage: &dyn Storage) {
    let create = || expecting(vec![put("a", "1")], &[("a", Revision(0))]);
    storage.commit(create()).await.unwrap();
    assert!(conflicts(storage, create()).await);
    storage.commit(of(vec![delete("a")])).await.unwrap();
    assert_eq!(read(storage, "a"), None);
    let second = storage.commit(create()).await.unwrap();
    assert_eq!(read(storage, "a"), Some((second, "1".into())));
    storage.commit(of(vec![delete("nobody")])).await.unwrap();
    // A precondition may be about what is not changed.
    let elsewhere = expecting(vec![put("b", "1")], &[("c", Revision(0))]);
    storage.commit(elsewhere).await.unwrap();
}

async fn revisions_grow(storage: &dyn Storage) {
    let mut last = Revision(0);
    for round in 0..20 {
        if round % 3 == 0 {
            let wrong = expecting(vec![put("a", "x")], &[("a", Revision(u64::MAX))]);
            assert!(conflicts(storage, wrong).await);
        }
        let revision = storage.commit(of(vec![put("a", "x")])).await.unwrap();
        assert!(revision > last, "{revision:?} after {last:?}");
        last = revision;
    }
}

async fn keys_are_walked_in_the_order_of_their_bytes(storage: &dyn Storage) {
    let names = ["b/", "a", "b/c", "b0", "b/a/x", "b/a", "b/d", "c", "b"];
    let ops = names.iter().map(|name| put(name, "1")).collect();
    storage.commit(of(ops)).await.unwrap();
    storage.commit(of(vec![delete("b/d")])).await.unwrap();
    let below = walk(storage, "b/", |_| Visit::Next);
    assert_eq!(below, ["b/", "b/a", "b/a/x", "b/c"]);
    let all = walk(storage, "", |_| Visit::Next);
    assert_eq!(all, ["a", "b", "b/", "b/a", "b/a/x", "b/c", "b0", "c"]);
    assert!(walk(storage, "nobody", |_| Visit::Next).is_empty());
    let first = walk(storage, "b/", |_| Visit::Stop);
    assert_eq!(first, ["b/"]);
    let leaps = |key: &str| match key {
        "b/a" => Visit::Seek(b"b/b".to_vec()),
        _ => Visit::Next,
    };
    assert_eq!(walk(storage, "b/", leaps), ["b/", "b/a", "b/c"]);
    let leaves = |_: &str| Visit::Seek(b"c".to_vec());
    assert_eq!(walk(storage, "b/", leaves), ["b/"], "not beyond the prefix");
}

/// Keeps the changes that it is told of.
#[derive(Default)]
struct Told(Mutex<Vec<(Revision, Vec<Key>)>>);

impl Observer for Told {
    fn applied(&self, revision: Revision, keys: &[Key]) {
        self.0.lock().unwrap().push((revision, keys.to_vec()));
    }
}

async fn observers_know_before_the_writer(storage: &dyn Storage) {
    let (told, gone) = (Arc::new(Told::default()), Arc::new(Told::default()));
    storage.observe(Arc::downgrade(&told) as _);
    storage.observe(Arc::downgrade(&gone) as _);
    drop(gone);
    let take = || std::mem::take(&mut *told.0.lock().unwrap());
    let ops = vec![put("b", "1"), put("a", "1")];
    let first = storage.commit(of(ops)).await.unwrap();
    assert_eq!(take(), [(first, vec![key("b"), key("a")])]);
    let wrong = expecting(vec![put("a", "2")], &[("a", Revision(0))]);
    assert!(conflicts(storage, wrong).await);
    assert!(take().is_empty(), "nothing was applied");
    let second = storage.commit(of(vec![delete("a")])).await.unwrap();
    assert_eq!(take(), [(second, vec![key("a")])]);
}

async fn the_floor_of_the_clock_never_sinks(storage: &dyn Storage) {
    for (time, floor) in [(50, 50), (70, 70), (60, 70), (0, 70), (71, 71)] {
        let stamped = Transaction {
            time: Timestamp(time),
            ..of(vec![put("a", "1")])
        };
        storage.commit(stamped).await.unwrap();
        assert_eq!(storage.status().time_floor, Timestamp(floor), "{time}");
    }
}

async fn nothing_works_after_the_end(storage: &dyn Storage) {
    storage.commit(of(vec![put("a", "1")])).await.unwrap();
    storage.shutdown().await;
    assert!(storage.get(b"a").is_err());
    assert!(storage.scan(b"", &mut |_| Visit::Next).is_err());
    assert!(storage.commit(of(vec![put("a", "2")])).await.is_err());
}

/// Has writers add one to a counter, each again and again when another came between: none is lost.
async fn of_those_who_compare_one_wins(storage: &Arc<dyn Storage>) {
    const WRITERS: usize = 8;
    const ROUNDS: usize = 10;
    let writers = (0..WRITERS).map(|_| {
        let storage = Arc::clone(storage);
        tokio::spawn(async move {
            for _ in 0..ROUNDS {
                loop {
                    let (revision, value) =
                        read(storage.as_ref(), "n").unwrap_or((Revision(0), "0".into()));
                    let more = (value.parse::<usize>().unwrap() + 1).to_string();
                    let add = expecting(vec![put("n", &more)], &[("n", revision)]);
                    match storage.commit(add).await {
                        Ok(_) => break,
                        Err(CommitError::Conflict) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    let (_, value) = read(storage.as_ref(), "n").unwrap();
    assert_eq!(value, (WRITERS * ROUNDS).to_string());
}
