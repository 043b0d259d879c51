//! An engine of the tests whose requests take long before they can be decided on.

use super::*;
use crate::barrier::{Batch, View};
use crate::engine::table::{Endpoint, Field, FieldKind, Matched, Op, Row, Sheet, Table};
use crate::engine::{Engine, Kind, Make, MountContext, Outcome, Prepared, Request};
use crate::policy::Authorized;
use crate::store::BoxFuture;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

/// The gates that computations wait for, by the name of the mount.
static GATES: Mutex<Vec<(String, mpsc::Receiver<()>)>> = Mutex::new(Vec::new());
/// The number of engines that were made.
static MADE: AtomicUsize = AtomicUsize::new(0);

struct Slow {
    number: usize,
    asked: AtomicUsize,
}

type Handler = fn(&Slow, &Matched<'_>) -> Result<Outcome, Error>;

static TABLE: Table<Handler> = Table::new(
    "Takes its time.",
    &[&[
        Row {
            endpoint: Endpoint {
                pattern: "hash/:name",
                fields: &[
                    Field::path("name", "Where the result goes."),
                    Field::new("text", FieldKind::Text, "What is hashed."),
                ],
                prepares: true,
                summary: "Hashes a text, and keeps the result.",
                ..Endpoint::USUAL
            },
            operations: &[(Op::WRITE, write)],
        },
        Row {
            endpoint: Endpoint {
                pattern: "number",
                summary: "Which engine this is, and how often it was asked.",
                ..Endpoint::USUAL
            },
            operations: &[(Op::READ, number)],
        },
    ]],
);

static KIND: Kind = Kind::usual(
    "slow",
    |_| vec![&TABLE],
    Make::ForMount(|_| {
        Arc::new(Slow {
            number: MADE.fetch_add(1, Ordering::Relaxed),
            asked: AtomicUsize::new(0),
        })
    }),
);

fn write(_: &Slow, matched: &Matched<'_>) -> Result<Outcome, Error> {
    let prepared = matched.request.prepared.as_ref();
    let hash = prepared.and_then(|prepared| prepared.downcast_ref::<u64>());
    let hash = hash.ok_or_else(|| Error::internal("nothing was prepared"))?;
    let mut batch = Batch::new();
    let path = format!("hash/{}", matched.captured("name"));
    let slot = matched.request.slot(matched.view, &path)?;
    batch.replace_record(&slot, hash)?;
    let mut data = Map::new();
    data.insert("hash".into(), json!(hash));
    Ok(Outcome {
        response: Response::data(data),
        batch,
    })
}

fn number(slow: &Slow, _: &Matched<'_>) -> Result<Outcome, Error> {
    let asked = slow.asked.fetch_add(1, Ordering::Relaxed);
    let mut data = Map::new();
    data.insert("number".into(), json!(slow.number));
    data.insert("asked".into(), json!(asked));
    Ok(Response::data(data).into())
}

impl Engine for Slow {
    fn table(&self, _: &MountContext) -> &'static dyn Sheet {
        &TABLE
    }

    fn prepare<'a>(
        &'a self,
        request: Authorized<&'a Request>,
        _view: &'a View,
    ) -> BoxFuture<'a, Result<Prepared, Error>> {
        let request = request.into_request();
        let text = request.text("text").unwrap_or_default();
        let mut gates = GATES.lock().unwrap();
        let gate = gates
            .iter()
            .position(|(path, _)| *path == request.mount.path);
        let gate = gate.map(|at| gates.remove(at).1);
        Box::pin(async move {
            if text == "bad" {
                return Err(Error::invalid("this text cannot be hashed"));
            }
            let hash = crate::task::compute(move || {
                if let Some(gate) = gate {
                    // It holds its thread, as a computation does.
                    gate.recv_timeout(Duration::from_secs(60)).unwrap();
                }
                text.bytes().map(u64::from).sum::<u64>()
            });
            let hash = hash
                .await
                .map_err(|error| Error::internal(error.to_string()))?;
            Ok(Arc::new(hash) as Prepared)
        })
    }

    fn handle(&self, request: Authorized<&Request>, view: &View) -> Result<Outcome, Error> {
        let (handler, matched) = TABLE.route(request.into_request(), view)?;
        handler(self, &matched)
    }
}

async fn harness(mount: &str) -> Harness {
    let mut harness = Harness::new().await;
    harness.kinds.push(&KIND);
    harness.restart();
    let path = format!("sys/mounts/{mount}");
    let kind = json!({"type": "slow"});
    harness.root(Operation::Update, &path, kind).await.unwrap();
    harness
}

