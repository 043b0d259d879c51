//! `sys/mounts`, `sys/auth` and `sys/remount`.

use super::field;
use super::system::{System, doubled, expect, expect_update, is_update};
use super::tune;
use crate::barrier::{BarrierError, Batch};
use crate::clock::Timestamp;
use crate::engine::{Error, Operation, Outcome, Request, Response, narrowing};
use crate::mount::{Class, Entry, MountError};
use crate::policy::Acl;
use crate::store::CommitError;
use serde_json::{Map, Value, json};

/// Secrets engines that can be mounted.
pub(super) const SECRET_KINDS: &[&str] = &["kv"];
/// Auth methods that can be enabled.
pub(super) const AUTH_KINDS: &[&str] = &[];
/// How often a method is disabled anew after a conflict.
const CONFLICTS_MAX: usize = 16;
/// Engines that exist once.
const SINGLE_KINDS: &[&str] = &["cubbyhole", "identity", "ns_cubbyhole", "system", "token"];

impl System {
    /// `sys/mounts[/<path>[/tune]]`, `sys/auth[...]`.
    pub(super) fn mounts(
        &self,
        class: Class,
        request: &Request,
        path: &str,
    ) -> Result<Outcome, Error> {
        if path.is_empty() {
            return match request.operation {
                Operation::Read => self.list_mounts(class),
                Operation::List => Err(Error::unsupported_path()),
                _ => Err(Error::unsupported_operation()),
            };
        }
        if let Some(mount) = path.strip_suffix("/tune") {
            return match request.operation {
                Operation::Read => self.read_tuning(class, mount),
                _ if is_update(request) => self.tune(class, request, mount),
                _ => Err(Error::unsupported_operation()),
            };
        }
        match request.operation {
            Operation::Read => self.read_mount(class, path),
            Operation::Delete => self.unmount(class, path),
            _ if is_update(request) => self.mount(class, request, path),
            _ => Err(Error::unsupported_operation()),
        }
    }

    fn list_mounts(&self, class: Class) -> Result<Outcome, Error> {
        let snapshot = self.mounts.snapshot()?;
        let rows = snapshot.of(class);
        let data = rows
            .map(|entry| (entry.path.clone(), describe(entry).into()))
            .collect();
        Ok(doubled(data))
    }

    fn read_mount(&self, class: Class, path: &str) -> Result<Outcome, Error> {
        let snapshot = self.mounts.snapshot()?;
        match snapshot.get(class, path) {
            Some(entry) => Ok(doubled(describe(entry))),
            None => Err(Error::invalid(match class {
                Class::Secret => format!("No secret engine mount at {path}/"),
                Class::Auth => format!("No auth engine at {path}/"),
            })),
        }
    }

    fn mount(&self, class: Class, request: &Request, path: &str) -> Result<Outcome, Error> {
        let data = &request.data;
        let (kind, alias_version) = kind_of(class, data)?;
        let mut entry = Entry::new(class, path, kind);
        entry.description = field::text(data, "description")?.unwrap_or_default();
        entry.local = field::flag(data, "local")?.unwrap_or(false);
        entry.seal_wrap = field::flag(data, "seal_wrap")?.unwrap_or(false);
        entry.external_entropy_access =
            field::flag(data, "external_entropy_access")?.unwrap_or(false);
        let mut options = field::texts(data, "options")?.unwrap_or_default();
        if let Some(version) = alias_version {
            options.insert("version".into(), version.into());
        }
        tune::check_options(kind, &options)?;
        entry.options = Some(options);
        if let Some(config) = data.get("config").filter(|config| !config.is_null()) {
            let config = config.as_object();
            let config = config.ok_or_else(|| Error::invalid("'config' must be an object"))?;
            narrowing::refuse_unknown(config, tune::CONFIG_FIELDS)?;
            tune::apply(&mut entry, config, true)?;
            tune::check_lifetimes(&entry.config, || {
                "given default lease TTL greater than given max lease TTL".into()
            })?;
        }
        let mut outcome = Outcome::default();
        self.mounts.add(&mut outcome.batch, entry)?;
        Ok(outcome)
    }

    fn unmount(&self, class: Class, path: &str) -> Result<Outcome, Error> {
        let mut outcome = Outcome::default();
        self.mounts.remove(&mut outcome.batch, class, path)?;
        Ok(outcome)
    }

