//! Snapshots on their way from one node to another.
//!
//! ```text
//! body      <block>* <end>
//! block     <length: u32 LE, not zero> <record>*
//! record    <key bytes: u32 LE> <value bytes: u32 LE> <revision: u64 LE> <key> <value>
//! end       <0: u32 LE> <records: u64 LE> <CRC-32 of all blocks: u32 LE>
//! ```
//!
//! Blocks go to the new keyspace as they come, so that a node needs a few of them in memory and no
//! more. A snapshot that is cut or damaged is dropped whole.

use super::state_machine::{SnapshotData, snapshot_meta};
use crate::raft::wire::message::SnapshotHead;
use crate::raft::wire::record::{self, Ballot};
use crate::raft::wire::types::{TypeConfig, Vote};
use crate::store::state::{Image, ImageItem, Mark, StateError};
use crate::store::{Key, Record, Revision};
use crate::stream::Chunks;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use futures_util::{Stream, StreamExt, stream};
use openraft::type_config::alias::{SnapshotMetaOf, SnapshotOf};
use std::io;
use tokio::sync::mpsc;

/// The size from which a block of records is full.
const BLOCK_BYTES: usize = 64 << 10;
/// The largest block that is read: it holds at least one record, and a record fits into a log
/// entry.
const BLOCK_BYTES_MAX: usize = (2 << 20) + BLOCK_BYTES;
/// The number of blocks that wait between the network and the disk, on either side.
const BLOCKS_WAITING: usize = 2;
const END_BYTES: usize = 12;

type Meta = SnapshotMetaOf<TypeConfig>;

/// Returns the head of a stream and its body, which is read from the image as fast as it is taken.
pub(in crate::raft) fn send(
    vote: &Vote,
    snapshot: SnapshotOf<TypeConfig, SnapshotData>,
) -> (SnapshotHead, Chunks) {
    let mark = snapshot.snapshot.mark().clone();
    let members = snapshot.meta.last_membership;
    let members = members.log_id().as_ref().map(|at| {
        let members = members.membership().into();
        (crate::raft::wire::types::position(at), members)
    });
    let head = SnapshotHead {
        vote: Ballot::from(vote),
        last: mark.position,
        members,
        time_floor: mark.time_floor,
        staging: mark.staging,
    };
    let Some(image) = snapshot.snapshot.into_image() else {
        let gone = io::Error::other("a snapshot that came in is not sent on");
        return (head, Box::pin(stream::iter([Err(gone)])));
    };
    let (sender, mut receiver) = mpsc::channel(BLOCKS_WAITING);
    // It ends when the receiver is gone, if not before.
    drop(tokio::task::spawn_blocking(move || read(image, &sender)));
    // Asked again after its end, it has ended still.
    let body = stream::poll_fn(move |context| receiver.poll_recv(context));
    (head, Box::pin(body))
}

fn read(image: Image, sender: &mpsc::Sender<io::Result<Bytes>>) {
    let mut sum = crc32fast::Hasher::new();
    let (mut records, mut block) = (0u64, BytesMut::new());
    let mut flush = |block: &mut BytesMut| {
        let items = block.split().freeze();
        sum.update(&items);
        let mut framed = BytesMut::with_capacity(4 + items.len());
        framed.put_u32_le(length(items.len()));
        framed.put(items);
        sender.blocking_send(Ok(framed.freeze())).is_ok()
    };
    for item in image {
        let (key, record) = match item {
            Ok(item) => item,
            Err(error) => {
                // The other side sees a stream that is cut.
                drop(sender.blocking_send(Err(io::Error::other(error))));
                return;
            }
        };
        records += 1;
        block.put_u32_le(length(key.len()));
        block.put_u32_le(length(record.value.len()));
        block.put_u64_le(record.revision.0);
        block.put(key);
        block.put(record.value);
        if block.len() >= BLOCK_BYTES && !flush(&mut block) {
            return;
        }
    }
    if !block.is_empty() && !flush(&mut block) {
        return;
    }
    let mut end = BytesMut::with_capacity(4 + END_BYTES);
    end.put_u32_le(0);
    end.put_u64_le(records);
    end.put_u32_le(sum.finalize());
    drop(sender.blocking_send(Ok(end.freeze())));
}

fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

/// One piece on its way from [`receive`] to the thread that writes.
enum Piece {
    Block(Bytes),
    /// The end of the body, with the number of records that it names.
    End(u64),
    Cut(String),
}

