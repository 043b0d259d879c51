//! Entries are readable from the moment append returns, wherever they are.

use super::*;
use crate::clock::Timestamp;
use crate::raft::wire::command;
use crate::store::state::Journal;
use crate::store::{Op, Transaction};

#[tokio::test]
async fn entries_read_back_from_memory_and_from_the_device() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path()).unwrap();
    // More than the cache holds.
    for index in 0..1000 {
        let (sender, _receiver) = TypeConfig::oneshot();
        let entries = vec![entry(1, index, 1500)];
        store
            .append(entries, IOFlushed::signal(sender))
            .await
            .unwrap();
        assert_eq!(store.entries(index, index + 1).unwrap().len(), 1);
    }
    store.control_flush().await;
    for (start, end) in [(0, 1000), (0, 10), (500, 700), (990, 2000), (999, 1000)] {
        let found = store.entries(start, end).unwrap();
        let expected: Vec<_> = (start..end.min(1000)).map(|i| entry(1, i, 1500)).collect();
        assert!(found == expected, "{start}..{end}: {}", found.len());
    }
    assert!(store.entries(1000, 1001).unwrap().is_empty());
    store.close();
}

impl LogStore {
    /// Waits until everything before has been written.
    async fn control_flush(&mut self) {
        self.save_vote(&Vote::new(9, 1)).await.unwrap();
    }
}

#[tokio::test]
async fn many_waiting_entries_share_a_write() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path()).unwrap();
    let entries: Vec<_> = (0..40).map(|index| entry(1, index, 100)).collect();
    append(&mut store, entries).await;
    let found = recover(dir.path(), LOG_ID, None).unwrap();
    // The first group of the segment, and one with all forty.
    assert_eq!(found.sequence, 2);
    store.close();
}

fn written(index: u64) -> (Bytes, Bytes) {
    let value = vec![u8::try_from(index % 251).unwrap(); 1500];
    (Bytes::from(format!("key/{index}")), Bytes::from(value))
}

/// Returns an entry that puts one value and deletes another.
fn put(index: u64) -> LogEntry {
    let (key, value) = written(index);
    let transaction = Transaction {
        time: Timestamp(index),
        preconditions: Vec::new(),
        ops: vec![
            Op::Put { key, value },
            Op::Delete {
                key: Bytes::from_static(b"other"),
            },
        ],
    };
    let command = command::encode(&transaction).unwrap();
    let at = log_id(Position { term: 1, index });
    LogEntry::new(at, EntryPayload::Normal(command))
}

#[tokio::test]
async fn a_value_is_found_in_its_entry_wherever_that_is() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path()).unwrap();
    // More than the cache holds, in groups of one and of several.
    for first in (0..600).step_by(3) {
        append(&mut store, vec![put(first)]).await;
        append(&mut store, vec![put(first + 1), put(first + 2)]).await;
    }
    let check = |store: &LogStore, from: u64| {
        for index in from..600 {
            let (_, value) = written(index);
            let found = store.value(index, 0).unwrap();
            assert_eq!(found.as_ref(), Some(&value), "{index}");
            assert_eq!(store.value(index, 1).unwrap(), None, "deleted");
            assert_eq!(store.value(index, 2).unwrap(), None, "no such change");
        }
        assert_eq!(store.value(600, 0).unwrap(), None);
    };
    check(&store, 0);
    store.close();
    let mut store = open(dir.path()).unwrap();
    check(&store, 0);
    let upto = Position {
        term: 1,
        index: 299,
    };
    store.purge(log_id(upto)).await.unwrap();
    store.take_turn().await.unwrap();
    assert_eq!(store.value(299, 0).unwrap(), None, "given up");
    // Segments that were given up are written on, which no read mistakes for its entry.
    for index in 600..700 {
        append(&mut store, vec![put(index)]).await;
    }
    check_from(&store, 300);
    store.close();
}

fn check_from(store: &LogStore, from: u64) {
    for index in from..700 {
        let (_, value) = written(index);
        assert_eq!(store.value(index, 0).unwrap(), Some(value), "{index}");
    }
}

#[tokio::test]
async fn an_entry_that_does_not_read_back_is_an_error_and_no_other_value() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path()).unwrap();
    for index in 0..600 {
        append(&mut store, vec![put(index)]).await;
    }
    for segment in std::fs::read_dir(dir.path()).unwrap() {
        let path = segment.unwrap().path();
        let size = usize::try_from(path.metadata().unwrap().len()).unwrap();
        std::fs::write(&path, vec![0; size]).unwrap();
    }
    assert!(store.value(5, 0).is_err());
    let (_, value) = written(599);
    let found = store.value(599, 0).unwrap();
    assert_eq!(found, Some(value), "which is in memory");
    store.close();
}
