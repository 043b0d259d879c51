//! The cubbyhole engine.

use crate::barrier::{Batch, View};
use crate::engine::kv::{list, record, warn_ignored};
use crate::engine::{Engine, Error, Operation, Outcome, Request, Response};
use serde_json::{Map, Value};

/// Most records a token may keep, so that [`purge`] fits into one log entry.
pub const RECORDS_MAX: usize = 1000;

/// The cubbyhole engine. It keeps nothing in memory.
#[derive(Debug, Default)]
pub struct Cubbyhole;

/// Adds "remove everything of the token with `cubbyhole_id`" to `batch`; `view` is the
/// cubbyhole's mount.
pub fn purge(view: &View, batch: &mut Batch, cubbyhole_id: &str) -> Result<(), Error> {
    if cubbyhole_id.is_empty() {
        return Ok(());
    }
    let own = view.sub(&format!("{cubbyhole_id}/"));
    for path in own.walk("", RECORDS_MAX)? {
        own.delete(batch, &path);
    }
    Ok(())
}

impl Engine for Cubbyhole {
    fn kind(&self) -> &'static str {
        "cubbyhole"
    }

    fn exists(&self, request: &Request, view: &View) -> Result<Option<bool>, Error> {
        if !is_leaf(&request.path) || request.caller.cubbyhole_id.is_empty() {
            return Ok(Some(false));
        }
        Ok(Some(own(request, view)?.get(&request.path)?.is_some()))
    }

    fn handle(&self, request: &Request, view: &View) -> Result<Outcome, Error> {
        let own = own(request, view)?;
        match request.operation {
            Operation::Create | Operation::Update => write(request, &own),
            Operation::Read => read(request, &own),
            Operation::Delete => {
                let mut outcome = Outcome::default();
                if is_leaf(&request.path) {
                    own.delete(&mut outcome.batch, &request.path);
                }
                Ok(outcome)
            }
            Operation::List => {
                let keys = own.list(&list::folder(&request.path))?;
                if keys.is_empty() {
                    return Err(Error::not_found());
                }
                Ok(warn_ignored(Response::list(keys), request, &[]).into())
            }
            Operation::Patch | Operation::Scan | Operation::Help => {
                Err(Error::unsupported_operation())
            }
        }
    }
}

fn own(request: &Request, view: &View) -> Result<View, Error> {
    let id = &request.caller.cubbyhole_id;
    if request.caller.is_batch || id.is_empty() {
        let message = "cubbyhole operations are only supported by 'service' type tokens";
        return Err(Error::invalid(message));
    }
    Ok(view.sub(&format!("{id}/")))
}

fn is_leaf(path: &str) -> bool {
    !path.is_empty() && !path.ends_with('/')
}

fn write(request: &Request, own: &View) -> Result<Outcome, Error> {
    if request.path.is_empty() {
        return Err(Error::invalid("missing path"));
    }
    if request.path.ends_with('/') {
        return Err(Error::invalid("cannot write to a path ending in '/'"));
    }
    if request.data.is_empty() {
        return Err(Error::invalid("missing data fields"));
    }
    if own.get(&request.path)?.is_none() && own.walk("", RECORDS_MAX)?.len() >= RECORDS_MAX {
        return Err(Error::invalid(format!(
            "a cubbyhole holds at most {RECORDS_MAX} secrets"
        )));
    }
    let mut outcome = Outcome::default();
    record::put(own, &mut outcome.batch, &request.path, &request.data)?;
    Ok(outcome)
}

fn read(request: &Request, own: &View) -> Result<Outcome, Error> {
    if !is_leaf(&request.path) {
        return Err(Error::invalid("missing path"));
    }
    let data: Map<String, Value> = record::get(own, &request.path)?.ok_or_else(Error::not_found)?;
    Ok(warn_ignored(Response::data(data), request, &[]).into())
}
