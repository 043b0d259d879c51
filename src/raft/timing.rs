//! Times that set how fast a cluster notices that its leader is gone.
//!
//! A follower waits `election_max` for the leader's lease to end, and then a random time between
//! `election_min` and `election_max`, before it asks for votes: with the defaults 1.0 to 1.2 s
//! after the last heartbeat. A leader that no quorum answered for `election_max` accepts nothing.

use std::time::Duration;

/// The times by which raft's clocks run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// The time between heartbeats of a leader; longer than a round trip to any member.
    pub heartbeat: Duration,
    /// The shortest wait, after the leader's lease, before an election.
    pub election_min: Duration,
    /// The longest such wait, and the leader's lease.
    pub election_max: Duration,
}

/// Vault's largest `performance_multiplier`.
pub const MULTIPLIER_MAX: u32 = 10;

impl Default for Timing {
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_millis(250),
            election_min: Duration::from_millis(400),
            election_max: Duration::from_millis(600),
        }
    }
}

impl Timing {
    /// Returns the defaults times `performance_multiplier`. Vault's own default is 5 of its unit,
    /// so that it fails over slowly unless it is told otherwise; coffer's is 1 of its own. Zero
    /// means not set.
    pub fn multiplied(multiplier: u32) -> Self {
        let times = multiplier.clamp(1, MULTIPLIER_MAX);
        let base = Self::default();
        Self {
            heartbeat: base.heartbeat * times,
            election_min: base.election_min * times,
            election_max: base.election_max * times,
        }
    }

    /// Returns the shortest time without a heartbeat after which another node may lead.
    pub(in crate::raft) fn silence(&self) -> Duration {
        self.election_min + self.election_max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_multiplier_scales_all_and_is_bounded() {
        assert_eq!(Timing::multiplied(0), Timing::default());
        assert_eq!(Timing::multiplied(1), Timing::default());
        let five = Timing::multiplied(5);
        assert_eq!(five.heartbeat, Duration::from_millis(1250));
        assert_eq!(five.silence(), Duration::from_secs(5));
        assert_eq!(Timing::multiplied(99), Timing::multiplied(10));
    }
}
