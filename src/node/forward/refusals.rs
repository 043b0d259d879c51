//! Counts refused messages of members, and logs them once in a while.

use super::sealed::Refusal;
use crate::telemetry::{Counter, Seldom, metrics};
use std::sync::Arc;
use std::time::Duration;

/// The time between two lines of the log about the same kind of refusal.
const TOLD_EVERY: Duration = Duration::from_secs(60);

/// The refusals of one process, by kind.
pub(super) struct ForwardRefusals {
    counted: Arc<Counter>,
    unopened: Seldom,
    repeated: Seldom,
    plain: Seldom,
}

impl ForwardRefusals {
    /// Returns refusals that go on with the process's counter.
    pub fn new() -> Self {
        Self {
            counted: counted(),
            unopened: Seldom::new(TOLD_EVERY),
            repeated: Seldom::new(TOLD_EVERY),
            plain: Seldom::new(TOLD_EVERY),
        }
    }

    /// Notes that a sealed message of `name` was refused.
    pub fn sealed(&self, name: &str, why: Refusal) {
        match why {
            Refusal::DoesNotOpen => {
                self.counted.increment();
                if let Some(times) = self.unopened.happened() {
                    tracing::warn!(
                        name,
                        times,
                        "a forwarded message was refused: it was not sealed by this cluster's \
                         keys for this node"
                    );
                }
            }
            Refusal::Repeated => {
                self.counted.increment();
                if let Some(times) = self.repeated.happened() {
                    let what = "a forwarded message came a second time and was refused";
                    tracing::warn!(name, times, "{what}");
                }
            }
            // These happen when nodes start, seal or are slow.
            Refusal::Sealed | Refusal::UnknownChannel | Refusal::Overtaken => {}
        }
    }

    /// Notes that a message of `name` in the form of the release before was refused.
    pub fn plain(&self, name: &str) {
        self.counted.increment();
        if let Some(times) = self.plain.happened() {
            tracing::warn!(
                name,
                times,
                "a forwarded request that is not sealed was refused, as this cluster requires it: \
                 does that node run an older release?"
            );
        }
    }
}

/// Returns the counter of refused messages.
pub(super) fn counted() -> Arc<Counter> {
    metrics().counter(
        "coffer.forward.refused_total",
        "Forwarded messages of members that were refused: forged, sent twice, or not sealed.",
    )
}
