//! The saving of a snapshot.

use super::{NO_RAFT, archive_error, internal, seal};
use crate::barrier::Unsealed;
use crate::store::ReadError;
use crate::store::archive::{self, ArchiveError, Header};
use crate::store::state::View;
use crate::stream::Chunks;
use crate::sys::ports::LifecycleError;
use bytes::Bytes;
use futures_util::stream;
use std::io::{self, Write};
use std::sync::Arc;
use tokio::sync::{Semaphore, mpsc};

/// Bytes of one piece of the stream, and how many wait for a slow client.
const PIECE_BYTES: usize = 64 << 10;
const PIECES_MAX: usize = 4;
/// Snapshots that are saved at the same time, each with a thread of its own.
const SAVES_MAX: usize = 4;

static SAVES: Semaphore = Semaphore::const_new(SAVES_MAX);

/// Saves everything that was applied before the call, as an archive in pieces. An error ends the
/// pieces: those before it are no snapshot.
pub async fn save(barrier: &Arc<Unsealed>, cluster_id: &str) -> Result<Chunks, LifecycleError> {
    let turn = SAVES.try_acquire();
    let turn = turn.map_err(|_| {
        LifecycleError::Invalid("too many snapshots are being saved: try again".into())
    })?;
    let view = view(barrier).await?;
    let (sender, receiver) = mpsc::channel(PIECES_MAX);
    let (barrier, cluster_id) = (Arc::clone(barrier), cluster_id.to_owned());
    tokio::task::spawn_blocking(move || {
        let _turn = turn;
        let out = Pieces::new(&sender);
        let written = write(&view, &barrier, &cluster_id, out).map(Pieces::finish);
        let error = match written {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        if !sender.is_closed() {
            tracing::error!(error, "a snapshot could not be saved");
        }
        // Who went away does not need to know.
        drop(sender.blocking_send(Err(io::Error::other(error))));
    });
    Ok(Box::pin(stream::unfold(receiver, async |mut receiver| {
        receiver.recv().await.map(|piece| (piece, receiver))
    })))
}

/// Writes an archive of everything that was applied before the call to `out`, on a thread where
/// waiting is allowed. Returns `out` and the index of the last entry in the archive.
pub async fn save_to<W: Write + Send + 'static>(
    barrier: &Arc<Unsealed>,
    cluster_id: &str,
    out: W,
) -> Result<(W, u64), LifecycleError> {
    let view = view(barrier).await?;
    let index = view.position().map_or(0, |position| position.index);
    let (barrier, cluster_id) = (Arc::clone(barrier), cluster_id.to_owned());
    let writing = tokio::task::spawn_blocking(move || write(&view, &barrier, &cluster_id, out));
    let written = writing.await.map_err(internal)?;
    Ok((written.map_err(archive_error)?, index))
}

async fn view(barrier: &Unsealed) -> Result<View, LifecycleError> {
    let storage = barrier.storage();
    let whole = storage.whole();
    let whole = whole.ok_or_else(|| LifecycleError::Invalid(NO_RAFT.into()))?;
    whole
        .view()
        .await
        .map_err(|error: ReadError| internal(error))
}

fn write<W: Write>(
    view: &View,
    barrier: &Unsealed,
    cluster_id: &str,
    out: W,
) -> Result<W, ArchiveError> {
    let state = |error| ArchiveError::Io(io::Error::other(error));
    let sizes = view.sizes().map_err(state)?;
    let position = view.position();
    let header = Header {
        cluster_id: cluster_id.to_owned(),
        term: position.map_or(0, |position| position.term),
        index: position.map_or(0, |position| position.index),
        time_floor: view.time_floor(),
        records: sizes.records,
        bytes: sizes.bytes,
    };
    archive::write(out, &header, view.records(), |sums| {
        seal(barrier, sums).map_err(io::Error::other)
    })
}

/// Gathers what is written into pieces, and waits while too many are on their way.
struct Pieces<'a> {
    sender: &'a mpsc::Sender<io::Result<Bytes>>,
    buffer: Vec<u8>,
}

impl<'a> Pieces<'a> {
    fn new(sender: &'a mpsc::Sender<io::Result<Bytes>>) -> Self {
        let buffer = Vec::with_capacity(PIECE_BYTES);
        Self { sender, buffer }
    }

    fn finish(mut self) -> io::Result<()> {
        self.send()
    }

    fn send(&mut self) -> io::Result<()> {
        let piece = std::mem::replace(&mut self.buffer, Vec::with_capacity(PIECE_BYTES));
        let sent = self.sender.blocking_send(Ok(piece.into()));
        sent.map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl Write for Pieces<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = PIECE_BYTES - self.buffer.len();
        let fits = bytes.get(..room).unwrap_or(bytes);
        self.buffer.extend_from_slice(fits);
        if self.buffer.len() == PIECE_BYTES {
            self.send()?;
        }
        Ok(fits.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
