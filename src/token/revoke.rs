//! The end of tokens: with all below them, or alone, or because their time came.

use super::store::{Store, child_entry};
use super::{Token, TokenError};
use crate::barrier::Batch;
use crate::clock::Timestamp;
use crate::lease::{Lease, Undo};
use crate::secret::Secret;
use crate::store::Revision;
use std::collections::VecDeque;
use std::sync::atomic::Ordering;

/// Most tokens that one batch removes; the rest of a larger tree is dead at once (its ancestor is
/// gone) and removed by the sweeps that follow.
pub const REVOKE_BATCH_MAX: usize = 256;
/// Most leases of one token that one batch ends.
const BELONGINGS_MAX: usize = 1024;
/// Most children that one revocation can turn into orphans.
const ORPHANS_MAX: usize = 1024;
/// A record that is never written, only deleted: it tells every node's cache that a tree was
/// revoked, or ends sooner.
pub(super) const SIGNAL: &str = "revoked";

/// The work that a sweep found.
#[derive(Debug, Default)]
pub struct Sweep {
    /// The batch to commit.
    pub batch: Batch,
    /// True when another sweep at once finds more.
    pub more: bool,
}

impl Store {
    /// Adds the end of the token `id` and of all below it to `batch`: records, indexes, leases,
    /// cubbyholes. Takes out, too, the writes to them that `batch` holds already, so it is called
    /// last. Ends nothing where there is no such token.
    pub fn revoke_tree(
        &self,
        batch: &mut Batch,
        id: &str,
        now: Timestamp,
    ) -> Result<(), TokenError> {
        let mut queue = VecDeque::from([id.to_owned()]);
        let mut removed = 0;
        self.root.delete(batch, SIGNAL);
        while let Some(id) = queue.pop_front() {
            if removed > 0 && batch.is_heavy() {
                queue.push_front(id);
                break;
            }
            removed += 1;
            let mut done = self.remove(batch, &id, now)?;
            // Children beyond that are found again through their parent.
            let room = REVOKE_BATCH_MAX.saturating_sub(removed + queue.len());
            let children = self.children.walk(&format!("{id}/"), room + 1)?;
            done &= children.len() <= room;
            queue.extend(children.into_iter().take(room));
            queue.extend(self.children.pending_below(batch, &format!("{id}/")));
            if !done {
                self.postpone(batch, &id);
            }
        }
        for id in queue {
            self.postpone(batch, &id);
        }
        Ok(())
    }

    /// Adds the end of `token` alone to `batch`; its children live on as orphans.
    pub fn revoke_orphan(
        &self,
        batch: &mut Batch,
        token: &Token,
        now: Timestamp,
    ) -> Result<(), TokenError> {
        let children = self
            .children
            .walk(&format!("{}/", token.id), ORPHANS_MAX + 1)?;
        if children.len() > ORPHANS_MAX {
            return Err(TokenError::invalid(format!(
                "token has more than {ORPHANS_MAX} children: revoke some of them first"
            )));
        }
        for id in children {
            if let Some(mut child) = self.read(&id)? {
                self.children.delete(batch, &child_entry(&child));
                child.parent.clear();
                child.depth = 0;
                self.rewrite(batch, &child)?;
            }
        }
        self.root.delete(batch, SIGNAL);
        if !self.remove(batch, &token.id, now)? {
            self.postpone(batch, &token.id);
        }
        Ok(())
    }

    /// Returns the batch that ends what is over at `now`, at most `limit` tokens with their trees.
    pub fn sweep(&self, now: Timestamp, limit: usize) -> Result<Sweep, TokenError> {
        let mut sweep = Sweep::default();
        if self.maybe_pending.load(Ordering::Acquire) {
            self.continue_pending(&mut sweep, now)?;
            if sweep.more {
                return Ok(sweep);
            }
        }
        let due = self.leases.due(now, limit)?;
        sweep.more = due.is_full(limit);
        for stray in &due.strays {
            self.leases.forget(&mut sweep.batch, stray);
        }
        for lease in due.leases {
            if sweep.batch.is_heavy() {
                sweep.more = true;
                break;
            }
            if let Undo::Token(id) = &lease.undo {
                self.sweep_token(&mut sweep.batch, &lease, id, now)?;
            }
        }
        Ok(sweep)
    }

    /// Adds the end of `lease` to `batch`, and that of the token `id` unless its record says that
    /// it still lives: a lease without its token is only litter. A renewal that commits before this
    /// batch does makes it conflict.
    fn sweep_token(
        &self,
        batch: &mut Batch,
        lease: &Lease,
        id: &str,
        now: Timestamp,
    ) -> Result<(), TokenError> {
        let token = self.read(id)?;
        let revision = token.as_ref().map_or(Revision(0), |token| token.revision);
        batch.keep(&self.records.known(id, revision));
        self.leases.expect(batch, lease);
        self.leases.remove(batch, lease)?;
        if token.is_none_or(|token| token.is_expired(now)) {
            self.revoke_tree(batch, id, now)?;
        }
        Ok(())
    }

    /// Returns the time at which [`Store::sweep`] is worth calling again; `None` when nothing has
    /// an end.
    pub fn next_sweep(&self) -> Option<Timestamp> {
        if self.maybe_pending.load(Ordering::Acquire) {
            return Some(Timestamp::default());
        }
        self.leases.next_due()
    }

    fn continue_pending(&self, sweep: &mut Sweep, now: Timestamp) -> Result<(), TokenError> {
        self.maybe_pending.store(false, Ordering::Release);
        if let Some(id) = self.pending.walk("", 1)?.pop() {
            self.maybe_pending.store(true, Ordering::Release);
            self.pending.delete(&mut sweep.batch, &id);
            self.revoke_tree(&mut sweep.batch, &id, now)?;
            sweep.more = true;
        }
        Ok(())
    }

    fn postpone(&self, batch: &mut Batch, id: &str) {
        self.maybe_pending.store(true, Ordering::Release);
        // It says no more than its name.
        self.pending.put_blindly(batch, id, Secret::new(Vec::new()));
    }

    /// Adds the end of one token and its belongings. Returns true when nothing of it is left.
    fn remove(&self, batch: &mut Batch, id: &str, now: Timestamp) -> Result<bool, TokenError> {
        let token = match self.read(id)? {
            Some(token) => Some(token),
            None => self.pending_token(batch, id, Revision(0))?,
        };
        if let Some(token) = token {
            self.records.delete(batch, id);
            self.accessors.delete(batch, &token.accessor);
            if token.is_login() {
                self.logins.delete(batch, id);
            }
            if !token.parent.is_empty() {
                self.children.delete(batch, &child_entry(&token));
            }
            if let Some(lease_id) = token.lease_id()
                && let Some(lease) = self.leases.latest(batch, &lease_id)?
            {
                self.leases.remove(batch, &lease)?;
            }
        }
        // Leases are ended, not removed: their engines have something to revoke. Each that has
        // ended is not found here again.
        let owned = self.leases.owned_by(id, BELONGINGS_MAX)?;
        let mut done = owned.len() < BELONGINGS_MAX;
        for lease in &owned {
            if batch.is_heavy() {
                return Ok(false);
            }
            self.leases.end(batch, lease, now)?;
        }
        if let Some(belongings) = &self.belongings {
            done &= belongings.remove(batch, id)?;
        }
        Ok(done)
    }
}
