//! The acts of the node lie between the two audit lines, and the second says how they ended.

use super::between::{World, by, put, with};
use super::*;
use crate::clock::Timestamp;
use crate::store::BoxFuture;
use crate::stream::{Chunks, Upload};
use crate::sys::{
    HaStatus, InitRequest, InitResult, LeaderStatus, Lifecycle, LifecycleError, SealStatus,
    ShareInput,
};
use std::path::PathBuf;
use std::sync::Mutex;

const BROKEN: &str = "the device is broken";

/// A node that does nothing but note what the audit file held while it acted.
struct Witness {
    log: PathBuf,
    barrier: Arc<Unsealed>,
    router: Mutex<Option<Arc<Router>>>,
    fails: Mutex<bool>,
    /// Lines of the audit file at each act.
    seen: Mutex<Vec<usize>>,
}

impl Witness {
    fn lines(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
        lines.collect()
    }

    fn act(&self) -> BoxFuture<'_, Result<(), LifecycleError>> {
        self.seen.lock().unwrap().push(self.lines().len());
        let fails = *self.fails.lock().unwrap();
        Box::pin(async move {
            match fails {
                true => Err(LifecycleError::Elsewhere(BROKEN.into())),
                false => Ok(()),
            }
        })
    }
}

impl Lifecycle for Witness {
    fn seal_status(&self) -> SealStatus {
        SealStatus::default()
    }

    fn leader(&self) -> LeaderStatus {
        LeaderStatus::default()
    }

    fn ha_status(&self) -> Vec<HaStatus> {
        self.seen.lock().unwrap().push(self.lines().len());
        Vec::new()
    }

    fn initialize(&self, _: InitRequest) -> BoxFuture<'_, Result<InitResult, LifecycleError>> {
        Box::pin(async { Err(LifecycleError::AlreadyInitialized) })
    }

    fn unseal(&self, _: ShareInput) -> BoxFuture<'_, Result<SealStatus, LifecycleError>> {
        Box::pin(async { Ok(SealStatus::default()) })
    }

    fn reset_unseal(&self) -> SealStatus {
        SealStatus::default()
    }

    fn seal(&self) -> BoxFuture<'_, Result<(), LifecycleError>> {
        self.act()
    }

    fn step_down(&self) -> BoxFuture<'_, Result<(), LifecycleError>> {
        self.act()
    }

    fn save_snapshot(&self) -> BoxFuture<'_, Result<Chunks, LifecycleError>> {
        Box::pin(async {
            self.act().await?;
            Ok(Box::pin(futures_util::stream::empty()) as Chunks)
        })
    }

    /// Notes the act. With `force` the keys are gone afterwards, and the settings of the audit have
    /// changed.
    fn restore_snapshot(
        &self,
        _: Chunks,
        force: bool,
    ) -> BoxFuture<'_, Result<(), LifecycleError>> {
        Box::pin(async move {
            self.act().await?;
            if force {
                let router = self.router.lock().unwrap().take().unwrap();
                let path = "sys/config/auditing/request-headers/x";
                let incoming = Harness::incoming(ROOT, Operation::Update, path, json!({}));
                router.handle(incoming).await.result.unwrap();
                self.barrier.seal();
            }
            Ok(())
        })
    }

    fn now(&self) -> Timestamp {
        START
    }
}

async fn world() -> (Harness, Arc<Witness>) {
    let mut harness = Harness::new().await;
    let file = harness.directory.path().join("log");
    let body = json!({"type": "file", "options": {"file_path": file}});
    let enabled = harness
        .root(Operation::Update, "sys/audit/file", body)
        .await;
    enabled.unwrap();
    let witness = Arc::new(Witness {
        log: file,
        barrier: Arc::clone(&harness.barrier),
        router: Mutex::default(),
        fails: Mutex::default(),
        seen: Mutex::default(),
    });
    let node: Arc<dyn Lifecycle> = witness.clone();
    harness.node = Arc::new(move || Some(Arc::clone(&node)));
    harness.restart();
    *witness.router.lock().unwrap() = Some(Arc::clone(&harness.router));
    (harness, witness)
}

async fn ask(harness: &Harness, operation: Operation, path: &str) -> Result<Response, Error> {
    let mut incoming = Harness::incoming(ROOT, operation, path, json!({}));
    if operation == Operation::Update {
        let body: Chunks = Box::pin(futures_util::stream::empty());
        incoming.upload = Upload::new(Some(body));
    }
    harness.router.handle(incoming).await.result
}

