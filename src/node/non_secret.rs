//! Members that are never unsealed.
//!
//! They join with a token of the active node in place of unseal keys, keep ciphertext and vote. A
//! record that is readable while sealed names them, so that each refuses to be unsealed by mistake.
//! A release before them does not read it.
//!
//! ```text
//! record:  version 1 | the members' numbers in the log, in order (8 each)
//! ```

use super::shared::Shared;
use crate::barrier::{BarrierError, Batch, LocalRecord, Unsealed};
use crate::store::Revision;
use crate::sys::{LifecycleError, MemberError};
use std::collections::BTreeSet;

const VERSION: u8 = 1;

/// The refusal of keys.
const NEVER: &str = "this node is a non-secret voter, which is never unsealed: to give it the \
                     keys, remove it (operator raft remove-peer), empty its data directory and \
                     let it join with them";

impl Shared {
    /// Returns the members that are never unsealed, by their numbers in the log. Some may be gone.
    ///
    /// # Errors
    /// [`BarrierError::Read`], [`BarrierError::Decode`].
    pub(super) fn non_secret_members(&self) -> Result<BTreeSet<u64>, BarrierError> {
        let record = self.sealed.local(LocalRecord::NonSecret)?;
        record.map_or(Ok(BTreeSet::new()), |record| decode(&record.value))
    }

    /// Returns true where this node is one of them.
    ///
    /// # Errors
    /// As for [`Shared::non_secret_members`].
    pub(super) fn is_non_secret(&self) -> Result<bool, BarrierError> {
        let Some(raft) = self.leadership.raft() else {
            return Ok(false);
        };
        let joined = self.joiner.joined_by_token();
        Ok(joined || self.non_secret_members()?.contains(&raft.raft_id()))
    }

    /// Refuses to unseal a node that never is.
    pub(super) fn check_may_unseal(&self) -> Result<(), LifecycleError> {
        match self.is_non_secret() {
            Ok(false) => Ok(()),
            Ok(true) => Err(LifecycleError::Invalid(NEVER.into())),
            Err(error) => Err(LifecycleError::Internal(error.to_string())),
        }
    }

    /// Adds a member to the record, and forgets those that are members no more. One caller at a
    /// time.
    pub(super) async fn put_non_secret(
        &self,
        barrier: &Unsealed,
        raft_id: u64,
    ) -> Result<(), MemberError> {
        let unavailable = |error: BarrierError| MemberError::Unavailable(error.to_string());
        let record = barrier.local(LocalRecord::NonSecret).map_err(unavailable)?;
        let before = record
            .as_ref()
            .map_or(Revision(0), |record| record.revision);
        let known = record.map_or(Ok(BTreeSet::new()), |record| decode(&record.value));
        let known = known.map_err(unavailable)?;
        let members = self.leadership.raft().map(|raft| raft.members());
        let members = members.unwrap_or_default().into_iter();
        let present = members.map(|member| member.raft_id);
        let mut wanted: BTreeSet<u64> = present.filter(|id| known.contains(id)).collect();
        wanted.insert(raft_id);
        if wanted == known {
            return Ok(());
        }
        let mut batch = Batch::new();
        batch.put_local(LocalRecord::NonSecret, before, encode(&wanted));
        let committed = barrier.commit(batch, self.clock.now()).await;
        committed.map(drop).map_err(unavailable)
    }
}

fn encode(members: &BTreeSet<u64>) -> Vec<u8> {
    let mut out = vec![VERSION];
    out.extend(members.iter().flat_map(|id| id.to_be_bytes()));
    out
}

fn decode(record: &[u8]) -> Result<BTreeSet<u64>, BarrierError> {
    let strange = BarrierError::Decode("the record of non-secret members");
    let Some((&VERSION, rest)) = record.split_first() else {
        return Err(strange);
    };
    let (ids, more) = rest.as_chunks::<8>();
    match more {
        [] => Ok(ids.iter().map(|id| u64::from_be_bytes(*id)).collect()),
        _ => Err(strange),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_record_is_read_as_it_was_written_and_no_other_is() {
        for members in [vec![], vec![1], vec![7, u64::MAX, 3]] {
            let members: BTreeSet<u64> = members.into_iter().collect();
            assert_eq!(decode(&encode(&members)).unwrap(), members);
        }
        for wrong in [&[][..], &[2], &[1, 0], &[1, 0, 0, 0, 0, 0, 0, 0, 1, 9]] {
            assert!(decode(wrong).is_err(), "{wrong:?}");
        }
    }
}
