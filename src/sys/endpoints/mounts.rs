//! `sys/mounts`, `sys/auth` and `sys/remount`.

use super::ending::How;
use super::run::Run;
use super::system::{System, doubled};
use super::tune;
use crate::barrier::{BarrierError, Batch};
use crate::clock::Timestamp;
use crate::engine::table::{Access, Effect, Endpoint, Field, FieldKind, Fields, Matched, Op, Row};
use crate::engine::{Error, Kind, Kinds, Operation, Outcome, Prepared, Response};
use crate::mount::{Class, Entry, MountError};
use crate::policy::Acl;
use crate::store::CommitError;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Most attempts at disabling a method that conflict.
const CONFLICTS_MAX: usize = 16;
/// Engines of Vault that exist once, and are not in this build.
const SINGLE_ELSEWHERE: [&str; 2] = ["identity", "ns_cubbyhole"];

const PATH: Field = Field::path("path", "Where it is mounted.");
/// Fields of the request that makes a mount.
const MOUNT: &[Field] = &[
    PATH,
    Field::new("config", FieldKind::Map, "What can be tuned, too."),
    Field::new("description", FieldKind::Text, "For people."),
    Field::new(
        "external_entropy_access",
        FieldKind::Flag,
        "Kept, without effect.",
    ),
    Field::new("local", FieldKind::Flag, "Is it this cluster's alone?"),
    Field::new(
        "options",
        FieldKind::Pairs,
        "Settings of its engine: version.",
    ),
    Field::new("plugin_name", FieldKind::Text, "").alias("type"),
    Field::new("plugin_version", FieldKind::Text, "Kept, without effect."),
    Field::new("seal_wrap", FieldKind::Flag, "Kept, without effect."),
    Field::new("type", FieldKind::Text, "The engine: kv.").required(),
];
const TUNING: Endpoint = Endpoint {
    fields: tune::FIELDS,
    summary: "What can be tuned about a mount.",
    ..Endpoint::USUAL
};
const TUNES_METHOD: &[(Op, Run)] = &[
    (
        Op::READ,
        Run::Answer(|system, m| system.read_tuning(Class::Auth, m)),
    ),
    (
        Op::WRITE,
        Run::Answer(|system, m| system.tune(Class::Auth, m)),
    ),
];

