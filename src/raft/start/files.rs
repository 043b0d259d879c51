//! Directory, log and state of an open storage.

use crate::raft::disk::data_dir::DataDir;
use crate::raft::log_store::{LogStore, Recovery};
use crate::store::space::Space;
use crate::store::state::State;
use std::sync::Arc;

/// The parts of the storage that are opened off the runtime's threads.
pub(in crate::raft) struct Files {
    pub(in crate::raft) dir: DataDir,
    pub(in crate::raft) state: State,
    pub(in crate::raft) space: Arc<Space>,
    pub(in crate::raft) log: LogStore,
    pub(in crate::raft) recovery: Recovery,
}
