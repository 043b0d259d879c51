//! Re-encryption in the background: its endpoint, its end, what interrupts it, and another node
//! that goes on with it.

use super::*;
use crate::barrier::BarrierError;
use crate::raft::tests::cluster::{Cluster, eventually};
use crate::sys::duties::rewrap::{self, Job, Pace, RewrapState, Rewrapping};
use tokio::sync::watch;
use tokio::task::AbortHandle;

const PATH: &str = "sys/rotate/rewrap";
const MONTH: Duration = Duration::from_secs(768 * 3600);

/// A duty that ends with the test.
struct Duty {
    rewrapping: Arc<Rewrapping>,
    passed: watch::Sender<bool>,
    task: AbortHandle,
}

impl Drop for Duty {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn duty(barrier: &Arc<Unsealed>, clock: &Arc<ManualClock>) -> Duty {
    let rewrapping = Arc::new(Rewrapping::default());
    let passed = watch::Sender::new(false);
    let pace = Pace::new(None, passed.subscribe());
    let (barrier, clock) = (Arc::clone(barrier), Arc::clone(clock) as _);
    let run = rewrap::run(Arc::clone(&rewrapping), barrier, clock, pace);
    Duty {
        rewrapping,
        passed,
        task: tokio::spawn(run).abort_handle(),
    }
}

impl Duty {
    async fn reaches(&self, state: RewrapState) {
        eventually(state.name(), async || {
            (self.rewrapping.state() == state).then_some(())
        })
        .await;
    }
}

fn older(barrier: &Unsealed) -> usize {
    barrier.older_terms().unwrap().len()
}

async fn with_secrets(count: usize) -> Harness {
    let harness = Harness::new().await;
    for at in 0..count {
        let path = format!("kv/s{at}");
        harness
            .root(Operation::Update, &path, json!({"at": at}))
            .await
            .unwrap();
    }
    harness
}

impl Harness {
    async fn act(&self, operation: Operation, path: &str, data: Value) {
        let done = self.root(operation, path, data).await;
        done.unwrap_or_else(|error| panic!("{path}: {error}"));
    }

