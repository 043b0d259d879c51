//! The kinds of functions that the rows of the `sys/` table run.

use super::system::System;
use crate::engine::table::Matched;
use crate::engine::{Error, Outcome, Prepared, Response};
use crate::store::BoxFuture;

/// A function that answers with a batch.
pub(in crate::sys) type Handler = fn(&System, &Matched<'_>) -> Result<Outcome, Error>;
/// A function that answers after more than one entry, or after an act that is no entry.
pub(in crate::sys) type Acting =
    for<'a> fn(&'a System, Matched<'a>) -> BoxFuture<'a, Result<Response, Error>>;

/// A function that waits for others before the request is answered with a batch. What it returns
/// belongs to the request until that batch is committed.
pub(super) type Preparing =
    for<'a> fn(&'a System, Matched<'a>) -> BoxFuture<'a, Result<Prepared, Error>>;

/// The function that answers an operation.
#[derive(Clone, Copy)]
pub(in crate::sys) enum Run {
    /// An ordinary function.
    Answer(Handler),
    /// A function that waits for others, once, and then an ordinary function.
    After(Preparing, Handler),
    /// A function that waits, and cannot be run again.
    Act(Acting),
}
