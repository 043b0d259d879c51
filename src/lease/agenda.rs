//! An index by time, in which due leases are found without looking at others.

use super::schedule::{Schedule, bucket_name, bucket_of, parse_bucket};
use super::store::LIST_MAX;
use crate::barrier::{BarrierError, Batch, Unsealed, View};
use crate::clock::Timestamp;
use crate::store::Key;
use std::sync::Arc;
use tokio::sync::Notify;

/// Bytes of a digest that tell leases of the same nanosecond apart.
const NAME_BYTES: usize = 8;

/// The ids of leases, by the time at which something is to be done about them.
pub(super) struct Agenda {
    view: View,
    /// The beginning of the keys of all entries; `None` when the barrier was sealed already.
    prefix: Option<Key>,
    schedule: Schedule,
    changed: Notify,
}

/// An entry whose time has come.
pub(super) struct Item {
    /// Name of the entry.
    pub entry: String,
    /// Id of the lease.
    pub id: String,
    /// Time of the entry.
    pub time: Timestamp,
}

impl Agenda {
    /// Creates the agenda of the entries below `prefix` (absolute, with a trailing slash). Reads
    /// nothing.
    pub fn new(barrier: &Arc<Unsealed>, prefix: &str) -> Self {
        let view = barrier.view(prefix);
        Self {
            prefix: view.key("").ok(),
            view,
            schedule: Schedule::default(),
            changed: Notify::new(),
        }
    }

    /// Adds the entry of the lease `id` at `time` to `batch`.
    pub fn put(&self, batch: &mut Batch, id: &str, time: Timestamp) -> Result<(), BarrierError> {
        if self.schedule.note(time) {
            self.changed.notify_one();
        }
        // An entry says no more than its name.
        self.view
            .put_record_blindly(batch, &entry_name(id, time), &id.to_owned())
    }

    /// Adds the removal of the entry of the lease `id` at `time` to `batch`.
    pub fn delete(&self, batch: &mut Batch, id: &str, time: Timestamp) {
        self.view.delete(batch, &entry_name(id, time));
    }

    /// Adds the removal of this entry to `batch`.
    pub fn delete_entry(&self, batch: &mut Batch, entry: &str) {
        self.view.delete(batch, entry);
    }

    /// Shows the entries that are due at `now` to `look`, the earliest buckets first, until `look`
    /// has had enough and returns false. About `limit` are wanted. Costs nothing when nothing is
    /// due.
    pub fn due(
        &self,
        now: Timestamp,
        limit: usize,
        mut look: impl FnMut(Item) -> Result<bool, BarrierError>,
    ) -> Result<(), BarrierError> {
        if let Some(replaced) = self.schedule.unknown() {
            let names = self.view.list("")?;
            let buckets = names.iter().filter_map(|name| parse_bucket(name));
            self.schedule.learn(replaced, buckets);
        }
        let Some((buckets, seen)) = self.schedule.candidates(now) else {
            return Ok(());
        };
        let mut earliest: Option<Timestamp> = None;
        let mut is_quiet = true;
        for bucket in buckets {
            let folder = format!("{}/", bucket_name(bucket));
            let names = self.names(&folder, bucket < bucket_of(now), now, limit)?;
            if names.is_empty() {
                self.schedule.found_empty(bucket, now);
            }
            for name in names {
                let Some(time) = parse_time(&name) else {
                    continue;
                };
                if time > now {
                    earliest = Some(earliest.map_or(time, |first| first.min(time)));
                    continue;
                }
                is_quiet = false;
                let entry = format!("{folder}{name}");
                let Some((_, id)) = self.view.get_record::<String>(&entry, "deadline")? else {
                    continue;
                };
                if !look(Item { entry, id, time })? {
                    return Ok(());
                }
            }
        }
        if is_quiet {
            self.schedule.found_nothing(earliest, now, seen);
        }
        Ok(())
    }

    /// Returns the names in a bucket: some that are due, or all.
    fn names(
        &self,
        folder: &str,
        is_past: bool,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<String>, BarrierError> {
        let few = limit.saturating_mul(2).min(LIST_MAX);
        let names = self.view.walk(folder, few)?;
        let is_due = |name: &String| parse_time(name).is_some_and(|time| time <= now);
        let all = names.len() < few;
        if is_past || all || names.iter().filter(|name| is_due(name)).count() >= limit {
            return Ok(names);
        }
        self.view.walk(folder, LIST_MAX)
    }

    /// Returns the time at which [`Agenda::due`] is worth asking again; `None` when nothing is
    /// filed.
    pub fn next(&self) -> Option<Timestamp> {
        self.schedule.next()
    }

    /// Returns when an entry was filed that may be due before what was known.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Notes that an entry of the log that wrote `keys` is applied: what was filed is there to be
    /// found now.
    pub fn applied(&self, keys: &[Key]) {
        let Some(prefix) = &self.prefix else { return };
        if keys.iter().any(|key| key.starts_with(prefix)) {
            self.schedule.stir();
            self.changed.notify_one();
        }
    }

    /// Notes that all of the store was replaced.
    pub fn replaced(&self) {
        self.schedule.forget();
        self.changed.notify_one();
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.view.walk("", LIST_MAX).expect("walks").len()
    }
}

/// Returns the name of an entry. The time is in the name, so that finding what is due opens no
/// record that is not. The rest of the name tells leases with the same time apart; the record holds
/// the id.
fn entry_name(id: &str, time: Timestamp) -> String {
    let bucket = bucket_name(bucket_of(time));
    let digest = ring::digest::digest(&ring::digest::SHA256, id.as_bytes());
    let name = hex::encode(digest.as_ref().get(..NAME_BYTES).unwrap_or_default());
    format!("{bucket}/{:x}.{name}", time.0)
}

fn parse_time(name: &str) -> Option<Timestamp> {
    let (time, _) = name.split_once('.')?;
    u64::from_str_radix(time, 16).ok().map(Timestamp)
}
