use super::*;
use crate::clock::Timestamp;
use crate::store::Precondition;
use crate::store::space::Pretended;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;

fn key(text: &str) -> Key {
    Key::copy_from_slice(text.as_bytes())
}

fn put(name: &str, value: &[u8]) -> Op {
    Op::Put {
        key: key(name),
        value: Bytes::copy_from_slice(value),
    }
}

fn run(state: &State, index: u64, ops: Vec<Op>, preconditions: Vec<Precondition>) -> bool {
    let transaction = Transaction {
        time: Timestamp(index),
        preconditions,
        ops,
    };
    state
        .apply(Position { term: 1, index }, Change::Run(&transaction, 10))
        .unwrap()
}

fn keys(state: &State, prefix: &str) -> Vec<String> {
    let mut found = Vec::new();
    state
        .scan(prefix.as_bytes(), &mut |key| {
            found.push(String::from_utf8(key.to_vec()).unwrap());
            Visit::Next
        })
        .unwrap();
    found
}

#[test]
fn a_checkpoint_survives_and_the_rest_does_not() {
    let dir = tempfile::tempdir().unwrap();
    {
        let state = State::open(dir.path(), Limits::default()).unwrap();
        assert!(run(
            &state,
            1,
            vec![put("a", b"1"), put("b", &[7; 2000])],
            vec![]
        ));
        assert_eq!(state.checkpoint().unwrap().position.unwrap().index, 1);
        assert!(run(
            &state,
            2,
            vec![put("c", b"3"), Op::Delete { key: key("a") }],
            vec![]
        ));
        assert_eq!(keys(&state, ""), ["b", "c"]);
        assert_eq!(state.get(b"a").unwrap(), None);
    }
    let state = State::open(dir.path(), Limits::default()).unwrap();
    assert_eq!(state.mark().position, Some(Position { term: 1, index: 1 }));
    assert_eq!(state.mark().time_floor, Timestamp(1));
    assert_eq!(keys(&state, ""), ["a", "b"]);
    let found = state.get(b"b").unwrap().unwrap();
    assert_eq!((found.revision, found.value.len()), (Revision(1), 2000));
}

#[test]
fn a_failed_precondition_changes_nothing_but_the_position() {
    let dir = tempfile::tempdir().unwrap();
    let state = State::open(dir.path(), Limits::default()).unwrap();
    run(&state, 1, vec![put("a", b"1")], vec![]);
    let absent = Precondition {
        key: key("a"),
        revision: Revision(0),
    };
    assert!(!run(
        &state,
        2,
        vec![put("a", b"2"), put("z", b"2")],
        vec![absent]
    ));
    assert_eq!(state.get(b"a").unwrap().unwrap().value, "1");
    assert_eq!(keys(&state, ""), ["a"]);
    assert_eq!(state.mark().position.unwrap().index, 2);
}

#[test]
fn tombstones_reach_fjall() {
    let dir = tempfile::tempdir().unwrap();
    let state = State::open(dir.path(), Limits::default()).unwrap();
    run(&state, 1, vec![put("a", b"1"), put("b", b"1")], vec![]);
    state.checkpoint().unwrap();
    run(&state, 2, vec![Op::Delete { key: key("a") }], vec![]);
    state.checkpoint().unwrap();
    assert!(!state.is_dirty());
    assert_eq!(state.get(b"a").unwrap(), None);
    assert_eq!(keys(&state, ""), ["b"]);
}

