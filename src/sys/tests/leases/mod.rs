//! Leases of an engine whose secrets live in a server.

mod ending;
mod failover;
mod granting;
mod lender;
mod queue;
mod scale;
mod server;

use super::front::{Fate, Front};
use super::*;
use crate::engine::ErrorKind;
use crate::lease::Failure;
use lender::{LENDER, METHOD};
use server::{Mood, Server};

/// Long enough for a loaded machine.
const PATIENCE: Duration = Duration::from_secs(60);

struct World {
    harness: Harness,
    front: Arc<Front>,
    server: Server,
}

/// A secret with its lease.
struct Lent {
    id: String,
    name: String,
    ttl: u64,
}

impl World {
    /// Creates a world with the engine at `lent/`.
    async fn new() -> Self {
        let (mut harness, front) = Front::harness().await;
        harness.kinds.extend([&LENDER, &METHOD]);
        harness.restart();
        let server = Server::start();
        let world = Self {
            harness,
            front,
            server,
        };
        world.mount("lent").await;
        world
    }

    async fn mount(&self, at: &str) {
        let kind = json!({"type": "lender"});
        self.done(&format!("sys/mounts/{at}"), kind).await;
        let config = json!({"address": self.server.address});
        self.done(&format!("{at}/config"), config).await;
    }

    async fn done(&self, path: &str, data: Value) -> Response {
        let done = self.harness.root(Operation::Update, path, data).await;
        done.unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    async fn refused(&self, path: &str, data: Value) -> String {
        let refused = self.harness.root(Operation::Update, path, data).await;
        refused.expect_err(path).messages.join("; ")
    }

    async fn lend(&self, data: Value) -> Lent {
        self.lend_to(ROOT, "lent/creds/r", data).await
    }

    async fn lend_to(&self, token: &str, path: &str, data: Value) -> Lent {
        let lent = self.harness.call(token, Operation::Read, path, data).await;
        let lent = lent.unwrap_or_else(|error| panic!("{path}: {error}"));
        let lease = lent.lease.as_ref().expect("a lease");
        Lent {
            id: lease.id.clone(),
            name: field(&lent, "name").as_str().unwrap().to_owned(),
            ttl: lease.ttl.as_secs(),
        }
    }

    /// Makes a token that may do everything with what is lent.
    async fn borrower(&self, spec: Value) -> String {
        let policy = r#"path "lent/*" { capabilities = ["read"] }"#;
        self.harness.token(policy, spec).await
    }

    /// Runs the duty of an active node once.
    async fn revoke_due(&self) {
        self.harness.router.sweep().await.unwrap();
        self.harness.router.revoker().revoke_due().await.unwrap();
    }

    /// Runs it at each moment at which something is due, until nothing is.
    async fn revoke_all(&self) {
        for _ in 0..100 {
            let next = self.harness.router.revoker().revoke_due().await.unwrap();
            let now = self.harness.clock.now();
            match next {
                None => return,
                Some(at) if at > now => self.harness.clock.advance(at.since(now)),
                Some(_) => {}
            }
        }
        panic!("there is always more");
    }

    async fn lookup(&self, id: &str) -> Result<Value, String> {
        let data = json!({"lease_id": id});
        let found = self
            .harness
            .root(Operation::Update, "sys/leases/lookup", data)
            .await;
        found
            .map(|found| Value::Object(found.data.unwrap()))
            .map_err(|error| error.messages.join("; "))
    }

    async fn has_record(&self, lent: &Lent) -> bool {
        let path = format!("lent/made/{}", lent.name);
        self.harness.read(ROOT, &path).await.is_ok()
    }

    /// Asserts that the secret, its lease and the engine's record are gone.
    async fn assert_gone(&self, lent: &Lent) {
        assert!(!self.server.has(&lent.name), "the server has it");
        assert_eq!(self.lookup(&lent.id).await, Err("invalid lease".into()));
        assert!(!self.has_record(lent).await, "the engine has a record");
    }

    fn leases(&self) -> lease::Store {
        lease::Store::new(&self.harness.barrier)
    }

    fn failure(&self, lent: &Lent) -> Option<Failure> {
        self.leases().failure(&lent.id).unwrap()
    }

    async fn irrevocable(&self) -> Value {
        let data = json!({"type": "irrevocable"});
        let listed = self.harness.root(Operation::Read, "sys/leases", data).await;
        Value::Object(listed.unwrap().data.unwrap())
    }
}

/// Polls until `found`.
async fn eventually(what: &str, mut found: impl FnMut() -> bool) {
    let begun = std::time::Instant::now();
    while !found() {
        assert!(begun.elapsed() < PATIENCE, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
