//! kv v2 against a naive model: random sequences of requests must leave both the same.

use super::metadata::VERSIONS_DEFAULT;
use crate::engine::Operation;
use crate::engine::kv::Kv;
use crate::engine::kv::harness::Mount;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

const PATHS: [&str; 3] = ["a", "a/b", "c"];

#[derive(Clone, Debug)]
enum Step {
    Put {
        path: usize,
        value: u8,
        cas: Option<u64>,
    },
    Patch {
        path: usize,
        value: Option<u8>,
    },
    DeleteLatest {
        path: usize,
    },
    Delete {
        path: usize,
        versions: Vec<u64>,
    },
    Undelete {
        path: usize,
        versions: Vec<u64>,
    },
    Destroy {
        path: usize,
        versions: Vec<u64>,
    },
    DeleteMetadata {
        path: usize,
    },
    MaxVersions {
        path: usize,
        max: u32,
    },
    DeleteAfter {
        seconds: u64,
    },
    Wait {
        seconds: u64,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let path = || 0..PATHS.len();
    let versions = || prop::collection::vec(0..8_u64, 1..3);
    prop_oneof![
        6 => (path(), any::<u8>(), prop::option::weighted(0.3, 0..6_u64))
            .prop_map(|(path, value, cas)| Step::Put { path, value, cas }),
        2 => (path(), any::<Option<u8>>())
            .prop_map(|(path, value)| Step::Patch { path, value }),
        1 => path().prop_map(|path| Step::DeleteLatest { path }),
        1 => (path(), versions()).prop_map(|(path, versions)| Step::Delete { path, versions }),
        1 => (path(), versions()).prop_map(|(path, versions)| Step::Undelete { path, versions }),
        1 => (path(), versions()).prop_map(|(path, versions)| Step::Destroy { path, versions }),
        1 => path().prop_map(|path| Step::DeleteMetadata { path }),
        1 => (path(), 0..5_u32).prop_map(|(path, max)| Step::MaxVersions { path, max }),
        1 => (0..4_u64).prop_map(|seconds| Step::DeleteAfter { seconds }),
        1 => (1..3_u64).prop_map(|seconds| Step::Wait { seconds }),
    ]
}

#[derive(Default)]
struct Secret {
    current: u64,
    max: u32,
    versions: BTreeMap<u64, Version>,
}

#[derive(Clone)]
struct Version {
    data: Option<Value>,
    deleted_at: Option<u64>,
}

#[derive(Default)]
struct Model {
    secrets: BTreeMap<&'static str, Secret>,
    delete_after: u64,
    now: u64,
}

impl Model {
    fn deletion(&self) -> Option<u64> {
        (self.delete_after > 0).then(|| self.now + self.delete_after)
    }

    fn latest(&self, path: &'static str) -> Option<Value> {
        let secret = self.secrets.get(path)?;
        let version = secret.versions.get(&secret.current)?;
        readable(version, self.now)
    }

    fn append(&mut self, path: &'static str, data: Value) {
        let deleted_at = self.deletion();
        let secret = self.secrets.entry(path).or_default();
        secret.current += 1;
        secret.versions.insert(
            secret.current,
            Version {
                data: Some(data),
                deleted_at,
            },
        );
        let kept = if secret.max == 0 {
            VERSIONS_DEFAULT
        } else {
            secret.max
        };
        let current = secret.current;
        secret
            .versions
            .retain(|number, _| number + u64::from(kept) > current);
    }

    fn edit(&mut self, path: &'static str, versions: &[u64], edit: impl Fn(&mut Version, u64)) {
        let now = self.now;
        let Some(secret) = self.secrets.get_mut(path) else {
            return;
        };
        for number in versions {
            if let Some(version) = secret.versions.get_mut(number) {
                edit(version, now);
            }
        }
    }

