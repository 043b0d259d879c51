//! Succeeding a leader whose process is gone, without waiting for its silence.
//!
//! The end of a connection says little: a network may cut it. But when the leader's address refuses
//! another connection, its machine is up and no process listens there any more. Then this node asks
//! for votes at the end of the leader's lease, and not a random time later. The lease holds either
//! way: this node's own raft and every other voter refuse a vote until theirs has ended, so that
//! somebody who forges the refusal gains no election before a living leader's next heartbeat.

use crate::peer::Member;
use crate::raft::disk::device::STALL_MAX;
use crate::raft::running::shared::Shared;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The pause between two attempts: the other voters' leases may end a moment later than this one's.
const RETRY: Duration = Duration::from_millis(20);
/// The turns of voters in the time of a heartbeat: each is longer than an election takes.
const TURNS_PER_HEARTBEAT: u32 = 4;

impl Shared {
    /// Returns true while this node may ask for votes of its own accord.
    pub(in crate::raft) fn may_campaign(&self) -> bool {
        self.may_lead() && self.log.write_age() < STALL_MAX && !self.standing_back.is_on()
    }

    /// Asks for votes at the end of the lease of `leader`, of which a connection ended just now,
    /// if its address refuses another.
    pub(in crate::raft) async fn succeed(self: Arc<Self>, leader: u64, member: Member) {
        let Ok(_one) = self.succeeding.try_lock() else {
            return;
        };
        let term = self.metrics().vote.leader_id.term;
        let Some(turn) = self.turn_after(leader) else {
            return;
        };
        let Some(network) = &self.voice.network else {
            return;
        };
        // A process that ends closes its connections and its listeners one after the other.
        let decided = Instant::now() + self.timing.election_max;
        while !network.is_refused(&member).await {
            if Instant::now() > decided {
                return;
            }
            tokio::time::sleep(RETRY).await;
        }
        // From then on raft's own timers do it.
        let end = Instant::now() + self.timing.silence();
        // A message that was under way may still be taken, and lengthens the lease.
        while let Some(led) = self.voice.led_at(leader) {
            tokio::time::sleep_until((led + self.timing.election_max + turn).into()).await;
            if self.voice.led_at(leader) != Some(led) {
                continue;
            }
            let is_over = self.metrics().vote.leader_id.term != term || !self.may_campaign();
            if is_over || Instant::now() > end || self.raft.trigger().elect(true).await.is_err() {
                return;
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    /// Returns the time that this node leaves to those before it, lest two voters ask at once and
    /// each get one vote: the voters take turns by their ids, from the leader's on. `None` for a
    /// node that is no voter.
    fn turn_after(&self, leader: u64) -> Option<Duration> {
        let members = self.membership();
        let voters = members.membership().voter_ids();
        let place = turn(leader, self.id, voters)?;
        Some(self.timing.heartbeat / TURNS_PER_HEARTBEAT * place)
    }
}

/// Returns the number of the `voters` whose turn comes before that of `own` after `leader`.
fn turn(leader: u64, own: u64, voters: impl Iterator<Item = u64>) -> Option<u32> {
    let mut others: Vec<u64> = voters.filter(|voter| *voter != leader).collect();
    others.sort_unstable_by_key(|voter| (*voter < leader, *voter));
    others.dedup();
    let place = others.iter().position(|voter| *voter == own)?;
    u32::try_from(place).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn voters_take_turns_from_the_leader_on() {
        let turns = |leader, own| turn(leader, own, [7, 1, 4, 7].into_iter());
        assert_eq!([turns(4, 7), turns(4, 1)], [Some(0), Some(1)]);
        assert_eq!([turns(7, 1), turns(7, 4)], [Some(0), Some(1)]);
        assert_eq!(turns(1, 9), None, "no voter");
        assert_eq!(turns(1, 1), None, "the leader itself");
    }
}
