//! The cluster under faults.
//!
//! `seeded` runs nodes in one process, on a simulated network and simulated devices; `real` and
//! `netns` run the binary. Clients record their answers, and `check` decides whether one copy could
//! have given them; `invariants` has one file for each promise. Counts and seeds come from the
//! environment: see `run` beside this file.

#![allow(clippy::indexing_slicing, clippy::unwrap_used)]

mod before;
mod check;
mod fleet;
mod http;
mod invariants;
mod load;
mod netns;
mod real;
mod seeded;
mod thief;
mod upgrade;
#[path = "../support/wait.rs"]
mod wait;
