//! `sys/leases`, and the paths that leases had before.

use super::system::System;
use super::table::Run;
use crate::barrier::{BarrierError, Batch};
use crate::clock::Timestamp;
use crate::engine::table::{Access, Endpoint, Field, FieldKind, Matched, On, Op, Row};
use crate::engine::{Error, Outcome, Response};
use crate::lease::{LIST_MAX, Lease, Undo};
use crate::store::CommitError;
use crate::token::Living;
use serde_json::{Map, Value, json};
use std::time::Duration;

/// Most leases that one entry ends.
const BATCH_MAX: usize = 64;
/// Leases of a folder that are looked at before all are.
const FIRST_LOOK: usize = 16;
/// How often one entry of a prefix's revocation is made anew after a conflict.
const CONFLICTS_MAX: usize = 16;

const ID: Field = Field::new("lease_id", FieldKind::Text, "The lease.");
const URL_ID: Field = Field::path("url_lease_id", "The lease.");
const INCREMENT: Field = Field::new("increment", FieldKind::Seconds, "The life that is wanted.");
const SYNC: Field = Field::new(
    "sync",
    FieldKind::Flag,
    "Has no effect: it is done at once.",
);
const TYPE: Field = Field::new("type", FieldKind::Text, "irrevocable.").on(On::READ);
const PREFIX: Field = Field::path("prefix", "What the leases begin with.");

const RENEW: Endpoint = Endpoint {
    fields: &[ID, INCREMENT],
    summary: "Prolongs a lease.",
    ..Endpoint::USUAL
};
const RENEW_URL: Endpoint = Endpoint {
    fields: &[ID, INCREMENT, URL_ID],
    ..RENEW
};
const RENEWS: &[(Op, Run)] = &[(Op::WRITE, Run::Answer(System::renew_lease))];
const REVOKE: Endpoint = Endpoint {
    fields: &[ID, SYNC],
    summary: "Ends a lease.",
    ..Endpoint::USUAL
};
const REVOKE_URL: Endpoint = Endpoint {
    fields: &[ID, SYNC, URL_ID],
    ..REVOKE
};
const REVOKES: &[(Op, Run)] = &[(Op::WRITE, Run::Answer(System::revoke_lease))];
const REVOKE_ALL: Endpoint = Endpoint {
    access: Access::Sudo,
    fields: &[PREFIX],
    summary: "Ends all leases below a path.",
    ..Endpoint::USUAL
};
const REVOKES_ALL: &[(Op, Run)] = &[(
    Op::ACT,
    Run::Act(|system, matched| {
        Box::pin(system.revoke_prefix(matched.captured(PREFIX.name), matched.request.now))
    }),
)];

