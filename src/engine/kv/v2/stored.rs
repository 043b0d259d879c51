//! The metadata record and the data records on their way to and from the view.
//!
//! ```text
//! m/<path>            tag 1, then postcard (numbers are varints, so a fresh record is ~30 bytes
//!                     and each further version ~8):
//!   id[9] created max_versions flags delete_version_after_s revision updated-created
//!   custom[(key, value)] current_version oldest_version
//!   versions[(created - the one before, deletion - created + 1 or 0, destroyed)]
//! d<base64url(id)><version>   see `record`
//! ```

use super::metadata::{Metadata, SecretId, Version};
use crate::barrier::{Batch, Codec, Slot, View};
use crate::clock::Timestamp;
use crate::engine::kv::record;
use crate::engine::{Error, Request};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The stored form at `m/<path>`; further formats become further variants.
#[derive(Serialize, Deserialize)]
enum Stored {
    /// Never written: a record of zeros must not decode.
    Never,
    V1(StoredMetadata),
}

#[derive(Serialize, Deserialize)]
struct StoredMetadata {
    id: SecretId,
    created_ns: u64,
    max_versions: u32,
    flags: u8,
    delete_version_after_s: u64,
    revision: u64,
    updated_after_ns: i64,
    custom: Vec<(String, String)>,
    current_version: u64,
    oldest_version: u64,
    versions: Vec<StoredVersion>,
}

#[derive(Serialize, Deserialize)]
struct StoredVersion {
    /// After the version before it, or the record; negative when two writers raced.
    created_after_ns: i64,
    /// Zero: none; else one more than what lies between creation and deletion.
    deletion_after_ns: u64,
    destroyed: bool,
}

/// The metadata record as text.
pub(in crate::engine::kv) const METADATA_CODEC: Codec = Codec::of::<Stored>();

const CAS_REQUIRED: u8 = 1;
const METADATA_CAS_REQUIRED: u8 = 2;

/// Returns the path of the metadata record of `path`.
pub(super) fn metadata_path(path: &str) -> String {
    format!("m/{path}")
}

/// Reads the metadata record of `path`.
pub(super) fn metadata(view: &View, path: &str) -> Result<Option<Metadata>, Error> {
    held(&view.read(&metadata_path(path))?)
}

/// Reads the metadata record of `path` that `request` writes.
pub(super) fn slot(request: &Request, view: &View, path: &str) -> Result<Slot, Error> {
    Ok(request.slot(view, &metadata_path(path))?)
}

/// Reads the metadata in a slot.
pub(super) fn held(slot: &Slot) -> Result<Option<Metadata>, Error> {
    let kind = "kv metadata";
    match slot.record(kind)? {
        None => Ok(None),
        Some(Stored::V1(stored)) => Ok(Some(stored.into())),
        Some(Stored::Never) => Err(crate::barrier::BarrierError::Decode(kind).into()),
    }
}

/// Adds "write `metadata` in place of what was read".
pub(super) fn put_metadata(
    batch: &mut Batch,
    slot: &Slot,
    metadata: &Metadata,
) -> Result<(), Error> {
    batch.replace_record(slot, &Stored::V1(metadata.into()))?;
    Ok(())
}

/// Reads the data of one version.
pub(super) fn data(view: &View, metadata: &Metadata, version: u64) -> Result<Value, Error> {
    record::get(view, &data_path(metadata, version))?
        .ok_or_else(|| Error::internal("a kv version has no data record"))
}

/// Adds "write `fields` as the data of `version`"; without them, null.
pub(super) fn put_data(
    view: &View,
    batch: &mut Batch,
    metadata: &Metadata,
    version: u64,
    fields: Option<&Map<String, Value>>,
) -> Result<(), Error> {
    record::put(view, batch, &data_path(metadata, version), fields)
}

/// Adds "remove the data of `version`".
pub(super) fn delete_data(view: &View, batch: &mut Batch, metadata: &Metadata, version: u64) {
    view.delete(batch, &data_path(metadata, version));
}

