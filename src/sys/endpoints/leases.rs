//! `sys/leases`, and the paths that leases had before.

use super::ending::How;
use super::run::Run;
use super::system::System;
use crate::clock::Timestamp;
use crate::engine::table::{Access, Endpoint, Field, FieldKind, Matched, On, OnFullDisk, Op, Row};
use crate::engine::{Error, LeaseGrant, Outcome, Prepared, Renewed, Response};
use crate::lease::{ATTEMPTS_MAX, Failure, LIST_MAX, Lease, Undo};
use crate::token::{Living, ttl};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Leases of a folder that are looked at before all are.
const FIRST_LOOK: usize = 16;
/// The status of an answer that promises the act for later.
pub(super) const ACCEPTED: u16 = 202;

const ID: Field = Field::new("lease_id", FieldKind::Text, "The lease.");
const URL_ID: Field = Field::path("url_lease_id", "The lease.");
const INCREMENT: Field = Field::new("increment", FieldKind::Seconds, "The life that is wanted.");
const SYNC: Field = Field::new(
    "sync",
    FieldKind::Flag,
    "Is it answered when it is done, and not before? True where nothing is said.",
);
const TYPE: Field = Field::new("type", FieldKind::Text, "irrevocable.").on(On::READ);
const PREFIX: Field = Field::path("prefix", "What the leases begin with.");
const LIMIT: Field = Field::new("limit", FieldKind::Text, "Most of them, or none.").on(On::READ);
const CHILDREN: Field = Field::new(
    "include_child_namespaces",
    FieldKind::Flag,
    "Has no effect: there are no namespaces.",
)
.on(On::READ);

const RENEW: Endpoint = Endpoint {
    fields: &[ID, INCREMENT],
    prepares: true,
    on_full_disk: OnFullDisk::Repairs,
    summary: "Prolongs a lease.",
    ..Endpoint::USUAL
};
const RENEW_URL: Endpoint = Endpoint {
    fields: &[ID, INCREMENT, URL_ID],
    ..RENEW
};
const RENEWS: &[(Op, Run)] = &[(Op::WRITE, RENEWAL)];
const RENEWAL: Run = Run::After(
    |system, matched| Box::pin(system.ask_to_renew(matched)),
    System::renew_lease,
);
const REVOKE: Endpoint = Endpoint {
    fields: &[ID, SYNC],
    prepares: true,
    on_full_disk: OnFullDisk::Repairs,
    summary: "Ends a lease.",
    ..Endpoint::USUAL
};
const REVOKE_URL: Endpoint = Endpoint {
    fields: &[ID, SYNC, URL_ID],
    ..REVOKE
};
const REVOKES: &[(Op, Run)] = &[(Op::WRITE, REVOCATION)];
const REVOCATION: Run = Run::After(
    |system, matched| Box::pin(system.revoke_at_engine(matched)),
    System::revoke_lease,
);
const REVOKE_ALL: Endpoint = Endpoint {
    access: Access::Sudo,
    fields: &[PREFIX],
    summary: "Ends all leases below a path.",
    ..Endpoint::USUAL
};
const REVOKES_ALL: &[(Op, Run)] = &[(
    Op::ACT,
    Run::Act(|system, matched| {
        Box::pin(async move {
            let is_sync = matched.fields.flag(SYNC.name).unwrap_or(true);
            let how = if is_sync { How::Now } else { How::Later };
            let prefix = matched.captured(PREFIX.name);
            system.end_below(prefix, how, matched.request.now).await
        })
    }),
)];
const FORCES_ALL: &[(Op, Run)] = &[(
    Op::ACT,
    Run::Act(|system, matched| {
        Box::pin(async move {
            let prefix = matched.captured(PREFIX.name);
            system
                .end_below(prefix, How::Forced, matched.request.now)
                .await
        })
    }),
)];

