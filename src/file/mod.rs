//! Opens files that other users may have put in place.
//!
//! Owns the checks of every file outside the data directory that the server writes to or believes:
//! audit files, the log, the pid file, keys and certificates, configuration, directories of
//! snapshots; and of the data directory and the node's key themselves.
//!
//! Invariants
//! - A file to which the server writes belongs to this process's user or to root, so that no other
//!   user can take it back or read it later, and has no other name, under which it could be
//!   another file of value.
//! - A file that the server believes was not put there by a stranger: in a directory where everyone
//!   may make files it is this user's or root's, and everyone may change it nowhere.
//! - The opened file is judged, not its name, so that nothing changes in between.
//!
//! A refusal is an [`std::io::Error`] of the kind `PermissionDenied` that names the fault.

mod judge;
mod open;

pub use judge::{check_folder, check_folder_owner, check_trusted};
pub use open::{Links, append, read, read_own, replace};
