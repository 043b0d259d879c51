//! How far a node is on its way into a cluster.

use super::place::Place;
use crate::barrier::SealRecord;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use tokio::task::AbortHandle;

/// Who this node is to others, and where it looks for them.
#[derive(Default)]
pub(in crate::node) struct Joiner {
    /// `node_id`.
    pub node_id: String,
    /// Its pin.
    pub public_key: Vec<u8>,
    /// `retry_join`.
    pub places: Vec<Arc<Place>>,
    /// `retry_join_as_non_voter`.
    pub non_voter: bool,
    /// Rung when this node's store has its seal.
    pub arrived: Notify,
    state: Mutex<Progress>,
}

/// How far it is.
#[derive(Default)]
pub(super) struct Progress {
    /// The cluster that waits for the keys.
    pub(super) found: Option<Found>,
    /// Looks for one, or answers again.
    pub(super) task: Option<AbortHandle>,
    /// The keys were given for what was found.
    pub(super) answers: bool,
    /// Who answered last, and which place led to it.
    pub(super) answered: Option<(Arc<Place>, String)>,
}

/// A cluster to be joined with the keys.
#[derive(Clone)]
pub(super) struct Found {
    pub places: Vec<Arc<Place>>,
    pub seal: SealRecord,
    pub non_voter: bool,
    pub retry: bool,
}

impl Joiner {
    pub fn new(
        node_id: String,
        public_key: Vec<u8>,
        places: Vec<Arc<Place>>,
        non_voter: bool,
    ) -> Self {
        Self {
            node_id,
            public_key,
            places,
            non_voter,
            ..Self::default()
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, Progress> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The seal of the cluster that this node is about to join.
    pub fn seal(&self) -> Option<SealRecord> {
        self.state().found.as_ref().map(|found| found.seal.clone())
    }

    /// Who answered last of `places`, and which of them led to it.
    pub(super) fn answered(&self, places: &[Arc<Place>]) -> Option<(Arc<Place>, String)> {
        let answered = self.state().answered.clone()?;
        let known = places.iter().any(|place| Arc::ptr_eq(place, &answered.0));
        known.then_some(answered)
    }

    pub(super) fn remember(&self, place: &Arc<Place>, url: &str) {
        self.state().answered = Some((Arc::clone(place), url.to_owned()));
    }

    /// What is expected of the operator was another cluster's, or has changed since it was found.
    pub(super) fn reseal(&self, seal: SealRecord) {
        if let Some(found) = &mut self.state().found {
            found.seal = seal;
        }
    }

    /// True while it looks for a cluster.
    pub fn is_looking(&self) -> bool {
        let state = self.state();
        let works = |task: &AbortHandle| !task.is_finished();
        state.found.is_none() && state.task.as_ref().is_some_and(works)
    }

    /// True while it answers the cluster that was found, or waits for its store.
    pub fn is_answering(&self) -> bool {
        let state = self.state();
        state.found.is_some() && state.answers
    }

    /// Looks no further, and forgets keys that wait for a store.
    pub fn stop(&self) {
        self.keep_task(None);
    }

    pub(super) fn keep_task(&self, task: Option<AbortHandle>) {
        let before = std::mem::replace(&mut self.state().task, task);
        if let Some(before) = before {
            before.abort();
        }
    }
}