/// The mount table.
pub(super) const ROWS: &[Row<Run>] = &[
    Row {
        endpoint: Endpoint {
            pattern: "mounts",
            summary: "Lists the secrets engines.",
            ..Endpoint::USUAL
        },
        operations: &[(
            Op::READ,
            Run::Answer(|system, _| system.list_mounts(Class::Secret)),
        )],
    },
    Row {
        endpoint: Endpoint {
            pattern: "mounts/+path",
            fields: MOUNT,
            prepares: true,
            summary: "Mounts and unmounts secrets engines.",
            ..Endpoint::USUAL
        },
        operations: &[
            (
                Op::READ,
                Run::Answer(|system, m| system.read_mount(Class::Secret, m)),
            ),
            (
                Op::WRITE,
                Run::Answer(|system, m| system.mount(Class::Secret, m)),
            ),
            (
                Op::DELETE,
                Run::After(
                    |system, m| Box::pin(system.before_unmount(m)),
                    System::unmount,
                ),
            ),
        ],
    },
    Row {
        endpoint: Endpoint {
            pattern: "mounts/+path/tune",
            ..TUNING
        },
        operations: &[
            (
                Op::READ,
                Run::Answer(|system, m| system.read_tuning(Class::Secret, m)),
            ),
            (
                Op::WRITE,
                Run::Answer(|system, m| system.tune(Class::Secret, m)),
            ),
        ],
    },
    // Tuning has this second door in Vault, without sudo; enabling and disabling has not.
    Row {
        endpoint: Endpoint {
            pattern: "mounts/auth/+path/tune",
            ..TUNING
        },
        operations: TUNES_METHOD,
    },
    Row {
        endpoint: Endpoint {
            pattern: "auth",
            summary: "Lists the auth methods.",
            ..Endpoint::USUAL
        },
        operations: &[(
            Op::READ,
            Run::Answer(|system, _| system.list_mounts(Class::Auth)),
        )],
    },
    Row {
        endpoint: Endpoint {
            pattern: "auth/+path",
            access: Access::Sudo,
            fields: MOUNT,
            summary: "Enables and disables auth methods.",
            ..Endpoint::USUAL
        },
        operations: &[
            (
                Op::READ,
                Run::Answer(|system, m| system.read_mount(Class::Auth, m)),
            ),
            (
                Op::WRITE,
                Run::Answer(|system, m| system.mount(Class::Auth, m)),
            ),
            (
                DISABLE,
                Run::Act(|system, m| {
                    Box::pin(system.disable_method(m.captured(PATH.name), m.request.now))
                }),
            ),
        ],
    },
    Row {
        endpoint: Endpoint {
            pattern: "auth/+path/tune",
            access: Access::Sudo,
            ..TUNING
        },
        operations: TUNES_METHOD,
    },
    Row {
        endpoint: Endpoint {
            pattern: "remount",
            access: Access::Sudo,
            fields: &[
                Field::new("from", FieldKind::Text, "Where it is mounted.").required(),
                Field::new("to", FieldKind::Text, "Where it shall be mounted.").required(),
            ],
            prepares: true,
            summary: "Moves a mount.",
            ..Endpoint::USUAL
        },
        operations: &[(
            Op::WRITE,
            Run::After(
                |system, m| Box::pin(system.before_remount(m)),
                System::remount,
            ),
        )],
    },
    Row {
        endpoint: Endpoint {
            pattern: "remount/status/:migration_id",
            fields: &[Field::path("migration_id", "The move's id.")],
            summary: "Shows how a move stands.",
            ..Endpoint::USUAL
        },
        operations: &[(Op::READ, Run::Answer(System::remount_status))],
    },
    Row {
        endpoint: Endpoint {
            pattern: "internal/ui/mounts",
            access: Access::Open,
            summary: "Lists the mounts that concern the caller.",
            ..Endpoint::USUAL
        },
        operations: &[(Op::READ, Run::Answer(System::visible_mounts))],
    },
    Row {
        endpoint: Endpoint {
            pattern: "internal/ui/mounts/+path",
            access: Access::Open,
            fields: &[PATH],
            summary: "Shows the mount of a path, if it concerns the caller.",
            ..Endpoint::USUAL
        },
        operations: &[(Op::READ, Run::Answer(System::visible_mounts))],
    },
];

const DISABLE: Op = Op::new(Operation::Delete, Effect::Acts);

impl System {
    fn list_mounts(&self, class: Class) -> Result<Outcome, Error> {
        let snapshot = self.mounts.snapshot()?;
        let rows = snapshot.of(class);
        let data = rows
            .map(|entry| (entry.path.clone(), describe(entry, &self.kinds).into()))
            .collect();
        Ok(doubled(data))
    }

    fn read_mount(&self, class: Class, matched: &Matched<'_>) -> Result<Outcome, Error> {
        let path = matched.captured(PATH.name);
        let snapshot = self.mounts.snapshot()?;
        match snapshot.get(class, path) {
            Some(entry) => Ok(doubled(describe(entry, &self.kinds))),
            None => Err(Error::invalid(match class {
                Class::Secret => format!("No secret engine mount at {path}/"),
                Class::Auth => format!("No auth engine at {path}/"),
            })),
        }
    }

    fn mount(&self, class: Class, matched: &Matched<'_>) -> Result<Outcome, Error> {
        let fields = &matched.fields;
        let flag = |name| fields.flag(name).unwrap_or(false);
        let (kind, alias_version) = self.kind_of(class, fields)?;
        let mut entry = Entry::new(class, matched.captured(PATH.name), kind.name);
        let description = fields.text("description").unwrap_or_default();
        description.clone_into(&mut entry.description);
        entry.local = flag("local");
        entry.seal_wrap = flag("seal_wrap");
        entry.external_entropy_access = flag("external_entropy_access");
        let mut options = fields.pairs("options").cloned().unwrap_or_default();
        if let Some(version) = alias_version {
            options.insert("version".into(), version.into());
        }
        kind.check_options(&options)?;
        entry.options = Some(options);
        if let Some(config) = fields.map("config") {
            tune::configure(&mut entry, config)?;
        }
        let mut outcome = Outcome::default();
        self.mounts.add(&mut outcome.batch, entry)?;
        Ok(outcome)
    }

