//! The progress of a re-encryption, in memory: a node that becomes active counts anew.

use crate::barrier::RewrapWalk;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The work that a re-encryption does at the moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RewrapState {
    /// There is none.
    #[default]
    Idle,
    /// Records are counted.
    Counting,
    /// Records are sealed anew.
    Rewrapping,
    /// Nothing is under the older terms but batch tokens, whose end is waited for.
    Waiting,
    /// The write budget is passed, or the disk is nearly full.
    Paused,
    /// Some records cannot be read, so that their terms stay.
    Stuck,
}

impl RewrapState {
    /// Returns the state as the API spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Counting => "counting",
            Self::Rewrapping => "rewrapping",
            Self::Waiting => "waiting",
            Self::Paused => "paused",
            Self::Stuck => "stuck",
        }
    }
}

/// The progress of the last re-encryption.
#[derive(Debug, Default)]
pub struct Rewrapping(Mutex<RewrapProgress>);

#[derive(Clone, Debug, Default)]
pub(super) struct RewrapProgress {
    pub(super) state: RewrapState,
    /// The records that the walk under way has looked at.
    pub(super) looked_at: u64,
    /// The records that were sealed anew since this node is active.
    pub(super) rewritten: u64,
    pub(super) unreadable: u64,
    /// The last failure; empty when there was none.
    pub(super) error: String,
    /// The records by term, as far as they are left; `None` before the first count.
    pub(super) counted: Option<BTreeMap<u32, u64>>,
}

impl Rewrapping {
    pub(super) fn lock(&self) -> MutexGuard<'_, RewrapProgress> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn enter(&self, state: RewrapState) {
        self.lock().state = state;
    }

    /// Takes over what `walk` has seen at its end.
    pub(super) fn take(&self, walk: &RewrapWalk) {
        let mut progress = self.lock();
        progress.looked_at = walk.looked_at;
        progress.unreadable = walk.unreadable;
        progress.counted = Some(walk.found().clone());
    }

    /// Returns the state at the moment.
    pub fn state(&self) -> RewrapState {
        self.lock().state
    }

    /// Returns the number of records under `key_term` by the last count; `None` before one.
    pub fn left(&self, key_term: u32) -> Option<u64> {
        let progress = self.lock();
        let counted = progress.counted.as_ref()?;
        Some(counted.get(&key_term).copied().unwrap_or(0))
    }

    /// Returns the fields for the API.
    pub fn fields(&self) -> [(&'static str, Value); 5] {
        let progress = self.lock();
        [
            ("state", json!(progress.state.name())),
            ("looked_at", json!(progress.looked_at)),
            ("rewritten", json!(progress.rewritten)),
            ("unreadable", json!(progress.unreadable)),
            ("last_error", json!(progress.error)),
        ]
    }
}
