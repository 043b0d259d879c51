//! The applied state: what one entry costs in memory, what a checkpoint and a read cost.

use crate::ground::{Filled, VALUE_BYTES, key, put, value};
use coffer::store::{Precondition, Revision};
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput};
use std::cell::{LazyCell, RefCell};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// The records that are written again and again, few enough for the overlay.
const HOT: usize = 1000;
/// The records of a store that no cache holds.
const STORED: usize = 10_000;

/// Applies entries to the overlay: blindly, and with the precondition that the record is as it was.
pub fn apply(criterion: &mut Criterion) {
    let filled = LazyCell::new(|| RefCell::new(Filled::new(0)));
    let mut group = criterion.benchmark_group("state/apply");
    let mut number = 0;
    let value = value(VALUE_BYTES);
    group.bench_function("put", |bencher| {
        let mut filled = filled.borrow_mut();
        bencher.iter(|| {
            number += 1;
            filled.apply(&put(key(number % HOT), value.clone()));
        });
    });
    group.bench_function("put-if-unchanged", |bencher| {
        let mut filled = filled.borrow_mut();
        let mut revision = Revision(0);
        bencher.iter(|| {
            let mut put = put(key(HOT), value.clone());
            if revision == Revision(0) {
                let found = filled.state.get(&key(HOT)).unwrap();
                revision = found.map_or(Revision(0), |found| found.revision);
            }
            let key = key(HOT);
            put.preconditions.push(Precondition { key, revision });
            filled.apply(&put);
            revision = Revision(filled.at.index);
        });
    });
    group.finish();
}

/// Saves overlays of different sizes; filling them is not measured.
pub fn checkpoint(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("state/checkpoint");
    group.sample_size(10);
    let value = value(VALUE_BYTES);
    for records in [10, 100, 1000] {
        let filled = LazyCell::new(|| RefCell::new(Filled::new(STORED)));
        group.throughput(Throughput::Elements(records as u64));
        group.bench_function(BenchmarkId::new("records", records), |bencher| {
            let mut filled = filled.borrow_mut();
            bencher.iter_custom(|rounds| {
                let mut spent = Duration::ZERO;
                for round in 0..rounds as usize {
                    for number in 0..records {
                        let number = (round * records + number * 7) % STORED;
                        filled.apply(&put(key(number), value.clone()));
                    }
                    let begun = Instant::now();
                    filled.state.checkpoint().unwrap();
                    spent += begun.elapsed();
                }
                spent
            });
        });
    }
    group.finish();
}

/// Reads single records, from where they may be.
pub fn read(criterion: &mut Criterion) {
    let filled = LazyCell::new(|| {
        let mut filled = Filled::new(STORED);
        filled.apply(&put(key(STORED), value(VALUE_BYTES)));
        filled
    });
    let mut group = criterion.benchmark_group("state/read");
    group.bench_function("hit/overlay", |bencher| {
        let state = &filled.state;
        let key = key(STORED);
        bencher.iter(|| black_box(state.get(&key).unwrap()).unwrap());
    });
    group.bench_function("hit/cache", |bencher| {
        let state = &filled.state;
        let key = key(0);
        bencher.iter(|| black_box(state.get(&key).unwrap()).unwrap());
    });
    let mut number = 0;
    group.bench_function("hit/store", |bencher| {
        let state = &filled.state;
        bencher.iter_batched_ref(
            || {
                number += 1;
                key(number * 7 % STORED)
            },
            |key| black_box(state.get(key).unwrap()).unwrap(),
            BatchSize::SmallInput,
        );
    });
    group.bench_function("miss/cache", |bencher| {
        let state = &filled.state;
        let key = key(2 * STORED);
        bencher.iter(|| assert!(state.get(&key).unwrap().is_none()));
    });
    let mut number = 3 * STORED;
    group.bench_function("miss/store", |bencher| {
        let state = &filled.state;
        bencher.iter_batched_ref(
            || {
                number += 1;
                key(number)
            },
            |key| assert!(state.get(key).unwrap().is_none()),
            BatchSize::SmallInput,
        );
    });
    group.finish();
}
