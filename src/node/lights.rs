//! Shows the condition of this node on the status lights.
//!
//! The condition follows from the node's phase, and from unseal progress, joining, members and room
//! on the disk, which the phase leaves out. A change of one of these wakes the task here; without a
//! change it sleeps, but for a look at the other members where a matrix shows them.

use super::shared::Shared;
use crate::config::{Config, Storage};
use crate::hardware::{Condition, DiskTrouble, Face, Lights, Member, Members, Panel, Standing};
use crate::raft::MemberInfo;
use crate::router::Phase;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// The longest time without a known active node before that is shown. An election takes about two
/// seconds at worst; `performance_multiplier` makes it longer, and this time with it.
const LEADERLESS_MAX: Duration = Duration::from_secs(5);
/// The time between two looks at the other members.
const MEMBERS_EVERY: Duration = Duration::from_secs(2);
/// The time without a message after which a member is shown as silent. The leader hears of all
/// others far more often.
const SILENT_AFTER: Duration = Duration::from_secs(10);

/// Starts the configured status lights.
pub(super) fn start(config: &Config) -> Lights {
    Lights::start(&config.indicators, &Condition::Starting)
}

/// Follows the node in the background until it stops. Starts no task where no light is configured.
pub(super) fn follow(shared: &Arc<Shared>, panel: Panel, config: &Config) {
    if panel.is_empty() {
        return;
    }
    let times = match &config.storage {
        Some(Storage::Raft(raft)) => raft.performance_multiplier.max(1),
        _ => 1,
    };
    let mut faces = config.indicators.iter().map(|indicator| indicator.face());
    let follower = Follower {
        shared: Arc::downgrade(shared),
        panel,
        grace: LEADERLESS_MAX * times,
        shows_members: faces.any(|face| face == Face::Matrix),
        leaderless_since: None,
    };
    crate::task::spawn(follower.run());
}

struct Follower {
    shared: Weak<Shared>,
    panel: Panel,
    grace: Duration,
    shows_members: bool,
    leaderless_since: Option<Instant>,
}

/// All that the condition depends on.
struct Seen {
    phase: Phase,
    has_failed: bool,
    has_room: bool,
    /// True while the node looks for a cluster, or its answer to one is on its way.
    joins: bool,
    /// The number of unseal keys given, and of those needed.
    keys: (u8, u8),
    /// True for a node that is never unsealed.
    is_non_secret: bool,
    /// True while others wait for this sealed node.
    is_needed: bool,
    /// True while two processes use one member's key.
    is_seen_twice: bool,
    /// True while the write budget is passed.
    is_over_budget: bool,
    /// True when no leader was known for longer than an election takes.
    is_leaderless: bool,
    members: Members,
}

impl Follower {
    async fn run(mut self) {
        let Some(node) = self.shared.upgrade() else {
            return;
        };
        let (mut role, changed) = (node.role(), Arc::clone(&node.lights_changed));
        let mut room = node.leadership.raft().map(|raft| raft.room());
        let mut needed = node.leadership.needed();
        let mut members = node.leadership.raft().map(|raft| raft.members_at());
        let mut seen_twice = node.seen_twice.subscribe();
        let mut over_budget = node.wear.passed();
        let storage = Arc::clone(&node.storage);
        drop(node);
        let mut shown = None;
        loop {
            role.mark_unchanged();
            let Some(node) = self.shared.upgrade() else {
                return;
            };
            let seen = self.look(&node);
            let wait = self.wait(&seen);
            drop(node);
            let condition = condition(&seen);
            if shown.as_ref() != Some(&condition) {
                self.panel.show(&condition);
            }
            if seen.has_failed || seen.phase == Phase::Stopping {
                return;
            }
            shown = Some(condition);
            tokio::select! {
                changed = role.changed() => if changed.is_err() { return },
                () = changed.notified() => {}
                () = news(room.as_mut()) => {}
                () = news(needed.as_mut()) => {}
                () = news(members.as_mut()) => {}
                changed = seen_twice.changed() => if changed.is_err() { return },
                changed = over_budget.changed() => if changed.is_err() { return },
                _ = storage.failed() => {}
                () = sleep(wait) => {}
            }
        }
    }

    fn look(&mut self, node: &Shared) -> Seen {
        let phase = node.state().phase.clone();
        let is_leaderless = matches!(phase, Phase::Standby { leader: None, .. });
        self.leaderless_since = match (is_leaderless, self.leaderless_since) {
            (true, None) => Some(Instant::now()),
            (true, since) => since,
            (false, _) => None,
        };
        let raft = node.leadership.raft();
        let status = node.seal_status();
        Seen {
            has_failed: node.storage.status().failed.is_some(),
            has_room: raft.is_none_or(|raft| *raft.room().borrow()),
            // A node that looks for a cluster stops when it has one of its own: that it is sealed,
            // then, tells more.
            joins: node.joiner.is_answering()
                || phase == Phase::Uninitialised && node.joiner.is_looking(),
            keys: (status.progress, status.t),
            is_non_secret: status.non_secret,
            is_needed: node
                .leadership
                .needed()
                .is_some_and(|needed| *needed.borrow()),
            is_seen_twice: !node.seen_twice.borrow().is_empty(),
            is_over_budget: *node.wear.passed().borrow(),
            is_leaderless: self.leaderless_for() >= Some(self.grace),
            members: members(node, &phase),
            phase,
        }
    }

