//! The records of keys.

use super::kind::{HMAC_BYTES, KeyType};
use super::version::Version;
use crate::barrier::{Batch, Slot, View};
use crate::clock::Timestamp;
use crate::engine::table::Field;
use crate::engine::{Error, Request};
use serde::{Deserialize, Serialize};

/// The part of a path that names a key.
pub(super) const NAME: Field = Field::path("name", "Name of the key.");

/// The most versions of a key that are kept: the times of all are in one record.
pub(super) const VERSIONS_MAX: usize = 4000;

/// The settings of a key, and the times of its versions.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Key {
    pub(super) kind: KeyType,
    /// True when each request has a key of its own, derived for its context.
    pub(super) derived: bool,
    /// True when one plaintext has one ciphertext in each context.
    pub(super) convergent: bool,
    pub(super) exportable: bool,
    pub(super) allow_plaintext_backup: bool,
    pub(super) deletion_allowed: bool,
    pub(super) soft_deleted: bool,
    /// The lowest version that decrypts.
    pub(super) min_decryption: u32,
    /// The lowest version that encrypts; zero for the newest.
    pub(super) min_encryption: u32,
    /// The lowest version that is kept; zero where nothing was trimmed.
    pub(super) min_available: u32,
    /// The number of the first version that is kept.
    pub(super) first: u32,
    /// The times, in seconds since 1970, at which the versions from the first one on were made.
    made: Vec<u64>,
    /// The settings that records of the first form do not have.
    #[serde(skip)]
    pub(super) more: More,
}

/// The settings of a key that came later; further ones need a further form of the record.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct More {
    /// The length of a key of type `hmac`, in bytes; zero for the other types.
    pub(super) key_bytes: u32,
    /// The time at which it was restored, and the newest version then.
    pub(super) restored: Option<(u64, u32)>,
}

/// The form of a key's record; further ones are added behind.
#[derive(Serialize, Deserialize)]
enum StoredKey {
    V1(Key),
    V2(Key, More),
}

impl Key {
    /// Makes the settings of a key without versions.
    pub(super) fn new(kind: KeyType) -> Self {
        Self {
            kind,
            derived: false,
            convergent: false,
            exportable: false,
            allow_plaintext_backup: false,
            deletion_allowed: false,
            soft_deleted: false,
            min_decryption: 1,
            min_encryption: 0,
            min_available: 0,
            first: 1,
            made: Vec::new(),
            more: More::default(),
        }
    }

    /// Reads the key called `name`.
    pub(super) fn read(view: &View, name: &str) -> Result<Option<Self>, Error> {
        Self::of(&view.read(&place(name))?)
    }

    /// Reads the key of a request that changes it, with its place.
    pub(super) fn slot(
        request: &Request,
        view: &View,
        name: &str,
    ) -> Result<(Slot, Option<Self>), Error> {
        let slot = request.slot(view, &place(name))?;
        let key = Self::of(&slot)?;
        Ok((slot, key))
    }

    /// Decodes a key that was read.
    fn of(slot: &Slot) -> Result<Option<Self>, Error> {
        let stored: Option<StoredKey> = slot.record("key of transit")?;
        Ok(stored.map(Self::from_stored))
    }

    /// Adds its change to a batch.
    pub(super) fn write(&self, slot: &Slot, batch: &mut Batch) -> Result<(), Error> {
        Ok(batch.replace_record(slot, &StoredKey::V2(self.clone(), self.more.clone()))?)
    }

    /// Returns the number of the newest version.
    pub(super) fn latest(&self) -> u32 {
        let kept = u32::try_from(self.made.len()).unwrap_or(u32::MAX);
        (self.first + kept).saturating_sub(1)
    }

    /// Returns the versions that decrypt, each with the time at which it was made.
    pub(super) fn versions(&self) -> impl Iterator<Item = (u32, u64)> {
        let numbered = (self.first..).zip(self.made.iter().copied());
        numbered.filter(|(number, _)| *number >= self.min_decryption)
    }

