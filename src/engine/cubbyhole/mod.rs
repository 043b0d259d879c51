//! cubbyhole: secrets that only one token sees and that go with it.
//!
//! Owns the records `<cubbyhole id>/<path>` of its view. The id stands in the token's record and
//! reaches the engine as [`crate::engine::Caller::cubbyhole_id`]; whoever revokes a token adds
//! [`purge`] to the same batch.
//!
//! Invariants
//! - A request touches only records below its caller's id; not even root reaches another's.
//! - A caller without an id (a batch token) gets nothing.

mod engine;

pub use engine::{Cubbyhole, RECORDS_MAX, purge};
