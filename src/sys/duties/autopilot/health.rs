//! The health of the members: their state now, and since when it is so.

use super::Config;
use crate::sys::ports::{MemberStatus, Membership};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// One member as it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// The member as the node knows it.
    pub member: MemberStatus,
    /// True for a member in contact that is not far behind the leader's log.
    pub healthy: bool,
    /// Time since `healthy` last changed.
    pub unchanged_for: Duration,
    /// Time out of contact; for a member that was never heard of, since this node leads.
    pub silent_for: Duration,
}

impl Health {
    /// Returns true for a member that waits for its vote.
    pub fn is_waiting(&self) -> bool {
        !self.member.voter && !self.member.non_voter
    }

    /// Returns true for a member out of contact for so long that it may be removed.
    pub fn is_dead(&self, config: &Config) -> bool {
        !self.member.leader && self.silent_for >= config.dead_server_last_contact_threshold
    }
}

/// All members as they were seen at one time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// The members in the order of [`Membership`].
    pub members: Vec<Health>,
}

impl Look {
    /// Returns the number of voters.
    pub fn voters(&self) -> usize {
        self.count(|_| true)
    }

    /// Returns the number of healthy voters.
    pub fn healthy_voters(&self) -> usize {
        self.count(|voter| voter.healthy)
    }

    /// Returns the number of healthy voters that could be lost with a quorum left.
    pub fn failure_tolerance(&self) -> usize {
        self.healthy_voters().saturating_sub(quorum(self.voters()))
    }

    fn count(&self, that: impl Fn(&Health) -> bool) -> usize {
        let voters = self.members.iter().filter(|health| health.member.voter);
        voters.filter(|health| that(health)).count()
    }
}

/// Returns the least number of `voters` that is more than half of them.
pub(super) fn quorum(voters: usize) -> usize {
    voters / 2 + 1
}

/// The memory of since when each member is as it is. It starts anew whenever the node becomes
/// active.
#[derive(Debug)]
pub struct Tracker {
    started: Instant,
    /// The members by `raft_id`, which a member that was wiped does not have in common with its old
    /// self.
    known: BTreeMap<u64, (bool, Instant)>,
}

impl Tracker {
    /// Creates the memory of a node that leads since `now` and has heard of nobody yet.
    pub fn new(now: Instant) -> Self {
        Self {
            started: now,
            known: BTreeMap::new(),
        }
    }

    /// Notes the state of every member, and forgets those that are members no more.
    pub fn look(&mut self, config: &Config, membership: &Membership, now: Instant) -> Look {
        let leader = membership.members.iter().find(|member| member.leader);
        let newest = leader.map_or(0, |leader| leader.last_index);
        let members = &membership.members;
        self.known
            .retain(|id, _| members.iter().any(|member| member.raft_id == *id));
        let members = members.iter().map(|member| {
            let leading = now.saturating_duration_since(self.started);
            let silent_for = match member.leader {
                true => Duration::ZERO,
                false => member.last_contact.unwrap_or(leading),
            };
            let heard = member.leader || member.last_contact.is_some();
            let healthy = heard
                && silent_for <= config.last_contact_threshold
                && newest.saturating_sub(member.last_index) <= config.max_trailing_logs;
            let known = self.known.entry(member.raft_id);
            let known = known.or_insert((healthy, now));
            if known.0 != healthy {
                *known = (healthy, now);
            }
            Health {
                member: member.clone(),
                healthy,
                unchanged_for: now.saturating_duration_since(known.1),
                silent_for,
            }
        });
        Look {
            members: members.collect(),
        }
    }
}