    /// Finds the kind of engine that is asked for, and the version that its alias stands for.
    fn kind_of(
        &self,
        class: Class,
        fields: &Fields<'_>,
    ) -> Result<(&'static Kind, Option<&'static str>), Error> {
        let mut asked = fields.text("type").unwrap_or_default();
        if asked == "plugin" {
            asked = fields.text("plugin_name").unwrap_or_default();
        }
        if asked.is_empty() {
            return Err(Error::invalid("backend type must be specified as a string"));
        }
        let found = self.kinds.asked(class, asked);
        if class == Class::Auth && found.is_some_and(|(kind, _)| kind.is_single) {
            let message = format!("{asked} credential backend cannot be instantiated");
            return Err(Error::invalid(message));
        }
        if self.kinds.is_single(asked) || SINGLE_ELSEWHERE.contains(&asked) {
            return Err(Error::invalid(format!(
                "mount type of {asked:?} is not mountable"
            )));
        }
        found.ok_or_else(|| Error::invalid(format!("plugin not found in the catalog: {asked}")))
    }

    /// Revokes the leases that the engine granted, which nobody could do afterwards.
    async fn before_unmount(&self, matched: Matched<'_>) -> Result<Prepared, Error> {
        let path = matched.captured(PATH.name);
        let removed = self.mounts.remove(&mut Batch::new(), Class::Secret, path)?;
        self.before_going(removed.map(|entry| entry.full_path()), &matched)
            .await
    }

    /// Revokes leases as [`System::before_unmount`] does: they are found by the path that they were
    /// granted at.
    async fn before_remount(&self, matched: Matched<'_>) -> Result<Prepared, Error> {
        let (from, to) = from_and_to(&matched)?;
        let moved = self.mounts.rename(&mut Batch::new(), from, to)?;
        self.before_going(Some(moved.source), &matched).await
    }

    async fn before_going(
        &self,
        mount: Option<String>,
        matched: &Matched<'_>,
    ) -> Result<Prepared, Error> {
        let Some(mount) = mount else {
            return Ok(Arc::new(()) as Prepared);
        };
        let closed = self.close_mount(&mount, matched.request.now).await?;
        Ok(Arc::new(closed) as Prepared)
    }

    fn unmount(&self, matched: &Matched<'_>) -> Result<Outcome, Error> {
        let mut outcome = Outcome::default();
        let path = matched.captured(PATH.name);
        self.mounts
            .remove(&mut outcome.batch, Class::Secret, path)?;
        Ok(outcome)
    }

    /// Disables an auth method and ends every token that it let in, as many entries as it takes.
    /// The method goes first, so that nobody logs in behind the revocation. Where there is no
    /// such method nothing ends: the path may be one below another method.
    async fn disable_method(&self, path: &str, now: Timestamp) -> Result<Response, Error> {
        let path = path.trim_matches('/');
        for _ in 0..CONFLICTS_MAX {
            let mut batch = Batch::new();
            if self.mounts.remove(&mut batch, Class::Auth, path)?.is_none() {
                return Ok(Response::no_content());
            }
            match self.barrier.commit(batch, now).await {
                Err(BarrierError::Commit(CommitError::Conflict)) => {}
                done => {
                    done?;
                    return self.end_below(&format!("auth/{path}"), How::Now, now).await;
                }
            }
        }
        Err(BarrierError::Commit(CommitError::Conflict).into())
    }

    fn remount_status(&self, matched: &Matched<'_>) -> Result<Outcome, Error> {
        let found = self.mounts.migration(matched.captured("migration_id"))?;
        let migration = found.ok_or_else(Error::not_found)?;
        let mut data = Map::new();
        data.insert("migration_id".into(), json!(migration.id));
        let info = json!({
            "source_mount": migration.source,
            "target_mount": migration.target,
            "status": "success",
        });
        data.insert("migration_info".into(), info);
        Ok(Response::data(data).into())
    }

    fn remount(&self, matched: &Matched<'_>) -> Result<Outcome, Error> {
        let (from, to) = from_and_to(matched)?;
        let mut outcome = Outcome::default();
        let migration = self.mounts.rename(&mut outcome.batch, from, to)?;
        let mut data = Map::new();
        data.insert("migration_id".into(), json!(migration.id));
        outcome.response = doubled(data).response.warn(
            "Mount move has been queued. Progress will be reported in the server log, tagged \
             with the returned migration_id",
        );
        crate::telemetry::info!(migration_id = %migration.id, from, to, "mount was moved");
        Ok(outcome)
    }

