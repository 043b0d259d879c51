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

/// The forms of [`Packed`] and of a chunk of a restore without a copy of what they hold.
#[derive(Deserialize)]
struct PackedRef<'a> {
    _time: Timestamp,
    #[serde(borrow)]
    _preconditions: Vec<(PackedKeyRef<'a>, Revision)>,
    #[serde(borrow)]
    ops: Vec<PackedOpRef<'a>>,
}

#[derive(Deserialize)]
enum PackedOpRef<'a> {
    Put {
        #[serde(borrow)]
        _key: PackedKeyRef<'a>,
        value: &'a [u8],
    },
    Delete {
        #[serde(borrow)]
        _key: PackedKeyRef<'a>,
    },
}

#[derive(Deserialize)]
struct PackedKeyRef<'a> {
    _shared: usize,
    _rest: &'a [u8],
}

/// Returns the value that the change `number` of a command writes: of a transaction's operations,
/// or of the records in a chunk of a restore. `None` when there is no such change, or it writes
/// none.
pub(in crate::raft) fn value(command: &[u8], number: usize) -> Result<Option<&[u8]>, WireError> {
    let malformed = |_| WireError::Malformed("transaction");
    match command.split_first() {
        Some((&VERSION, rest)) => {
            let packed: PackedRef<'_> = postcard::from_bytes(rest).map_err(malformed)?;
            Ok(packed.ops.into_iter().nth(number).and_then(|op| match op {
                PackedOpRef::Put { value, .. } => Some(value),
                PackedOpRef::Delete { .. } => None,
            }))
        }
        Some((&RESTORE, rest)) => match postcard::from_bytes(rest).map_err(malformed)? {
            RestoreRef::Chunk { records, .. } => {
                let found = records.into_iter().nth(number);
                Ok(found.map(|(_, value)| value))
            }
            _ => Ok(None),
        },
        Some((&version, _)) => Err(WireError::Version(version)),
        None => Err(WireError::Malformed("empty command")),
    }
}

/// [`Restore`], as far as it has values.
#[derive(Deserialize)]
enum RestoreRef<'a> {
    Begin {
        _id: u128,
    },
    Chunk {
        _id: u128,
        _number: u64,
        #[serde(borrow)]
        records: Vec<(&'a [u8], &'a [u8])>,
    },
    Commit {
        _id: u128,
        _chunks: u64,
        _time_floor: Timestamp,
    },
    Abandon {
        _id: u128,
    },
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
    fn a_change_is_found_by_its_number() {
        let command = encode(&transaction()).unwrap();
        let found = |number| value(&command.0, number).unwrap();
        assert_eq!(found(0), Some(&b"metadata"[..]));
        assert_eq!(found(1), Some(&b"value"[..]));
        assert_eq!((found(2), found(3)), (None, None), "deleted, or not there");
        let steps = [
            Restore::Begin { id: 1 },
            Restore::Chunk {
                id: 1,
                number: 0,
                records: vec![(key("a"), key("1")), (key("b"), key("2"))],
            },
            Restore::Commit {
                id: 1,
                chunks: 1,
                time_floor: Timestamp(3),
            },
            Restore::Abandon { id: 1 },
        ];
        for step in steps {
            let command = encode_restore(&step).unwrap();
            let found = |number| value(&command.0, number).unwrap();
            match step {
                Restore::Chunk { .. } => {
                    assert_eq!(found(0), Some(&b"1"[..]));
                    assert_eq!((found(1), found(2)), (Some(&b"2"[..]), None));
                }
                _ => assert_eq!(found(0), None),
            }
        }
        assert!(value(&command.0[..20], 1).is_err());
        assert_eq!(value(&[9], 0), Err(WireError::Version(9)));
        assert!(value(&[], 0).is_err());
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
