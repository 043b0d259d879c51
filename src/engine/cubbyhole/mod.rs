//! cubbyhole: secrets that only one token sees and that go with it.
//!
//! Owns the records `<cubbyhole id>/<path>` of its view, and the tally `<cubbyhole id>`. The id
//! stands in the token's record and reaches the engine as [`crate::engine::Caller::cubbyhole_id`];
//! the revocation of a token adds [`purge`] to its batch.
//!
//! Invariants
//! - A request touches only records below its caller's id; not even root reaches another's.
//! - A caller without an id (a batch token) gets nothing.
//! - A token keeps at most [`RECORDS_MAX`] records, [`RECORD_BYTES_MAX`] in each and
//!   [`TOKEN_BYTES_MAX`] together, also when it writes them at the same time.

mod engine;
mod tally;

pub use engine::{Cubbyhole, KIND, kept, purge, put_away};
pub use tally::{RECORD_BYTES_MAX, RECORDS_MAX, TOKEN_BYTES_MAX};