#[test]
fn scan_agrees_with_a_map_over_overlay_frozen_and_fjall() {
    let dir = tempfile::tempdir().unwrap();
    let state = State::open(dir.path(), Limits::default()).unwrap();
    let mut model = BTreeMap::new();
    let mut seed = 7u64;
    for index in 1..2000u64 {
        seed = seed
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        let name = format!(
            "{}/{:03}",
            if seed >> 40 & 1 == 0 { "x" } else { "y" },
            (seed >> 44) % 700
        );
        if (seed >> 60) < 4 {
            run(&state, index, vec![Op::Delete { key: key(&name) }], vec![]);
            model.remove(&name);
        } else {
            run(&state, index, vec![put(&name, b"v")], vec![]);
            model.insert(name, index);
        }
        if index % 600 == 0 {
            state.checkpoint().unwrap();
        }
    }
    let expected: Vec<String> = model
        .keys()
        .filter(|k| k.starts_with("x/"))
        .cloned()
        .collect();
    assert_eq!(keys(&state, "x/"), expected);
    let mut seeks = Vec::new();
    state
        .scan(b"", &mut |key| {
            seeks.push(key.to_vec());
            let mut target = key.get(..1).unwrap().to_vec();
            target.push(b'0');
            Visit::Seek(target)
        })
        .unwrap();
    assert_eq!(seeks.len(), 2, "one key of each folder");
}

#[test]
fn a_scan_loses_nothing_while_records_move_to_fjall() {
    let dir = tempfile::tempdir().unwrap();
    let state = State::open(dir.path(), Limits::default()).unwrap();
    let names: Vec<String> = (0..500).map(|n| format!("k{n:04}")).collect();
    run(
        &state,
        1,
        names.iter().map(|n| put(n, b"v")).collect(),
        vec![],
    );
    let mut found = Vec::new();
    state
        .scan(b"k", &mut |key| {
            if found.len() == 50 {
                state.checkpoint().unwrap();
            }
            found.push(String::from_utf8(key.to_vec()).unwrap());
            Visit::Next
        })
        .unwrap();
    assert_eq!(found, names);
}

#[test]
fn an_image_installs_into_a_fresh_keyspace_and_replaces_all() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let source = State::open(from.path(), Limits::default()).unwrap();
    run(
        &source,
        5,
        vec![put("a", b"1"), put("big", &[1; 4096])],
        vec![],
    );
    source.checkpoint().unwrap();
    {
        let state = State::open(to.path(), Limits::default()).unwrap();
        run(&state, 1, vec![put("old", b"1")], vec![]);
        state.checkpoint().unwrap();
        let (mark, image) = source.image().unwrap().unwrap();
        state.install(&mark, image).unwrap();
        assert_eq!(keys(&state, ""), ["a", "big"]);
        assert_eq!(state.mark(), source.mark());
    }
    let state = State::open(to.path(), Limits::default()).unwrap();
    assert_eq!(keys(&state, ""), ["a", "big"]);
    assert_eq!(state.get(b"big").unwrap().unwrap().value.len(), 4096);
}

#[test]
fn limits_ask_for_a_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    let limits = Limits {
        overlay_bytes_max: 10_000,
        ..Limits::default()
    };
    let state = State::open(dir.path(), limits).unwrap();
    run(&state, 1, vec![put("a", &[0; 9_000])], vec![]);
    assert!(!state.is_checkpoint_due());
    run(&state, 2, vec![put("b", &[0; 2_000])], vec![]);
    assert!(state.is_checkpoint_due());
    state.checkpoint().unwrap();
    assert!(!state.is_checkpoint_due());
}

/// A record that a reader keeps hot is never older than the applied one before it asked.
#[test]
fn a_hot_record_is_never_stale() {
    const ENTRIES: u64 = 600;
    let dir = tempfile::tempdir().unwrap();
    let state = State::open(dir.path(), Limits::default()).unwrap();
    let applied = std::sync::atomic::AtomicU64::new(0);
    let order = std::sync::atomic::Ordering::SeqCst;
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while applied.load(order) < ENTRIES {
                    let floor = applied.load(order);
                    let found = state.get(b"k").unwrap();
                    let revision = found.map_or(0, |record| record.revision.0);
                    assert!(revision >= floor, "{revision} after {floor} was applied");
                }
            });
        }
        for index in 1..=ENTRIES {
            let value = index.to_le_bytes().repeat(100);
            assert!(run(&state, index, vec![put("k", &value)], vec![]));
            applied.store(index, order);
            if index % 3 == 0 {
                state.checkpoint().unwrap();
            }
        }
    });
    let absent = state.get(b"none").unwrap();
    assert_eq!(absent, None);
    assert!(run(&state, ENTRIES + 1, vec![put("none", b"now")], vec![]));
    state.checkpoint().unwrap();
    assert!(state.get(b"none").unwrap().is_some(), "absence was kept");
}

