//! Counts the lines that are audited, and the time that takes.

use super::AuditError;
use crate::telemetry::{Counter, Summary, metrics};
use std::sync::Arc;
use std::time::Instant;

/// Of one kind of line.
pub(super) struct Counts {
    time: Arc<Summary>,
    failures: Arc<Counter>,
}

impl Counts {
    /// Lines about requests.
    pub fn of_requests() -> Self {
        Self {
            time: metrics().summary(
                "audit.log_request",
                "Milliseconds that all audit devices took for the line about a request.",
            ),
            failures: metrics().counter(
                "audit.log_request_failure",
                "Requests that no audit device could write a line about, and that failed for it.",
            ),
        }
    }

    /// Lines about answers.
    pub fn of_responses() -> Self {
        Self {
            time: metrics().summary(
                "audit.log_response",
                "Milliseconds that all audit devices took for the line about an answer.",
            ),
            failures: metrics().counter(
                "audit.log_response_failure",
                "Answers that no audit device could write a line about, and that failed for it.",
            ),
        }
    }

    /// Counts what `write` does.
    pub fn count<T>(&self, write: impl FnOnce() -> Result<T, AuditError>) -> Result<T, AuditError> {
        let begun = Instant::now();
        let written = write();
        self.time.observe(begun.elapsed());
        if written.is_err() {
            self.failures.increment();
        }
        written
    }
}
