//! Snapshots by the clock (`sys/storage/raft/snapshot-auto/`): named settings, each with an
//! interval, a directory and how many to keep.
//!
//! Owns the settings behind the barrier, the files that it has written, and how the last attempts
//! went.
//!
//! Invariants
//! - Only the active node takes them, and only while there are settings is there a timer.
//! - A file has its name once it is whole and on the disk.
//! - Only files with a name that it would give itself are ever deleted.
//! - Nothing is written when nothing has changed since the last one.

mod config;
mod files;
mod run;
mod status;

pub use config::Config;
pub(in crate::sys) use config::{Configs, is_name, put, read};
pub use run::run;
pub use status::Auto;

#[cfg(test)]
mod tests;
