//! What was refused of what members sent: counted, and told once in a while.

use super::sealed::Refusal;
use crate::telemetry::{Counter, Seldom, metrics};
use std::sync::Arc;
use std::time::Duration;

/// Between two lines of the log about the same thing.
const TOLD_EVERY: Duration = Duration::from_secs(60);

/// See above. One for each process.
pub(super) struct Refusals {
    counted: Arc<Counter>,
    unopened: Seldom,
    repeated: Seldom,
    plain: Seldom,
}

impl Refusals {
    /// Counts from zero, or goes on.
    pub fn new() -> Self {
        Self {
            counted: counted(),
            unopened: Seldom::new(TOLD_EVERY),
            repeated: Seldom::new(TOLD_EVERY),
            plain: Seldom::new(TOLD_EVERY),
        }
    }

    /// A sealed message of `name` was refused.
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
            // What happens when nodes start, seal or are slow.
            Refusal::Sealed | Refusal::UnknownChannel | Refusal::Overtaken => {}
        }
    }

    /// A message of `name` in the form of the release before was refused.
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

/// How many there were.
pub(super) fn counted() -> Arc<Counter> {
    metrics().counter(
        "coffer.forward.refused_total",
        "Forwarded messages of members that were refused: forged, sent twice, or not sealed.",
    )
}