#[test]
fn deleted_records_give_their_space_back_and_the_others_stay() {
    let dir = tempfile::tempdir().unwrap();
    let files = dir.path().join("state");
    let volume = Pretended::new(dir.path(), 20 << 20);
    let space = Space::open(dir.path(), Some(Arc::clone(&volume) as _));
    let state = State::open(&files, Limits::default()).unwrap();
    let state = state.within(Arc::clone(&space));
    let name = |n: u64| format!("k{n:04}");
    let value = |n: u64| n.to_le_bytes().repeat(500);
    for n in 0..800 {
        run(&state, n + 1, vec![put(&name(n), &value(n))], vec![]);
        if n % 100 == 99 {
            state.checkpoint().unwrap();
        }
    }
    let before = state.tree().disk_bytes();
    assert!(before > 3_000_000, "{before}");
    for n in (0..800).filter(|n| n % 8 != 0) {
        let gone = Op::Delete { key: key(&name(n)) };
        run(&state, 1000 + n, vec![gone], vec![]);
    }
    state.checkpoint().unwrap();
    assert!(
        state.tree().disk_bytes() >= before,
        "a checkpoint alone frees nothing"
    );
    assert!(space.look());
    state.give_back().unwrap();
    let after = on_disk(&files);
    // The files of the oldest quarter are rewritten each time, and those without a live value go.
    assert!(after < before / 5 * 3, "{after} of {before}");
    let holds = |state: &State| {
        for n in 0..800 {
            let found = state.get(name(n).as_bytes()).unwrap();
            assert_eq!(found.is_some(), n % 8 == 0, "{n}");
            assert!(found.is_none_or(|found| found.value == value(n)));
        }
    };
    holds(&state);
    run(&state, 3000, vec![put("more", b"1")], vec![]);
    state.checkpoint().unwrap();
    drop(state);
    let state = State::open(&files, Limits::default()).unwrap();
    holds(&state);
    assert_eq!(
        state.mark().position,
        Some(Position {
            term: 1,
            index: 3000
        })
    );
}

#[test]
fn a_merge_moves_a_quarter_of_the_files_and_asks_for_no_more() {
    let dir = tempfile::tempdir().unwrap();
    let files = dir.path().join("state");
    let state = State::open(&files, Limits::default()).unwrap();
    for n in 0..16 {
        let ops = (0..10).map(|k| put(&format!("k{n}-{k}"), &[k; 20_000]));
        run(&state, n + 1, ops.collect(), vec![]);
        state.checkpoint().unwrap();
    }
    let tree = state.tree();
    let full = tree.disk_bytes();
    assert!(tree.rewrite_bytes() < full / 16, "nothing is stale");
    for n in 0..16 {
        let gone = (0..5).map(|k| Op::Delete {
            key: key(&format!("k{n}-{k}")),
        });
        run(&state, 100 + n, gone.collect(), vec![]);
    }
    state.checkpoint().unwrap();
    tree.rewrite().unwrap();
    tree.forget_replaced().unwrap();
    assert!(tree.stale_bytes() > full / 3, "{}", tree.stale_bytes());
    let (asked, before) = (tree.rewrite_bytes(), on_disk(&files));
    assert!(asked < full / 4, "{asked} of {full}");
    tree.rewrite().unwrap();
    let most = on_disk(&files);
    assert!(most <= before + asked, "{most}, {before} and {asked}");
    tree.forget_replaced().unwrap();
    assert!(on_disk(&files) < before, "and some went");
}

