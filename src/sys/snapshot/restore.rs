//! The restoring of a snapshot.

use super::incoming::{ensure_space, receive, refusal};
use super::{archive_error, internal, is_ours};
use crate::barrier::Unsealed;
use crate::store::archive::{self, ArchiveError, Checked};
use crate::store::{Key, Records, RestoreError};
use crate::stream::Chunks;
use crate::sys::ports::LifecycleError;
use bytes::Bytes;
use std::fs::File;
use std::io::{self, Seek};
use std::sync::Arc;
use std::sync::mpsc;

/// The refusal of another cluster's snapshot, in OpenBao's words.
const FOREIGN: &str = "could not verify hash file, possibly the snapshot is using a different set \
                       of unseal keys; use the snapshot-force API to bypass this check";
/// Writes of each byte restored: to the log, and to the state it goes to.
const COPIES: u64 = 2;
/// Most records that were read and are not in the log yet.
const RECORDS_WAITING: usize = 1;

/// Replaces everything by the snapshot in `body`. With `force` also by another cluster's: then
/// the keys do not fit, and every node seals itself.
pub async fn restore(
    barrier: &Arc<Unsealed>,
    body: Chunks,
    force: bool,
) -> Result<(), LifecycleError> {
    let storage = Arc::clone(barrier.storage());
    let scratch = receive(&*storage, body).await?;
    let file = scratch.file.try_clone().map_err(internal)?;
    let checking = tokio::task::spawn_blocking(move || check(file));
    let checked = checking.await.map_err(internal)??;
    let is_ours = is_ours(barrier, &checked.sums, &checked.sealed).map_err(internal)?;
    if !force && !is_ours {
        return Err(LifecycleError::Invalid(FOREIGN.into()));
    }
    let header = checked.header().map_err(archive_error)?.clone();
    let file = scratch.file.try_clone().map_err(internal)?;
    // Of another cluster's snapshot nobody will hold the keys that proofs were made with until now.
    let records = barrier.restorable(records(file).map_err(internal)?, !is_ours);
    let Some(whole) = storage.whole() else {
        return Err(internal("the store has gone"));
    };
    crate::telemetry::info!(
        index = header.index,
        records = header.records,
        cluster_id = header.cluster_id,
        force,
        "restoring a snapshot"
    );
    let restored = whole.restore(records, header.time_floor).await;
    drop(scratch);
    let revision = restored.map_err(|error| match error {
        RestoreError::Superseded => LifecycleError::Unavailable(error.to_string()),
        RestoreError::Commit(error) => LifecycleError::Commit(error),
        error @ RestoreError::Records(_) => internal(error),
    })?;
    crate::telemetry::info!(at = revision.0, "restored a snapshot");
    Ok(())
}

/// Reads the whole archive and checks it, before anything changes.
fn check(mut file: File) -> Result<Checked, LifecycleError> {
    let checked = archive::check(&file).map_err(archive_error)?;
    let header = checked.header().map_err(archive_error)?;
    ensure_space(&file, header.bytes.saturating_mul(COPIES)).map_err(|error| refusal(&error))?;
    file.rewind().map_err(internal)?;
    Ok(checked)
}

/// Returns the archive's records, read on a thread of their own as they are asked for.
fn records(file: File) -> io::Result<Records> {
    let (sender, receiver) = mpsc::sync_channel(RECORDS_WAITING);
    std::thread::Builder::new()
        .name("snapshot".into())
        .spawn(move || {
            let send = |item: Item| {
                let sent = sender.send(item);
                sent.map_err(|_| ArchiveError::Io(io::ErrorKind::BrokenPipe.into()))
            };
            let end = match archive::restore(file, |key, value| send(Ok(Some((key, value))))) {
                Ok(()) => Ok(None),
                Err(error) => Err(io::Error::other(error)),
            };
            // Who does not listen any more does not need to know.
            drop(send(end));
        })?;
    Ok(Box::new(Arriving(Some(receiver))))
}

/// A record, or `None` behind the last one.
type Item = io::Result<Option<(Key, Bytes)>>;

/// The records on their way from the reading thread. They end well only when that thread said so.
struct Arriving(Option<mpsc::Receiver<Item>>);

impl Iterator for Arriving {
    type Item = io::Result<(Key, Bytes)>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = match self.0.as_ref()?.recv() {
            Ok(item) => item.transpose(),
            Err(_) => Some(Err(io::ErrorKind::UnexpectedEof.into())),
        };
        if !matches!(item, Some(Ok(_))) {
            self.0 = None;
        }
        item
    }
}
