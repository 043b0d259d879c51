//! How the members are: what is seen now, and since when it is so.

use super::Config;
use crate::sys::ports::{MemberStatus, Membership};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// One member as it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// What the node knows of it.
    pub member: MemberStatus,
    /// In contact, and not far behind the leader's log.
    pub healthy: bool,
    /// For how long `healthy` is as it is.
    pub unchanged_for: Duration,
    /// Out of contact for so long; for one that was never heard of, since this node leads.
    pub silent_for: Duration,
}

impl Health {
    /// Waits for its vote.
    pub fn is_waiting(&self) -> bool {
        !self.member.voter && !self.member.non_voter
    }

    /// Out of contact for so long that it may be removed.
    pub fn is_dead(&self, config: &Config) -> bool {
        !self.member.leader && self.silent_for >= config.dead_server_last_contact_threshold
    }
}

/// All members as they were seen at one time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// In the order of [`Membership`].
    pub members: Vec<Health>,
}

impl Look {
    /// Number of voters.
    pub fn voters(&self) -> usize {
        self.count(|_| true)
    }

    /// Of those, the healthy ones.
    pub fn healthy_voters(&self) -> usize {
        self.count(|voter| voter.healthy)
    }

    /// Healthy voters that could be lost with a quorum left.
    pub fn failure_tolerance(&self) -> usize {
        self.healthy_voters().saturating_sub(quorum(self.voters()))
    }

    fn count(&self, that: impl Fn(&Health) -> bool) -> usize {
        let voters = self.members.iter().filter(|health| health.member.voter);
        voters.filter(|health| that(health)).count()
    }
}

/// More than half.
pub(super) fn quorum(voters: usize) -> usize {
    voters / 2 + 1
}

/// Remembers since when each member is as it is. Starts anew whenever the node becomes active.
#[derive(Debug)]
pub struct Tracker {
    started: Instant,
    /// By `raft_id`, which a member that was wiped does not have in common with its old self.
    known: BTreeMap<u64, (bool, Instant)>,
}

impl Tracker {
    /// The node leads since `now` and has heard of nobody yet.
    pub fn new(now: Instant) -> Self {
        Self {
            started: now,
            known: BTreeMap::new(),
        }
    }

    /// Sees how everybody is, and forgets who is no member any more.
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
