//! The fuzz targets: one function for each decoder that meets bytes from outside. Each panics when
//! a promise is broken. Shared by cargo-fuzz (`fuzz_targets/`) and by `cargo test` (`main.rs`).

#![allow(dead_code, reason = "each fuzz binary uses one of these")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a broken promise is a panic here"
)]

use coffer::barrier::{Sealed, Unsealed};
use coffer::clock::Timestamp;
use coffer::http::{JsonLimits, Target, decode_body, parse_target};
use coffer::policy::{Acl, Policy};
use coffer::secret::{Key256, Secret};
use coffer::store::{Inmem, Op, Storage, Transaction};
use serde_json::Value;
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};

/// A target's name, and its function.
pub type Named = (&'static str, fn(&[u8]));

/// All targets by name.
pub const ALL: &[Named] = &[
    ("body", body),
    ("path", path),
    ("policy", policy),
    ("config", config),
    ("share", share),
    ("barrier", barrier),
    ("transaction", transaction),
    ("token", token),
    ("group", group),
    ("state", state),
    ("archive", archive),
    ("frame", frame),
];

/// The most memory that may be charged for a parsed byte: `{},` makes three into one object.
const CHARGE_FACTOR: usize = 512;

/// Reads a request body: the first byte chooses the content type.
pub fn body(data: &[u8]) {
    let Some((kind, body)) = data.split_first() else {
        return;
    };
    let content_type: Option<&[u8]> = match kind % 3 {
        0 => None,
        1 => Some(b"application/json"),
        _ => Some(b"application/x-www-form-urlencoded"),
    };
    let mut charged = 0;
    let decoded = decode_body(content_type, body, &JsonLimits::default(), &mut |bytes| {
        charged += bytes;
        true
    });
    assert!(charged <= CHARGE_FACTOR * (body.len() + 4), "{charged}");
    match decoded {
        Ok(fields) => {
            let text = serde_json::to_vec(&Value::Object(fields.clone())).unwrap();
            let again = decode_body(None, &text, &JsonLimits::default(), &mut |_| true);
            assert_eq!(
                again,
                Ok(fields),
                "what was read can be written and read again"
            );
        }
        Err(error) => assert!(error.to_string().len() < 100, "{error}"),
    }
}

/// Reads a request target.
pub fn path(data: &[u8]) {
    let Ok(raw) = std::str::from_utf8(data) else {
        return;
    };
    match parse_target(raw) {
        Ok(Target::Api(path)) => {
            coffer::path::check(&path).unwrap();
            let encoded = ["%2e", "%2E", "%2f", "%2F", "%5c", "%5C"];
            assert!(!encoded.iter().any(|hidden| raw.contains(hidden)), "{raw}");
        }
        Ok(Target::Redirect(to)) => {
            assert!(to.starts_with('/') && !to.starts_with("//"), "{to}");
            assert!(
                !matches!(parse_target(&to), Ok(Target::Redirect(_))),
                "{to}"
            );
        }
        Ok(Target::Root | Target::Ui | Target::Unknown) | Err(_) => {}
    }
}

/// Reads a policy's text, then compiles it and asks for capabilities.
pub fn policy(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let Ok(policy) = Policy::parse("fuzzed", text) else {
        return;
    };
    let acl = Acl::compile(&[Arc::new(policy)], Timestamp::from_secs(1_700_000_000));
    assert!(!acl.is_root(), "no text makes the root policy");
    for path in ["", "secret/data/app", "secret/", "sys/seal", "+/+", "a*"] {
        assert!(!acl.capabilities(path).contains(&"root"), "{path}");
    }
}

/// Reads a configuration file: the first byte chooses HCL or JSON.
pub fn config(data: &[u8]) {
    let Some((kind, text)) = data.split_first() else {
        return;
    };
    let Ok(text) = std::str::from_utf8(text) else {
        return;
    };
    let name = if kind % 2 == 0 { "a.hcl" } else { "a.json" };
    match coffer::config::from_text(&[(name.into(), text.into())], &[]) {
        Ok(loaded) => drop(format!("{:?}", loaded.config)),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// Combines unseal shares: the first byte is their length.
pub fn share(data: &[u8]) {
    let Some((length, bytes)) = data.split_first() else {
        return;
    };
    let length = usize::from(*length).max(1);
    let shares: Vec<_> = bytes
        .chunks(length)
        .take(300)
        .map(|share| Secret::new(share.to_vec()))
        .collect();
    if let Ok(secret) = coffer::seal::combine(&shares) {
        assert_eq!(secret.expose().len() + 1, length, "the x byte is gone");
    }
}

/// Opens a store with arbitrary reserved records: the first byte chooses which of them.
pub fn barrier(data: &[u8]) {
    let Some((which, value)) = data.split_first() else {
        return;
    };
    let storage: Arc<dyn Storage> = Arc::new(Inmem::default());
    let mut ops = Vec::new();
    let names: [&'static [u8]; 3] = [b"\0seal-config", b"\0root-key", b"\0keyring"];
    for (bit, key) in names.into_iter().enumerate() {
        if which & (1 << bit) != 0 {
            ops.push(Op::Put {
                key: key.into(),
                value: value.to_vec().into(),
            });
        }
    }
    let transaction = Transaction {
        ops,
        ..Transaction::default()
    };
    wait(storage.commit(transaction)).unwrap();
    let sealed = Sealed::new(storage);
    let _either = sealed.seal_record();
    let _either = sealed.is_initialized();
    let key = Key256::from_slice(&[7; 32]).unwrap();
    assert!(
        sealed.unseal(&key).is_err(),
        "nothing opens without its key"
    );
}

/// Reads a replicated transaction.
pub fn transaction(data: &[u8]) {
    if let Ok(decoded) = postcard::from_bytes::<Transaction>(data) {
        let bytes = postcard::to_allocvec(&decoded).unwrap();
        let again: Transaction = postcard::from_bytes(&bytes).unwrap();
        assert_eq!(again, decoded);
        let storage = Inmem::default();
        let _applied_or_refused = wait(storage.commit(decoded));
    }
}

/// Reads a client's token.
pub fn token(data: &[u8]) {
    static STORE: OnceLock<coffer::token::Store> = OnceLock::new();
    let store = STORE.get_or_init(|| {
        let barrier = Unsealed::for_test(Arc::new(Inmem::default()));
        let leases = Arc::new(coffer::lease::Store::new(&barrier));
        coffer::token::Store::new(&barrier, leases).unwrap()
    });
    let text = Secret::new(String::from_utf8_lossy(data).into_owned());
    let found = store.lookup(&text, Timestamp::from_secs(1)).unwrap();
    assert!(found.is_none(), "a made-up token is nobody's");
}

/// Reads a group of the log under a right header and checksum: the first byte is its size in
/// blocks.
pub fn group(data: &[u8]) {
    const LOG_ID: u64 = 0x1234_5678_9abc_def0;
    const BLOCK_BYTES: usize = 512;
    let Some((blocks, content)) = data.split_first() else {
        return;
    };
    let _noise = coffer::raft::log_store::read_group(content, LOG_ID);
    let size = BLOCK_BYTES * usize::from(*blocks);
    let mut bytes = content.to_vec();
    bytes.resize(size.max(60), 0);
    bytes[..4].copy_from_slice(b"CFLG");
    bytes[4] = 1;
    bytes[8..16].copy_from_slice(&LOG_ID.to_le_bytes());
    bytes[52..56].copy_from_slice(&u32::from(*blocks).to_le_bytes());
    bytes[56..60].fill(0);
    let crc = crc32fast::hash(&bytes);
    bytes[56..60].copy_from_slice(&crc.to_le_bytes());
    if let Some((_, used)) = coffer::raft::log_store::read_group(&bytes, LOG_ID) {
        assert_eq!(used, size);
        let middle = size / 2;
        bytes[middle] ^= 1;
        let torn = coffer::raft::log_store::read_group(&bytes, LOG_ID);
        assert!(torn.is_none(), "a flipped bit goes unnoticed");
    }
}

/// Reads entries, memberships, marks and records as they lie on the disk.
pub fn state(data: &[u8]) {
    if let Some(transaction) = coffer::raft::probe::read_command(data) {
        let _applied_or_refused = wait(Inmem::default().commit(transaction));
    }
    let _either = coffer::raft::probe::is_membership(data);
    let _either = coffer::store::state::probe::read_mark(data);
    if let Ok(record) = coffer::store::state::probe::read_record(data) {
        assert_eq!(record.value.len() + 8, data.len());
    }
}

/// Restores a snapshot, and reads the state in one; the records must be those that the header
/// announces.
pub fn archive(data: &[u8]) {
    if let Ok(checked) = coffer::store::archive::check(data)
        && let Ok(header) = checked.header()
    {
        let mut records = 0;
        let read = coffer::store::archive::restore(data, |_, _| {
            records += 1;
            Ok::<(), coffer::store::archive::ArchiveError>(())
        });
        assert!(read.is_ok() && records == header.records);
    }
    if let Ok((header, records, bytes)) = coffer::store::archive::probe::read_state(data) {
        assert_eq!((records, bytes), (header.records, header.bytes));
        assert!(bytes < data.len() as u64);
    }
}

/// Reads the frames of a member: messages hold no more bytes than were sent, and none more than its
/// limit.
pub fn frame(data: &[u8]) {
    const MESSAGE_BYTES_MAX: usize = 1024;
    // A frame's own limit is larger; this one is for messages of several frames.
    if let Some((messages, bytes)) = coffer::peer::probe::read_frames(data, MESSAGE_BYTES_MAX) {
        assert!(bytes + 9 * messages <= data.len());
    }
}

/// Polls a future that never waits: the in-memory store answers at once.
fn wait<T>(future: impl Future<Output = T>) -> T {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(future).poll(&mut context) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("the in-memory store waited"),
    }
}
