//! Settings, names and retention.

use super::config::Config;
use super::files::{self, Draft};
use crate::clock::Timestamp;
use crate::engine::Error;
use crate::engine::table::Fields;
use serde_json::{Map, Value, json};
use std::fs;
use std::io::Write;

fn fields(value: Value) -> Map<String, Value> {
    serde_json::from_value(value).unwrap()
}

fn parse(data: &Map<String, Value>, before: Option<&Config>) -> Result<Config, Error> {
    let mut rows = crate::sys::endpoints::snapshots::ROWS.iter();
    let row = rows.find(|row| row.endpoint.pattern.ends_with("config/:name"));
    let fields = Fields::read(row.unwrap().endpoint.fields, data, "")?;
    Config::parse(&fields, before)
}

fn config(folder: &std::path::Path) -> Config {
    let data = fields(json!({
        "interval": "1h", "path_prefix": folder.to_str().unwrap(), "storage_type": "local",
        "local_max_space": 1000, "retain": 2, "file_prefix": "nightly",
    }));
    parse(&data, None).unwrap()
}

#[test]
fn settings_are_read_and_what_cannot_be_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    assert_eq!(config.interval_s, 3600);
    let again = parse(&config.data(), None).unwrap();
    assert_eq!(again, config);
    let one = parse(&fields(json!({"retain": 7})), Some(&config)).unwrap();
    assert_eq!((one.retain, one.interval_s), (7, 3600));
    for (change, message) in [
        (json!({"storage_type": "aws-s3"}), "aws-s3"),
        (json!({"interval": 0}), "interval"),
        (json!({"retain": 0}), "retain"),
        (json!({"retain": 10_001}), "retain"),
        (json!({"path_prefix": "relative"}), "path_prefix"),
        (json!({"path_prefix": "/a/../b"}), "path_prefix"),
        (json!({"file_prefix": "../x"}), "file_prefix"),
        (json!({"file_prefix": ""}), "file_prefix"),
        (json!({"file_prefix": ".hidden"}), "file_prefix"),
        (json!({"local_max_space": -1}), "local_max_space"),
    ] {
        let error = parse(&fields(change.clone()), Some(&config)).unwrap_err();
        assert!(error.messages[0].contains(message), "{change}: {error:?}");
    }
    for name in ["interval", "path_prefix", "storage_type", "local_max_space"] {
        let mut data = config.data();
        data.remove(name);
        let error = parse(&data, None).unwrap_err();
        assert!(error.messages[0].contains(name), "{name}: {error:?}");
    }
}

#[test]
fn the_oldest_of_its_own_go_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let others = [
        "nightly-20261122T085918Z-7.snap.old",
        "nightly-x-20261122T085918Z-7.snap",
        "nightly-20261122T085918-7.snap",
        "weekly-20261122T085918Z-7.snap",
        "nightly.snap",
    ];
    for name in others {
        fs::write(folder.path().join(name), b"x").unwrap();
    }
    let cut_short = folder.path().join(".nightly-20261122T085918Z-7.snap.part");
    fs::write(&cut_short, b"x").unwrap();
    for at in [30, 10, 20, 40] {
        let at = Timestamp::from_secs(1_700_000_000 + at);
        let name = files::name(&config, at, 100 + at.as_secs() % 100);
        let mut draft = Draft::new(&config, &name, 5).unwrap();
        draft.write_all(b"12345").unwrap();
        assert!(!folder.path().join(&name).exists());
        draft.keep().unwrap();
        let mode =
            std::os::unix::fs::MetadataExt::mode(&folder.path().join(name).metadata().unwrap());
        assert_eq!(mode & 0o777, 0o600);
    }
    files::prune(&config).unwrap();
    let left = files::taken(&config).unwrap();
    let times: Vec<u64> = left.iter().map(|taken| taken.time().as_secs()).collect();
    assert_eq!(times, [1_700_000_030, 1_700_000_040]);
    assert_eq!(left[1].index, 140);
    assert!(others.iter().all(|name| folder.path().join(name).exists()));
    assert!(!cut_short.exists());
}

#[test]
fn a_snapshot_that_does_not_fit_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let mut draft = Draft::new(&config, "nightly-a.snap", 4).unwrap();
    let error = draft.write_all(b"12345").unwrap_err();
    assert!(error.to_string().contains("local_max_space"), "{error}");
    drop(draft);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}
