//! Deleting, undeleting and destroying versions.

use super::config;
use super::metadata::Metadata;
use super::path::secret;
use super::stored;
use crate::barrier::Batch;
use crate::engine::table::Matched;
use crate::engine::{Error, Outcome, Request};

/// Answers DELETE `data/<path>`: the latest version can no longer be read; undelete brings it back.
pub(super) fn delete_latest(matched: &Matched<'_>) -> Result<Outcome, Error> {
    let Some(path) = secret(matched) else {
        return Ok(Outcome::default());
    };
    change(matched, path, |metadata| {
        let latest = metadata.current_version;
        mark_deleted(metadata, latest, matched.request);
        Vec::new()
    })
}

/// Answers `delete/<path>`: as [`delete_latest`], for the versions named.
pub(super) fn delete(matched: &Matched<'_>) -> Result<Outcome, Error> {
    let request = matched.request;
    let path = matched.captured("path");
    let numbers = named(matched, "No version number provided")?;
    change(matched, path, |metadata| {
        for number in numbers {
            mark_deleted(metadata, number, request);
        }
        Vec::new()
    })
}

/// Answers `undelete/<path>`: versions can be read again, for as long as `delete_version_after`
/// says.
pub(super) fn undelete(matched: &Matched<'_>) -> Result<Outcome, Error> {
    let (request, view) = (matched.request, matched.view);
    let path = matched.captured("path");
    let numbers = named(matched, "No version number provided")?;
    let mut expected = Batch::new();
    let config = config::current(view, &mut expected)?;
    let mut outcome = change(matched, path, |metadata| {
        let deletion = metadata.deletion(request.now, &config);
        for number in numbers {
            if let Some(version) = metadata.version_mut(number).filter(|v| !v.destroyed) {
                version.deletion = deletion;
            }
        }
        Vec::new()
    })?;
    outcome.batch.append(expected);
    Ok(outcome)
}

/// Answers `destroy/<path>`: removes the data for good.
pub(super) fn destroy(matched: &Matched<'_>) -> Result<Outcome, Error> {
    let path = matched.captured("path");
    let numbers = named(matched, "no version number provided")?;
    change(matched, path, |metadata| {
        let mut gone = Vec::new();
        for number in numbers {
            if let Some(version) = metadata.version_mut(number).filter(|v| !v.destroyed) {
                version.destroyed = true;
                gone.push(number);
            }
        }
        gone
    })
}

fn named(matched: &Matched<'_>, none: &str) -> Result<Vec<u64>, Error> {
    match matched.fields.integers("versions") {
        None | Some([]) => Err(Error::invalid(none)),
        // A negative version exists as little as one that was never written.
        Some(numbers) => Ok(numbers
            .iter()
            .filter_map(|n| u64::try_from(*n).ok())
            .collect()),
    }
}

fn mark_deleted(metadata: &mut Metadata, number: u64, request: &Request) {
    let version = metadata.version_mut(number);
    if let Some(version) = version.filter(|version| version.is_readable(request.now)) {
        // A writer whose clock reading is older may come after the version's creator.
        version.deletion = Some(request.now.max(version.created));
    }
}

/// Applies `edit`, which returns the versions whose data has to go. Writes nothing when nothing
/// changed or the secret is unknown.
fn change(
    matched: &Matched<'_>,
    path: &str,
    edit: impl FnOnce(&mut Metadata) -> Vec<u64>,
) -> Result<Outcome, Error> {
    let mut outcome = Outcome::default();
    let view = matched.view;
    let slot = stored::slot(matched.request, view, path)?;
    let Some(before) = stored::held(&slot)? else {
        return Ok(outcome);
    };
    let mut metadata = before.clone();
    for number in edit(&mut metadata) {
        stored::delete_data(view, &mut outcome.batch, &metadata, number);
    }
    if metadata != before {
        stored::put_metadata(&mut outcome.batch, &slot, &metadata)?;
    }
    Ok(outcome)
}