    /// Disables an auth method and ends every token that it let in, as many entries as it takes.
    /// The method goes first, so that nobody logs in behind the revocation. Where there is no
    /// such method nothing ends: the path may be one below another method.
    pub(super) async fn disable_method(
        &self,
        path: &str,
        now: Timestamp,
    ) -> Result<Response, Error> {
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
                    return self.revoke_prefix(&format!("auth/{path}"), now).await;
                }
            }
        }
        Err(BarrierError::Commit(CommitError::Conflict).into())
    }

    /// `sys/remount`, `sys/remount/status/<id>`.
    pub(super) fn remount(&self, request: &Request, rest: &str) -> Result<Outcome, Error> {
        if let Some(id) = rest.strip_prefix("status/") {
            expect(request, Operation::Read)?;
            let migration = self.mounts.migration(id)?.ok_or_else(Error::not_found)?;
            let mut data = Map::new();
            data.insert("migration_id".into(), json!(migration.id));
            let info = json!({
                "source_mount": migration.source,
                "target_mount": migration.target,
                "status": "success",
            });
            data.insert("migration_info".into(), info);
            return Ok(Response::data(data).into());
        }
        if !rest.is_empty() {
            return Err(Error::unsupported_path());
        }
        expect_update(request)?;
        let from = field::text(&request.data, "from")?.unwrap_or_default();
        let to = field::text(&request.data, "to")?.unwrap_or_default();
        if from.is_empty() || to.is_empty() {
            let message = "both 'from' and 'to' path must be specified as a string";
            return Err(Error::invalid(message));
        }
        let mut outcome = Outcome::default();
        let migration = self.mounts.rename(&mut outcome.batch, &from, &to)?;
        let mut data = Map::new();
        data.insert("migration_id".into(), json!(migration.id));
        outcome.response = doubled(data).response.warn(
            "Mount move has been queued. Progress will be reported in the server log, tagged \
             with the returned migration_id",
        );
        crate::telemetry::info!(migration_id = %migration.id, %from, %to, "mount was moved");
        Ok(outcome)
    }

    /// `sys/internal/ui/mounts[/<path>]`: what concerns the caller.
    pub(super) fn visible_mounts(&self, request: &Request, path: &str) -> Result<Outcome, Error> {
        expect(request, Operation::Read)?;
        let known = !request.caller.policies.is_empty();
        let acl = match known {
            true => Some(
                self.policies
                    .acl_for(&request.caller.policies, request.now)?,
            ),
            false => None,
        };
        match path {
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
                    rows.insert(entry.path.clone(), describe(entry).into());
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
        let mut data = describe(entry);
        data.insert("path".into(), json!(entry.full_path()));
        Ok(Response::data(data).into())
    }
}

/// A row as listings show it.
pub(super) fn describe(entry: &Entry) -> Map<String, Value> {
    let version = concat!("v", env!("CARGO_PKG_VERSION"), "+builtin");
    let mut row = Map::new();
    row.insert("accessor".into(), json!(entry.accessor));
    row.insert("config".into(), tune::describe(entry).into());
    if !SINGLE_KINDS.contains(&entry.kind.as_str()) {
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

/// The engine that is asked for, and the version that its alias stands for.
fn kind_of(
    class: Class,
    data: &Map<String, Value>,
) -> Result<(&'static str, Option<&'static str>), Error> {
    let mut asked = field::text(data, "type")?.unwrap_or_default();
    if asked == "plugin" {
        asked = field::text(data, "plugin_name")?.unwrap_or_default();
    }
    if asked.is_empty() {
        return Err(Error::invalid("backend type must be specified as a string"));
    }
    if class == Class::Auth && asked == "token" {
        return Err(Error::invalid(
            "token credential backend cannot be instantiated",
        ));
    }
    let (name, version) = match (class, asked.as_str()) {
        (Class::Secret, "kv-v1" | "generic") => ("kv", Some("1")),
        (Class::Secret, "kv-v2") => ("kv", Some("2")),
        (_, name) => (name, None),
    };
    if SINGLE_KINDS.contains(&name) {
        return Err(Error::invalid(format!(
            "mount type of {name:?} is not mountable"
        )));
    }
    let kinds = match class {
        Class::Secret => SECRET_KINDS,
        Class::Auth => AUTH_KINDS,
    };
    match kinds.iter().find(|kind| **kind == name) {
        Some(kind) => Ok((kind, version)),
        None => Err(Error::invalid(format!(
            "plugin not found in the catalog: {asked}"
        ))),
    }
}

impl From<MountError> for Error {
    fn from(error: MountError) -> Self {
        match error {
            MountError::Barrier(cause) => cause.into(),
            error => Self::invalid(error.to_string()),
        }
    }
}
