//! The cubbyhole engine.

use super::tally::{CubbyholeTally, RECORDS_MAX, size};
use crate::barrier::{BarrierError, Batch, View};
use crate::engine::kv::list::folder;
use crate::engine::kv::record;
use crate::engine::table::{Endpoint, Field, Matched, Op, Row, Sheet, Table};
use crate::engine::{
    Engine, Error, Existing, Kind, Make, MountContext, Outcome, Request, Response,
};
use crate::policy::Authorized;
use serde_json::{Map, Value};
use std::sync::Arc;

/// The kind `cubbyhole`, which exists once.
pub static KIND: Kind = Kind {
    is_single: true,
    ..Kind::usual(
        "cubbyhole",
        |_| vec![&TABLE],
        Make::ForMount(|_| Arc::new(Cubbyhole)),
    )
};

/// The cubbyhole engine. It keeps nothing in memory.
#[derive(Debug, Default)]
pub struct Cubbyhole;

/// Adds "remove everything of the token with `cubbyhole_id`" to `batch`; `view` is the cubbyhole's
/// mount. Returns false when `batch` is full before all is in it.
pub fn purge(view: &View, batch: &mut Batch, cubbyhole_id: &str) -> Result<bool, BarrierError> {
    if cubbyhole_id.is_empty() {
        return Ok(true);
    }
    let own = view.sub(&format!("{cubbyhole_id}/"));
    let stored = own.walk("", RECORDS_MAX)?;
    let pending = own.pending_below(batch, "");
    if !stored.is_empty() || !pending.is_empty() {
        CubbyholeTally::forget(view, batch, cubbyhole_id);
    }
    for path in stored {
        if batch.is_heavy() {
            return Ok(false);
        }
        own.delete(batch, &path);
    }
    for path in pending {
        own.delete(batch, &path);
    }
    Ok(true)
}

/// Adds "keep `data` at `path` for the token with `cubbyhole_id`" to `batch`, whatever its size: a
/// wrapped answer may have any size, and its token keeps nothing else.
pub fn put_away(
    view: &View,
    batch: &mut Batch,
    cubbyhole_id: &str,
    path: &str,
    data: &Map<String, Value>,
) -> Result<(), Error> {
    record::put(
        &view.sub(&format!("{cubbyhole_id}/")),
        batch,
        path,
        Some(data),
    )
}

/// Reads the data that the token with `cubbyhole_id` keeps at `path`.
pub fn kept(
    view: &View,
    cubbyhole_id: &str,
    path: &str,
) -> Result<Option<Map<String, Value>>, Error> {
    record::get(&view.sub(&format!("{cubbyhole_id}/")), path)
}

impl Engine for Cubbyhole {
    fn existing(&self, request: &Request, view: &View) -> Result<Existing, Error> {
        if !is_leaf(&request.path) || request.caller.cubbyhole_id.is_empty() {
            return Ok(Existing::Nothing);
        }
        let own = own(request, view)?;
        Ok(Existing::Slot(own.read(&request.path)?))
    }

    fn table(&self, _: &MountContext) -> &'static dyn Sheet {
        &TABLE
    }

    fn handle(&self, request: Authorized<&Request>, view: &View) -> Result<Outcome, Error> {
        let request = request.into_request();
        let (handler, matched) = TABLE.route(request, view)?;
        handler(&matched, &own(request, view)?)
    }
}

