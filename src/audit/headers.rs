//! Request headers that get a place in the line.

use serde::{Deserialize, Serialize};

/// Most headers with a rule.
pub const HEADERS_MAX: usize = 128;

/// How a header is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeaderRule {
    /// Hashed, or in clear?
    pub hmac: bool,
}
