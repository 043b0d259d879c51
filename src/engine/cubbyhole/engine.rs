//! The cubbyhole engine.

use crate::barrier::{BarrierError, Batch, View};
use crate::engine::kv::{list, record, warn_ignored};
use crate::engine::{Engine, Error, Operation, Outcome, Request, Response};
use crate::store::Revision;
use serde_json::{Map, Value};

/// Most records a token may keep.
pub const RECORDS_MAX: usize = 1000;

/// The cubbyhole engine. It keeps nothing in memory.
#[derive(Debug, Default)]
pub struct Cubbyhole;

/// Adds "remove everything of the token with `cubbyhole_id`" to `batch`; `view` is the
/// cubbyhole's mount. False when `batch` is full before all is in it.
pub fn purge(view: &View, batch: &mut Batch, cubbyhole_id: &str) -> Result<bool, BarrierError> {
    if cubbyhole_id.is_empty() {
        return Ok(true);
    }
    let own = view.sub(&format!("{cubbyhole_id}/"));
    for path in own.walk("", RECORDS_MAX)? {
        if batch.is_heavy() {
            return Ok(false);
        }
        own.delete(batch, &path);
    }
    for path in own.pending_below(batch, "") {
        own.delete(batch, &path);
    }
    Ok(true)
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

    fn fields(&self, _request: &Request) -> Option<&'static [&'static str]> {
        None
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
    if request.operation == Operation::Create {
        // Granted as `create`: what came to be meanwhile is not overwritten.
        own.expect(&mut outcome.batch, &request.path, Revision(0));
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::barrier::Batch;
    use crate::engine::ErrorKind;
    use crate::engine::kv::harness::Mount;
    use serde_json::json;

    #[test]
    fn another_token_sees_nothing() {
        let mount = Mount::new(Cubbyhole, &[]);
        mount.put("a/b", json!({"v": 1})).expect("put");
        assert_eq!(mount.read("a/b", Value::Null), json!({"v": 1}));
        assert_eq!(mount.keys(Operation::List, "", Value::Null), ["a/"]);
        let mut other = mount.request(Operation::Read, "a/b", Value::Null);
        other.caller.cubbyhole_id = "other".into();
        other.caller.is_root = true;
        assert_eq!(
            mount.send(&other).expect_err("404").kind,
            ErrorKind::NotFound
        );
        other.operation = Operation::List;
        other.path = String::new();
        assert_eq!(
            mount.send(&other).expect_err("404").kind,
            ErrorKind::NotFound
        );
    }

    #[test]
    fn batch_tokens_have_none() {
        let mount = Mount::new(Cubbyhole, &[]);
        for operation in [
            Operation::Read,
            Operation::Update,
            Operation::Delete,
            Operation::List,
        ] {
            let mut request = mount.request(operation, "a", json!({"v": 1}));
            request.caller.cubbyhole_id = String::new();
            request.caller.is_batch = true;
            assert_eq!(
                mount.send(&request).expect_err("refused").messages,
                ["cubbyhole operations are only supported by 'service' type tokens"]
            );
        }
    }

    #[test]
    fn purge_removes_one_token_only() {
        let mount = Mount::new(Cubbyhole, &[]);
        mount.put("a/b", json!({"v": 1})).expect("put");
        mount.put("c", json!({"v": 1})).expect("put");
        let mut other = mount.request(Operation::Update, "a", json!({"v": 2}));
        other.caller.cubbyhole_id = "other".into();
        mount.send(&other).expect("put");
        let mut batch = Batch::new();
        purge(&mount.view, &mut batch, "hole").expect("purges");
        purge(&mount.view, &mut batch, "").expect("does nothing");
        let outcome = Outcome {
            batch,
            ..Outcome::default()
        };
        mount.commit(outcome).expect("commits");
        assert_eq!(mount.view.walk("", 10).expect("walks"), ["other/a"]);
    }

    #[test]
    fn a_token_keeps_a_bounded_number() {
        let mount = Mount::new(Cubbyhole, &[]);
        for number in 0..RECORDS_MAX {
            mount
                .put(&number.to_string(), json!({"v": 1}))
                .expect("put");
        }
        mount.put("0", json!({"v": 2})).expect("an overwrite");
        let refusal = mount.refusal(Operation::Update, "more", json!({"v": 1}));
        assert_eq!(refusal, "a cubbyhole holds at most 1000 secrets");
    }
}