/// A handler of an operation, called with the view of the caller's own records.
type Handler = fn(&Matched<'_>, &View) -> Result<Outcome, Error>;

static TABLE: Table<Handler> = Table::new(
    "Keeps secrets for one token only: they go with it.",
    &[ROWS],
);

const ROWS: &[Row<Handler>] = &[Row {
    endpoint: Endpoint {
        pattern: "*path",
        fields: &[Field::path("path", "Location of the secret.")],
        creates: true,
        takes_anything: true,
        summary: "Keeps any data under any path, for this token alone.",
        ..Endpoint::USUAL
    },
    operations: &[
        (Op::READ, read),
        (Op::WRITE, write),
        (Op::DELETE, delete),
        (Op::LIST, list),
    ],
}];

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

fn write(matched: &Matched<'_>, own: &View) -> Result<Outcome, Error> {
    let (request, view) = (matched.request, matched.view);
    if request.path.is_empty() {
        return Err(Error::invalid("missing path"));
    }
    if request.path.ends_with('/') {
        return Err(Error::invalid("cannot write to a path ending in '/'"));
    }
    if request.data.is_empty() {
        return Err(Error::invalid("missing data fields"));
    }
    let mut outcome = Outcome::default();
    let batch = &mut outcome.batch;
    let slot = request.slot(own, &request.path)?;
    let value = record::encode(Some(&request.data))?;
    let bytes = size(&request.path, value.expose());
    let before = slot
        .value()
        .map(|before| size(&request.path, before.expose()));
    batch.replace(&slot, value);
    let mut tally = CubbyholeTally::read(view, own, &request.caller.cubbyhole_id)?;
    tally.replace(before, bytes)?;
    tally.write(view, batch, &request.caller.cubbyhole_id)?;
    Ok(outcome)
}

fn delete(matched: &Matched<'_>, own: &View) -> Result<Outcome, Error> {
    let (request, view) = (matched.request, matched.view);
    let mut outcome = Outcome::default();
    if !is_leaf(&request.path) {
        return Ok(outcome);
    }
    let batch = &mut outcome.batch;
    let slot = request.slot(own, &request.path)?;
    own.delete(batch, &request.path);
    if let Some(value) = slot.value() {
        let mut tally = CubbyholeTally::read(view, own, &request.caller.cubbyhole_id)?;
        tally.remove(size(&request.path, value.expose()));
        tally.write(view, batch, &request.caller.cubbyhole_id)?;
    }
    Ok(outcome)
}

fn list(matched: &Matched<'_>, own: &View) -> Result<Outcome, Error> {
    let keys = own.list(&folder(&matched.request.path))?;
    match keys.is_empty() {
        true => Err(Error::not_found()),
        false => Ok(Response::list(keys).into()),
    }
}

fn read(matched: &Matched<'_>, own: &View) -> Result<Outcome, Error> {
    let request = matched.request;
    if !is_leaf(&request.path) {
        return Err(Error::invalid("missing path"));
    }
    let data: Map<String, Value> = record::get(own, &request.path)?.ok_or_else(Error::not_found)?;
    Ok(Response::data(data).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::cubbyhole::{RECORD_BYTES_MAX, TOKEN_BYTES_MAX};
    use crate::engine::kv::harness::Mount;
    use crate::engine::{ErrorKind, Operation};
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
        let mut left = mount.view.walk("", 10).expect("walks");
        left.sort();
        assert_eq!(left, ["other", "other/a"]);
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
        delete(&mount, "1");
        mount.put("more", json!({"v": 1})).expect("there is room");
    }

    #[test]
    fn a_token_keeps_a_bounded_size() {
        let mount = Mount::new(Cubbyhole, &[]);
        let large = json!({"v": "x".repeat(RECORD_BYTES_MAX - 100)});
        let larger = json!({"v": "x".repeat(RECORD_BYTES_MAX)});
        let refusal = mount.refusal(Operation::Update, "a", larger);
        assert_eq!(refusal, "a secret in a cubbyhole has at most 65536 bytes");
        for number in 0..TOKEN_BYTES_MAX / RECORD_BYTES_MAX {
            mount.put(&number.to_string(), large.clone()).expect("put");
        }
        let refusal = mount.refusal(Operation::Update, "more", large.clone());
        assert_eq!(refusal, "a cubbyhole holds at most 1048576 bytes");
        mount.put("0", large.clone()).expect("no more than before");
        mount.put("0", json!({"v": 1})).expect("less");
        mount.put("more", large).expect("there is room again");
    }

    /// Of writers that come at the same time, one finds that the other was there.
    #[test]
    fn a_token_gets_no_more_by_writing_in_parallel() {
        let mount = Mount::new(Cubbyhole, &[]);
        mount.put("first", json!({"v": 1})).expect("put");
        let asked = ["a", "b"].map(|path| {
            let request = mount.request(Operation::Update, path, json!({"v": 1}));
            let authorized = Authorized::public(&request);
            mount.engine.handle(authorized, &mount.view).expect("fits")
        });
        let [first, second] = asked.map(|outcome| mount.commit(outcome).is_ok());
        assert!(first && !second);
    }

    /// Of what was kept before there were limits everything can be read and removed.
    #[test]
    fn what_is_kept_beyond_the_limits_can_shrink() {
        let mount = Mount::new(Cubbyhole, &[]);
        let larger = json!({"v": "x".repeat(TOKEN_BYTES_MAX)});
        let mut outcome = Outcome::default();
        let data = larger.as_object().expect("a map");
        put_away(&mount.view, &mut outcome.batch, "hole", "old", data).expect("puts");
        mount.commit(outcome).expect("commits");
        let refusal = mount.refusal(Operation::Update, "new", json!({"v": 1}));
        assert_eq!(refusal, "a cubbyhole holds at most 1048576 bytes");
        assert_eq!(mount.read("old", Value::Null), larger);
        delete(&mount, "old");
        mount.put("new", json!({"v": 1})).expect("put");
        delete(&mount, "new");
        assert!(mount.view.walk("", 10).expect("walks").is_empty());
    }

    fn delete(mount: &Mount<Cubbyhole>, path: &str) {
        let deleted = mount.ask(Operation::Delete, path, Value::Null);
        deleted.expect("deletes");
    }
}
