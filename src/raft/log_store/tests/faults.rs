//! Cuts, flips, lost and reordered blocks, over logs of many shapes.

use super::disk::{BLOCK, Block, Dice, Disk};
use super::*;
use std::path::PathBuf;

/// A log after each of its writes.
struct History {
    steps: Vec<Step>,
}

struct Step {
    disk: Disk,
    content: Content,
    /// The blocks that this write changed.
    blocks: Vec<Block>,
}

/// Does `count` random things, each waited for, and copies the disk after each.
async fn history(seed: u64, count: usize) -> History {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path()).unwrap();
    let mut dice = Dice(seed);
    let mut now = Content::default();
    let (mut term, mut next) = (1, 0);
    let mut steps = vec![Step {
        disk: Disk::of(dir.path()),
        content: now.clone(),
        blocks: Vec::new(),
    }];
    for _ in 0..count {
        match dice.roll(12) {
            0 => {
                term += 1;
                let vote = Vote::new_committed(term, 1);
                store.save_vote(&vote).await.unwrap();
                now.vote = Some(vote);
            }
            1 if now.entries.len() > 3 => {
                let last = now.entries[now.entries.len() - 1 - dice.roll(3)].log_id();
                store.truncate_after(Some(last)).await.unwrap();
                now.entries.retain(|entry| entry.log_id() <= last);
                next = last.index() + 1;
            }
            2 if now.entries.len() > 8 => {
                let upto = now.entries[now.entries.len() - 3].log_id();
                let flushes = store.flushes();
                store.purge(upto).await.unwrap();
                // Nobody waits for it but this test.
                while store.flushes() == flushes {
                    tokio::time::sleep(std::time::Duration::from_millis(1)).await;
                }
                now.entries.retain(|entry| entry.log_id() > upto);
                now.purged = Some(upto.index());
            }
            _ => {
                let entries: Vec<_> = (0..1 + dice.roll(3))
                    .map(|n| entry(term, next + u64::try_from(n).unwrap(), dice.roll(1800)))
                    .collect();
                next += u64::try_from(entries.len()).unwrap();
                now.entries.extend(entries.iter().cloned());
                append(&mut store, entries).await;
            }
        }
        let disk = Disk::of(dir.path());
        let blocks = steps.last().unwrap().disk.changed(&disk);
        steps.push(Step {
            disk,
            content: now.clone(),
            blocks,
        });
    }
    store.close();
    History { steps }
}

/// Returns a position that a state may have reached before as well as after a write: three of four
/// of the entries that are in both.
fn applied(before: &Content, after: &Content) -> Option<Position> {
    let both = before.entries.iter().filter(|e| after.entries.contains(e));
    let both: Vec<_> = both.collect();
    let entry = both.get(both.len() * 3 / 4)?;
    Some(crate::raft::wire::types::position(&entry.log_id()))
}

#[tokio::test]
async fn a_write_cut_short_anyhow_is_there_whole_or_not_at_all() {
    let (mut tried, mut rolled) = (0, 0);
    for seed in [77, 4242, 90_001] {
        let history = history(seed, 60).await;
        let scratch = tempfile::tempdir().unwrap();
        let mut there = None;
        let mut dice = Dice(seed);
        for pair in history.steps.windows(2) {
            let [before, after] = pair else { panic!() };
            rolled += usize::from(after.blocks.iter().any(|(_, number)| *number == 0));
            // Cut after every block, then blocks lost and reordered at random.
            let cuts = (0..=after.blocks.len()).map(|end| after.blocks[..end].to_vec());
            let mut subsets: Vec<Vec<Block>> = cuts.collect();
            for _ in 0..8 {
                let kept = after.blocks.iter().filter(|_| dice.roll(2) == 0);
                subsets.push(kept.cloned().collect());
            }
            let reached = applied(&before.content, &after.content);
            for (subset, applied) in subsets.iter().flat_map(|s| [(s, None), (s, reached)]) {
                tried += 1;
                before
                    .disk
                    .with(&after.disk, subset)
                    .put(scratch.path(), &mut there);
                let found = recovered(scratch.path(), applied)
                    .unwrap_or_else(|error| panic!("seed {seed}: {error}"));
                let is_old = before.content.matches(&found, applied);
                let is_new = after.content.matches(&found, applied);
                assert!(is_old || is_new, "seed {seed}: half a write");
                assert!(
                    is_new || subset.len() < after.blocks.len(),
                    "seed {seed}: a lost write"
                );
            }
        }
    }
    assert!(
        tried > 1000 && rolled > 8,
        "{tried} cuts, {rolled} segments"
    );
}

