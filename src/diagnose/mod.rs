//! `operator diagnose`: looks at a configuration and the machine that it is for, before a server is
//! started or beside one that runs, and says what would keep it from starting, from serving or from
//! keeping its promises.
//!
//! Owns the table of checks (`table.rs`). A check is a function from a [`Examined`] to findings, a
//! line each: ok, a warning or a failure with its remedy, or skipped with the way to have it done.
//!
//! Invariants
//! - Nothing is changed: no file is left behind, no lock is taken, the data of a running server is
//!   not opened. The device gets one nameless file of a few hundred KiB, to be measured.
//! - Each check ends within seconds, whatever does not answer.
//! - A check that cannot be done is not called ok.
//!
//! It never starts a node, and asks a running one only through the [`World`] that it is given.

mod checks;
mod finding;
mod server;
mod subject;
mod table;

pub use finding::{Diagnosis, Finding, Grade};
pub use subject::{Examined, World};
pub use table::{NAMES, diagnose, unreadable};
