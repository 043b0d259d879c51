//! Commands of the log: transactions, and the steps of a restore.
//!
//! Each key of a transaction is written as the part that differs from the key before.
//!
//! The keys of one transaction share their mount's prefix, and a precondition usually names a key
//! that is written as well. Every byte saved here is saved on the log of every node.
//!
//! ```text
//! command   01 <Packed: postcard>
//!           02 <Restore: postcard>
//! key       <bytes shared with the key before: varint> <length of the rest: varint> <rest>
//! ```

use super::record::WireError;
use super::types::Command;
use crate::clock::Timestamp;
use crate::store::state::Restore;
use crate::store::{Key, Op, Precondition, Revision, Transaction};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// The first byte of a command with a transaction.
const VERSION: u8 = 1;
/// The first byte of a command with a step of a restore.
const RESTORE: u8 = 2;
/// The most bytes that keys may share in one command, so that few bytes cannot unpack to very many.
const SHARED_BYTES_MAX: usize = 16 << 20;

#[derive(Serialize, Deserialize)]
struct Packed {
    time: Timestamp,
    preconditions: Vec<(PackedKey, Revision)>,
    ops: Vec<PackedOp>,
}

#[derive(Serialize, Deserialize)]
enum PackedOp {
    Put(PackedKey, Bytes),
    Delete(PackedKey),
}

#[derive(Serialize, Deserialize)]
struct PackedKey {
    shared: usize,
    rest: Bytes,
}

/// Packs and unpacks keys; remembers the key before, and the number of bytes shared so far.
#[derive(Default)]
struct Keys {
    before: Key,
    shared: usize,
}

impl Keys {
    fn pack(&mut self, key: &Key) -> PackedKey {
        let pairs = self.before.iter().zip(key.iter());
        let mut shared = pairs.take_while(|(left, right)| left == right).count();
        if self.shared + shared > SHARED_BYTES_MAX {
            shared = 0;
        }
        self.shared += shared;
        self.before = key.clone();
        PackedKey {
            shared,
            rest: key.slice(shared..),
        }
    }

    fn unpack(&mut self, packed: &PackedKey) -> Result<Key, WireError> {
        let shared = self.before.get(..packed.shared);
        let shared = shared.ok_or(WireError::Malformed("key"))?;
        self.shared += shared.len();
        if self.shared > SHARED_BYTES_MAX {
            return Err(WireError::Malformed("keys"));
        }
        self.before = [shared, &packed.rest].concat().into();
        Ok(self.before.clone())
    }
}

/// Returns the command that carries `transaction`.
pub(in crate::raft) fn encode(transaction: &Transaction) -> Result<Command, WireError> {
    let mut keys = Keys::default();
    let mut size = 32;
    let mut preconditions = Vec::with_capacity(transaction.preconditions.len());
    for precondition in &transaction.preconditions {
        let key = keys.pack(&precondition.key);
        size += 16 + key.rest.len();
        preconditions.push((key, precondition.revision));
    }
    let mut ops = Vec::with_capacity(transaction.ops.len());
    for op in &transaction.ops {
        let (key, value) = match op {
            Op::Put { key, value } => (keys.pack(key), Some(value.clone())),
            Op::Delete { key } => (keys.pack(key), None),
        };
        size += 16 + key.rest.len() + value.as_ref().map_or(0, Bytes::len);
        ops.push(match value {
            Some(value) => PackedOp::Put(key, value),
            None => PackedOp::Delete(key),
        });
    }
    let packed = Packed {
        time: transaction.time,
        preconditions,
        ops,
    };
    let mut buffer = Vec::with_capacity(size);
    buffer.push(VERSION);
    // Written as a stream, pieces are copied whole; `to_extend` pushes byte by byte.
    postcard::to_io(&packed, buffer)
        .map(|bytes| Command(Bytes::from(bytes)))
        .map_err(|_| WireError::Malformed("transaction"))
}

/// The content of a command.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::raft) enum Content {
    Transaction(Transaction),
    Restore(Restore),
}