#[test]
fn a_checkpoint_that_would_not_fit_is_not_begun() {
    let dir = tempfile::tempdir().unwrap();
    let files = dir.path().join("state");
    let volume = Pretended::new(dir.path(), 64 << 20);
    let space = Space::open(dir.path(), Some(Arc::clone(&volume) as _));
    let state = State::open(&files, Limits::default()).unwrap();
    let state = state.within(Arc::clone(&space));
    run(&state, 1, vec![put("a", &[1; 300_000])], vec![]);
    volume.set(100 << 10);
    assert!(matches!(state.checkpoint(), Err(StateError::DiskFull)));
    assert_eq!(space.account().reserve, 0, "the reserve was tried");
    assert_eq!(state.saved().position, None);
    assert!(state.get(b"a").unwrap().is_some(), "it stays readable");
    volume.set(1 << 20);
    state.checkpoint().unwrap();
    assert_eq!(state.saved().position, Some(Position { term: 1, index: 1 }));
}

/// Returns the bytes that all files below `folder` take; fjall's journal is one long hole.
fn on_disk(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let bytes = entries.map(|entry| match entry.metadata() {
        Ok(found) if found.is_dir() => on_disk(&entry.path()),
        Ok(found) => 512 * found.blocks(),
        Err(_) => 0,
    });
    bytes.sum()
}

fn image_of(names: &[&str]) -> Image {
    let items: Vec<ImageItem> = names
        .iter()
        .map(|name| {
            let record = Record {
                revision: Revision(7),
                value: Bytes::from_static(b"arrived"),
            };
            Ok((key(name), record))
        })
        .collect();
    Image::new(items.into_iter())
}

/// Leaves the number of a keyspace that was given up, in a store whose records have lower ones.
fn give_one_up(dir: &std::path::Path) {
    let state = State::open(dir, Limits::default()).unwrap();
    run(&state, 1, vec![put("old", b"1")], vec![]);
    state.checkpoint().unwrap();
    drop(state.receive(&mark_at(9), image_of(&["a"])).unwrap());
}

fn mark_at(index: u64) -> Mark {
    Mark {
        position: Some(Position { term: 2, index }),
        ..Mark::default()
    }
}

#[test]
fn a_state_that_arrives_after_another_was_given_up_survives_restarts() {
    let dir = tempfile::tempdir().unwrap();
    give_one_up(dir.path());
    let state = State::open(dir.path(), Limits::default()).unwrap();
    state.install(&mark_at(9), image_of(&["a", "b"])).unwrap();
    drop(state);
    for _ in 0..2 {
        let state = State::open(dir.path(), Limits::default()).unwrap();
        assert_eq!(state.mark(), mark_at(9));
        assert_eq!(keys(&state, ""), ["a", "b"]);
    }
}

#[test]
fn a_state_that_an_earlier_release_hid_is_brought_back() {
    let dir = tempfile::tempdir().unwrap();
    give_one_up(dir.path());
    {
        // As that release opened it.
        let opened = Tree::open_from(dir.path(), 1 << 20, 0).unwrap();
        let fresh = opened.tree.sibling(opened.next_number).unwrap();
        fresh.fill(image_of(&["a", "b"]), None).unwrap();
        fresh.make_whole(&mark_at(9), None).unwrap();
        opened.tree.retire().unwrap();
    }
    for _ in 0..2 {
        let state = State::open(dir.path(), Limits::default()).unwrap();
        assert_eq!(state.mark(), mark_at(9));
        assert_eq!(keys(&state, ""), ["a", "b"]);
    }
    // One that was removed on purpose stays away, although a power cut left its files.
    let state = State::open(dir.path(), Limits::default()).unwrap();
    let held = state.tree();
    state.install(&mark_at(12), image_of(&["c"])).unwrap();
    let left: Vec<_> = std::fs::read_dir(dir.path().join("keyspaces"))
        .unwrap()
        .collect();
    assert_eq!(left.len(), 3, "the catalog, the old and the new state");
    let copy = tempfile::tempdir().unwrap();
    copy_all(dir.path(), copy.path());
    drop((held, state));
    let state = State::open(copy.path(), Limits::default()).unwrap();
    assert_eq!(state.mark(), mark_at(12));
    assert_eq!(keys(&state, ""), ["c"]);
}

fn copy_all(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        let to = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy_all(&entry.path(), &to),
            false => drop(std::fs::copy(entry.path(), to).unwrap()),
        }
    }
}