/// Leases, also at the paths that they had before.
pub(super) const ROWS: &[Row<Run>] = &[
    Row {
        endpoint: Endpoint {
            pattern: "leases",
            fields: &[TYPE, LIMIT, CHILDREN],
            access: Access::Sudo,
            summary: "Lists the leases that could not be revoked and are not tried any more.",
            ..Endpoint::USUAL
        },
        operations: &[(Op::READ, Run::Answer(System::list_irrevocable))],
    },
    Row {
        endpoint: Endpoint {
            pattern: "leases/count",
            fields: &[TYPE, CHILDREN],
            summary: "Counts the leases that could not be revoked and are not tried any more.",
            ..Endpoint::USUAL
        },
        operations: &[(Op::READ, Run::Answer(System::count_irrevocable))],
    },
    Row {
        endpoint: Endpoint {
            pattern: "leases/lookup",
            fields: &[ID],
            summary: "Shows a lease.",
            ..Endpoint::USUAL
        },
        operations: &[(Op::COMPUTE, Run::Answer(System::look_up_lease))],
    },
    Row {
        endpoint: Endpoint {
            pattern: "leases/lookup/*prefix",
            access: Access::Sudo,
            fields: &[PREFIX],
            summary: "Lists leases.",
            ..Endpoint::USUAL
        },
        operations: &[(Op::LIST, Run::Answer(System::list_leases))],
    },
    Row {
        endpoint: Endpoint {
            pattern: "leases/renew",
            ..RENEW
        },
        operations: RENEWS,
    },
    Row {
        endpoint: Endpoint {
            pattern: "leases/renew/+url_lease_id",
            ..RENEW_URL
        },
        operations: RENEWS,
    },
    Row {
        endpoint: Endpoint {
            pattern: "renew",
            ..RENEW
        },
        operations: RENEWS,
    },
    Row {
        endpoint: Endpoint {
            pattern: "renew/+url_lease_id",
            ..RENEW_URL
        },
        operations: RENEWS,
    },
    Row {
        endpoint: Endpoint {
            pattern: "leases/revoke",
            ..REVOKE
        },
        operations: REVOKES,
    },
    Row {
        endpoint: Endpoint {
            pattern: "leases/revoke/+url_lease_id",
            ..REVOKE_URL
        },
        operations: REVOKES,
    },
    Row {
        endpoint: Endpoint {
            pattern: "revoke",
            ..REVOKE
        },
        operations: REVOKES,
    },
    Row {
        endpoint: Endpoint {
            pattern: "revoke/+url_lease_id",
            ..REVOKE_URL
        },
        operations: REVOKES,
    },
    Row {
        endpoint: Endpoint {
            pattern: "leases/revoke-prefix/+prefix",
            fields: &[SYNC, PREFIX],
            ..REVOKE_ALL
        },
        operations: REVOKES_ALL,
    },
    Row {
        endpoint: Endpoint {
            pattern: "revoke-prefix/+prefix",
            fields: &[SYNC, PREFIX],
            ..REVOKE_ALL
        },
        operations: REVOKES_ALL,
    },
    Row {
        endpoint: Endpoint {
            pattern: "leases/revoke-force/+prefix",
            summary: "Ends all leases below a path, also those that cannot be revoked.",
            ..REVOKE_ALL
        },
        operations: FORCES_ALL,
    },
    Row {
        endpoint: Endpoint {
            pattern: "revoke-force/+prefix",
            summary: "Ends all leases below a path, also those that cannot be revoked.",
            ..REVOKE_ALL
        },
        operations: FORCES_ALL,
    },
    Row {
        endpoint: Endpoint {
            pattern: "leases/tidy",
            access: Access::Sudo,
            summary: "Does nothing: there is nothing to tidy.",
            ..Endpoint::USUAL
        },
        operations: &[(Op::COMPUTE, Run::Answer(|_, _| Ok(tidied())))],
    },
];

fn tidied() -> Outcome {
    let mut response = Response::no_content().warn(
        "Tidy operation successfully started. Any information from the operation will be \
         printed to the server log.",
    );
    response.status = Some(202);
    response.into()
}

impl System {
    /// Lists leases and folders of leases that still hold, swept away or not, and those that wait
    /// to be revoked.
    fn list_leases(&self, matched: &Matched<'_>) -> Result<Outcome, Error> {
        let request = matched.request;
        let prefix = match matched.captured(PREFIX.name).trim_end_matches('/') {
            "" => String::new(),
            prefix => format!("{prefix}/"),
        };
        let mut living = Living::default();
        let mut keys = Vec::new();
        for name in self.tokens.leases().list(&prefix)? {
            let path = format!("{prefix}{name}");
            let shown = match path.ends_with('/') {
                true => self.has_leases(&path, request.now, &mut living)?,
                false => self.lease(&path, request.now, &mut living)?.is_some(),
            };
            if shown {
                keys.push(name);
            }
        }
        match keys.is_empty() {
            true => Err(Error::not_found()),
            false => Ok(Response::list(keys).into()),
        }
    }

