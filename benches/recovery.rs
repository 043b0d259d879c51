//! Opening the data of a node: after a kill with a full log, and after a clean stop.

use crate::commit::lead;
use crate::ground::{VALUE_BYTES, copy, folder, key, put, runtime, value};
use coffer::raft::{Options, RaftStorage};
use coffer::store::Storage;
use criterion::{BenchmarkId, Criterion, Throughput};
use std::cell::LazyCell;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

/// As many as stay below the limit from which a checkpoint takes them out of the log's duty.
const ENTRIES: usize = 1500;
const WRITERS: usize = 50;

/// Opens copies of one directory. The copying is not measured.
pub fn replay(criterion: &mut Criterion) {
    let runtime = runtime();
    let mut group = criterion.benchmark_group("recovery");
    group.sample_size(10);
    let killed = LazyCell::new(|| runtime.block_on(left_by(true)));
    group.throughput(Throughput::Elements(ENTRIES as u64));
    group.bench_function(BenchmarkId::new("replay", ENTRIES), |bencher| {
        bencher.iter_custom(|rounds| openings(&runtime, &killed, rounds));
    });
    let stopped = LazyCell::new(|| runtime.block_on(left_by(false)));
    group.throughput(Throughput::Elements(1));
    group.bench_function("after-a-clean-stop", |bencher| {
        bencher.iter_custom(|rounds| openings(&runtime, &stopped, rounds));
    });
    group.finish();
}

/// Returns the directory that a node leaves after [`ENTRIES`] writes.
async fn left_by(is_killed: bool) -> TempDir {
    let (folder, left) = (folder(), folder());
    let storage = lead(folder.path()).await;
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let storage = std::sync::Arc::clone(&storage);
        writers.spawn(async move {
            for number in (writer..ENTRIES).step_by(WRITERS) {
                let put = put(key(number), value(VALUE_BYTES));
                storage.commit(put).await.unwrap();
            }
        });
    }
    while let Some(written) = writers.join_next().await {
        written.unwrap();
    }
    if is_killed {
        copy(folder.path(), left.path());
    }
    storage.shutdown().await;
    if !is_killed {
        copy(folder.path(), left.path());
    }
    left
}

fn openings(runtime: &Runtime, left: &TempDir, rounds: u64) -> Duration {
    let mut spent = Duration::ZERO;
    for _ in 0..rounds {
        let folder = folder();
        copy(left.path(), folder.path());
        let begun = Instant::now();
        let storage = runtime.block_on(RaftStorage::open(Options::new(folder.path(), "a")));
        spent += begun.elapsed();
        let storage = storage.unwrap();
        assert!(storage.get(&key(ENTRIES - 1)).unwrap().is_some());
        runtime.block_on(storage.shutdown());
    }
    spent
}
