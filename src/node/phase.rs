//! The node's phase for its clients, as a small state machine without effects of its own.
//!
//! ```text
//!                 seal configuration appears        keys given
//! Uninitialised ---------------------------> Sealed ----------> Standby <----> Active
//!                                              ^                   |   leads     |
//!                                              +---- keys dropped -+-------------+
//! any ---- stopping ----> Stopping
//! ```
//!
//! The phase follows from the situation alone, and the effects follow from the phase before and the
//! phase after. So it does not matter how many changes were missed in between.

use crate::router::{Leader, Phase};

/// The leader, as consensus tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Leads {
    /// No leader that this node knows of.
    #[default]
    Nobody,
    /// Another node.
    Other(Leader),
    /// This node, which has applied all entries that were acknowledged before.
    Me {
        /// The term in which it leads: leadership may be lost and won again between two looks.
        term: u64,
    },
}

/// All that the phase depends on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Situation {
    /// True once a seal configuration is known.
    pub initialised: bool,
    /// True while the keys are in memory, and the router stands.
    pub unsealed: bool,
    /// The leader, as consensus tells it.
    pub leads: Leads,
    /// True once the node is stopping.
    pub stopping: bool,
}

/// The effects of a change of the phase, to be carried out in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Stops the duties of the active node.
    StopDuties,
    /// Raises this node's clock to the time at which the last active node left it.
    RaiseClock,
    /// Makes a router that remembers nothing of the time before.
    RenewRouter,
    /// Starts the duties of the active node: sweeping, autopilot and the like.
    StartDuties,
    /// Tells the listeners and systemd.
    Publish,
}

impl Situation {
    /// Returns the phase that belongs to the situation.
    fn phase(&self) -> Phase {
        match self {
            Self { stopping: true, .. } => Phase::Stopping,
            Self { unsealed: true, .. } => match &self.leads {
                Leads::Nobody => Phase::standby(None),
                Leads::Other(leader) => Phase::standby(Some(leader.clone())),
                Leads::Me { term } => Phase::active(*term),
            },
            Self {
                initialised: true, ..
            } => Phase::Sealed,
            Self { .. } => Phase::Uninitialised,
        }
    }
}

/// Returns the next phase of the node, and the effects of the change.
pub(super) fn next(phase: &Phase, situation: &Situation) -> (Phase, Vec<Effect>) {
    let next = match phase {
        Phase::Stopping => Phase::Stopping,
        _ => situation.phase(),
    };
    let mut effects = Vec::new();
    if next == *phase {
        return (next, effects);
    }
    if matches!(phase, Phase::Active { .. }) {
        effects.push(Effect::StopDuties);
    }
    if matches!(next, Phase::Active { .. }) {
        effects.extend([Effect::RaiseClock, Effect::RenewRouter, Effect::StartDuties]);
    }
    effects.push(Effect::Publish);
    (next, effects)
}

/// Returns the phase in words, for `systemctl status`.
pub(super) fn describe(phase: &Phase) -> String {
    match phase {
        Phase::Uninitialised => "not initialised".into(),
        Phase::Sealed => "sealed".into(),
        Phase::Standby { leader: None, .. } => "standby; no active node is known".into(),
        Phase::Standby {
            leader: Some(leader),
            ..
        } => format!("standby; active is {}", leader.api_address),
        Phase::Active { .. } => "active".into(),
        Phase::Stopping => "stopping".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::Effect::{Publish, RaiseClock, RenewRouter, StartDuties, StopDuties};
    use super::*;

    const TAKE_OVER: [Effect; 4] = [RaiseClock, RenewRouter, StartDuties, Publish];

    fn leader(name: &str) -> Leader {
        Leader {
            api_address: format!("http://{name}:8200"),
            cluster_address: format!("https://{name}:8201"),
        }
    }

    fn situation(initialised: bool, unsealed: bool, leads: Leads) -> Situation {
        Situation {
            initialised,
            unsealed,
            leads,
            stopping: false,
        }
    }

    fn standby(leader: Option<Leader>) -> Phase {
        Phase::standby(leader)
    }

    fn active() -> Phase {
        Phase::active(3)
    }

    fn me() -> Leads {
        Leads::Me { term: 3 }
    }

    fn other() -> Leads {
        Leads::Other(leader("b"))
    }

    /// An event, the phase before, the situation, the phase after, and the effects.
    type Case = (&'static str, Phase, Situation, Phase, Vec<Effect>);

    fn sealed_and_unsealed() -> Vec<Case> {
        vec![
            (
                "an applied entry tells of initialisation elsewhere",
                Phase::Uninitialised,
                situation(true, false, other()),
                Phase::Sealed,
                vec![Publish],
            ),
            (
                "a lone node is unsealed and leads at once",
                Phase::Sealed,
                situation(true, true, me()),
                active(),
                TAKE_OVER.to_vec(),
            ),
            (
                "a follower is unsealed",
                Phase::Sealed,
                situation(true, true, other()),
                standby(Some(leader("b"))),
                vec![Publish],
            ),
            (
                "the active node is sealed, whoever leads by now",
                active(),
                situation(true, false, me()),
                Phase::Sealed,
                vec![StopDuties, Publish],
            ),
            (
                "a standby is sealed",
                standby(Some(leader("b"))),
                situation(true, false, other()),
                Phase::Sealed,
                vec![Publish],
            ),
            (
                "what everything was lost from is uninitialised again",
                Phase::Sealed,
                situation(false, false, Leads::Nobody),
                Phase::Uninitialised,
                vec![Publish],
            ),
        ]
    }

    fn won_and_lost() -> Vec<Case> {
        vec![
            (
                "the leader is lost",
                standby(Some(leader("b"))),
                situation(true, true, Leads::Nobody),
                standby(None),
                vec![Publish],
            ),
            (
                "this node wins",
                standby(None),
                situation(true, true, me()),
                active(),
                TAKE_OVER.to_vec(),
            ),
            (
                "leadership moves away",
                active(),
                situation(true, true, other()),
                standby(Some(leader("b"))),
                vec![StopDuties, Publish],
            ),
            (
                "lost and won again while nobody looked",
                active(),
                situation(true, true, Leads::Me { term: 5 }),
                Phase::active(5),
                [vec![StopDuties], TAKE_OVER.to_vec()].concat(),
            ),
        ]
    }

    #[test]
    fn every_change_and_what_it_asks_for() {
        let cases = sealed_and_unsealed().into_iter().chain(won_and_lost());
        for (name, from, now, to, effects) in cases {
            assert_eq!(next(&from, &now), (to.clone(), effects), "{name}");
            assert_eq!(next(&to, &now), (to, vec![]), "{name}: twice is once");
        }
    }

    #[test]
    fn a_sealed_node_never_serves_though_it_leads() {
        for initialised in [false, true] {
            let now = situation(initialised, false, Leads::Me { term: 1 });
            let (phase, _) = next(&Phase::Sealed, &now);
            assert!(!matches!(
                phase,
                Phase::Active { .. } | Phase::Standby { .. }
            ));
        }
    }

    #[test]
    fn stopping_is_for_good() {
        let mut now = situation(true, true, Leads::Me { term: 1 });
        now.stopping = true;
        let (phase, effects) = next(&Phase::active(1), &now);
        assert_eq!(
            (phase, effects),
            (Phase::Stopping, vec![StopDuties, Publish])
        );
        now.stopping = false;
        assert_eq!(next(&Phase::Stopping, &now), (Phase::Stopping, vec![]));
    }
}
