//! Snapshots: the records of a checkpoint for a member, and the archive for an operator.

use crate::ground::{Filled, NOW, VALUE_BYTES};
use coffer::store::Key;
use coffer::store::archive::{self, Header};
use coffer::store::state::{Image, Mark, StateError};
use criterion::{Criterion, Throughput};
use std::cell::LazyCell;
use std::io::Write;

const RECORDS: usize = 2000;

/// Reads all records of a checkpoint, installs them elsewhere, writes and checks an archive.
pub fn stream_and_install(criterion: &mut Criterion) {
    let source = LazyCell::new(|| Filled::new(RECORDS));
    let target = LazyCell::new(|| Filled::new(0));
    let mut group = criterion.benchmark_group("snapshot");
    group.sample_size(10);
    group.throughput(Throughput::Bytes((RECORDS * VALUE_BYTES) as u64));
    group.bench_function("stream", |bencher| {
        let source = &*source;
        bencher.iter(|| {
            let (_, image) = source.state.image().unwrap().unwrap();
            assert_eq!(image.map(Result::unwrap).count(), RECORDS);
        });
    });
    group.bench_function("install", |bencher| {
        let (source, target) = (&*source, &*target);
        bencher.iter_batched(
            || copied(source),
            |(mark, image)| target.state.install(&mark, image).unwrap(),
            criterion::BatchSize::PerIteration,
        );
    });
    group.bench_function("archive/write", |bencher| {
        let source = &*source;
        bencher.iter(|| write(source, std::io::sink()));
    });
    let archive = LazyCell::new(|| write(&source, Vec::new()));
    group.bench_function("archive/check", |bencher| {
        let archive = archive.as_slice();
        bencher.iter(|| {
            let checked = archive::check(archive).unwrap();
            assert_eq!(checked.header().unwrap().records, RECORDS as u64);
        });
    });
    group.finish();
}

/// Returns the records as they come from the network: in memory.
fn copied(source: &Filled) -> (Mark, Image) {
    let (mark, image) = source.state.image().unwrap().unwrap();
    let records: Vec<_> = image.collect();
    (mark, Image::new(records.into_iter()))
}

fn write<W: Write>(source: &Filled, out: W) -> W {
    let view = source.state.view().unwrap().unwrap();
    let sizes = view.sizes().unwrap();
    let header = Header {
        cluster_id: "bench".into(),
        term: 1,
        index: source.at.index,
        time_floor: NOW,
        records: sizes.records,
        bytes: sizes.bytes,
    };
    let records = view.records();
    let records = records.map(|record: Result<(Key, _), StateError>| record);
    archive::write(out, &header, records, |sums| Ok(sums.to_vec())).unwrap()
}
