//! What to do next about the members, from what is seen of them.

use super::health::quorum;
use super::{Config, Health, Look};
use std::time::Duration;

/// Between looks at a learner on its way to its vote.
const WAITING_PAUSE: Duration = Duration::from_secs(1);
/// Between looks at a learner that is out of contact.
const SILENT_PAUSE: Duration = Duration::from_secs(10);
/// Between looks at dead members that must stay.
const DEAD_PAUSE: Duration = Duration::from_secs(60);

/// A change of the members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// This learner becomes a voter.
    Promote(String),
    /// This dead member goes.
    Remove(String),
}

/// What one look comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The one change to make now.
    pub action: Option<Action>,
    /// When to look again, though nothing is heard of a change until then. `None`: not at all.
    pub look_again: Option<Duration>,
}

/// Decides. Promotions go first, so that a replacement has its vote before the dead one goes.
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

/// The dead without a vote go freely. Of the voters, only as long as less than half are dead,
/// `min_quorum` voters are left, and the healthy ones among those make a quorum.
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

/// Until something can have become due.
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
