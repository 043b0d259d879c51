//! The log alone: what is appended together becomes as few writes as fit.

use crate::ground::{folder, runtime, value};
use bytes::Bytes;
use coffer::raft::log_store::bench::Log;
use criterion::{BenchmarkId, Criterion, Throughput};
use std::cell::{LazyCell, RefCell};
use std::time::{Duration, Instant};

const VALUES_BYTES: [usize; 4] = [256, 1 << 10, 4 << 10, 64 << 10];
const ENTRIES: [usize; 4] = [1, 8, 64, 512];

/// Appends entries that wait together: one group, as far as a group may grow.
pub fn append(criterion: &mut Criterion) {
    for (way, is_direct) in [("direct", true), ("fallback", false)] {
        let folder = folder();
        if is_direct && !Log::takes_direct_writes(folder.path()).unwrap() {
            println!("skipped: log/append/direct: this file system refuses O_DIRECT");
            continue;
        }
        let runtime = runtime();
        let log = LazyCell::new(|| RefCell::new(Log::open(folder.path(), is_direct).unwrap()));
        let mut group = criterion.benchmark_group(format!("log/append/{way}"));
        for bytes in VALUES_BYTES {
            let value = value(bytes);
            for entries in ENTRIES {
                let values = vec![value.clone(); entries];
                let id = BenchmarkId::new(format!("{bytes}B"), entries);
                group.throughput(Throughput::Bytes((bytes * entries) as u64));
                group.bench_function(id, |bencher| {
                    bencher.iter_custom(|rounds| {
                        let appending = rounds_of(&log, rounds, &values);
                        runtime.block_on(appending)
                    });
                });
            }
        }
        group.finish();
    }
}

/// Returns the time of the appends alone. The log is purged between them, so that segments are
/// recycled as in a node that saves checkpoints.
#[expect(
    clippy::await_holding_refcell_ref,
    reason = "one benchmark runs at a time"
)]
async fn rounds_of(log: &RefCell<Log>, rounds: u64, values: &[Bytes]) -> Duration {
    let mut log = log.borrow_mut();
    let mut spent = Duration::ZERO;
    for _ in 0..rounds {
        let begun = Instant::now();
        log.append(values).await.unwrap();
        spent += begun.elapsed();
        log.purge().await.unwrap();
    }
    spent
}
