//! Commits until it is killed.

use bytes::Bytes;
use coffer::clock::Timestamp;
use coffer::raft::{Options, RaftStorage};
use coffer::store::state::Limits;
use coffer::store::{Key, Op, Precondition, Revision, Storage, Transaction};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

const WRITERS: u64 = 8;
/// Records that a writer keeps behind its head; older ones are deleted.
const TRAIL: u64 = 20;

/// Returns the next number of a small generator.
pub fn step(mut seed: u64) -> u64 {
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^ (seed << 17)
}

/// Opens `dir`, prints what it finds, and writes.
pub fn run(dir: &Path, seed: u64) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut options = Options::new(dir, "crash");
        // Small segments, so that checkpoints and new segments come often.
        options.segment_bytes = 64 << 10;
        options.log_bytes_kept = 64 << 10;
        options.limits = Limits {
            overlay_bytes_max: 32 << 10,
            replay_bytes_max: 96 << 10,
            ..Limits::default()
        };
        let storage = RaftStorage::open(options).await.unwrap();
        storage.found().await.unwrap();
        let found: Vec<u64> = (0..WRITERS).map(|writer| look(&storage, writer)).collect();
        storage.become_leader().await.unwrap();
        say("ready");
        let writers = found.into_iter().zip(0..).map(|(from, writer)| {
            let storage = Arc::clone(&storage);
            tokio::spawn(write(storage, writer, from, seed ^ (writer + 1)))
        });
        for writer in writers.collect::<Vec<_>>() {
            writer.await.unwrap();
        }
    });
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("{line}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}

fn key(writer: u64, what: &str) -> Key {
    Key::from(format!("{writer}/{what}"))
}

/// Returns the bytes of number `n`: its digits, then as many fillers as it gives.
fn value(n: u64) -> Bytes {
    let size = usize::try_from(step(n * 2 + 1) % 1800).unwrap();
    let mut bytes = n.to_le_bytes().to_vec();
    bytes.resize(8 + size, u8::try_from(n % 251).unwrap());
    Bytes::from(bytes)
}

/// Checks a writer's records: two heads that change together, and a trail without a gap.
fn look(storage: &RaftStorage, writer: u64) -> u64 {
    let get = |what: &str| storage.get(&key(writer, what)).unwrap();
    let (head, twin) = (get("head"), get("twin"));
    let number = |bytes: &Bytes| u64::from_le_bytes(bytes[..8].try_into().unwrap());
    let n = head.as_ref().map_or(0, |record| number(&record.value));
    say(&format!("found {writer} {n}"));
    if head.as_ref().map(|r| (r.revision, &r.value))
        != twin.as_ref().map(|r| (r.revision, &r.value))
    {
        say(&format!("torn {writer} heads at {n}"));
    }
    if n > 0 && head.is_none_or(|record| record.value != value(n)) {
        say(&format!("torn {writer} value at {n}"));
    }
    for at in 1..=n {
        let there = get(&format!("trail/{at:012}")).map(|record| number(&record.value));
        let expected = (at + TRAIL > n).then_some(at);
        if at + 2 * TRAIL > n && there != expected {
            say(&format!("torn {writer} trail {at} of {n}: {there:?}"));
        }
    }
    n
}

async fn write(storage: Arc<RaftStorage>, writer: u64, mut n: u64, mut dice: u64) {
    let mut revision = storage
        .get(&key(writer, "head"))
        .unwrap()
        .map_or(Revision(0), |record| record.revision);
    loop {
        dice = step(dice);
        if dice.is_multiple_of(3) {
            tokio::task::yield_now().await;
        }
        n += 1;
        let put = |what: &str| Op::Put {
            key: key(writer, what),
            value: value(n),
        };
        let mut ops = vec![put("head"), put("twin"), put(&format!("trail/{n:012}"))];
        if let Some(old) = n.checked_sub(TRAIL).filter(|old| *old > 0) {
            ops.push(Op::Delete {
                key: key(writer, &format!("trail/{old:012}")),
            });
        }
        let intent = storage.announce_write();
        let committed = storage
            .commit(Transaction {
                time: Timestamp(n),
                preconditions: vec![Precondition {
                    key: key(writer, "head"),
                    revision,
                }],
                ops,
            })
            .await;
        drop(intent);
        revision = committed.unwrap();
        say(&format!("ack {writer} {n}"));
    }
}
