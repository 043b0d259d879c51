//! Entries are readable from the moment append returns, wherever they are.

use super::*;

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
