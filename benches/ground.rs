//! The ground that benchmarks stand on: folders on a real file system, values, runtimes.

use bytes::Bytes;
use coffer::clock::Timestamp;
use coffer::store::state::{Change, Limits, Position, State};
use coffer::store::{Key, Op, Transaction};
use std::path::Path;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

/// The time at which everything happens.
pub const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);
/// The size of a usual value, in bytes.
pub const VALUE_BYTES: usize = 1024;

/// Makes a folder below `target/`: `/tmp` is memory on many systems.
pub fn folder() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

/// Makes a value that does not get smaller when it is compressed, as ciphertext.
pub fn value(bytes: usize) -> Bytes {
    let mut value = vec![0; bytes];
    coffer::secret::fill_random(&mut value);
    value.into()
}

/// Returns the storage key of the record `number`, in the length that an encrypted path has.
pub fn key(number: usize) -> Key {
    Key::from(format!("{number:064}"))
}

/// Writes `value` at `key`, whatever is there.
pub fn put(key: Key, value: Bytes) -> Transaction {
    Transaction {
        time: NOW,
        preconditions: Vec::new(),
        ops: vec![Op::Put { key, value }],
    }
}

/// Makes a runtime like a node's on two cores.
pub fn runtime() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

/// A state in a folder of its own, and the place in the log up to which it is applied.
pub struct Filled {
    /// The state.
    pub state: State,
    /// The last entry applied.
    pub at: Position,
    _folder: TempDir,
}

impl Filled {
    /// Makes a state of `records` records of [`VALUE_BYTES`], all of them in a checkpoint.
    pub fn new(records: usize) -> Self {
        let folder = folder();
        let state = State::open(folder.path(), Limits::default()).unwrap();
        let mut filled = Self {
            state,
            at: Position { term: 1, index: 0 },
            _folder: folder,
        };
        for number in 0..records {
            filled.apply(&put(key(number), value(VALUE_BYTES)));
            if filled.state.is_checkpoint_due() {
                filled.state.checkpoint().unwrap();
            }
        }
        filled.state.checkpoint().unwrap();
        filled
    }

    /// Applies `transaction` as the next entry of the log.
    pub fn apply(&mut self, transaction: &Transaction) {
        self.at.index += 1;
        let applied = self
            .state
            .apply(self.at, Change::Run(transaction, VALUE_BYTES));
        assert!(applied.unwrap());
    }
}

/// Copies the files below `from`, as a killed process leaves them.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