    /// Adds a version to it and to the batch.
    ///
    /// # Errors
    /// 400 where it has as many as can be.
    pub(super) fn add(
        &mut self,
        view: &View,
        batch: &mut Batch,
        name: &str,
        now: Timestamp,
        version: &Version,
    ) -> Result<(), Error> {
        if self.made.len() >= VERSIONS_MAX {
            let many = format!("a key has at most {VERSIONS_MAX} versions: trim it first");
            return Err(Error::invalid(many));
        }
        self.made.push(now.as_secs());
        let slot = view
            .read(&Self::version_place(name, self.latest()))?
            .as_absent();
        version.write(&slot, batch)
    }

    /// Returns the secrets of a version.
    ///
    /// # Errors
    /// 400 where there is no such version.
    pub(super) fn version(&self, view: &View, name: &str, number: u32) -> Result<Version, Error> {
        if number < self.first || number > self.latest() {
            return Err(Error::invalid("no such key version"));
        }
        let slot = view.read(&Self::version_place(name, number))?;
        let missing = || Error::internal(format!("version {number} of a key is missing"));
        Version::of(self.kind, &slot)?.ok_or_else(missing)
    }

    /// Returns the place of a version's record.
    pub(super) fn version_place(name: &str, number: u32) -> String {
        format!("version/{name}/{number}")
    }

    /// Returns the number of versions that are kept.
    pub(super) const fn versions_kept(&self) -> usize {
        self.made.len()
    }

    /// Returns its record, as a backup has it.
    pub(super) fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        let stored = StoredKey::V2(self.clone(), self.more.clone());
        let packed = postcard::to_allocvec(&stored);
        packed.map_err(|_| Error::internal("a key of transit cannot be packed"))
    }

    /// Reads what [`Key::to_bytes`] returned; `None` for anything else, also for a key that cannot
    /// be.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (stored, rest) = postcard::take_from_bytes(bytes).ok()?;
        let key = Self::from_stored(stored);
        (rest.is_empty() && key.is_sound()).then_some(key)
    }

    fn from_stored(stored: StoredKey) -> Self {
        match stored {
            StoredKey::V1(key) => key,
            StoredKey::V2(key, more) => Self { more, ..key },
        }
    }

    /// Returns true when its numbers fit each other.
    fn is_sound(&self) -> bool {
        let kept = u32::try_from(self.made.len()).unwrap_or(u32::MAX);
        let is_counted = self.first > 0
            && kept > 0
            && self.made.len() <= VERSIONS_MAX
            && self.first.checked_add(kept).is_some();
        let lowest = self.first.max(self.min_available);
        let bytes = self.more.key_bytes;
        let is_sized = match self.kind {
            KeyType::Hmac => HMAC_BYTES.contains(&bytes),
            _ => bytes == 0,
        };
        is_counted
            && is_sized
            && (lowest..=self.latest()).contains(&self.min_decryption)
            && (self.min_encryption == 0 && self.min_available == 0
                || (self.min_decryption..=self.latest()).contains(&self.min_encryption))
    }

    /// Drops the versions below `least` from it, and adds their deletion to the batch.
    pub(super) fn trim(&mut self, view: &View, batch: &mut Batch, name: &str, least: u32) {
        for number in self.first..least.min(self.latest() + 1) {
            view.delete(batch, &Self::version_place(name, number));
        }
        let gone = usize::try_from(least.saturating_sub(self.first)).unwrap_or(usize::MAX);
        self.made.drain(..gone.min(self.made.len()));
        self.first = self.first.max(least);
    }
}

/// Returns the place of a key's record.
pub(super) fn place(name: &str) -> String {
    format!("key/{name}")
}

/// The folder of the keys' records.
pub(super) const KEYS: &str = "key/";

/// The settings of a mount.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct MountConfig {
    /// True when encrypting makes no key.
    pub(super) disable_upsert: bool,
}

/// The form of the settings' record; further ones are added behind.
#[derive(Serialize, Deserialize)]
pub(super) enum StoredConfig {
    /// The first form.
    V1(MountConfig),
}

/// The place of the mount's settings.
pub(super) const CONFIG: &str = "config";

impl MountConfig {
    /// Reads the settings.
    pub(super) fn read(view: &View) -> Result<Self, Error> {
        Self::of(&view.read(CONFIG)?)
    }

    /// Decodes settings that were read.
    pub(super) fn of(slot: &Slot) -> Result<Self, Error> {
        let stored: Option<StoredConfig> = slot.record("settings of transit")?;
        Ok(stored.map_or_else(Self::default, |StoredConfig::V1(config)| config))
    }
}
