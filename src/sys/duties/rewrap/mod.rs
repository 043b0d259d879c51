//! Re-encryption of what older key terms hold, in the background of the active node, and the end of
//! those terms.
//!
//! Owns the job ([`Job`], a record, so that any active node goes on with it) and its progress
//! ([`Rewrapping`], in memory). A job writes two entries of its own, at its beginning and at its
//! end. An active node begins it anew: what was sealed anew before is seen by its term, without
//! being opened. So nothing is written to remember how far it came.
//!
//! ```text
//! count --some are old--> seal anew --> count ... --none--> wait for batch tokens --> count, drop
//! ```
//!
//! It takes at most half of the time, leaves most of a write budget to others, and waits while that
//! is passed or the disk is nearly full. Without a job it sleeps.

mod job;
mod pace;
mod progress;
mod run;

pub use job::Job;
pub(in crate::sys) use job::{read, remove, start};
pub use pace::Pace;
pub use progress::{RewrapState, Rewrapping};
pub use run::run;
