//! Everything that can be mounted: one line for each kind of engine.

use super::system;
use crate::auth::token;
use crate::engine::{Kind, cubbyhole, kv};

/// The kinds of this build.
pub static KINDS: [&Kind; 4] = [&cubbyhole::KIND, &kv::KIND, &system::KIND, &token::KIND];
