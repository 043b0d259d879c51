//! A versioned record behind the barrier: kv version 2's rules in a few lines, so that histories
//! of the seeded runs obey the same model as those of the real server.

use super::super::check::{Action, Outcome};
use coffer::barrier::{BarrierError, Batch, Unsealed};
use coffer::clock::Timestamp;
use coffer::store::{CommitError, ReadError, Revision};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Most retries of a put that another put overtook.
const TRIES: usize = 16;
/// A mark in every value, which must never be found on a disk.
pub const MARKER: &str = "plaintext-marker";

#[derive(Default, Serialize, Deserialize)]
struct Record {
    version: u64,
    value: Option<u64>,
    marker: String,
}

/// Acts on record `key`; returns `None` when certainly nothing was done.
pub async fn act(
    barrier: &Arc<Unsealed>,
    now: Timestamp,
    key: u64,
    action: Action,
) -> Option<Outcome> {
    let path = format!("{MARKER}-{key}");
    let view = barrier.view("load/");
    for _ in 0..TRIES {
        let readable = barrier.storage().read_barrier().await;
        match readable {
            Ok(()) => {}
            Err(ReadError::Unavailable(_) | ReadError::Fatal(_)) => return None,
        }
        let found = view.get_record::<Record>(&path, "record").ok()?;
        let (revision, record) = found.unwrap_or((Revision(0), Record::default()));
        let (version, value) = match action {
            Action::Get => {
                return Some(match record.value {
                    Some(value) => Outcome::Found {
                        version: record.version,
                        value,
                    },
                    None => Outcome::Missing,
                });
            }
            Action::Cas { version, .. } if version != record.version => {
                return Some(Outcome::Conflict);
            }
            Action::Put { value } | Action::Cas { value, .. } => (record.version + 1, Some(value)),
            Action::Delete => (record.version, None),
        };
        let mut batch = Batch::new();
        let record = Record {
            version,
            value,
            marker: MARKER.repeat(40),
        };
        batch
            .replace_record(&view.known(&path, revision), &record)
            .ok()?;
        match barrier.commit(batch, now).await {
            Ok(_) if action == Action::Delete => return Some(Outcome::Deleted),
            Ok(_) => return Some(Outcome::Wrote { version }),
            Err(BarrierError::Commit(CommitError::Conflict)) => {}
            Err(BarrierError::Commit(CommitError::NotLeader)) => return None,
            Err(BarrierError::Commit(_)) => return Some(Outcome::Unknown),
            Err(_) => return None,
        }
    }
    None
}
