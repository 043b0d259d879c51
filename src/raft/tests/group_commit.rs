//! The flushes that writers cost, alone and together.

use super::*;
use std::time::{Duration, Instant};

const PUT_BYTES: usize = 1400;

async fn write(storage: Arc<RaftStorage>, writer: usize, count: usize) {
    for n in 0..count {
        let _intent = storage.announce_write();
        let put = put(&format!("{writer}/{n}"), &[7; PUT_BYTES]);
        storage.commit(put).await.unwrap();
    }
}

/// Returns the flushes per put of `writers` that each put `count` times, one after the other.
async fn flushes(storage: &Arc<RaftStorage>, writers: usize, count: usize) -> (f64, Duration) {
    let (before, begun) = (storage.flushes(), Instant::now());
    let tasks = (0..writers).map(|writer| tokio::spawn(write(storage.clone(), writer, count)));
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    let flushes = storage.flushes() - before;
    let puts = u32::try_from(writers * count).unwrap();
    (flushes as f64 / f64::from(puts), begun.elapsed() / puts)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_writers_share_flushes_and_one_does_not_wait() {
    let dir = tempfile::tempdir().unwrap();
    let begun = Instant::now();
    let storage = open(dir.path()).await;
    let opened = begun.elapsed();
    storage.become_leader().await.unwrap();
    println!("open {opened:?}, lead {:?}", begun.elapsed() - opened);
    let (alone, time_alone) = flushes(&storage, 1, 300).await;
    let (together, time_together) = flushes(&storage, 64, 60).await;
    println!("1: {alone:.3} flushes, {time_alone:?}; 64: {together:.4} flushes, {time_together:?}");
    assert!(alone <= 1.1, "{alone} flushes per put of one writer");
    assert!(together <= 0.08, "{together} flushes per put of 64 writers");
    let before = storage.flushes();
    let one = Instant::now();
    storage.commit(put("one", b"1")).await.unwrap();
    println!("one more: {:?}", one.elapsed());
    assert_eq!(storage.flushes() - before, 1);
    storage.shutdown().await;
    drop(storage);
    let begun = Instant::now();
    let storage = open(dir.path()).await;
    println!("open again {:?}", begun.elapsed());
    storage.shutdown().await;
}
