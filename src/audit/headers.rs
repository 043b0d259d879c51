//! Request headers that are written to the log.

use serde::{Deserialize, Serialize};

/// Most headers with a rule.
pub const HEADERS_MAX: usize = 128;

/// The form of a header in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeaderRule {
    /// True if the value is hashed, false if it is in clear.
    pub hmac: bool,
}