    /// Returns true when a lease below `folder` is to be shown. Nearly always one of the first is.
    fn has_leases(&self, folder: &str, now: Timestamp, living: &mut Living) -> Result<bool, Error> {
        for limit in [FIRST_LOOK, LIST_MAX] {
            let leases = self.tokens.leases().below(folder, limit)?;
            for lease in &leases {
                if is_secret(lease) || self.tokens.holds(lease, now, living)? {
                    return Ok(true);
                }
            }
            if leases.len() < limit {
                return Ok(false);
            }
        }
        // Too many to look at each.
        Ok(true)
    }

    /// Reads the lease `id`, and says if it holds. A lease that does not is shown only where an
    /// engine has not revoked it yet.
    fn lease(
        &self,
        id: &str,
        now: Timestamp,
        living: &mut Living,
    ) -> Result<Option<(Lease, bool)>, Error> {
        let Some(lease) = self.tokens.leases().read(id)? else {
            return Ok(None);
        };
        let holds = self.tokens.holds(&lease, now, living)?;
        Ok((holds || is_secret(&lease)).then_some((lease, holds)))
    }

    fn look_up_lease(&self, matched: &Matched<'_>) -> Result<Outcome, Error> {
        let request = matched.request;
        let id = lease_id(matched)?;
        let lease = self.lease(&id, request.now, &mut Living::default())?;
        let (lease, holds) = lease.ok_or_else(|| Error::invalid("invalid lease"))?;
        let renewed = (!lease.last_renewal.is_zero()).then(|| lease.last_renewal.rfc3339());
        let ttl = match holds {
            true => lease.ttl(request.now),
            false => Duration::ZERO,
        };
        let mut data = Map::new();
        data.insert("id".into(), json!(lease.id));
        data.insert("issue_time".into(), json!(lease.issue_time.rfc3339()));
        data.insert("expire_time".into(), json!(lease.expire_time.rfc3339()));
        data.insert("last_renewal".into(), json!(renewed));
        data.insert("renewable".into(), json!(holds && lease.renewable));
        data.insert("ttl".into(), json!(ttl.as_secs()));
        data.insert("path".into(), json!(lease.path()));
        let failure = self.tokens.leases().failure(&id)?;
        if let Some(failure) = failure.filter(Failure::is_irrevocable) {
            data.insert("revoke_error".into(), json!(told(&failure)));
        }
        Ok(Response::data(data).into())
    }

    /// Returns the lease that a renewal is about, or the reason why it cannot be renewed.
    fn renewable(&self, matched: &Matched<'_>) -> Result<Lease, Error> {
        let id = lease_id(matched)?;
        let lease = self.lease(&id, matched.request.now, &mut Living::default())?;
        let (lease, holds) = lease.ok_or_else(|| Error::invalid("lease not found"))?;
        if !holds {
            let failure = self.tokens.leases().failure(&id)?;
            return Err(Error::invalid(match failure {
                Some(_) => "lease is expired and has failed previous revocation attempts",
                None => "lease expired",
            }));
        }
        if !lease.renewable {
            return Err(Error::invalid("lease is not renewable"));
        }
        if !is_secret(&lease) {
            let message = "tokens cannot be renewed through this endpoint";
            return Err(Error::invalid(message));
        }
        Ok(lease)
    }

    /// Has the engine judge the renewal.
    async fn ask_to_renew(&self, matched: Matched<'_>) -> Result<Prepared, Error> {
        let lease = self.renewable(&matched)?;
        let renewed = self.revoker.renew_lease(&lease, asked(&matched)).await?;
        Ok(Arc::new(renewed) as Prepared)
    }

    fn renew_lease(&self, matched: &Matched<'_>) -> Result<Outcome, Error> {
        let now = matched.request.now;
        let mut lease = self.renewable(matched)?;
        let judged = matched.request.prepared.as_ref();
        let judged = judged.and_then(|prepared| prepared.downcast_ref::<Renewed>());
        let judged = judged.ok_or_else(|| Error::internal("the engine was not asked"))?;
        let granted_last = lease.issue_time.max(lease.last_renewal);
        let (life, mut warnings) = ttl::grant(&ttl::Wish {
            ttl: judged.ttl.unwrap_or_else(|| asked(matched)),
            method_max_ttl: judged.max_ttl.unwrap_or_default(),
            mount_default_ttl: lease.expire_time.since(granted_last),
            mount_max_ttl: lease.max_expire_time.since(lease.issue_time),
            start: lease.issue_time,
            now,
            ..ttl::Wish::default()
        })?;
        if let (Some(note), Undo::Secret { internal, .. }) = (&judged.internal, &mut lease.undo) {
            *internal = Value::from(note.clone()).to_string();
        }
        warnings.extend(judged.warnings.iter().cloned());
        let mut outcome = Outcome::default();
        let leases = self.tokens.leases();
        leases.renew(&mut outcome.batch, &lease, now.plus(life), now)?;
        outcome.response.warnings = warnings;
        outcome.response.lease = Some(LeaseGrant {
            id: lease.id,
            ttl: life,
            renewable: lease.renewable,
            ..LeaseGrant::default()
        });
        Ok(outcome)
    }

