//! The catalog of keyspaces: names and options, which fjall keeps in a keyspace of its own.
//!
//! fjall takes the next sequence number at a start from the records, and overlooks the catalog: the
//! removal of a keyspace may have a higher one. A keyspace that is made then with the same id is
//! hidden by that removal from the next start on, and fjall deletes it. So the numbers go on after
//! the catalog's, and a state that an earlier release of coffer hid is brought back.
//!
//! It runs only before fjall opens the store, and holds fjall's lock meanwhile.

use super::form::MARK_KEY;
use super::{Mark, StateError};
use lsm_tree::{AbstractTree, AnyTree, Config, Guard, KvSeparationOptions};
use lsm_tree::{SequenceNumberCounter, UserKey, UserValue};
use rustix::fs::FlockOperation;
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

/// The id of the catalog.
const CATALOG: u64 = 0;
/// The longest wait for fjall's lock.
const LOCKED_WITHIN: Duration = Duration::from_millis(400);
/// The file that names the version of a keyspace's files; without it there is no keyspace.
const CURRENT: &str = "current";
/// Beginnings of the catalog's keys, before the keyspace's id in 8 bytes BE: an option, the name.
const OPTION: u8 = b'c';
const NAME: u8 = b'n';

impl From<lsm_tree::Error> for StateError {
    fn from(error: lsm_tree::Error) -> Self {
        fjall::Error::from(error).into()
    }
}

/// Returns the first sequence number after all of the catalog's.
///
/// # Errors
/// [`fjall::Error::Locked`] while another holder has the store open.
pub(super) fn next_seqno(path: &Path) -> Result<u64, StateError> {
    let Some(_lock) = lock(path)? else {
        return Ok(0);
    };
    let keyspaces = path.join("keyspaces");
    let Some(catalog) = open(&keyspaces, CATALOG, false)? else {
        return Ok(0);
    };
    bring_back(&keyspaces, &catalog)?;
    Ok(after(&catalog))
}

/// Takes fjall's lock, which a reader of a store that was closed may hold for a moment more; `None`
/// when there is no store yet.
fn lock(path: &Path) -> Result<Option<File>, StateError> {
    let file = match File::open(path.join("lock")) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(fjall::Error::Io(error).into()),
    };
    let begun = Instant::now();
    loop {
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(Some(file)),
            Err(Errno::WOULDBLOCK) if begun.elapsed() < LOCKED_WITHIN => {
                std::thread::sleep(LOCKED_WITHIN / 20);
            }
            Err(Errno::WOULDBLOCK) => return Err(fjall::Error::Locked.into()),
            Err(error) => return Err(fjall::Error::Io(error.into()).into()),
        }
    }
}

/// Opens the keyspace `id`; `None` when it is not whole.
fn open(keyspaces: &Path, id: u64, has_blobs: bool) -> Result<Option<AnyTree>, StateError> {
    let path = keyspaces.join(id.to_string());
    let is_whole = path.join(CURRENT).try_exists().map_err(fjall::Error::Io)?;
    if !is_whole {
        return Ok(None);
    }
    let (seqno, visible) = (
        SequenceNumberCounter::default(),
        SequenceNumberCounter::default(),
    );
    let tree = Config::new(path, seqno.clone(), visible)
        .with_kv_separation(has_blobs.then(KvSeparationOptions::default))
        .open()?;
    seqno.fetch_max(after(&tree));
    Ok(Some(tree))
}

fn after(tree: &AnyTree) -> u64 {
    tree.get_highest_seqno().map_or(0, |seqno| seqno + 1)
}

/// Names the newest state again, where the catalog hides it and no state that it shows is as new. A
/// keyspace that was removed on purpose is older than the one in force, or has no mark.
fn bring_back(keyspaces: &Path, catalog: &AnyTree) -> Result<(), StateError> {
    let (mut shown, mut hidden) = (Vec::new(), Vec::new());
    for id in ids(keyspaces).map_err(fjall::Error::Io)? {
        match catalog.get(catalog_key(NAME, id), u64::MAX)? {
            Some(_) => shown.push(id),
            None => hidden.push(id),
        }
    }
    let newest = |ids: Vec<u64>| -> Result<Option<(Mark, u64)>, StateError> {
        let mut newest: Option<(Mark, u64)> = None;
        for id in ids {
            let Some(mark) = mark(keyspaces, id)? else {
                continue;
            };
            if newest
                .as_ref()
                .is_none_or(|(other, _)| mark.position > other.position)
            {
                newest = Some((mark, id));
            }
        }
        Ok(newest)
    };
    // The usual case: nothing is opened twice.
    let Some((mark, id)) = newest(hidden)? else {
        return Ok(());
    };
    let in_force = newest(shown)?.and_then(|(mark, _)| mark.position);
    if mark.position <= in_force {
        return Ok(());
    }
    let Some(entries) = hidden_entries(catalog, id)? else {
        return Ok(());
    };
    let mut ingestion = catalog.ingestion()?;
    for (key, value) in entries {
        ingestion.write(key, value)?;
    }
    ingestion.finish()?;
    tracing::warn!(
        keyspace = id,
        "a state that the last start would have lost is in force again"
    );
    Ok(())
}

/// Lists the ids of all keyspaces that have files, but for the catalog.
fn ids(keyspaces: &Path) -> io::Result<Vec<u64>> {
    let mut ids = Vec::new();
    for entry in std::fs::read_dir(keyspaces)? {
        let name = entry?.file_name();
        let id = name.to_str().and_then(|name| name.parse::<u64>().ok());
        ids.extend(id.filter(|id| *id != CATALOG));
    }
    Ok(ids)
}

fn mark(keyspaces: &Path, id: u64) -> Result<Option<Mark>, StateError> {
    let Some(tree) = open(keyspaces, id, true)? else {
        return Ok(None);
    };
    let found = tree.get(MARK_KEY, u64::MAX)?;
    found.map(|bytes| Mark::decode(&bytes)).transpose()
}

/// Returns the entries of keyspace `id` as they were before the catalog hid them, in key order.
fn hidden_entries(
    catalog: &AnyTree,
    id: u64,
) -> Result<Option<Vec<(UserKey, UserValue)>>, StateError> {
    for seqno in (1..=after(catalog)).rev() {
        let Some(name) = catalog.get(catalog_key(NAME, id), seqno)? else {
            continue;
        };
        let mut entries = Vec::new();
        for entry in catalog.prefix(catalog_key(OPTION, id), seqno, None) {
            entries.push(entry.into_inner()?);
        }
        entries.push((catalog_key(NAME, id).into(), name));
        return Ok(Some(entries));
    }
    Ok(None)
}

fn catalog_key(kind: u8, id: u64) -> Vec<u8> {
    let mut key = vec![kind];
    key.extend_from_slice(&id.to_be_bytes());
    key
}
