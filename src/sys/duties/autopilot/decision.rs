//! The decision about the next change of the members, from what is seen of them.

use super::health::quorum;
use super::{Config, Health, Look};
use std::time::Duration;

/// The pause between looks at a learner on its way to its vote.
const WAITING_PAUSE: Duration = Duration::from_secs(1);
/// The pause between looks at a learner that is out of contact.
const SILENT_PAUSE: Duration = Duration::from_secs(10);
/// The pause between looks at dead members that must stay.
const DEAD_PAUSE: Duration = Duration::from_secs(60);

/// A change of the members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// A learner becomes a voter.
    Promote(String),
    /// A dead member is removed.
    Remove(String),
}

/// The result of one look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The one change to make now.
    pub action: Option<Action>,
    /// The time after which to look again, even if nothing is heard of a change until then. `None`:
    /// no further look is needed until a change.
    pub look_again: Option<Duration>,
}

/// Decides on the next change. Promotions go first, so that a replacement has its vote before the
/// dead one goes.
pub fn decide(config: &Config, look: &Look) -> Verdict {
    let action = promotion(config, look).or_else(|| removal(config, look));
    let look_again = match action {
        Some(_) => Some(WAITING_PAUSE),
        None => pause(config, look),
    };
    Verdict { action, look_again }
}

fn promotion(config: &Config, look: &Look) -> Option<Action> {
    let steady = |health: &&Health| {
        let for_long = health.unchanged_for >= config.server_stabilization_time;
        health.is_waiting() && health.healthy && for_long
    };
    let learner = look.members.iter().find(steady)?;
    Some(Action::Promote(learner.member.node_id.clone()))
}

/// Returns the removal of a dead member, if one may go. The dead without a vote go freely; a dead
/// voter only as long as less than half of the voters are dead, `min_quorum` voters are left, and
/// the healthy ones make a quorum of those.
fn removal(config: &Config, look: &Look) -> Option<Action> {
    if !config.cleanup_dead_servers || config.min_quorum == 0 {
        return None;
    }
    let dead = || look.members.iter().filter(|health| health.is_dead(config));
    let remove = |health: &Health| Action::Remove(health.member.node_id.clone());
    if let Some(learner) = dead().find(|health| !health.member.voter) {
        return Some(remove(learner));
    }
    let voter = dead().find(|health| health.member.voter)?;
    let voters = look.voters();
    let dead_voters = dead().filter(|health| health.member.voter).count();
    let left = voters.saturating_sub(1);
    let allowed = dead_voters * 2 < voters
        && u64::try_from(left).is_ok_and(|left| left >= config.min_quorum)
        && look.healthy_voters() >= quorum(left);
    allowed.then(|| remove(voter))
}

/// Returns the time until something can have become due; `None` when nothing can.
fn pause(config: &Config, look: &Look) -> Option<Duration> {
    let learners = look.members.iter().filter(|health| health.is_waiting());
    let learners =
        learners.map(
            |health| match health.silent_for <= config.last_contact_threshold {
                true => WAITING_PAUSE,
                false => SILENT_PAUSE,
            },
        );
    let deaths = look
        .members
        .iter()
        .filter(|health| config.cleanup_dead_servers && !health.member.leader);
    let deaths = deaths.map(|health| {
        let left = config.dead_server_last_contact_threshold;
        left.saturating_sub(health.silent_for).max(DEAD_PAUSE)
    });
    learners.chain(deaths).min()
}
