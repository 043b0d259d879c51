//! What a row of the `sys/` table runs.

use super::system::System;
use crate::engine::table::Matched;
use crate::engine::{Error, Outcome, Prepared, Response};
use crate::store::BoxFuture;

/// Answers with a batch.
pub(in crate::sys) type Handler = fn(&System, &Matched<'_>) -> Result<Outcome, Error>;
/// Answers after more than one entry, or after something that is none.
pub(in crate::sys) type Acting =
    for<'a> fn(&'a System, Matched<'a>) -> BoxFuture<'a, Result<Response, Error>>;

/// Waits for others before it is answered with a batch. What it gives is the request's until that
/// is committed.
pub(super) type Preparing =
    for<'a> fn(&'a System, Matched<'a>) -> BoxFuture<'a, Result<Prepared, Error>>;

/// What answers an operation.
#[derive(Clone, Copy)]
pub(in crate::sys) enum Run {
    /// An ordinary function.
    Answer(Handler),
    /// One that waits for others, once, and then an ordinary function.
    After(Preparing, Handler),
    /// One that waits, and cannot be run again.
    Act(Acting),
}
