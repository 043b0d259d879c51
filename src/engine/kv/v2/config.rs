//! The mount's own settings, `config`.

use super::metadata::VERSIONS_MAX;
use crate::barrier::{Batch, Codec, Slot, View};
use crate::clock::format_duration;
use crate::engine::table::{Fields, Matched};
use crate::engine::{Error, Outcome, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::time::Duration;

const LOCATION: &str = "config";

/// Settings that every secret of the mount takes over unless its own say more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Config {
    /// Zero is [`super::metadata::VERSIONS_DEFAULT`].
    pub(super) max_versions: u32,
    pub(super) cas_required: bool,
    pub(super) metadata_cas_required: bool,
    /// Zero says nothing, negative switches deletion by time off for all secrets.
    pub(super) delete_version_after_s: i64,
}

/// The stored form; further formats become further variants.
#[derive(Serialize, Deserialize)]
enum Stored {
    V1(Config),
}

/// The record as text.
pub(in crate::engine::kv) const CODEC: Codec = Codec::of::<Stored>();

fn load(view: &View) -> Result<(Slot, Config), Error> {
    let slot = view.read(LOCATION)?;
    let stored = slot.record("kv config")?;
    let config = stored.map_or_else(Config::default, |Stored::V1(config)| config);
    Ok((slot, config))
}

/// Returns the settings in force, for a change that follows from them: `batch` commits only while
/// they are.
pub(super) fn current(view: &View, batch: &mut Batch) -> Result<Config, Error> {
    let (slot, config) = load(view)?;
    batch.keep(&slot);
    Ok(config)
}

/// Answers GET `config`.
pub(super) fn read(matched: &Matched<'_>) -> Result<Outcome, Error> {
    let (_, config) = load(matched.view)?;
    let after = match u64::try_from(config.delete_version_after_s) {
        Ok(seconds) => format_duration(Duration::from_secs(seconds)),
        Err(_) => "-1s".into(),
    };
    let mut data = Map::new();
    data.insert("cas_required".into(), config.cas_required.into());
    data.insert("delete_version_after".into(), after.into());
    data.insert("max_versions".into(), config.max_versions.into());
    let metadata_cas = Value::Bool(config.metadata_cas_required);
    data.insert("metadata_cas_required".into(), metadata_cas);
    Ok(Response::data(data).into())
}

/// Reads a number of versions; `null` is zero.
pub(super) fn count(fields: &Fields<'_>, name: &str) -> Result<Option<u32>, Error> {
    let Some(number) = fields.number(name) else {
        return Ok(None);
    };
    let count = u32::try_from(number).ok();
    match count.filter(|count| *count <= VERSIONS_MAX) {
        Some(count) => Ok(Some(count)),
        None => Err(Error::invalid(format!(
            "error converting input for field {name:?}: must be between 0 and {VERSIONS_MAX}"
        ))),
    }
}

/// Answers PUT `config`: only the fields that are sent change.
pub(super) fn write(matched: &Matched<'_>) -> Result<Outcome, Error> {
    let (fields, view) = (&matched.fields, matched.view);
    let (slot, old) = load(view)?;
    let after = match fields.is_null("delete_version_after") {
        true => Some(0),
        false => fields.signed_seconds("delete_version_after"),
    };
    let new = Config {
        max_versions: count(fields, "max_versions")?.unwrap_or(old.max_versions),
        cas_required: fields.switch("cas_required").unwrap_or(old.cas_required),
        metadata_cas_required: fields
            .switch("metadata_cas_required")
            .unwrap_or(old.metadata_cas_required),
        delete_version_after_s: after.map_or(old.delete_version_after_s, |s| s.max(-1)),
    };
    let mut outcome = Outcome::default();
    if new != old {
        let batch = &mut outcome.batch;
        batch.replace_record(&slot, &Stored::V1(new))?;
    }
    Ok(outcome)
}
