//! Everything that can be mounted: one line for each kind of engine.

use crate::auth::token;
use crate::engine::{Kind, cubbyhole, kv};
use crate::sys;

/// The kinds of this build.
pub static KINDS: [&Kind; 4] = [&cubbyhole::KIND, &kv::KIND, &sys::KIND, &token::KIND];
