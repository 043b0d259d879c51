//! The end of many leases: all below a path.

use super::leases::ACCEPTED;
use super::system::System;
use crate::barrier::{BarrierError, Batch};
use crate::clock::Timestamp;
use crate::engine::{Error, Response};
use crate::lease::{LIST_MAX, Lease, Undo};
use crate::router::Closed;
use crate::store::CommitError;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

/// Most leases that are read at a time, and that one entry ends.
const PAGE: usize = 64;
/// Most attempts at one entry that conflicts.
const CONFLICTS_MAX: usize = 16;

/// The way in which leases end that an engine has to revoke. Tokens end at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// The engine revokes each now; the first failure is the answer.
    Now,
    /// The leases end, and the queue has them revoked.
    Later,
    /// The engine is asked to revoke each now, and is not asked again after a failure.
    Forced,
}

impl System {
    /// Adds the end of `lease`, and of what it stands for, to `batch`. A revocation by an engine is
    /// left to the queue.
    pub(super) fn end_lease(
        &self,
        batch: &mut Batch,
        lease: &Lease,
        now: Timestamp,
    ) -> Result<(), Error> {
        let leases = self.tokens.leases();
        match &lease.undo {
            Undo::Token(id) => {
                self.tokens.revoke_tree(batch, id, now)?;
                leases.remove(batch, lease)?;
            }
            Undo::Secret { .. } => leases.end(batch, lease, now)?,
        }
        Ok(())
    }

    /// Ends every lease below `prefix`, as many entries as it takes.
    pub(super) async fn end_below(
        &self,
        prefix: &str,
        how: How,
        now: Timestamp,
    ) -> Result<Response, Error> {
        let prefix = format!("{}/", prefix.trim_end_matches('/'));
        let leases = self.tokens.leases();
        let (mut after, mut done) = (String::new(), 0);
        while let Some((page, last)) = leases.below_after(&prefix, &after, PAGE)? {
            let is_left_to_queue = |lease: &&Lease| match &lease.undo {
                Undo::Token(_) => true,
                Undo::Secret { .. } => how == How::Later,
            };
            let (plain, others): (Vec<&Lease>, Vec<&Lease>) =
                page.iter().partition(is_left_to_queue);
            self.revoke_each(&others, how, &prefix, done, now).await?;
            for chunk in plain.chunks(PAGE) {
                self.end_each(chunk, now).await?;
            }
            done += page.len();
            after = last;
        }
        let mut response = Response::no_content();
        response.status = (how == How::Later).then_some(ACCEPTED);
        Ok(response)
    }

    /// Has engines revoke what they granted below the mount `mount`, and has it grant nothing
    /// while the answer is kept.
    pub(super) async fn close_mount(&self, mount: &str, now: Timestamp) -> Result<Closed, Error> {
        let closed = self.revoker.close(mount).await;
        let leases = self.tokens.leases();
        let (mut after, mut done) = (String::new(), 0);
        while let Some((page, last)) = leases.below_after(mount, &after, PAGE)? {
            let secrets = page.iter();
            let secrets = secrets.filter(|lease| matches!(lease.undo, Undo::Secret { .. }));
            let secrets: Vec<&Lease> = secrets.collect();
            self.revoke_each(&secrets, How::Now, mount, done, now)
                .await?;
            done += page.len();
            after = last;
        }
        Ok(closed)
    }

    /// Ends `leases` in as many entries as their weight asks for.
    async fn end_each(&self, leases: &[&Lease], now: Timestamp) -> Result<(), Error> {
        let (mut left, mut conflicts) = (leases, 0);
        while !left.is_empty() {
            let mut batch = Batch::new();
            let mut count = 0;
            for lease in left {
                if batch.is_heavy() {
                    break;
                }
                count += 1;
                // It may have changed, or gone, meanwhile.
                if let Some(lease) = self.tokens.leases().read(&lease.id)? {
                    self.end_lease(&mut batch, &lease, now)?;
                }
            }
            match self.commit(batch, now).await {
                Ok(()) => left = left.get(count..).unwrap_or_default(),
                Err(BarrierError::Commit(CommitError::Conflict)) if conflicts < CONFLICTS_MAX => {
                    conflicts += 1;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    async fn commit(&self, batch: Batch, now: Timestamp) -> Result<(), BarrierError> {
        if batch.is_empty() {
            return Ok(());
        }
        self.barrier.commit(batch, now).await.map(|_| ())
    }

    /// Has engines revoke `leases`, all at the same time, as far as the bound for all revocations
    /// allows. `done` were before.
    async fn revoke_each(
        &self,
        leases: &[&Lease],
        how: How,
        prefix: &str,
        done: usize,
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut running: FuturesUnordered<_> = leases
            .iter()
            .map(|lease| async move { (*lease, self.revoker.revoke(&lease.id).await) })
            .collect();
        let (mut count, mut failed, mut forced) = (done, None, Batch::new());
        while let Some((lease, result)) = running.next().await {
            count += 1;
            match result {
                Ok(()) => {}
                Err(error) if error.cause.is_some() => return Err(error),
                Err(error) if how == How::Forced => {
                    let lease_id = &lease.id;
                    tracing::warn!(lease_id, %error, "a lease is forgotten that is not revoked");
                    self.tokens.leases().remove(&mut forced, lease)?;
                }
                Err(error) => failed = failed.or(Some((lease, count, error))),
            }
        }
        self.commit(forced, now).await?;
        let Some((lease, at, mut error)) = failed else {
            return Ok(());
        };
        let all = self.tokens.leases().count(prefix)?.min(LIST_MAX);
        let why = error.messages.join("; ");
        error.messages = vec![format!(
            "failed to revoke {:?} ({at} / {}): {why}",
            lease.id,
            all.max(at)
        )];
        Err(error)
    }
}
