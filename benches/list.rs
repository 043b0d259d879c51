//! Lists: a walk over encrypted names in the store, which are decrypted and sorted.

use crate::commit::lead;
use crate::ground::{NOW, folder, runtime};
use coffer::barrier::{Batch, Unsealed, View};
use coffer::secret::Secret;
use coffer::store::Storage;
use criterion::{BenchmarkId, Criterion, Throughput};
use std::cell::LazyCell;
use std::sync::Arc;

const NAMES: [usize; 4] = [10, 100, 1000, 10_000];
/// The changes of one entry, so that filling takes no time.
const BATCH: usize = 500;

/// Lists folders of different sizes in one store.
pub fn names(criterion: &mut Criterion) {
    let (folder, runtime) = (folder(), runtime());
    let view = LazyCell::new(|| runtime.block_on(fill(folder.path())));
    let mut group = criterion.benchmark_group("list");
    for names in NAMES {
        group.throughput(Throughput::Elements(names as u64));
        group.bench_function(BenchmarkId::new("names", names), |bencher| {
            let folder = view.sub(&format!("{names}/"));
            bencher.iter(|| assert_eq!(folder.list("").unwrap().len(), names));
        });
    }
    group.finish();
}

async fn fill(path: &std::path::Path) -> View {
    let storage = lead(path).await;
    let barrier = Unsealed::for_test(Arc::clone(&storage) as Arc<dyn Storage>);
    let view = barrier.view("list/");
    for names in NAMES {
        let folder = view.sub(&format!("{names}/"));
        for begin in (0..names).step_by(BATCH) {
            let mut batch = Batch::new();
            for number in begin..names.min(begin + BATCH) {
                // Nothing is there before.
                folder.put_blindly(
                    &mut batch,
                    &format!("name-{number}"),
                    Secret::new(vec![7; 200]),
                );
            }
            barrier.commit(batch, NOW).await.unwrap();
        }
    }
    storage.checkpoint().await.unwrap();
    view
}