/// Returns the mark and the meta of the snapshot that `head` describes.
pub(in crate::raft) fn read_head(head: SnapshotHead) -> Result<(Mark, Meta), record::WireError> {
    let membership = match head.members {
        Some((at, members)) => Some((at, record::encode_members(&members.try_into()?)?)),
        None => None,
    };
    let mark = Mark {
        position: head.last,
        membership,
        time_floor: head.time_floor,
        staging: head.staging,
    };
    let meta = snapshot_meta(&mark).map_err(|_| record::WireError::Malformed("snapshot"))?;
    Ok((mark, meta))
}

/// Returns the records of a body as an image, and the task that feeds it. The image blocks while it
/// waits, so it must be read off the runtime's threads.
pub(in crate::raft) fn receive(body: Chunks) -> (Image, impl Future<Output = ()> + Send) {
    let (sender, receiver) = mpsc::channel(BLOCKS_WAITING);
    let image = Image::new(Incoming {
        receiver,
        block: Bytes::new(),
        records: 0,
        ended: false,
    });
    let feeding = async move {
        if let Err(why) = feed(body, &sender).await {
            // Nobody waits for it when the writer has failed.
            drop(sender.send(Piece::Cut(why)).await);
        }
    };
    (image, feeding)
}

async fn feed(
    mut body: impl Stream<Item = io::Result<Bytes>> + Unpin,
    sender: &mpsc::Sender<Piece>,
) -> Result<(), String> {
    let mut sum = crc32fast::Hasher::new();
    let mut buffer = BytesMut::new();
    loop {
        let size = next(&mut body, &mut buffer, 4).await?.get_u32_le();
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        if size == 0 {
            break;
        }
        if size > BLOCK_BYTES_MAX {
            return Err(format!("a block of {size} bytes"));
        }
        let block = next(&mut body, &mut buffer, size).await?;
        sum.update(&block);
        let sent = sender.send(Piece::Block(block)).await;
        sent.map_err(|_| "it cannot be written".to_owned())?;
    }
    let mut end = next(&mut body, &mut buffer, END_BYTES).await?;
    let records = end.get_u64_le();
    if end.get_u32_le() != sum.finalize() {
        return Err("its checksum is wrong".into());
    }
    let sent = sender.send(Piece::End(records)).await;
    sent.map_err(|_| "it cannot be written".to_owned())
}

/// Takes `size` bytes off a body.
async fn next(
    body: &mut (impl Stream<Item = io::Result<Bytes>> + Unpin),
    buffer: &mut BytesMut,
    size: usize,
) -> Result<Bytes, String> {
    while buffer.len() < size {
        match body.next().await {
            Some(Ok(chunk)) => buffer.extend_from_slice(&chunk),
            Some(Err(error)) => return Err(error.to_string()),
            None => return Err("it ended early".into()),
        }
    }
    Ok(buffer.split_to(size).freeze())
}

/// Iterates over the records of a body as they come in.
struct Incoming {
    receiver: mpsc::Receiver<Piece>,
    block: Bytes,
    records: u64,
    ended: bool,
}

impl Iterator for Incoming {
    type Item = ImageItem;

    fn next(&mut self) -> Option<ImageItem> {
        while self.block.is_empty() {
            if self.ended {
                return None;
            }
            match self.receiver.blocking_recv() {
                Some(Piece::Block(block)) => self.block = block,
                Some(Piece::End(records)) if records == self.records => self.ended = true,
                Some(Piece::End(_)) => return Some(self.fail("records are missing")),
                Some(Piece::Cut(why)) => return Some(self.fail(&why)),
                None => return Some(self.fail("it was given up")),
            }
        }
        self.records += 1;
        match take(&mut self.block) {
            Some(item) => Some(Ok(item)),
            None => Some(self.fail("a record is longer than its block")),
        }
    }
}

impl Incoming {
    fn fail(&mut self, why: &str) -> ImageItem {
        self.ended = true;
        self.block = Bytes::new();
        Err(StateError::Cut(why.into()))
    }
}

fn take(block: &mut Bytes) -> Option<(Key, Record)> {
    let key = usize::try_from(block.try_get_u32_le().ok()?).ok()?;
    let value = usize::try_from(block.try_get_u32_le().ok()?).ok()?;
    let revision = Revision(block.try_get_u64_le().ok()?);
    if key.checked_add(value)? > block.len() {
        return None;
    }
    let key = block.split_to(key);
    let value = block.split_to(value);
    // `Key` is a slice of the block; the parts that are kept are copied when they are written.
    Some((key, Record { revision, value }))
}
