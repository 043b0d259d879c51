//! Files that somebody else may have put there.
//!
//! Owns the checks of every file outside the data directory that the server writes to or believes:
//! audit files, the log, the pid file, keys and certificates, configuration, directories of
//! snapshots; and of the data directory and the node's key themselves.
//!
//! Invariants
//! - What is written to belongs to this process's user or to root, is nobody's who could take it
//!   back or read it later, and has no other name through which it is somebody's precious file.
//! - What is believed was not put there by a stranger: in a directory where everyone may make
//!   files, it is this user's or root's, and nowhere may everyone change it.
//! - The opened file is judged, not its name, so that nothing changes in between.
//!
//! A refusal is an [`io::Error`] of the kind `PermissionDenied` that says what is wrong.

mod judge;
mod open;

pub use judge::{check_folder, check_folder_owner, check_trusted};
pub use open::{Links, append, read, read_own, replace};
