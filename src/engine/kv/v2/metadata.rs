//! The metadata of one secret: its settings and its versions.

use super::config::Config;
use crate::clock::{Timestamp, format_duration};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// Versions kept where neither the mount nor the secret says.
pub(super) const VERSIONS_DEFAULT: u32 = 10;
/// Most versions a secret can be told to keep: its metadata record is rewritten at every put.
pub(super) const VERSIONS_MAX: u32 = 4096;

/// Names a secret's data records; random, new at every creation. A million secrets of one mount
/// share one with a chance of 2^-33.
pub(super) type SecretId = [u8; 9];

/// One secret's settings and versions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Metadata {
    pub(super) id: SecretId,
    pub(super) created: Timestamp,
    /// Last put or change of settings.
    pub(super) updated: Timestamp,
    /// Zero leaves it to the mount.
    pub(super) max_versions: u32,
    pub(super) cas_required: bool,
    pub(super) metadata_cas_required: bool,
    /// Zero leaves it to the mount.
    pub(super) delete_version_after_s: u64,
    /// Counts changes of the settings.
    pub(super) revision: u64,
    pub(super) custom: BTreeMap<String, String>,
    /// Zero before the first put.
    pub(super) current_version: u64,
    /// Zero until as many versions as are kept have been written.
    pub(super) oldest_version: u64,
    /// Without gaps; the last one is `current_version`.
    pub(super) versions: Vec<Version>,
}

/// One version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Version {
    pub(super) created: Timestamp,
    /// Deleted from then on; may lie ahead.
    pub(super) deletion: Option<Timestamp>,
    pub(super) destroyed: bool,
}

impl Version {
    /// Returns true when its data may be read at `now`.
    pub(super) fn is_readable(&self, now: Timestamp) -> bool {
        !self.destroyed && !self.is_deleted(now)
    }

    pub(super) fn is_deleted(&self, now: Timestamp) -> bool {
        self.deletion.is_some_and(|deletion| deletion <= now)
    }

    fn fields(&self) -> Map<String, Value> {
        let deletion = self.deletion.map(Timestamp::rfc3339).unwrap_or_default();
        let mut fields = Map::new();
        fields.insert("created_time".into(), self.created.rfc3339().into());
        fields.insert("deletion_time".into(), deletion.into());
        fields.insert("destroyed".into(), self.destroyed.into());
        fields
    }
}

impl Metadata {
    /// Returns an empty record for a new secret.
    pub(super) fn new(now: Timestamp) -> Self {
        let random = uuid::Uuid::new_v4().into_bytes();
        let mut id = SecretId::default();
        for (to, from) in id.iter_mut().zip(random) {
            *to = from;
        }
        Self {
            id,
            created: now,
            updated: now,
            ..Self::default()
        }
    }

    /// Returns the number of the first version that is listed.
    pub(super) fn first_version(&self) -> u64 {
        let count = u64::try_from(self.versions.len()).unwrap_or(u64::MAX);
        (self.current_version + 1).saturating_sub(count)
    }

    /// Returns the version `number`, if it is listed.
    pub(super) fn version(&self, number: u64) -> Option<&Version> {
        self.versions.get(self.position(number)?)
    }

    /// Returns the version `number` to be changed, if it is listed.
    pub(super) fn version_mut(&mut self, number: u64) -> Option<&mut Version> {
        let position = self.position(number)?;
        self.versions.get_mut(position)
    }

    fn position(&self, number: u64) -> Option<usize> {
        usize::try_from(number.checked_sub(self.first_version())?).ok()
    }

    /// Appends a version made at `now`; returns the numbers of those that are no longer kept and
    /// whose data has to go.
    pub(super) fn add_version(&mut self, now: Timestamp, config: &Config) -> Vec<u64> {
        self.current_version += 1;
        self.updated = now;
        self.versions.push(Version {
            created: now,
            deletion: self.deletion(now, config),
            destroyed: false,
        });
        let kept = u64::from(match self.max_versions.max(config.max_versions) {
            0 => VERSIONS_DEFAULT,
            max => max,
        });
        if self.current_version.saturating_sub(self.oldest_version) < kept {
            return Vec::new();
        }
        let oldest = self.current_version - kept + 1;
        let first = self.first_version();
        self.oldest_version = oldest;
        let gone = usize::try_from(oldest.saturating_sub(first)).unwrap_or(0);
        let pruned = self.versions.drain(..gone.min(self.versions.len()));
        (first..)
            .zip(pruned)
            .filter(|(_, version)| !version.destroyed)
            .map(|(number, _)| number)
            .collect()
    }

    /// Returns the time at which a version made or undeleted at `now` is to be deleted, by the
    /// shorter life of those that the mount and the secret give; `None` for never.
    pub(super) fn deletion(&self, now: Timestamp, config: &Config) -> Option<Timestamp> {
        let of_mount = u64::try_from(config.delete_version_after_s).ok()?;
        let after_s = match (of_mount, self.delete_version_after_s) {
            (0, 0) => return None,
            (0, after) | (after, 0) => after,
            (one, other) => one.min(other),
        };
        Some(now.plus(Duration::from_secs(after_s)))
    }

    /// Returns `metadata` as an answer about the version `number` shows it.
    pub(super) fn version_fields(&self, number: u64) -> Map<String, Value> {
        let mut fields = self.version(number).copied().unwrap_or_default().fields();
        fields.insert("custom_metadata".into(), self.custom_json());
        fields.insert("version".into(), number.into());
        fields
    }

    /// Returns the answer of `metadata/<path>`.
    pub(super) fn fields(&self) -> Map<String, Value> {
        let versions: Map<String, Value> = (self.first_version()..)
            .zip(&self.versions)
            .map(|(number, version)| (number.to_string(), Value::Object(version.fields())))
            .collect();
        let after = Duration::from_secs(self.delete_version_after_s);
        let fields = json!({
            "cas_required": self.cas_required,
            "created_time": self.created.rfc3339(),
            "current_metadata_version": self.revision,
            "current_version": self.current_version,
            "custom_metadata": self.custom_json(),
            "delete_version_after": format_duration(after),
            "max_versions": self.max_versions,
            "metadata_cas_required": self.metadata_cas_required,
            "oldest_version": self.oldest_version,
            "updated_time": self.updated.rfc3339(),
            "versions": versions,
        });
        match fields {
            Value::Object(fields) => fields,
            _ => Map::new(),
        }
    }

    fn custom_json(&self) -> Value {
        if self.custom.is_empty() {
            return Value::Null;
        }
        let pairs = self.custom.iter();
        Value::Object(pairs.map(|(k, v)| (k.clone(), v.as_str().into())).collect())
    }
}
