//! A change of the seal, made known to members that start without a leader.
//!
//! A member's log says of an entry that it is committed only in what is written after it. Where all
//! members lose their power before anything more is written, each of them would start with the seal
//! of before: replaced shares would open it, and the new ones would not, until a quorum is open.
//! So a change of the seal is followed by entries without a change.

use super::Unsealed;
use crate::clock::Timestamp;
use crate::store::Transaction;

/// The entries that follow: with the first a leader tells the others that the change is committed,
/// and the second makes each write that down.
const ENTRIES: usize = 2;

impl Unsealed {
    /// Has a quorum write down that all before is committed. Where that fails, the next write does
    /// it, whatever it is.
    pub(super) async fn settle(&self, now: Timestamp) {
        for _ in 0..ENTRIES {
            let entry = Transaction {
                time: now,
                preconditions: Vec::new(),
                ops: Vec::new(),
            };
            if let Err(error) = self.storage.commit(entry).await {
                tracing::warn!(%error, "it is not written down that a change of the seal is final");
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::barrier::{SealConfig, SealType, Sealed};
    use crate::clock::Timestamp;
    use crate::secret::Key256;
    use crate::store::Inmem;
    use std::sync::Arc;

    const NOW: Timestamp = Timestamp(5);

    #[tokio::test]
    async fn two_entries_follow_a_change_of_the_seal() {
        let how = SealConfig {
            seal_type: SealType::Shamir,
            shares: 3,
            threshold: 2,
        };
        let sealed = Sealed::new(Arc::new(Inmem::new()));
        let fresh = sealed.initialize(&Key256::generate(), how, NOW).unwrap();
        let barrier = &fresh.barrier;
        barrier.commit(fresh.batch, NOW).await.unwrap();
        let mut written = Vec::new();
        for _ in 0..2 {
            let seal = barrier.current_seal().unwrap();
            let change = barrier.reseal(&Key256::generate(), how, &seal).unwrap();
            written.push(barrier.commit(change, NOW).await.unwrap().revision.0);
        }
        assert_eq!(written[1] - written[0], 3, "the change and two more");
    }
}
