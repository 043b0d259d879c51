//! `sys/leases`, and the paths that leases had before.

use super::field;
use super::system::{System, expect, expect_update};
use crate::barrier::{BarrierError, Batch};
use crate::clock::Timestamp;
use crate::engine::{Error, Operation, Outcome, Request, Response};
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

impl System {
    pub(super) fn leases(&self, request: &Request, rest: &str) -> Result<Outcome, Error> {
        let (verb, id) = rest.split_once('/').unwrap_or((rest, ""));
        match verb {
            "" => irrevocable(request, "leases"),
            "count" => irrevocable(request, "counts"),
            "lookup" if request.operation == Operation::List => self.list_leases(request, id),
            "lookup" => self.look_up_lease(request, id),
            "renew" => self.renew_lease(request, id),
            "revoke" => self.revoke_lease(request, id),
            "tidy" if id.is_empty() => {
                expect_update(request)?;
                let mut response = Response::no_content().warn(
                    "Tidy operation successfully started. Any information from the operation \
                     will be printed to the server log.",
                );
                response.status = Some(202);
                Ok(response.into())
            }
            _ => Err(Error::unsupported_path()),
        }
    }

    /// Leases and folders of leases that still hold, swept away or not.
    fn list_leases(&self, request: &Request, prefix: &str) -> Result<Outcome, Error> {
        let prefix = match prefix {
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

    fn look_up_lease(&self, request: &Request, id: &str) -> Result<Outcome, Error> {
        expect_update(request)?;
        let id = lease_id(request, id)?;
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

    pub(super) fn renew_lease(&self, request: &Request, id: &str) -> Result<Outcome, Error> {
        expect_update(request)?;
        let id = lease_id(request, id)?;
        let lease = self.lease(&id, request.now, &mut Living::default())?;
        let lease = lease.ok_or_else(|| Error::invalid("lease not found"))?;
        if !lease.renewable {
            return Err(Error::invalid("lease is not renewable"));
        }
        if matches!(lease.undo, Undo::Token(_)) {
            let message = "tokens cannot be renewed through this endpoint";
            return Err(Error::invalid(message));
        }
        let asked = field::seconds(&request.data, "increment")?.unwrap_or(0);
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

    pub(super) fn revoke_lease(&self, request: &Request, id: &str) -> Result<Outcome, Error> {
        expect_update(request)?;
        let id = lease_id(request, id)?;
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
    pub(super) async fn revoke_prefix(
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
fn lease_id(request: &Request, id: &str) -> Result<String, Error> {
    let named = field::text(&request.data, "lease_id")?.filter(|id| !id.is_empty());
    let id = named.unwrap_or_else(|| id.to_owned());
    match id.is_empty() {
        true => Err(Error::invalid("lease_id must be specified")),
        false => Ok(id),
    }
}

/// Revoking either succeeds or fails at once here, so no lease is ever irrevocable.
fn irrevocable(request: &Request, name: &str) -> Result<Outcome, Error> {
    expect(request, Operation::Read)?;
    if request.text("type").as_deref() != Some("irrevocable") {
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
