//! openraft's own conformance suite over coffer's log and state machine.

use crate::raft::applying::state_machine::{Applied, StateMachine};
use crate::raft::disk::data_dir::DataDir;
use crate::raft::disk::poison::Poison;
use crate::raft::log_store::{LogOptions, LogStore};
use crate::raft::wire::types::TypeConfig;
use crate::store::space::Space;
use crate::store::state::{Limits, State};
use openraft::StorageError;
use openraft::testing::log::{StoreBuilder, Suite};
use std::sync::Arc;
use tempfile::TempDir;

struct Builder;

impl StoreBuilder<TypeConfig, LogStore, StateMachine, (TempDir, DataDir)> for Builder {
    async fn build(
        &self,
    ) -> Result<((TempDir, DataDir), LogStore, StateMachine), StorageError<TypeConfig>> {
        let temp = tempfile::tempdir().unwrap();
        let dir = DataDir::open(temp.path()).unwrap();
        dir.make_rooms().unwrap();
        let state = State::open(&dir.state(), Limits::default()).unwrap();
        let log = dir.log();
        let options = LogOptions {
            free_segments_max: 4,
            space: None,
            dir: &log,
            log_id: dir.numbers.log_id,
            segment_bytes: 64 << 10,
            applied: None,
            device: None,
        };
        let (log, _) = LogStore::open(&options, 1, Arc::new(Poison::default())).unwrap();
        let applied = Applied::new(state, Space::open(dir.path(), None), Arc::default());
        Ok(((temp, dir), log, StateMachine(Arc::new(applied))))
    }
}

#[test]
fn openraft_storage_suite() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(Suite::test_all(Builder)).unwrap();
}