fn data_path(metadata: &Metadata, version: u64) -> String {
    format!("d{}{version}", URL_SAFE_NO_PAD.encode(metadata.id))
}

fn after(later: Timestamp, earlier: Timestamp) -> i64 {
    // Times of this era differ by far less than the 292 years that fit.
    later.0.wrapping_sub(earlier.0).cast_signed()
}

fn plus(earlier: Timestamp, after_ns: i64) -> Timestamp {
    Timestamp(earlier.0.wrapping_add_signed(after_ns))
}

impl From<&Metadata> for StoredMetadata {
    fn from(metadata: &Metadata) -> Self {
        let mut before = metadata.created;
        let versions = metadata.versions.iter().map(|version| {
            let created_after_ns = after(version.created, before);
            before = version.created;
            StoredVersion {
                created_after_ns,
                deletion_after_ns: version.deletion.map_or(0, |deletion| {
                    deletion
                        .0
                        .saturating_sub(version.created.0)
                        .saturating_add(1)
                }),
                destroyed: version.destroyed,
            }
        });
        Self {
            id: metadata.id,
            created_ns: metadata.created.0,
            max_versions: metadata.max_versions,
            flags: u8::from(metadata.cas_required) * CAS_REQUIRED
                + u8::from(metadata.metadata_cas_required) * METADATA_CAS_REQUIRED,
            delete_version_after_s: metadata.delete_version_after_s,
            revision: metadata.revision,
            updated_after_ns: after(metadata.updated, metadata.created),
            custom: metadata.custom.clone().into_iter().collect(),
            current_version: metadata.current_version,
            oldest_version: metadata.oldest_version,
            versions: versions.collect(),
        }
    }
}

impl From<StoredMetadata> for Metadata {
    fn from(stored: StoredMetadata) -> Self {
        let created = Timestamp(stored.created_ns);
        let mut before = created;
        let versions = stored.versions.into_iter().map(|version| {
            before = plus(before, version.created_after_ns);
            let after_ns = version.deletion_after_ns.checked_sub(1);
            Version {
                created: before,
                deletion: after_ns.map(|ns| Timestamp(before.0.saturating_add(ns))),
                destroyed: version.destroyed,
            }
        });
        Self {
            id: stored.id,
            created,
            updated: plus(created, stored.updated_after_ns),
            max_versions: stored.max_versions,
            cas_required: stored.flags & CAS_REQUIRED != 0,
            metadata_cas_required: stored.flags & METADATA_CAS_REQUIRED != 0,
            delete_version_after_s: stored.delete_version_after_s,
            revision: stored.revision,
            custom: stored.custom.into_iter().collect(),
            current_version: stored.current_version,
            oldest_version: stored.oldest_version,
            versions: versions.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::kv::v2::config::Config;
    use std::time::Duration;

    fn ten_versions() -> Metadata {
        let start = Timestamp(1_780_000_000_123_456_789);
        let mut metadata = Metadata::new(start);
        for second in 0..10 {
            let now = start.plus(Duration::from_millis(second * 1_234));
            metadata.add_version(now, &Config::default());
        }
        metadata
    }

    #[test]
    fn reads_back_what_it_wrote() {
        let mut metadata = ten_versions();
        metadata.custom.insert("owner".into(), "anna".into());
        metadata.cas_required = true;
        metadata.versions[3].destroyed = true;
        metadata.versions[4].deletion = Some(metadata.versions[4].created);
        metadata.versions[5].created = Timestamp(1);
        let stored = StoredMetadata::from(&metadata);
        assert_eq!(Metadata::from(stored), metadata);
    }

    #[test]
    fn stays_small() {
        let size = |metadata: &Metadata| {
            postcard::to_stdvec(&Stored::V1(metadata.into()))
                .expect("encodes")
                .len()
        };
        let mut one = Metadata::new(Timestamp(1_780_000_000_123_456_789));
        one.add_version(one.created, &Config::default());
        assert!(size(&one) <= 36, "{}", size(&one));
        assert!(size(&ten_versions()) <= 112, "{}", size(&ten_versions()));
    }
}