async fn read(harness: &Harness, path: &str) -> Value {
    let answer = harness.root(Operation::Read, path, json!({})).await;
    Value::Object(answer.unwrap().data.unwrap())
}

/// One thread runs everything here, as on a Pi Zero.
#[tokio::test]
async fn who_prepares_for_long_holds_up_nobody() {
    let harness = harness("long").await;
    let (open, gate) = mpsc::channel();
    GATES.lock().unwrap().push(("long/".into(), gate));
    let body = json!({"text": "abc"});
    let slow = harness.root(Operation::Update, "long/hash/a", body);
    let others = async {
        // All this is answered while the computation holds its thread: it is told to end only
        // afterwards.
        for number in 0..50 {
            let path = format!("secret/data/{number}");
            let data = json!({"data": {"n": number}});
            harness.root(Operation::Update, &path, data).await.unwrap();
            assert_eq!(read(&harness, &path).await["data"]["n"], number);
            tokio::task::yield_now().await;
        }
        // Also to the same mount and the same place.
        assert_eq!(read(&harness, "long/number").await["asked"], 0);
        open.send(()).unwrap();
    };
    let (slow, ()) = tokio::join!(slow, others);
    assert_eq!(slow.unwrap().data.unwrap()["hash"], 294);
}

#[tokio::test]
async fn what_cannot_be_prepared_is_the_answer_and_is_audited() {
    let harness = harness("bad").await;
    let log = harness.directory.path().join("audit.log");
    let options = json!({"type": "file", "options": {"file_path": log.to_str().unwrap()}});
    let enabled = harness
        .root(Operation::Update, "sys/audit/file", options)
        .await;
    enabled.unwrap();
    let before = std::fs::read_to_string(&log).unwrap().lines().count();
    let body = json!({"text": "bad"});
    let refused = harness.root(Operation::Update, "bad/hash/a", body).await;
    assert_eq!(
        refused.unwrap_err().messages,
        ["this text cannot be hashed"]
    );
    let lines = std::fs::read_to_string(&log).unwrap();
    let lines: Vec<Value> = lines
        .lines()
        .skip(before)
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert_eq!(lines[0]["type"], "request");
    assert!(lines[0]["error"].is_null());
    assert_eq!(lines[1]["type"], "response");
    assert!(
        lines[1]["error"]
            .as_str()
            .unwrap()
            .contains("cannot be hashed")
    );
    let body = json!({"text": "b"});
    let granted = harness.root(Operation::Update, "bad/hash/a", body).await;
    assert_eq!(granted.unwrap().data.unwrap()["hash"], 98);
}

#[tokio::test]
async fn nothing_is_prepared_for_who_may_not_ask() {
    let harness = harness("closed").await;
    let (_open, gate) = mpsc::channel::<()>();
    GATES.lock().unwrap().push(("closed/".into(), gate));
    let body = json!({"text": "abc"});
    let stranger = harness.call("s.nobody", Operation::Update, "closed/hash/a", body.clone());
    assert_eq!(
        stranger.await.unwrap_err().kind,
        crate::engine::ErrorKind::Denied
    );
    let waits = GATES.lock().unwrap();
    assert!(
        waits.iter().any(|(path, _)| path == "closed/"),
        "nobody took the gate"
    );
}

#[tokio::test]
async fn an_engine_is_its_mounts_for_as_long_as_it_is_mounted() {
    let harness = harness("one").await;
    let kind = json!({"type": "slow"});
    harness
        .root(Operation::Update, "sys/mounts/two", kind.clone())
        .await
        .unwrap();
    let one = read(&harness, "one/number").await;
    let two = read(&harness, "two/number").await;
    assert_ne!(one["number"], two["number"]);
    let tuned = json!({"description": "another"});
    harness
        .root(Operation::Update, "sys/mounts/one/tune", tuned)
        .await
        .unwrap();
    let again = read(&harness, "one/number").await;
    assert_eq!(
        (&again["number"], &again["asked"]),
        (&one["number"], &json!(1))
    );
    let moved = json!({"from": "one", "to": "three"});
    harness
        .root(Operation::Update, "sys/remount", moved)
        .await
        .unwrap();
    let again = read(&harness, "three/number").await;
    assert_eq!(
        (&again["number"], &again["asked"]),
        (&one["number"], &json!(2))
    );
    harness
        .root(Operation::Delete, "sys/mounts/three", json!({}))
        .await
        .unwrap();
    harness
        .root(Operation::Update, "sys/mounts/three", kind)
        .await
        .unwrap();
    let fresh = read(&harness, "three/number").await;
    assert_ne!(
        fresh["number"], one["number"],
        "it remembers nothing of another mount"
    );
    assert_eq!(fresh["asked"], 0);
}