    fn leaderless_for(&self) -> Option<Duration> {
        self.leaderless_since.map(|since| since.elapsed())
    }

    /// Returns the time after which to look again although nothing changed.
    fn wait(&self, seen: &Seen) -> Option<Duration> {
        let serves = matches!(seen.phase, Phase::Standby { .. } | Phase::Active { .. });
        let looks = self.shows_members && serves && seen.members.len() > 1;
        let members = looks.then_some(MEMBERS_EVERY);
        let grace = self
            .leaderless_for()
            .map(|so_far| self.grace.saturating_sub(so_far));
        let grace = grace.filter(|left| !left.is_zero());
        members.into_iter().chain(grace).min()
    }
}

/// Returns the condition that the lights show.
fn condition(seen: &Seen) -> Condition {
    let members = || seen.members.clone();
    match &seen.phase {
        _ if seen.has_failed => Condition::Disk(DiskTrouble::Failing),
        Phase::Stopping => Condition::Stopping,
        Phase::Uninitialised | Phase::Sealed if seen.joins => Condition::Joining,
        Phase::Uninitialised => Condition::Uninitialised,
        // Nobody is to bring it keys: the others wait for a member that has them.
        Phase::Sealed if seen.is_non_secret => match seen.is_needed {
            true => Condition::NoQuorum(members()),
            false => Condition::Standby(members()),
        },
        Phase::Sealed => {
            let (given, needed) = seen.keys;
            match seen.is_needed {
                true => Condition::Needed { given, needed },
                false => Condition::Sealed { given, needed },
            }
        }
        _ if !seen.has_room => Condition::Disk(DiskTrouble::Full),
        Phase::Standby { leader: None, .. } if seen.is_leaderless => Condition::NoQuorum(members()),
        _ if seen.is_seen_twice => Condition::SeenTwice,
        _ if seen.is_over_budget => Condition::WriteBudget,
        Phase::Standby { .. } => Condition::Standby(members()),
        Phase::Active { .. } => Condition::Active(members()),
    }
}

fn members(node: &Shared, phase: &Phase) -> Members {
    let Some(raft) = node.leadership.raft() else {
        let standing = Standing::Leads;
        return Members::new([Member {
            standing,
            is_me: true,
        }]);
    };
    let id = raft.raft_id();
    let all = raft.members().into_iter().map(|member| Member {
        standing: standing(&member, phase, member.raft_id == id),
        is_me: member.raft_id == id,
    });
    Members::new(all)
}

fn standing(member: &MemberInfo, phase: &Phase, is_me: bool) -> Standing {
    let is_active = matches!(phase, Phase::Active { .. });
    let knows_leader = !matches!(phase, Phase::Standby { leader: None, .. });
    let is_heard = member.last_contact.is_some_and(|ago| ago < SILENT_AFTER);
    match member.elects {
        _ if is_me && is_active => Standing::Leads,
        _ if is_me => Standing::Follows,
        Some(false) if is_heard => Standing::Sealed,
        _ if member.leader && knows_leader && !is_active => Standing::Leads,
        Some(true) if is_heard => Standing::Follows,
        _ if is_active => Standing::Silent,
        _ => Standing::Unknown,
    }
}

async fn news<T>(told: Option<&mut watch::Receiver<T>>) {
    let told = match told {
        Some(told) => told.changed().await.is_ok(),
        None => false,
    };
    if !told {
        std::future::pending().await
    }
}