#[tokio::test]
async fn damage_to_what_was_acknowledged_is_told_and_nothing_is_touched() {
    let (mut refused, mut harmless) = (0, 0);
    for seed in [5, 1234, 999_983] {
        let history = history(seed, 60).await;
        let last = history.steps.last().unwrap();
        let before_last = &history.steps[history.steps.len() - 2];
        let scratch = tempfile::tempdir().unwrap();
        let mut there = None;
        let mut dice = Dice(seed);
        for (name, bytes) in &last.disk.0 {
            for number in 0..bytes.len() / BLOCK {
                let mut disk = last.disk.clone();
                let at = number * BLOCK + dice.roll(BLOCK);
                disk.0.get_mut(name).unwrap()[at] ^= 1 << dice.roll(8);
                disk.put(scratch.path(), &mut there);
                let in_last = last.blocks.contains(&(name.clone(), number));
                for applied in [None, applied(&before_last.content, &last.content)] {
                    match recovered(scratch.path(), applied) {
                        // Past the end, or in a segment that was purged or is not needed.
                        Ok(found) if last.content.matches(&found, applied) => harmless += 1,
                        // The last write looks like one that was cut short: the known limit.
                        Ok(found) if before_last.content.matches(&found, applied) => {
                            assert!(in_last);
                        }
                        Ok(_) => panic!("seed {seed}: writes vanished silently at {name} {number}"),
                        Err(LogError::Damaged { .. } | LogError::Incomplete(_)) => refused += 1,
                        Err(error) => panic!("seed {seed}: {error}"),
                    }
                }
                assert!(Disk::of(scratch.path()) == disk, "files were touched");
            }
        }
    }
    assert!(
        refused > 30 && harmless > 30,
        "{refused} refused, {harmless} harmless"
    );
}

#[tokio::test]
async fn a_cut_or_missing_file_is_told() {
    let history = history(11, 50).await;
    let last = history.steps.last().unwrap();
    for (name, bytes) in &last.disk.0 {
        for size in (0..bytes.len()).step_by(BLOCK) {
            let scratch = tempfile::tempdir().unwrap();
            let mut disk = last.disk.clone();
            disk.0.get_mut(name).unwrap().truncate(size);
            disk.put(scratch.path(), &mut None);
            let error = recovered(scratch.path(), None).unwrap_err();
            assert!(error.to_string().contains("cut short"), "{error}");
        }
    }
    let live = recover_files(&last.disk);
    let (newest, older) = live.split_last().unwrap();
    assert!(!older.is_empty());
    for name in older {
        let scratch = tempfile::tempdir().unwrap();
        let mut disk = last.disk.clone();
        disk.0.remove(name);
        disk.put(scratch.path(), &mut None);
        assert!(
            recovered(scratch.path(), None).is_err(),
            "{name} is needed beside {newest}"
        );
        let all = last.content.entries.last().unwrap();
        let all = Some(crate::raft::wire::types::position(&all.log_id()));
        let found = recover(scratch.path(), LOG_ID, all).unwrap();
        assert_eq!(found.live.len(), 1, "the state has what {name} had");
        assert!(last.content.matches(&content(&found), all));
    }
}

/// Returns the names of the segments in use, oldest first.
fn recover_files(disk: &Disk) -> Vec<String> {
    let scratch = tempfile::tempdir().unwrap();
    disk.put(scratch.path(), &mut None);
    let found = recover(scratch.path(), LOG_ID, None).unwrap();
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    found
        .live
        .iter()
        .map(|segment| name(segment.file.path()))
        .collect()
}

/// Segments whose entries the state has are written over, and no record of the log tells of that.
#[tokio::test]
async fn a_log_goes_on_over_segments_that_the_state_made_needless() {
    let dir = tempfile::tempdir().unwrap();
    let (mut next, mut applied) = (0, None);
    for round in 0..30u64 {
        let options = LogOptions {
            applied,
            ..options(dir.path())
        };
        let (mut store, _) = LogStore::open(&options, 1, Arc::new(Poison::default())).unwrap();
        let last = store
            .entries(0, u64::MAX)
            .unwrap()
            .last()
            .map(|e| e.index());
        assert!(last.is_none_or(|last| last + 1 == next), "{last:?} {next}");
        assert!(last.is_some() || applied.is_none_or(|at| at.index + 1 == next));
        for _ in 0..20 {
            append(&mut store, vec![entry(round + 1, next, 900)]).await;
            next += 1;
        }
        store.close();
        let index = next - 1 - round % 3;
        applied = Some(Position {
            term: round + 1,
            index,
        });
    }
    let files = std::fs::read_dir(dir.path()).unwrap().count();
    assert!(files <= 4, "segments are recycled: {files} files");
}

