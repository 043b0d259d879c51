//! Deletes the records of an unmounted engine, in bounded batches.

use super::Entry;
use crate::barrier::{BarrierError, Batch, Unsealed, View};
use crate::secret::Secret;
use std::sync::Arc;

/// Most records that one batch of a purge deletes.
pub const PURGE_BATCH_RECORDS_MAX: usize = 256;

/// The markers `core/purge/<storage path>`; each is the name of a subtree to delete.
pub struct Purges {
    root: View,
    markers: View,
}

impl Purges {
    /// Returns the markers of `barrier`.
    pub fn new(barrier: &Arc<Unsealed>) -> Self {
        Self {
            root: barrier.view(""),
            markers: barrier.view("core/purge/"),
        }
    }

    /// Adds "delete the records of `entry`" to `batch`.
    pub fn mark(&self, batch: &mut Batch, entry: &Entry) {
        let subtree = entry.storage_path();
        let marker = subtree.trim_end_matches('/');
        // A marker says no more than its name.
        self.markers
            .put_blindly(batch, marker, Secret::new(Vec::new()));
    }

    /// Returns the next batch of deletes; `None` when nothing is left to purge. A marker is deleted
    /// with the last records of its subtree, so a purge that was cut short goes on where it
    /// stopped.
    pub fn next(&self) -> Result<Option<Batch>, BarrierError> {
        let Some(marker) = self.markers.walk("", 1)?.pop() else {
            return Ok(None);
        };
        let subtree = self.root.sub(&format!("{marker}/"));
        let paths = subtree.walk("", PURGE_BATCH_RECORDS_MAX)?;
        let mut batch = Batch::new();
        for path in &paths {
            subtree.delete(&mut batch, path);
        }
        if paths.len() < PURGE_BATCH_RECORDS_MAX {
            self.markers.delete(&mut batch, &marker);
        }
        Ok(Some(batch))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Class;
    use super::*;
    use crate::clock::Timestamp;
    use crate::store::Inmem;

    #[tokio::test]
    async fn purges_in_bounded_pieces_and_only_its_own() {
        let barrier = Unsealed::for_test(Arc::new(Inmem::new()));
        let purges = Purges::new(&barrier);
        let gone = Entry::new(Class::Secret, "a", "kv");
        let kept = Entry::new(Class::Secret, "b", "kv");
        let mut batch = Batch::new();
        for entry in [&gone, &kept] {
            let view = barrier.view(&entry.storage_path());
            for n in 0..PURGE_BATCH_RECORDS_MAX + 10 {
                view.put_blindly(&mut batch, &format!("k/{n}"), Secret::new(vec![1]));
            }
        }
        purges.mark(&mut batch, &gone);
        barrier.commit(batch, Timestamp(1)).await.unwrap();
        let mut pieces = 0;
        while let Some(batch) = purges.next().unwrap() {
            barrier.commit(batch, Timestamp(1)).await.unwrap();
            pieces += 1;
        }
        assert_eq!(pieces, 2);
        let left = |entry: &Entry| barrier.view(&entry.storage_path()).walk("", 9999).unwrap();
        assert!(left(&gone).is_empty());
        assert_eq!(left(&kept).len(), PURGE_BATCH_RECORDS_MAX + 10);
    }
}