/// Returns the command that carries `step`.
pub(in crate::raft) fn encode_restore(step: &Restore) -> Result<Command, WireError> {
    postcard::to_extend(step, vec![RESTORE])
        .map(|bytes| Command(Bytes::from(bytes)))
        .map_err(|_| WireError::Malformed("restore"))
}

/// Returns true for a step of a restore.
pub(in crate::raft) fn is_restore(command: &Command) -> bool {
    command.0.first() == Some(&RESTORE)
}

/// Decodes a command that [`encode`] or [`encode_restore`] made.
pub(in crate::raft) fn decode(command: &Command) -> Result<Content, WireError> {
    match command.0.split_first() {
        Some((&RESTORE, rest)) => postcard::from_bytes(rest)
            .map(Content::Restore)
            .map_err(|_| WireError::Malformed("restore")),
        _ => decode_transaction(command).map(Content::Transaction),
    }
}

fn decode_transaction(command: &Command) -> Result<Transaction, WireError> {
    let packed: Packed = match command.0.split_first() {
        Some((&VERSION, rest)) => {
            postcard::from_bytes(rest).map_err(|_| WireError::Malformed("transaction"))?
        }
        Some((&version, _)) => return Err(WireError::Version(version)),
        None => return Err(WireError::Malformed("empty command")),
    };
    let mut keys = Keys::default();
    let mut preconditions = Vec::with_capacity(packed.preconditions.len());
    for (key, revision) in &packed.preconditions {
        let key = keys.unpack(key)?;
        let revision = *revision;
        preconditions.push(Precondition { key, revision });
    }
    let mut ops = Vec::with_capacity(packed.ops.len());
    for op in packed.ops {
        ops.push(match op {
            PackedOp::Put(key, value) => Op::Put {
                key: keys.unpack(&key)?,
                value,
            },
            PackedOp::Delete(key) => Op::Delete {
                key: keys.unpack(&key)?,
            },
        });
    }
    Ok(Transaction {
        time: packed.time,
        preconditions,
        ops,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &'static str) -> Key {
        Bytes::from_static(text.as_bytes())
    }

    fn transaction() -> Transaction {
        Transaction {
            time: Timestamp(7),
            preconditions: vec![Precondition {
                key: key("mount/one/m/name"),
                revision: Revision(3),
            }],
            ops: vec![
                Op::Put {
                    key: key("mount/one/m/name"),
                    value: Bytes::from_static(b"metadata"),
                },
                Op::Put {
                    key: key("mount/one/data"),
                    value: Bytes::from_static(b"value"),
                },
                Op::Delete { key: key("other") },
            ],
        }
    }

    #[test]
    fn a_command_reads_back_and_refuses_other_versions() {
        let command = encode(&transaction()).unwrap();
        assert_eq!(
            decode(&command).unwrap(),
            Content::Transaction(transaction())
        );
        let mut bytes = command.0.to_vec();
        bytes[0] = 9;
        assert_eq!(decode(&Command(bytes.into())), Err(WireError::Version(9)));
        assert_eq!(
            decode(&Command(Bytes::new())),
            Err(WireError::Malformed("empty command"))
        );
    }

    #[test]
    fn a_key_stands_in_full_once() {
        let command = encode(&transaction()).unwrap();
        let count = |needle: &[u8]| {
            let windows = command.0.windows(needle.len());
            windows.filter(|window| *window == needle).count()
        };
        assert_eq!(count(b"mount/one/"), 1);
        assert_eq!(count(b"other"), 1);
    }

    #[test]
    fn a_key_that_shares_more_than_there_is_is_refused() {
        let packed = Packed {
            time: Timestamp(0),
            preconditions: Vec::new(),
            ops: vec![PackedOp::Delete(PackedKey {
                shared: 1,
                rest: Bytes::new(),
            })],
        };
        let mut bytes = vec![VERSION];
        bytes.extend(postcard::to_stdvec(&packed).unwrap());
        assert_eq!(
            decode(&Command(bytes.into())),
            Err(WireError::Malformed("key"))
        );
    }
}
