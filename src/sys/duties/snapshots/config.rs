//! The settings, and the record that keeps all of them.

use crate::barrier::{BarrierError, Batch, Slot, Unsealed, View};
use crate::engine::Error;
use crate::engine::table::Fields;
use crate::store::Key;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::{Component, Path};
use std::sync::Arc;

/// Most settings, each of a name of its own.
const CONFIGS_MAX: usize = 16;
/// Most bytes of a name and of a prefix.
const NAME_BYTES_MAX: usize = 64;
/// Most snapshots that are kept by one setting.
const RETAIN_MAX: u64 = 10_000;
/// Vault's default prefix.
const FILE_PREFIX: &str = "vault-snapshot";
const RECORD: &str = "snapshot-auto";

/// One setting: the times at which snapshots are taken, and the place where they are kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// Seconds between snapshots.
    pub interval_s: u64,
    /// The number of snapshots that are kept.
    pub retain: u64,
    /// The directory, absolute.
    pub path_prefix: String,
    /// The beginning of the files' names.
    pub file_prefix: String,
    /// Bytes that all files together may take.
    pub local_max_space: u64,
}

/// All settings by name.
pub type Configs = BTreeMap<String, Config>;

/// The record on disk.
#[derive(Serialize, Deserialize)]
enum Stored {
    V1(Configs),
}

fn view(barrier: &Arc<Unsealed>) -> View {
    barrier.view("core/")
}

/// Returns the storage key of all settings, so that it can be watched.
pub(super) fn key(barrier: &Arc<Unsealed>) -> Result<Key, BarrierError> {
    view(barrier).key(RECORD)
}

/// Reads all settings, and the slot that they are in.
pub(in crate::sys) fn read(barrier: &Arc<Unsealed>) -> Result<(Slot, Configs), BarrierError> {
    let slot = view(barrier).read(RECORD)?;
    let record = slot.record("snapshot settings")?;
    let configs = record.map_or_else(Configs::new, |Stored::V1(configs)| configs);
    Ok((slot, configs))
}

/// Adds a write of these settings to `batch`, in place of those that were read from `slot`.
pub(in crate::sys) fn put(batch: &mut Batch, slot: &Slot, configs: Configs) -> Result<(), Error> {
    if configs.len() > CONFIGS_MAX {
        let message = format!("no more than {CONFIGS_MAX} configurations may exist");
        return Err(Error::invalid(message));
    }
    Ok(batch.replace_record(slot, &Stored::V1(configs))?)
}

impl Config {
    /// Reads a request; what it does not name stays as in `before`.
    ///
    /// # Errors
    /// 400, with a message for the client.
    pub fn parse(fields: &Fields<'_>, before: Option<&Self>) -> Result<Self, Error> {
        let kind = fields.text("storage_type");
        match kind.or(before.map(|_| "local")) {
            Some("local") => {}
            Some(other) => {
                return Err(Error::invalid(format!(
                    "storage_type {other:?} is not in this build: snapshots go to a directory of \
                     the active node, storage_type \"local\""
                )));
            }
            None => return Err(missing("storage_type")),
        }
        let number = |name: &'static str| -> Result<Option<u64>, Error> {
            let number = fields.integer(name);
            let number = number.map(|n| u64::try_from(n).ok().filter(|n| *n > 0));
            let wrong = || Error::invalid(format!("{name} must be greater than zero"));
            number.map(|number| number.ok_or_else(wrong)).transpose()
        };
        let interval = fields.seconds("interval");
        let path = fields.text("path_prefix").map(str::to_owned);
        let file = fields.text("file_prefix").map(str::to_owned);
        let config = Self {
            interval_s: interval
                .or(before.map(|before| before.interval_s))
                .ok_or_else(|| missing("interval"))?,
            retain: number("retain")?
                .or(before.map(|before| before.retain))
                .unwrap_or(1),
            path_prefix: path
                .or(before.map(|before| before.path_prefix.clone()))
                .ok_or_else(|| missing("path_prefix"))?,
            file_prefix: file
                .or(before.map(|before| before.file_prefix.clone()))
                .unwrap_or_else(|| FILE_PREFIX.into()),
            local_max_space: number("local_max_space")?
                .or(before.map(|before| before.local_max_space))
                .ok_or_else(|| missing("local_max_space"))?,
        };
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), Error> {
        if self.interval_s == 0 {
            return Err(Error::invalid("interval must be greater than zero"));
        }
        if self.retain > RETAIN_MAX {
            let message = format!("retain must not be greater than {RETAIN_MAX}");
            return Err(Error::invalid(message));
        }
        let path = Path::new(&self.path_prefix);
        let is_plain =
            |part: Component<'_>| matches!(part, Component::RootDir | Component::Normal(_));
        if !path.is_absolute() || !path.components().all(is_plain) {
            return Err(Error::invalid(
                "path_prefix must be an absolute path without \"..\"",
            ));
        }
        match is_name(&self.file_prefix) {
            true => Ok(()),
            false => Err(Error::invalid(
                "file_prefix may have letters, digits, '-', '_' and '.', and begins with none of \
                 the last three",
            )),
        }
    }

    /// Returns the setting as the API answers it.
    pub fn data(&self) -> Map<String, Value> {
        let fields = [
            ("interval", json!(self.interval_s)),
            ("retain", json!(self.retain)),
            ("path_prefix", json!(self.path_prefix)),
            ("file_prefix", json!(self.file_prefix)),
            ("storage_type", json!("local")),
            ("local_max_space", json!(self.local_max_space)),
        ];
        fields
            .map(|(name, value)| (name.to_owned(), value))
            .into_iter()
            .collect()
    }
}

/// Returns true for a text that fits as a name of settings and as the beginning of a file's name.
pub(in crate::sys) fn is_name(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    text.len() <= NAME_BYTES_MAX
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(fits)
}

fn missing(name: &str) -> Error {
    Error::invalid(format!("missing required field {name:?}"))
}
