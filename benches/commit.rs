//! Group commit: writers that wait for their own write share flushes with the others.

use crate::ground::{VALUE_BYTES, folder, key, put, runtime, value};
use coffer::raft::{Options, RaftStorage};
use coffer::store::Storage;
use criterion::{BenchmarkId, Criterion, Throughput};
use std::cell::OnceCell;
use std::sync::Arc;
use std::time::{Duration, Instant};

const WRITERS: [usize; 5] = [1, 4, 16, 64, 256];
/// The records of one writer, which it writes again and again.
const RECORDS: usize = 4;

/// Opens a store of its own that leads.
pub async fn lead(path: &std::path::Path) -> Arc<RaftStorage> {
    let storage = RaftStorage::open(Options::new(path, "a")).await.unwrap();
    storage.found().await.unwrap();
    storage.become_leader().await.unwrap();
    storage
}

/// Has each of the writers commit one record, as often as there are rounds.
pub fn writers(criterion: &mut Criterion) {
    let (folder, runtime) = (folder(), runtime());
    let opened = OnceCell::new();
    let mut group = criterion.benchmark_group("log/commit");
    for writers in WRITERS {
        group.throughput(Throughput::Elements(writers as u64));
        group.bench_function(BenchmarkId::new("writers", writers), |bencher| {
            let storage = opened.get_or_init(|| runtime.block_on(lead(folder.path())));
            bencher.iter_custom(|rounds| runtime.block_on(write(storage, writers, rounds)));
        });
    }
    group.finish();
    if let Some(storage) = opened.into_inner() {
        runtime.block_on(storage.shutdown());
    }
}

async fn write(storage: &Arc<RaftStorage>, writers: usize, rounds: u64) -> Duration {
    let begun = Instant::now();
    let tasks: Vec<_> = (0..writers)
        .map(|writer| {
            let (storage, value) = (Arc::clone(storage), value(VALUE_BYTES));
            tokio::spawn(async move {
                for round in 0..rounds as usize {
                    let _intent = storage.announce_write();
                    let key = key(writer * RECORDS + round % RECORDS);
                    storage.commit(put(key, value.clone())).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    begun.elapsed()
}