    /// Applies `step`; returns whether the request should succeed.
    fn apply(&mut self, step: &Step) -> bool {
        let delete = |version: &mut Version, now: u64| {
            if readable(version, now).is_some() {
                version.deleted_at = Some(now);
            }
        };
        match step {
            Step::Put { path, value, cas } => {
                let path = PATHS[*path];
                let current = self.secrets.get(path).map_or(0, |secret| secret.current);
                if cas.is_some_and(|cas| cas != current) {
                    return false;
                }
                self.append(path, json!({ "v": value, "k": current }));
            }
            Step::Patch { path, value } => {
                let path = PATHS[*path];
                let Some(mut data) = self.latest(path) else {
                    return false;
                };
                match value {
                    Some(value) => data["v"] = json!(value),
                    None => drop(data.as_object_mut().expect("an object").remove("v")),
                }
                self.append(path, data);
            }
            Step::DeleteLatest { path } => {
                let current = self.secrets.get(PATHS[*path]).map_or(0, |s| s.current);
                self.edit(PATHS[*path], &[current], delete);
            }
            Step::Delete { path, versions } => self.edit(PATHS[*path], versions, delete),
            Step::Undelete { path, versions } => {
                let deletion = self.deletion();
                self.edit(PATHS[*path], versions, |version, _| {
                    if version.data.is_some() {
                        version.deleted_at = deletion;
                    }
                });
            }
            Step::Destroy { path, versions } => {
                self.edit(PATHS[*path], versions, |version, _| version.data = None);
            }
            Step::DeleteMetadata { path } => drop(self.secrets.remove(PATHS[*path])),
            Step::MaxVersions { path, max } => {
                self.secrets.entry(PATHS[*path]).or_default().max = *max;
            }
            Step::DeleteAfter { seconds } => self.delete_after = *seconds,
            Step::Wait { seconds } => self.now += seconds,
        }
        true
    }
}

fn readable(version: &Version, now: u64) -> Option<Value> {
    let deleted = version.deleted_at.is_some_and(|at| at <= now);
    version.data.clone().filter(|_| !deleted)
}

/// Sends `step`; returns whether it succeeded.
fn send(mount: &Mount<Kv>, step: &Step) -> bool {
    let (operation, path, data) = match step {
        Step::Put { path, value, cas } => {
            let path = PATHS[*path];
            let known = mount.get(&format!("metadata/{path}")).ok();
            let current = known.map_or(json!(0), |r| {
                r.data.expect("data")["current_version"].clone()
            });
            let mut body = json!({"data": {"v": value, "k": current}});
            if let Some(cas) = cas {
                body["options"] = json!({ "cas": cas });
            }
            (Operation::Update, format!("data/{path}"), body)
        }
        Step::Patch { path, value } => {
            let body = json!({"data": {"v": value}});
            (Operation::Patch, format!("data/{}", PATHS[*path]), body)
        }
        Step::DeleteLatest { path } => (
            Operation::Delete,
            format!("data/{}", PATHS[*path]),
            Value::Null,
        ),
        Step::Delete { path, versions } => {
            let body = json!({ "versions": versions });
            (Operation::Update, format!("delete/{}", PATHS[*path]), body)
        }
        Step::Undelete { path, versions } => {
            let body = json!({ "versions": versions });
            (
                Operation::Update,
                format!("undelete/{}", PATHS[*path]),
                body,
            )
        }
        Step::Destroy { path, versions } => {
            let body = json!({ "versions": versions });
            (Operation::Update, format!("destroy/{}", PATHS[*path]), body)
        }
        Step::DeleteMetadata { path } => (
            Operation::Delete,
            format!("metadata/{}", PATHS[*path]),
            Value::Null,
        ),
        Step::MaxVersions { path, max } => {
            let body = json!({ "max_versions": max });
            (
                Operation::Update,
                format!("metadata/{}", PATHS[*path]),
                body,
            )
        }
        Step::DeleteAfter { seconds } => {
            let body = json!({ "delete_version_after": seconds });
            (Operation::Update, "config".into(), body)
        }
        Step::Wait { seconds } => {
            mount.clock.advance(Duration::from_secs(*seconds));
            return true;
        }
    };
    let answer = mount.ask(operation, &path, data);
    answer.is_ok_and(|response| response.status.is_none())
}

fn compare(mount: &Mount<Kv>, model: &Model) {
    let mut records =
        usize::from(model.delete_after > 0 || mount.view.get("config").is_ok_and(|c| c.is_some()));
    for path in PATHS {
        let secret = model.secrets.get(path);
        records += usize::from(secret.is_some());
        let metadata = mount.get(&format!("metadata/{path}")).ok();
        assert_eq!(metadata.is_some(), secret.is_some(), "{path}");
        for number in 1..=secret.map_or(3, |secret| secret.current + 1) {
            let version = secret.and_then(|secret| secret.versions.get(&number));
            records += usize::from(version.is_some_and(|version| version.data.is_some()));
            let answer = mount.ask(
                Operation::Read,
                &format!("data/{path}"),
                json!({ "version": number }),
            );
            assert_eq!(answer.is_ok(), version.is_some(), "{path} version {number}");
            if let (Ok(response), Some(version)) = (answer, version) {
                let expected = readable(version, model.now);
                assert_eq!(response.status, expected.is_none().then_some(404));
                let data = response.data.expect("data")["data"].clone();
                assert_eq!(
                    data,
                    expected.unwrap_or(Value::Null),
                    "{path} version {number}"
                );
            }
        }
    }
    assert_eq!(mount.records(), records, "no record is lost or left over");
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 64,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// A failure prints the shrunk steps, which reproduce it.
    #[test]
    fn behaves_as_the_model(steps in prop::collection::vec(step(), 1..60)) {
        let mount = Mount::new(Kv, &[("version", "2")]);
        let mut model = Model::default();
        for step in &steps {
            prop_assert_eq!(send(&mount, step), model.apply(step), "{:?}", step);
            compare(&mount, &model);
        }
    }
}