    async fn fields(&self, path: &str) -> Value {
        let read = self.root(Operation::Read, path, json!({})).await.unwrap();
        Value::Object(read.data.unwrap())
    }
}

#[tokio::test]
async fn the_endpoint_keeps_one_job_and_tells_of_it() {
    let harness = with_secrets(1).await;
    let refused = harness.root(Operation::Update, PATH, json!({})).await;
    assert!(refused.unwrap_err().messages[0].contains("rotate first"));
    harness
        .act(Operation::Update, "sys/rotate", json!({}))
        .await;
    harness.act(Operation::Update, PATH, json!({})).await;
    let shown = harness.fields(PATH).await;
    assert_eq!(shown["below_term"], json!(2));
    assert_eq!(shown["state"], json!("idle"), "no duty is at work here");
    let installed = harness.clock.now();
    assert_eq!(shown["droppable"], json!(installed.plus(MONTH).rfc3339()));
    let status = harness.fields("sys/key-status").await;
    for told in [&shown["older_terms"], &status["older_terms"]] {
        assert_eq!(told.as_array().unwrap().len(), 1);
        assert_eq!(told[0]["term"], json!(1));
        assert_eq!(told[0]["records"], json!(null), "nobody counted them");
    }

    let applied = harness.applied();
    harness.act(Operation::Update, PATH, json!({})).await;
    assert_eq!(harness.applied(), applied, "it is the same job");
    let at_once = json!({"end_batch_tokens": true});
    harness.act(Operation::Update, PATH, at_once).await;
    let shown = harness.fields(PATH).await;
    assert_eq!(shown["droppable"], json!(installed.rfc3339()));
    harness.act(Operation::Delete, PATH, json!({})).await;
    let shown = harness.fields(PATH).await;
    assert_eq!(
        (&shown["below_term"], &shown["started"]),
        (&json!(0), &json!(""))
    );
    let applied = harness.applied();
    harness.act(Operation::Delete, PATH, json!({})).await;
    assert_eq!(harness.applied(), applied);
}

#[tokio::test(start_paused = true)]
async fn a_term_is_dropped_when_its_records_and_its_batch_tokens_are_gone() {
    let harness = with_secrets(300).await;
    let batch = json!({"type": "batch", "ttl": "700h", "policies": ["default"]});
    let made = harness
        .root(Operation::Update, "auth/token/create", batch)
        .await;
    let token = made.unwrap().auth.unwrap().client_token.unwrap();
    let lookup = async || {
        let path = "auth/token/lookup-self";
        harness
            .call(token.expose(), Operation::Read, path, json!({}))
            .await
    };
    harness
        .act(Operation::Update, "sys/rotate", json!({}))
        .await;
    let duty = duty(&harness.barrier, &harness.clock);
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(duty.rewrapping.left(1), None, "nothing is done unasked");
    harness.act(Operation::Update, PATH, json!({})).await;
    duty.reaches(RewrapState::Waiting).await;
    assert_eq!(duty.rewrapping.left(1), Some(0));
    assert!(duty.rewrapping.left(2).unwrap() > 300);

    let applied = harness.applied();
    tokio::time::sleep(Duration::from_secs(6 * 3600)).await;
    assert_eq!(harness.applied(), applied, "waiting writes nothing");
    assert_eq!(older(&harness.barrier), 1);
    assert!(lookup().await.is_ok(), "it is under the older term");
    harness.clock.advance(MONTH);
    tokio::time::sleep(Duration::from_secs(2 * 3600)).await;
    duty.reaches(RewrapState::Idle).await;
    assert_eq!(older(&harness.barrier), 0);
    assert!(rewrap::read(&harness.barrier).unwrap().1.is_none());
    assert!(lookup().await.is_err(), "its time is over, too");
    for at in [0, 150, 299] {
        let read = harness.fields(&format!("kv/s{at}")).await;
        assert_eq!(read["at"], json!(at));
    }
    let applied = harness.applied();
    tokio::time::sleep(Duration::from_secs(24 * 3600)).await;
    assert_eq!(harness.applied(), applied, "idle is idle");
}

#[tokio::test(start_paused = true)]
async fn a_passed_budget_pauses_it_and_a_stop_ends_it() {
    let harness = with_secrets(20).await;
    harness
        .act(Operation::Update, "sys/rotate", json!({}))
        .await;
    let duty = duty(&harness.barrier, &harness.clock);
    duty.passed.send_replace(true);
    let at_once = json!({"end_batch_tokens": true});
    harness.act(Operation::Update, PATH, at_once.clone()).await;
    duty.reaches(RewrapState::Paused).await;
    let applied = harness.applied();
    tokio::time::sleep(Duration::from_secs(48 * 3600)).await;
    assert_eq!(harness.applied(), applied);
    assert!(duty.rewrapping.left(1).unwrap() > 20, "they were counted");
    harness.act(Operation::Delete, PATH, json!({})).await;
    duty.reaches(RewrapState::Idle).await;
    duty.passed.send_replace(false);
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(older(&harness.barrier), 1, "it was stopped");
    harness.act(Operation::Update, PATH, at_once).await;
    eventually("dropped", async || {
        (older(&harness.barrier) == 0).then_some(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn rotations_meanwhile_do_not_keep_it_from_its_end() {
    let harness = with_secrets(300).await;
    harness
        .act(Operation::Update, "sys/rotate", json!({}))
        .await;
    let duty = duty(&harness.barrier, &harness.clock);
    let at_once = json!({"end_batch_tokens": true});
    harness.act(Operation::Update, PATH, at_once).await;
    duty.reaches(RewrapState::Rewrapping).await;
    harness
        .act(Operation::Update, "sys/rotate", json!({}))
        .await;
    duty.reaches(RewrapState::Idle).await;
    let older = harness.barrier.older_terms().unwrap();
    assert_eq!(
        older.iter().map(|term| term.key_term).collect::<Vec<_>>(),
        [2]
    );
    assert_eq!(harness.fields("kv/s7").await["at"], json!(7));
}

async fn commit(barrier: &Unsealed, batch: Batch) -> Result<(), BarrierError> {
    barrier.commit(batch, START).await.map(drop)
}

/// The active node is killed in the middle. The next one counts again and does the rest.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_active_node_goes_on() {
    const RECORDS: usize = 400;
    let mut cluster = Cluster::of(3).await;
    let leader = cluster.await_leader().await;
    let clock = Arc::new(ManualClock::new(START));
    let (key, _) = seal::generate(seal::check_config(1, 1).unwrap()).unwrap();
    let config = seal::check_config(1, 1).unwrap();
    let sealed = Sealed::new(Arc::clone(cluster.up(leader)) as _);
    let fresh = sealed.initialize(&key, config, START).unwrap();
    commit(&fresh.barrier, fresh.batch).await.unwrap();
    let active = fresh.barrier;
    let value = |at: usize| format!("{at} ").repeat(400);
    for some in (0..RECORDS).collect::<Vec<_>>().chunks(20) {
        let mut batch = Batch::new();
        for at in some {
            let value = Secret::new(value(*at).into_bytes());
            active
                .view("a/")
                .put_blindly(&mut batch, &format!("s{at}"), value);
        }
        commit(&active, batch).await.unwrap();
    }
    active.rotate(START).await.unwrap();
    let mut batch = Batch::new();
    let (slot, _) = rewrap::read(&active).unwrap();
    let job = Job {
        below: 2,
        started: START,
        droppable: START,
    };
    rewrap::start(&mut batch, &slot, &job).unwrap();
    commit(&active, batch).await.unwrap();
    let first = duty(&active, &clock);
    let some = async || {
        let fields = first.rewrapping.fields();
        let rewritten = fields
            .iter()
            .find(|(name, _)| *name == "rewritten")
            .unwrap();
        (rewritten.1.as_u64() > Some(0)).then_some(())
    };
    eventually("some are rewritten", some).await;
    assert_eq!(first.rewrapping.state(), RewrapState::Rewrapping);
    cluster.stop(leader).await;
    drop(first);

    let next = cluster.await_leader().await;
    assert_ne!(next, leader);
    let storage = Arc::clone(cluster.up(next)) as Arc<dyn Storage>;
    storage.read_barrier().await.unwrap();
    let barrier = Sealed::new(storage).unseal(&key).unwrap();
    assert_eq!(older(&barrier), 1);
    let second = duty(&barrier, &clock);
    eventually("dropped", async || (older(&barrier) == 0).then_some(())).await;
    second.reaches(RewrapState::Idle).await;
    for at in 0..RECORDS {
        let entry = barrier.view("a/").get(&format!("s{at}")).unwrap().unwrap();
        assert_eq!(entry.value.expose(), value(at).as_bytes());
    }
}