    /// Has an engine revoke its lease, where the caller waits for that.
    async fn revoke_at_engine(&self, matched: Matched<'_>) -> Result<Prepared, Error> {
        let id = lease_id(&matched)?;
        let lease = self.tokens.leases().read(&id)?;
        if matched.fields.flag(SYNC.name).unwrap_or(true) && lease.is_some_and(|l| is_secret(&l)) {
            self.revoker.revoke(&id).await?;
        }
        Ok(Arc::new(()) as Prepared)
    }

    fn revoke_lease(&self, matched: &Matched<'_>) -> Result<Outcome, Error> {
        let mut outcome = Outcome::default();
        if matched.fields.flag(SYNC.name) == Some(false) {
            outcome.response.status = Some(ACCEPTED);
        }
        if let Some(lease) = self.tokens.leases().read(&lease_id(matched)?)? {
            self.end_lease(&mut outcome.batch, &lease, matched.request.now)?;
        }
        Ok(outcome)
    }

    fn list_irrevocable(&self, matched: &Matched<'_>) -> Result<Outcome, Error> {
        let wrong = || Error::invalid("limit must be 'none' or a positive integer");
        let limit = match matched.fields.text(LIMIT.name) {
            None | Some("") => LIST_MAX,
            Some("none") => usize::MAX,
            Some(limit) => limit.parse().ok().filter(|n| *n > 0).ok_or_else(wrong)?,
        };
        let (mut count, mut shown) = (0, Vec::new());
        self.irrevocable(matched, |lease, failure, mount_id| {
            count += 1;
            if shown.len() < limit {
                shown.push(json!({
                    "lease_id": lease.id,
                    "mount_id": mount_id,
                    "error": told(failure),
                }));
            }
        })?;
        let mut data = Map::new();
        data.insert("lease_count".into(), json!(count));
        data.insert("leases".into(), shown.into());
        Ok(Response::data(data).into())
    }

    fn count_irrevocable(&self, matched: &Matched<'_>) -> Result<Outcome, Error> {
        let (mut count, mut counts) = (0_u64, BTreeMap::<String, u64>::new());
        self.irrevocable(matched, |_, _, mount_id| {
            count += 1;
            *counts.entry(mount_id.to_owned()).or_default() += 1;
        })?;
        let mut data = Map::new();
        data.insert("lease_count".into(), json!(count));
        data.insert("counts".into(), json!(counts));
        Ok(Response::data(data).into())
    }

    /// Shows each irrevocable lease with the accessor of its mount; an empty one for a mount that
    /// is gone.
    fn irrevocable(
        &self,
        matched: &Matched<'_>,
        mut show: impl FnMut(&Lease, &Failure, &str),
    ) -> Result<(), Error> {
        if matched.fields.text(TYPE.name) != Some("irrevocable") {
            return Err(Error::not_found());
        }
        let mounts = self.mounts.snapshot()?;
        self.tokens.leases().irrevocable(|lease, failure| {
            let Undo::Secret { mount, .. } = &lease.undo else {
                return true;
            };
            let entry = mounts.resolve(mount);
            show(&lease, &failure, entry.map_or("", |entry| &entry.accessor));
            true
        })?;
        Ok(())
    }
}

fn is_secret(lease: &Lease) -> bool {
    matches!(lease.undo, Undo::Secret { .. })
}

fn asked(matched: &Matched<'_>) -> Duration {
    Duration::from_secs(matched.fields.seconds(INCREMENT.name).unwrap_or(0))
}

/// Returns the message about a failed revocation, in Vault's words.
fn told(failure: &Failure) -> String {
    let why = match failure.attempts >= ATTEMPTS_MAX {
        true => "out of retries",
        false => "unrecoverable",
    };
    format!("{why}: failed to revoke entry: {}", failure.error)
}

/// Returns the lease that is named in the body, or else in the path.
fn lease_id(matched: &Matched<'_>) -> Result<String, Error> {
    let named = matched.fields.text(ID.name).filter(|id| !id.is_empty());
    let in_path = Some(matched.captured(URL_ID.name)).filter(|id| !id.is_empty());
    let id = named.or(in_path);
    let id = id.ok_or_else(|| Error::invalid("lease_id must be specified"))?;
    Ok(id.to_owned())
}
