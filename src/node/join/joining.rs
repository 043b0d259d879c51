//! The progress of a node on its way into a cluster.

use super::place::JoinTarget;
use crate::barrier::SealRecord;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use tokio::task::AbortHandle;

/// This node's identity as a joiner, and the places where it looks for a cluster.
#[derive(Default)]
pub(in crate::node) struct Joiner {
    /// The operator's `node_id`.
    pub node_id: String,
    /// The node's public key, which the others pin.
    pub public_key: Vec<u8>,
    /// The places of `retry_join`.
    pub places: Vec<Arc<JoinTarget>>,
    /// The setting `retry_join_as_non_voter`.
    pub non_voter: bool,
    /// Notified when this node's store has its seal.
    pub arrived: Notify,
    state: Mutex<Progress>,
}

/// The progress of joining.
#[derive(Default)]
pub(super) struct Progress {
    /// The cluster that waits for the keys.
    pub(super) found: Option<FoundCluster>,
    /// The task that looks for a cluster, or answers again.
    pub(super) task: Option<AbortHandle>,
    /// True when the keys were given for the cluster that was found.
    pub(super) answers: bool,
    /// True once the node joined with a token: it is never unsealed.
    pub(super) by_token: bool,
    /// The server that answered last, by URL, and the place that led to it.
    pub(super) answered: Option<(Arc<JoinTarget>, String)>,
}

/// A cluster to be joined with the keys.
#[derive(Clone)]
pub(super) struct FoundCluster {
    pub places: Vec<Arc<JoinTarget>>,
    pub seal: SealRecord,
    pub non_voter: bool,
    pub retry: bool,
}

impl Joiner {
    pub fn new(
        node_id: String,
        public_key: Vec<u8>,
        places: Vec<Arc<JoinTarget>>,
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

    /// Returns the seal of the cluster that this node is about to join.
    pub fn seal(&self) -> Option<SealRecord> {
        self.state().found.as_ref().map(|found| found.seal.clone())
    }

    /// Returns the server that answered last, if one of `places` led to it, and that place.
    pub(super) fn answered(&self, places: &[Arc<JoinTarget>]) -> Option<(Arc<JoinTarget>, String)> {
        let answered = self.state().answered.clone()?;
        let known = places.iter().any(|place| Arc::ptr_eq(place, &answered.0));
        known.then_some(answered)
    }

    pub(super) fn remember(&self, place: &Arc<JoinTarget>, url: &str) {
        self.state().answered = Some((Arc::clone(place), url.to_owned()));
    }

    /// Replaces the seal of the cluster that was found: the seal that the operator was asked for
    /// was another cluster's, or has changed.
    pub(super) fn reseal(&self, seal: SealRecord) {
        if let Some(found) = &mut self.state().found {
            found.seal = seal;
        }
    }

    /// Returns true once this process joined a cluster with a token.
    pub fn joined_by_token(&self) -> bool {
        self.state().by_token
    }

    /// Returns true while the node looks for a cluster.
    pub fn is_looking(&self) -> bool {
        let state = self.state();
        let works = |task: &AbortHandle| !task.is_finished();
        state.found.is_none() && state.task.as_ref().is_some_and(works)
    }

    /// Returns true while the node answers the cluster that was found, or waits for its store.
    pub fn is_answering(&self) -> bool {
        let state = self.state();
        state.found.is_some() && state.answers
    }

    /// Stops the search, and forgets keys that wait for a store.
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
