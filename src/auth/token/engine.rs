//! The engine behind `auth/token/`.

use crate::{policy, token};
use std::sync::Arc;

/// The engine behind `auth/token/`. It keeps nothing of its own in memory.
pub struct TokenEngine {
    pub(super) tokens: Arc<token::Store>,
    pub(super) policies: Arc<policy::Store>,
}

impl TokenEngine {
    /// Over the tokens and policies of the barrier.
    pub fn new(tokens: Arc<token::Store>, policies: Arc<policy::Store>) -> Self {
        Self { tokens, policies }
    }
}