/// Makes a segment that begins with a group larger than any front that is looked at, in a file that
/// held another segment before. Returns the files of the log as they were before that one, newest
/// last.
async fn large_after(dir: &Path, fills: u64) -> Vec<(PathBuf, Vec<u8>)> {
    let options = LogOptions {
        segment_bytes: 512 << 10,
        ..options(dir)
    };
    let (mut store, _) = LogStore::open(&options, 1, Arc::new(Poison::default())).unwrap();
    let mut next = 0;
    for _ in 0..fills {
        for _ in 0..16 {
            append(&mut store, vec![entry(1, next, 30 << 10)]).await;
            next += 1;
        }
        store
            .purge(log_id(Position {
                term: 1,
                index: next - 2,
            }))
            .await
            .unwrap();
    }
    let before = files(dir);
    append(&mut store, vec![entry(1, next, 200 << 10)]).await;
    append(&mut store, vec![entry(1, next + 1, 900)]).await;
    store.close();
    before
}

fn files(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let paths = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path());
    paths
        .map(|path| (path.clone(), std::fs::read(path).unwrap()))
        .collect()
}

/// The card lost the first block of a segment and nothing else: the block that stood there before
/// is back.
#[tokio::test]
async fn a_lost_first_block_is_told_however_large_its_group_was() {
    let mut reused = 0;
    for fills in 1..6 {
        let dir = tempfile::tempdir().unwrap();
        let before = large_after(dir.path(), fills).await;
        for (path, mut bytes) in files(dir.path()) {
            let old = before.iter().find(|(old, _)| *old == path);
            let old = old.map(|(_, bytes)| bytes.as_slice());
            let front = old.and_then(|old| old.get(..4096)).unwrap_or(&[0; 4096]);
            let whole = bytes.clone();
            if bytes.get(..4096) == Some(front) {
                continue;
            }
            reused += usize::from(front.iter().any(|byte| *byte != 0));
            bytes[..4096].copy_from_slice(front);
            std::fs::write(&path, &bytes).unwrap();
            let found = recovered(dir.path(), None);
            assert!(found.is_err(), "{fills}: two acknowledged writes vanished");
            std::fs::write(&path, &whole).unwrap();
            recovered(dir.path(), None).unwrap();
        }
    }
    assert!(reused > 0, "no segment was recycled");
}

/// A segment was cut short when it was begun, and begun again in another file.
#[tokio::test]
async fn a_segment_that_was_begun_twice_is_found_whatever_the_files_are_called() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path()).unwrap();
    let mut index = 0;
    while files(dir.path()).len() < 4 {
        append(&mut store, vec![entry(1, index, 3000)]).await;
        index += 1;
    }
    let upto = log_id(Position {
        term: 1,
        index: index - 1,
    });
    store.purge(upto).await.unwrap();
    let mut before = Disk::of(dir.path());
    // Until it rolls.
    let (file, after) = loop {
        append(&mut store, vec![entry(1, index, 3000)]).await;
        index += 1;
        let after = Disk::of(dir.path());
        let changed = before.changed(&after);
        if let Some((file, _)) = changed.iter().find(|(_, number)| *number == 0) {
            break (file.clone(), after);
        }
        before = after;
    };
    store.close();
    let last = Disk::of(dir.path()).0;
    let found = recover(dir.path(), LOG_ID, None).unwrap();
    let live: Vec<_> = found
        .live
        .iter()
        .map(|segment| segment.file.path())
        .collect();
    let is_free = |name: &str| !live.iter().any(|path| path.ends_with(name));
    let other = last
        .keys()
        .find(|name| **name != file && is_free(name))
        .unwrap();
    for (torn, whole) in [(&file, other), (other, &file)] {
        let mut disk = after.clone();
        let mut cut = before.0[torn].clone();
        cut[..BLOCK].copy_from_slice(&after.0[&file][..BLOCK]);
        disk.0.insert(torn.clone(), cut);
        disk.0.insert(whole.clone(), after.0[&file].clone());
        let scratch = tempfile::tempdir().unwrap();
        disk.put(scratch.path(), &mut None);
        let found = recovered(scratch.path(), None)
            .unwrap_or_else(|error| panic!("{torn} is cut, {whole} whole: {error}"));
        assert_eq!(found.entries.last().map(RaftEntry::index), Some(index - 1));
    }
}