async fn sleep(wait: Option<Duration>) {
    match wait {
        Some(wait) => tokio::time::sleep(wait).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::router::Leader;

    fn seen(phase: Phase) -> Seen {
        Seen {
            phase,
            has_failed: false,
            has_room: true,
            joins: false,
            keys: (1, 3),
            is_non_secret: false,
            is_needed: false,
            is_seen_twice: false,
            is_over_budget: false,
            is_leaderless: false,
            members: Members::default(),
        }
    }

    fn standby(is_led: bool) -> Phase {
        Phase::standby(is_led.then(|| Leader {
            api_address: "http://b:8200".into(),
            cluster_address: "https://b:8201".into(),
        }))
    }

    #[test]
    fn the_condition_follows_from_the_phase() {
        let none = Members::default;
        let sealed = Condition::Sealed {
            given: 1,
            needed: 3,
        };
        let active = || Phase::active(2);
        for (phase, expected) in [
            (Phase::Uninitialised, Condition::Uninitialised),
            (Phase::Sealed, sealed.clone()),
            (standby(true), Condition::Standby(none())),
            (standby(false), Condition::Standby(none())),
            (active(), Condition::Active(none())),
            (Phase::Stopping, Condition::Stopping),
        ] {
            assert_eq!(condition(&seen(phase)), expected);
        }
        let joins = |phase| Seen {
            joins: true,
            ..seen(phase)
        };
        assert_eq!(condition(&joins(Phase::Uninitialised)), Condition::Joining);
        assert_eq!(condition(&joins(Phase::Sealed)), Condition::Joining);
        assert_eq!(condition(&joins(active())), Condition::Active(none()));
        let full = |phase| Seen {
            has_room: false,
            ..seen(phase)
        };
        let is_full = Condition::Disk(DiskTrouble::Full);
        assert_eq!(condition(&full(active())), is_full);
        assert_eq!(condition(&full(standby(true))), is_full);
        assert_eq!(
            condition(&full(Phase::Sealed)),
            sealed,
            "somebody gives keys"
        );
        let failed = Seen {
            has_failed: true,
            ..seen(Phase::Stopping)
        };
        let is_failing = Condition::Disk(DiskTrouble::Failing);
        assert_eq!(condition(&failed), is_failing, "why it stops");
    }

    #[test]
    fn no_quorum_is_said_after_an_election_could_have_ended() {
        let leaderless = Seen {
            is_leaderless: true,
            ..seen(standby(false))
        };
        let no_quorum = Condition::NoQuorum(Members::default());
        assert_eq!(condition(&leaderless), no_quorum);
    }

    #[test]
    fn a_sealed_node_that_others_wait_for_says_so() {
        let needed = |phase| Seen {
            is_needed: true,
            ..seen(phase)
        };
        let shown = condition(&needed(Phase::Sealed));
        assert_eq!(
            shown,
            Condition::Needed {
                given: 1,
                needed: 3
            }
        );
        let shown = condition(&needed(standby(true)));
        assert_eq!(shown, Condition::Standby(Members::default()));
    }

    #[test]
    fn a_member_that_is_seen_twice_is_shown_by_who_answers() {
        let twice = |phase| Seen {
            is_seen_twice: true,
            ..seen(phase)
        };
        for phase in [standby(true), standby(false), Phase::active(1)] {
            assert_eq!(condition(&twice(phase)), Condition::SeenTwice);
        }
        let sealed = condition(&twice(Phase::Sealed));
        assert!(matches!(sealed, Condition::Sealed { .. }));
        let full = Seen {
            has_room: false,
            ..twice(standby(true))
        };
        assert_eq!(condition(&full), Condition::Disk(DiskTrouble::Full));
    }

    #[test]
    fn a_passed_budget_is_shown_by_a_node_that_answers_and_lacks_nothing_worse() {
        let passed = |phase| Seen {
            is_over_budget: true,
            ..seen(phase)
        };
        for phase in [standby(true), Phase::active(1)] {
            assert_eq!(condition(&passed(phase)), Condition::WriteBudget);
        }
        let sealed = condition(&passed(Phase::Sealed));
        assert!(matches!(sealed, Condition::Sealed { .. }));
        let twice = Seen {
            is_seen_twice: true,
            ..passed(standby(true))
        };
        assert_eq!(condition(&twice), Condition::SeenTwice);
        let full = Seen {
            has_room: false,
            ..passed(standby(true))
        };
        assert_eq!(condition(&full), Condition::Disk(DiskTrouble::Full));
    }

    #[test]
    fn only_who_leads_calls_others_silent() {
        let heard = |elects, ago_s| MemberInfo {
            elects,
            last_contact: Some(Duration::from_secs(ago_s)),
            ..MemberInfo::default()
        };
        let leads = Phase::active(1);
        let follows = standby(true);
        for (member, at, expected) in [
            (heard(Some(true), 1), &leads, Standing::Follows),
            (heard(Some(false), 1), &leads, Standing::Sealed),
            (heard(Some(true), 60), &leads, Standing::Silent),
            (heard(Some(false), 60), &leads, Standing::Silent),
            (MemberInfo::default(), &leads, Standing::Silent),
            (heard(Some(true), 60), &follows, Standing::Unknown),
            (MemberInfo::default(), &follows, Standing::Unknown),
        ] {
            assert_eq!(standing(&member, at, false), expected, "{member:?}");
        }
        let leader = MemberInfo {
            leader: true,
            ..MemberInfo::default()
        };
        assert_eq!(standing(&leader, &follows, false), Standing::Leads);
        assert_eq!(standing(&leader, &standby(false), false), Standing::Unknown);
        assert_eq!(standing(&leader, &follows, true), Standing::Follows);
        assert_eq!(
            standing(&MemberInfo::default(), &leads, true),
            Standing::Leads
        );
    }
}