    /// Lists the mounts that concern the caller, or describes the one at the path.
    fn visible_mounts(&self, matched: &Matched<'_>) -> Result<Outcome, Error> {
        let request = matched.request;
        let known = !request.caller.policies.is_empty();
        let acl = match known {
            true => Some(
                self.policies
                    .acl_for(&request.caller.policies, request.now)?,
            ),
            false => None,
        };
        match matched.captured(PATH.name) {
            "" => self.list_visible(acl.as_deref()),
            path => self.preflight(acl.as_deref(), path),
        }
    }

    fn list_visible(&self, acl: Option<&Acl>) -> Result<Outcome, Error> {
        let snapshot = self.mounts.snapshot()?;
        let mut data = Map::new();
        for (name, class) in [("secret", Class::Secret), ("auth", Class::Auth)] {
            let mut rows = Map::new();
            for entry in snapshot.of(class) {
                let public = entry.config.listing_visibility == "unauth";
                if acl.is_some_and(|acl| acl.touches(&entry.full_path())) {
                    rows.insert(entry.path.clone(), describe(entry, &self.kinds).into());
                } else if public {
                    let row = json!({
                        "type": entry.kind,
                        "description": entry.description,
                        "options": entry.options,
                    });
                    rows.insert(entry.path.clone(), row);
                }
            }
            data.insert(name.into(), rows.into());
        }
        Ok(Response::data(data).into())
    }

    fn preflight(&self, acl: Option<&Acl>, path: &str) -> Result<Outcome, Error> {
        let denied = |message: String| Error::new(crate::engine::ErrorKind::Denied, message);
        let Some(acl) = acl else {
            return Err(denied("permission denied".into()));
        };
        let snapshot = self.mounts.snapshot()?;
        let entry = snapshot
            .resolve(path)
            .filter(|entry| acl.touches(&entry.full_path()));
        let Some(entry) = entry else {
            return Err(denied(format!(
                "preflight capability check returned 403, please ensure client's policies grant \
                 access to path \"{path}/\""
            )));
        };
        let mut data = describe(entry, &self.kinds);
        data.insert("path".into(), json!(entry.full_path()));
        Ok(Response::data(data).into())
    }
}

fn from_and_to<'a>(matched: &'a Matched<'_>) -> Result<(&'a str, &'a str), Error> {
    let text = |name| matched.fields.text(name).unwrap_or_default();
    let (from, to) = (text("from"), text("to"));
    if from.is_empty() || to.is_empty() {
        let message = "both 'from' and 'to' path must be specified as a string";
        return Err(Error::invalid(message));
    }
    Ok((from, to))
}

/// Describes a mount as listings show it.
pub(in crate::sys) fn describe(entry: &Entry, kinds: &Kinds) -> Map<String, Value> {
    let version = concat!("v", env!("CARGO_PKG_VERSION"), "+builtin");
    let mut row = Map::new();
    row.insert("accessor".into(), json!(entry.accessor));
    row.insert("config".into(), tune::describe(entry).into());
    if !kinds.is_single(&entry.kind) {
        row.insert("deprecation_status".into(), json!("supported"));
    }
    row.insert("description".into(), json!(entry.description));
    row.insert(
        "external_entropy_access".into(),
        json!(entry.external_entropy_access),
    );
    row.insert("local".into(), json!(entry.local));
    row.insert("options".into(), json!(entry.options));
    row.insert("plugin_version".into(), json!(entry.config.plugin_version));
    row.insert("running_plugin_version".into(), json!(version));
    row.insert("running_sha256".into(), json!(""));
    row.insert("seal_wrap".into(), json!(entry.seal_wrap));
    row.insert("type".into(), json!(entry.kind));
    row.insert("uuid".into(), json!(entry.uuid));
    row
}

impl From<MountError> for Error {
    fn from(error: MountError) -> Self {
        match error {
            MountError::Barrier(cause) => cause.into(),
            error => Self::invalid(error.to_string()),
        }
    }
}