#[tokio::test]
async fn a_failed_restore_is_audited_as_failed_and_so_is_every_act() {
    let (harness, witness) = world().await;
    for (operation, path) in [
        (Operation::Update, "sys/storage/raft/snapshot"),
        (Operation::Read, "sys/storage/raft/snapshot"),
        (Operation::Update, "sys/seal"),
        (Operation::Update, "sys/step-down"),
    ] {
        for fails in [true, false] {
            *witness.fails.lock().unwrap() = fails;
            let before = witness.lines().len();
            let answer = ask(&harness, operation, path).await;
            let lines = witness.lines().split_off(before);
            let seen = witness.seen.lock().unwrap().pop();
            assert_eq!(seen, Some(before + 1), "{path}: between the two lines");
            let [request, response] = lines.as_slice() else {
                panic!("{path}: {lines:?}");
            };
            assert_eq!(
                (&request["type"], &request["error"]),
                (&json!("request"), &Value::Null)
            );
            assert_eq!(response["type"], json!("response"));
            assert_eq!(answer.is_err(), fails, "{path}");
            let told = response["error"].as_str().unwrap_or_default();
            assert_eq!(told.contains(BROKEN), fails, "{path}: {response}");
        }
    }
}

#[tokio::test]
async fn an_act_that_takes_the_keys_away_is_audited_all_the_same() {
    let (harness, witness) = world().await;
    let before = witness.lines().len();
    let restored = ask(
        &harness,
        Operation::Update,
        "sys/storage/raft/snapshot-force",
    )
    .await;
    restored.unwrap();
    let lines = witness.lines().split_off(before);
    let last = lines.last().unwrap();
    let path = json!("sys/storage/raft/snapshot-force");
    assert_eq!(
        (&last["type"], &last["request"]["path"]),
        (&json!("response"), &path)
    );
    assert_eq!(last["error"], Value::Null);
    // Without those of the first line there are no devices now.
    ask(&harness, Operation::Read, "sys/mounts")
        .await
        .unwrap_err();
}

#[tokio::test]
async fn nothing_acts_for_who_may_not() {
    let (harness, witness) = world().await;
    let policy = "path \"sys/*\" { capabilities = [\"create\", \"update\", \"read\"] }";
    let token = harness.token(policy, json!({})).await;
    for path in ["sys/seal", "sys/step-down"] {
        let refused = harness.call(&token, Operation::Update, path, json!({}));
        refused.await.unwrap_err();
        harness
            .call("", Operation::Update, path, json!({}))
            .await
            .unwrap_err();
    }
    let (delete, seal) = (Operation::Delete, "sys/seal");
    harness
        .call(ROOT, delete, seal, json!({}))
        .await
        .unwrap_err();
    assert_eq!(*witness.seen.lock().unwrap(), Vec::<usize>::new());
    ask(&harness, Operation::Read, "sys/ha-status")
        .await
        .unwrap();
    assert_eq!(witness.seen.lock().unwrap().len(), 1, "the witness sees");
}

/// The token's use is its own entry, before the act: a conflict there has the request run again.
#[tokio::test]
async fn an_act_waits_for_the_use_of_its_token() {
    let (world, witness) = acting().await;
    let token = world
        .harness
        .token(
            "path \"sys/step-down\" { capabilities = [\"update\", \"sudo\"] }\n\
             path \"auth/token/lookup-self\" { capabilities = [\"read\"] }",
            json!({"num_uses": 3}),
        )
        .await;
    let looks = with(
        Operation::Read,
        by(&token, "auth/token/lookup-self", json!({})),
    );
    let acts = by(&token, "sys/step-down", json!({}));
    let (answer, conflicts) = world.race(looks, acts).await;
    answer.unwrap();
    assert!(conflicts.unwrap() > 0, "the other use came between");
    assert_eq!(witness.seen.lock().unwrap().len(), 1, "it acted once");
    world.done(by(&token, "sys/step-down", json!({}))).await;
    let spent = Harness::incoming(&token, Operation::Update, "sys/step-down", json!({}));
    world.harness.router.handle(spent).await.result.unwrap_err();
    world.done(put("kv/x", json!({"a": 1}))).await;
}

async fn acting() -> (World, Arc<Witness>) {
    let mut world = World::new().await;
    let witness = Arc::new(Witness {
        log: world.harness.directory.path().join("none"),
        barrier: Arc::clone(&world.harness.barrier),
        router: Mutex::default(),
        fails: Mutex::default(),
        seen: Mutex::default(),
    });
    let node: Arc<dyn Lifecycle> = witness.clone();
    world.harness.node = Arc::new(move || Some(Arc::clone(&node)));
    world.harness.restart();
    (world, witness)
}
