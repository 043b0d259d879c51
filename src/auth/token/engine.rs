//! The engine behind `auth/token/`.

use crate::engine::Grantors;
use crate::{policy, token};
use std::sync::Arc;

/// The engine behind `auth/token/`. It keeps nothing of its own in memory.
pub struct TokenEngine {
    pub(super) tokens: Arc<token::Store>,
    pub(super) policies: Arc<policy::Store>,
    /// The methods that let tokens in.
    pub(super) grantors: Arc<dyn Grantors>,
}

impl TokenEngine {
    /// Returns an engine over the tokens and policies of the barrier. `grantors` judge the renewal
    /// of tokens that other methods let in.
    pub fn new(
        tokens: Arc<token::Store>,
        policies: Arc<policy::Store>,
        grantors: Arc<dyn Grantors>,
    ) -> Self {
        Self {
            tokens,
            policies,
            grantors,
        }
    }
}