/// A stop at a checkpoint leaves little to read.
#[tokio::test]
async fn a_log_whose_entries_the_state_has_goes_on_in_the_next_segment() {
    for has_all in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let options = LogOptions {
            segment_bytes: 256 << 10,
            ..options(dir.path())
        };
        let (mut store, _) = LogStore::open(&options, 1, Arc::new(Poison::default())).unwrap();
        let vote = Vote::new_committed(3, 1);
        store.save_vote(&vote).await.unwrap();
        for index in 0..15 {
            append(&mut store, vec![entry(3, index, 20 << 10)]).await;
        }
        store
            .purge(log_id(Position { term: 3, index: 12 }))
            .await
            .unwrap();
        append(&mut store, vec![entry(3, 15, 90 << 10)]).await;
        let applied = Some(Position { term: 3, index: 15 });
        let behind = Some(Position { term: 3, index: 13 });
        store.leave_segment(if has_all { applied } else { behind });
        store.close();
        let found = recover(dir.path(), LOG_ID, applied).unwrap();
        assert_eq!(found.index.vote, Some(vote));
        assert_eq!(found.offset < 8 << 10, has_all, "{}", found.offset);
        assert_eq!(content(&found).entries.is_empty(), has_all);
        // A state that lags behind still finds all that it lacks.
        let found = content(&recover(dir.path(), LOG_ID, behind).unwrap());
        let indexes: Vec<_> = found.entries.iter().map(RaftEntry::index).collect();
        assert!(indexes.ends_with(&[14, 15]), "{indexes:?}");
    }
}

/// The card lost one write into a recycled segment, and kept all later ones.
#[tokio::test]
async fn a_lost_write_amid_others_is_told_although_older_groups_stand_there_again() {
    const WRITES: u64 = 14;
    let dir = tempfile::tempdir().unwrap();
    let options = LogOptions {
        segment_bytes: 512 << 10,
        ..options(dir.path())
    };
    let (mut store, _) = LogStore::open(&options, 1, Arc::new(Poison::default())).unwrap();
    let mut pictures = Vec::new();
    for index in 0..60 + WRITES {
        append(
            &mut store,
            vec![entry(
                1,
                index,
                if index % 3 == 0 { 100 << 10 } else { 20 << 10 },
            )],
        )
        .await;
        if index % 20 == 19 {
            store
                .purge(log_id(Position { term: 1, index }))
                .await
                .unwrap();
        }
        if index >= 60 {
            pictures.push(files(dir.path()));
        }
    }
    store.close();
    let last = pictures.last().unwrap().clone();
    let (mut lost, mut recycled) = (0, 0);
    for (pair, number) in pictures.windows(2).zip(1..) {
        let [before, after] = pair else { panic!() };
        for ((path, old), (_, new)) in before.iter().zip(after) {
            let changed: Vec<_> = (0..old.len()).filter(|at| old[*at] != new[*at]).collect();
            let (Some(first), Some(end)) = (changed.first(), changed.last()) else {
                continue;
            };
            let (first, end) = (first / BLOCK * BLOCK, (end + 1).next_multiple_of(BLOCK));
            if first == 0 && end > 64 << 10 {
                // So large a first write is the known limit.
                continue;
            }
            recycled += usize::from(old[first..end].iter().any(|byte| *byte != 0));
            let mut bytes = std::fs::read(path).unwrap();
            bytes[first..end].copy_from_slice(&old[first..end]);
            std::fs::write(path, &bytes).unwrap();
            let is_last = number == pictures.len() - 1;
            assert_eq!(
                recovered(dir.path(), None).is_err(),
                !is_last,
                "write {number}"
            );
            lost += 1;
        }
        for (path, bytes) in &last {
            std::fs::write(path, bytes).unwrap();
        }
        assert_eq!(
            recovered(dir.path(), None).unwrap().entries.len() as u64,
            WRITES
        );
    }
    assert!(
        lost >= 9 && recycled >= 5,
        "{lost} lost, {recycled} over older writes"
    );
}

#[tokio::test]
async fn a_recovered_log_is_written_on_and_recovers_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut next = 0;
    for round in 0..30u64 {
        let mut store = open(dir.path()).unwrap();
        assert_eq!(
            store
                .entries(0, u64::MAX)
                .unwrap()
                .last()
                .map(|e| e.index() + 1),
            match next {
                0 => None,
                next => Some(next),
            }
        );
        for _ in 0..7 {
            append(&mut store, vec![entry(round + 1, next, 900)]).await;
            next += 1;
        }
        if next > 40 {
            let upto = store.entries(next - 20, next - 19).unwrap()[0].log_id();
            store.purge(upto).await.unwrap();
        }
        store.close();
    }
    let files = std::fs::read_dir(dir.path()).unwrap().count();
    assert!(files <= 6, "segments are recycled: {files} files");
}

#[test]
fn an_empty_log_beside_a_state_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let options = LogOptions {
        applied: Some(Position { term: 1, index: 4 }),
        ..options(dir.path())
    };
    let opened = LogStore::open(&options, 1, Arc::new(Poison::default()));
    assert!(matches!(opened, Err(LogError::Incomplete(_))));
}
