//! Autopilot: makes learners voters once they have been steady, and removes the dead when the
//! operator asked for that.
//!
//! It lives above [`Cluster`](crate::sys::Cluster), because it sees no more of the members than
//! that trait shows, and its settings are a record behind the barrier, which `raft` must never see.
//!
//! Owns what it remembers of each member's health, the decision what to change next ([`decide`], a
//! pure function) and the loop that carries it out on the active node ([`run`]).
//!
//! Invariants
//! - One change at a time, each judged by what was seen after the last.
//! - No change leaves the cluster able to lose fewer members than before.
//! - The loop sleeps until something can have become due: in a healthy cluster without learners
//!   that is never, or (with clean-up) the end of the time after which a member counts as dead.

mod config;
mod decision;
mod health;
mod memory;
mod report;
mod run;

pub use config::{Config, FIELDS};
pub use decision::{Action, Verdict, decide};
pub use health::{Health, Look, Tracker};
pub use memory::Autopilot;
pub use report::report;
pub use run::run;

#[cfg(test)]
mod tests;
