//! The upgrade from v1 to v2: every secret becomes the first version of itself.

use super::config;
use super::metadata::Metadata;
use super::stored;
use crate::barrier::{Batch, View};
use crate::clock::Timestamp;
use crate::engine::Error;
use crate::engine::kv::{record, v1};
use serde_json::{Map, Value};

/// Most secrets that one upgrade moves, so that it fits into one log entry.
pub const UPGRADE_SECRETS_MAX: usize = 2000;

/// Adds "turn the v1 secrets of `view` into v2's" to `batch`; returns how many they are. A later
/// call moves the secrets that a writer left under the old version meanwhile.
pub fn upgrade(view: &View, batch: &mut Batch, now: Timestamp) -> Result<usize, Error> {
    let paths = view.walk(&v1::location(""), UPGRADE_SECRETS_MAX + 1)?;
    if paths.len() > UPGRADE_SECRETS_MAX {
        return Err(Error::invalid(format!(
            "cannot upgrade a mount with more than {UPGRADE_SECRETS_MAX} secrets: mount version \
             2 beside it and copy"
        )));
    }
    let config = config::current(view, batch)?;
    let mut moved = 0;
    for path in paths {
        let old = v1::location(&path);
        let old = view.read(&old)?;
        let Some(value) = old.value() else {
            continue;
        };
        let slot = view.read(&stored::metadata_path(&path))?;
        if slot.is_taken() {
            continue; // Written anew under version 2: that is what its readers know.
        }
        let data: Map<String, Value> = record::decode(value)?;
        let mut metadata = Metadata::new(now);
        metadata.add_version(now, &config);
        stored::put_data(
            view,
            batch,
            &metadata,
            metadata.current_version,
            Some(&data),
        )?;
        stored::put_metadata(batch, &slot, &metadata)?;
        batch.remove(&old);
        moved += 1;
    }
    Ok(moved)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::kv::{Kv, harness::Mount};
    use crate::engine::{Operation, Outcome};
    use serde_json::json;

    fn upgraded(mount: &Mount<Kv>) -> usize {
        let mut outcome = Outcome::default();
        let now = mount.request(Operation::Read, "", Value::Null).now;
        let moved = upgrade(&mount.view, &mut outcome.batch, now).expect("upgrades");
        mount.commit(outcome).expect("commits");
        moved
    }

    #[test]
    fn secrets_become_first_versions() {
        let mut mount = Mount::new(Kv, &[]);
        mount.put("a", json!({"x": 1})).expect("put");
        mount.put("a/b", json!({"x": 2})).expect("put");
        assert_eq!(upgraded(&mount), 2);
        mount.set_option("version", "2");
        let got = mount.read("data/a/b", Value::Null);
        assert_eq!(got["data"], json!({"x": 2}));
        assert_eq!(got["metadata"]["version"], json!(1));
        assert_eq!(
            mount.keys(Operation::List, "metadata", Value::Null),
            ["a", "a/"]
        );
        assert_eq!(mount.records(), 4, "nothing of version 1 is left");
        assert_eq!(upgraded(&mount), 0);
    }

    #[test]
    fn a_secret_written_under_version_2_stays() {
        let mut mount = Mount::new(Kv, &[]);
        mount.put("a", json!({"x": 1})).expect("put");
        mount.set_option("version", "2");
        mount.put("data/a", json!({"data": {"x": 2}})).expect("put");
        assert_eq!(upgraded(&mount), 0);
        assert_eq!(mount.read("data/a", Value::Null)["data"], json!({"x": 2}));
    }
}