/// Leases, also at the paths that they had before.
pub(super) const ROWS: &[Row<Run>] = &[
    Row {
        endpoint: Endpoint {
            pattern: "leases",
            fields: &[TYPE],
            summary: "Lists the leases that cannot be revoked: none.",
            ..Endpoint::USUAL
        },
        operations: &[(
            Op::READ,
            Run::Answer(|_, matched| irrevocable(matched, "leases")),
        )],
    },
    Row {
        endpoint: Endpoint {
            pattern: "leases/count",
            fields: &[TYPE],
            summary: "Counts the leases that cannot be revoked: none.",
            ..Endpoint::USUAL
        },
        operations: &[(
            Op::READ,
            Run::Answer(|_, matched| irrevocable(matched, "counts")),
        )],
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
            ..REVOKE_ALL
        },
        operations: REVOKES_ALL,
    },
    Row {
        endpoint: Endpoint {
            pattern: "revoke-force/+prefix",
            ..REVOKE_ALL
        },
        operations: REVOKES_ALL,
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
    /// Leases and folders of leases that still hold, swept away or not.
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

    /// Does a lease below `folder` hold? Nearly always one of the first does.
    fn has_leases(&self, folder: &str, now: Timestamp, living: &mut Living) -> Result<bool, Error> {
        for limit in [FIRST_LOOK, LIST_MAX] {
            let leases = self.tokens.leases().below(folder, limit)?;
            for lease in &leases {
                if self.tokens.holds(lease, now, living)? {
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

    /// The lease `id`, while it holds.
    fn lease(&self, id: &str, now: Timestamp, living: &mut Living) -> Result<Option<Lease>, Error> {
        match self.tokens.leases().lookup(id, now)? {
            Some(lease) if self.tokens.holds(&lease, now, living)? => Ok(Some(lease)),
            _ => Ok(None),
        }
    }

    fn look_up_lease(&self, matched: &Matched<'_>) -> Result<Outcome, Error> {
        let request = matched.request;
        let id = lease_id(matched)?;
        let lease = self.lease(&id, request.now, &mut Living::default())?;
        let lease = lease.ok_or_else(|| Error::invalid("invalid lease"))?;
        let renewed = (!lease.last_renewal.is_zero()).then(|| lease.last_renewal.rfc3339());
        let mut data = Map::new();
        data.insert("id".into(), json!(lease.id));
        data.insert("issue_time".into(), json!(lease.issue_time.rfc3339()));
        data.insert("expire_time".into(), json!(lease.expire_time.rfc3339()));
        data.insert("last_renewal".into(), json!(renewed));
        data.insert("renewable".into(), json!(lease.renewable));
        data.insert("ttl".into(), json!(lease.ttl(request.now).as_secs()));
        data.insert("path".into(), json!(lease.path()));
        Ok(Response::data(data).into())
    }

    fn renew_lease(&self, matched: &Matched<'_>) -> Result<Outcome, Error> {
        let request = matched.request;
        let id = lease_id(matched)?;
        let lease = self.lease(&id, request.now, &mut Living::default())?;
        let lease = lease.ok_or_else(|| Error::invalid("lease not found"))?;
        if !lease.renewable {
            return Err(Error::invalid("lease is not renewable"));
        }
        if matches!(lease.undo, Undo::Token(_)) {
            let message = "tokens cannot be renewed through this endpoint";
            return Err(Error::invalid(message));
        }
        let asked = matched.fields.seconds("increment").unwrap_or(0);
        let life = match asked {
            0 => lease.expire_time.since(lease.issue_time),
            seconds => Duration::from_secs(seconds),
        };
        let mut end = request.now.plus(life);
        if !lease.max_expire_time.is_zero() {
            end = end.min(lease.max_expire_time);
        }
        let mut outcome = Outcome::default();
        let leases = self.tokens.leases();
        let renewed = leases.renew(&mut outcome.batch, &lease, end, request.now)?;
        outcome.response.lease_duration = renewed.ttl(request.now);
        outcome.response.data = Some(Map::new());
        Ok(outcome)
    }

    fn revoke_lease(&self, matched: &Matched<'_>) -> Result<Outcome, Error> {
        let request = matched.request;
        let id = lease_id(matched)?;
        let mut outcome = Outcome::default();
        if let Some(lease) = self.tokens.leases().read(&id)? {
            self.end_lease(&mut outcome.batch, &lease, request.now)?;
        }
        Ok(outcome)
    }

    /// Adds the end of `lease`, and of what it stands for, to `batch`.
    fn end_lease(&self, batch: &mut Batch, lease: &Lease, now: Timestamp) -> Result<(), Error> {
        if let Undo::Token(id) = &lease.undo {
            self.tokens.revoke_tree(batch, id, now)?;
        }
        self.tokens.leases().remove(batch, lease);
        Ok(())
    }

    /// Ends every lease below `prefix`, as many entries as it takes. No engine of this build has
    /// anything to undo beside tokens, so forced and plain revocation are the same.
    pub(in crate::sys) async fn revoke_prefix(
        &self,
        prefix: &str,
        now: Timestamp,
    ) -> Result<Response, Error> {
        let prefix = format!("{}/", prefix.trim_end_matches('/'));
        let mut conflicts = 0;
        loop {
            let leases = self.tokens.leases().below(&prefix, BATCH_MAX)?;
            if leases.is_empty() {
                return Ok(Response::no_content());
            }
            let mut batch = Batch::new();
            for lease in &leases {
                if batch.is_heavy() {
                    break;
                }
                self.end_lease(&mut batch, lease, now)?;
            }
            match self.barrier.commit(batch, now).await {
                Ok(_) => {}
                Err(BarrierError::Commit(CommitError::Conflict)) if conflicts < CONFLICTS_MAX => {
                    conflicts += 1;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// From the body, or else from the path.
fn lease_id(matched: &Matched<'_>) -> Result<String, Error> {
    let named = matched.fields.text(ID.name).filter(|id| !id.is_empty());
    let in_path = Some(matched.captured(URL_ID.name)).filter(|id| !id.is_empty());
    let id = named.or(in_path);
    let id = id.ok_or_else(|| Error::invalid("lease_id must be specified"))?;
    Ok(id.to_owned())
}

/// Revoking either succeeds or fails at once here, so no lease is ever irrevocable.
fn irrevocable(matched: &Matched<'_>, name: &str) -> Result<Outcome, Error> {
    if matched.fields.text(TYPE.name) != Some("irrevocable") {
        return Err(Error::not_found());
    }
    let empty = match name {
        "counts" => Value::Object(Map::new()),
        _ => json!([]),
    };
    let mut data = Map::new();
    data.insert("lease_count".into(), json!(0));
    data.insert(name.into(), empty);
    Ok(Response::data(data).into())
}
