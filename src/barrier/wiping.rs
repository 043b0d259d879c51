//! Test: after sealing, none of the keys that open stored data is left in the process's memory.
//!
//! Not covered: the derived key of the name stream. The stream cipher spills it to the stack of
//! each thread that used it, where it stays until other calls overwrite it. It deciphers names, no
//! values; locked memory and no core dumps keep it off the disk.

use super::tests::{NOW, initialized, put, read};
use super::{ClusterKey, Sealed, Unsealed};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::sync::Arc;

/// The size of the halves in which keys are looked for, each kept under a mask so as not to find
/// itself.
const HALF_BYTES: usize = 16;
const MASK: u8 = 0xa5;

fn masked(key: &[u8]) -> Vec<[u8; HALF_BYTES]> {
    let (halves, _) = key.as_chunks::<HALF_BYTES>();
    halves
        .iter()
        .map(|half| half.map(|byte| byte ^ MASK))
        .collect()
}

fn keys_in_use(barrier: &Arc<Unsealed>) -> Vec<(&'static str, Vec<[u8; HALF_BYTES]>)> {
    let keys = barrier.keys().unwrap();
    vec![
        ("root key", masked(keys.root_key.expose())),
        ("path key", masked(keys.keyring.path_key.expose())),
        (
            "derivation key",
            masked(keys.keyring.derivation_key.expose()),
        ),
        (
            "record key",
            masked(keys.keyring.active().cipher.key().expose()),
        ),
        ("forwarding key", masked(keys.forwarding.key().expose())),
    ]
}

/// Counts the halves of each key that are somewhere in writable memory.
fn found(keys: &[(&'static str, Vec<[u8; HALF_BYTES]>)]) -> Vec<(&'static str, usize)> {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let mut memory = File::open("/proc/self/mem").unwrap();
    let mut counts: Vec<_> = keys.iter().map(|(name, _)| (*name, 0)).collect();
    for line in maps.lines().filter(|line| line.contains(" rw")) {
        let range = line.split(' ').next().unwrap();
        let (start, end) = range.split_once('-').unwrap();
        let address = |hex| u64::from_str_radix(hex, 16).unwrap();
        let (start, end) = (address(start), address(end));
        let mut content = vec![0; usize::try_from(end - start).unwrap()];
        memory.seek(SeekFrom::Start(start)).unwrap();
        if memory.read_exact(&mut content).is_err() {
            continue; // a guard page, or gone meanwhile
        }
        content.iter_mut().for_each(|byte| *byte ^= MASK);
        for (count, (_, halves)) in counts.iter_mut().zip(keys) {
            count.1 += halves
                .iter()
                .map(|half| hits(&content, half))
                .sum::<usize>();
        }
        // Under its mask the copy is of the same form as the patterns: take it out of the way.
        content.fill(0);
        std::hint::black_box(&content);
    }
    counts
}

/// Counts the places of `half` in `content`. Keys are aligned to words, on the heap and on the
/// stack.
fn hits(content: &[u8], half: &[u8; HALF_BYTES]) -> usize {
    let words = content.len() / 4;
    (0..words)
        .filter(|word| content[word * 4] == half[0] && content[word * 4..].starts_with(half))
        .count()
}

#[test]
fn sealing_leaves_no_key_in_memory() {
    let (storage, seal_key, first) = initialized();
    put(&first, "a/b", "value");
    first.seal();
    drop(first);
    let barrier = Sealed::new(storage).unseal(&seal_key).unwrap();
    drop(seal_key);
    let view = barrier.view("a/");
    put(&barrier, "a/c", "value");
    assert_eq!(read(&barrier, "a/b").unwrap().unwrap(), "value");
    assert_eq!(view.list("").unwrap(), ["b", "c"]);
    barrier.mac("domain", b"data").unwrap();
    let blob = barrier.seal_blob("domain", b"data").unwrap();
    barrier.open_blob("domain", &blob).unwrap();
    let mut message = Vec::new();
    barrier
        .seal_message(&[b"context"], b"data", &mut message)
        .unwrap();
    barrier.open_message(&[b"context"], &message).unwrap();
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(barrier.rotate(NOW))
        .unwrap();

    let cluster_key = barrier.cluster_key(ClusterKey::Leadership).unwrap();
    let mut keys = keys_in_use(&barrier);
    keys.push(("cluster key", masked(cluster_key.expose())));
    for (name, count) in found(&keys) {
        assert!(count >= 2, "{name} must be there while unsealed: {count}");
    }
    drop(cluster_key);
    barrier.seal(); // the handles `barrier` and `view` stay
    for (name, count) in found(&keys) {
        assert_eq!(count, 0, "{name} is still in memory");
    }
    drop(view);
}
