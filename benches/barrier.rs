//! The barrier: records are sealed and opened, names encrypted, over a store that costs nothing.

use crate::ground::{NOW, value};
use coffer::barrier::{Batch, Unsealed};
use coffer::secret::Secret;
use coffer::store::{
    BoxFuture, CommitError, Observer, Op, ReadError, Record, Revision, Storage, StorageStatus,
    Transaction, Visit,
};
use criterion::{BenchmarkId, Criterion, Throughput};
use futures_util::FutureExt;
use std::hint::black_box;
use std::sync::{Arc, Mutex, Weak};

/// A store of one record: the last one that was written.
#[derive(Default)]
struct Last(Mutex<Option<Record>>);

impl Storage for Last {
    fn get(&self, _: &[u8]) -> Result<Option<Record>, ReadError> {
        Ok(self.0.lock().unwrap().clone())
    }

    fn scan(&self, _: &[u8], _: &mut dyn FnMut(&[u8]) -> Visit) -> Result<(), ReadError> {
        Ok(())
    }

    fn commit(&self, transaction: Transaction) -> BoxFuture<'_, Result<Revision, CommitError>> {
        let revision = Revision(1);
        if let Some(Op::Put { value, .. }) = transaction.ops.into_iter().next() {
            *self.0.lock().unwrap() = Some(Record { revision, value });
        }
        Box::pin(std::future::ready(Ok(revision)))
    }

    fn read_barrier(&self) -> BoxFuture<'_, Result<(), ReadError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn observe(&self, _: Weak<dyn Observer>) {}

    fn status(&self) -> StorageStatus {
        StorageStatus::default()
    }

    fn shutdown(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// Seals a batch of one record, and opens it.
pub fn seal_and_open(criterion: &mut Criterion) {
    let barrier = Unsealed::for_test(Arc::new(Last::default()));
    let view = barrier.view("secret/data/");
    let mut group = criterion.benchmark_group("barrier");
    for bytes in [256, 1 << 10, 4 << 10, 64 << 10] {
        let plaintext = value(bytes);
        let seal = || {
            let mut batch = Batch::new();
            view.put_blindly(&mut batch, "app/db", Secret::new(plaintext.to_vec()));
            let committed = barrier.commit(batch, NOW).now_or_never();
            committed.unwrap().unwrap().revision
        };
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_function(BenchmarkId::new("seal", bytes), |bencher| {
            bencher.iter(|| black_box(seal()));
        });
        seal();
        group.bench_function(BenchmarkId::new("open", bytes), |bencher| {
            bencher.iter(|| {
                let found = view.get("app/db").unwrap().unwrap();
                assert_eq!(found.value.expose().len(), bytes);
            });
        });
    }
    group.finish();
}

/// Encrypts paths below a mount, whose own name is encrypted once.
pub fn names(criterion: &mut Criterion) {
    let barrier = Unsealed::for_test(Arc::new(Last::default()));
    let view = barrier.view("logical/0d9e1c6a/metadata/");
    let mut group = criterion.benchmark_group("barrier/name");
    for segments in [1, 3, 8] {
        let path = vec!["segment-of-a-path"; segments].join("/");
        group.bench_function(BenchmarkId::new("segments", segments), |bencher| {
            bencher.iter(|| black_box(view.key(black_box(&path)).unwrap()));
        });
    }
    group.finish();
}
