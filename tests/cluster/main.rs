//! The cluster under faults.
//!
//! `check` decides whether a history is linearizable. Counts and seeds come from the environment;
//! `run` beside this file sets them for hours.

mod check;
