//! Requests from the edge of the router on, over a store in memory, and the tokens they come with.

use crate::ground::{NOW, runtime};
use coffer::audit;
use coffer::barrier::{Batch, Unsealed};
use coffer::clock::ManualClock;
use coffer::engine::{Client, Operation, Response, TokenType};
use coffer::mount::Table;
use coffer::node::{Assembly, KINDS, assemble};
use coffer::router::{Incoming, Lifetimes, Router};
use coffer::secret::{Secret, SecretString};
use coffer::store::Inmem;
use coffer::stream::Upload;
use coffer::{lease, token};
use criterion::{BatchSize, BenchmarkId, Criterion};
use futures_util::FutureExt;
use serde_json::{Map, Value, json};
use std::cell::LazyCell;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

const ROOT: &str = "root-token-for-benches";
/// The lengths of the lists.
const NAMES: [usize; 2] = [10, 1000];

/// Returns tokens over a store in memory, with a root token in them.
fn token_store(barrier: &Arc<Unsealed>) -> token::Store {
    token::Store::new(barrier, Arc::new(lease::Store::new(barrier))).unwrap()
}

fn commit(barrier: &Unsealed, batch: Batch) {
    let committed = barrier.commit(batch, NOW).now_or_never();
    committed.unwrap().unwrap();
}

fn mint(barrier: &Unsealed, tokens: &token::Store, token_type: TokenType) -> SecretString {
    let spec = token::Spec {
        token_type,
        ttl: Duration::from_secs(3600),
        policies: vec!["default".into()],
        path: "auth/token/create".into(),
        ..token::Spec::default()
    };
    let mut batch = Batch::new();
    let minted = tokens.create(&mut batch, spec, NOW).unwrap();
    if !batch.is_empty() {
        commit(barrier, batch);
    }
    minted.token
}

/// Finds tokens by their texts.
pub fn tokens(criterion: &mut Criterion) {
    let barrier = Unsealed::for_test(Arc::new(Inmem::new()));
    let tokens = token_store(&barrier);
    let service = mint(&barrier, &tokens, TokenType::Service);
    let batch = mint(&barrier, &tokens, TokenType::Batch);
    let unknown = Secret::new("s.there-is-no-such-token".to_owned());
    let mut group = criterion.benchmark_group("token/lookup");
    for (id, text, is_there) in [
        ("hot", &service, true),
        ("batch", &batch, true),
        ("unknown", &unknown, false),
    ] {
        group.bench_function(id, |bencher| {
            bencher.iter(|| {
                let found = tokens.lookup(black_box(text), NOW).unwrap();
                assert_eq!(found.is_some(), is_there);
            });
        });
    }
    group.bench_function("cold", |bencher| {
        bencher.iter_batched_ref(
            || token_store(&barrier),
            |tokens| assert!(tokens.lookup(&service, NOW).unwrap().is_some()),
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

/// Makes a router as an unsealed node has it, with version 2 of kv at `secret/`.
async fn router() -> (Router, String) {
    let barrier = Unsealed::for_test(Arc::new(Inmem::new()));
    let mut batch = Batch::new();
    let mounts = Table::new(&barrier).unwrap();
    mounts.install(&mut batch).unwrap();
    let mut spec = token::Spec::root();
    spec.text = Some(Secret::new(ROOT.to_owned()));
    let tokens = token_store(&barrier);
    tokens.create(&mut batch, spec, NOW).unwrap();
    commit(&barrier, batch);
    let router = assemble(Assembly {
        node: Arc::new(|| None),
        barrier,
        clock: Arc::new(ManualClock::new(NOW)),
        memory: &coffer::memory::DEFAULT,
        lifetimes: Lifetimes::default(),
        audit: audit::Options {
            devices: Vec::new(),
            directories: Vec::new(),
        },
        raw_storage_endpoint: false,
        sanitized: Map::new(),
        cluster: None,
        kinds: KINDS.to_vec(),
        autopilot: Arc::default(),
        rewrapping: Arc::default(),
        snapshots: Arc::default(),
    })
    .unwrap();
    let kv = json!({"type": "kv", "options": {"version": "2"}});
    ask(&router, ROOT, Operation::Update, "sys/mounts/secret", kv).await;
    for names in NAMES {
        for number in 0..names {
            let path = format!("secret/data/{names}/{number}");
            ask(&router, ROOT, Operation::Update, &path, secret()).await;
        }
    }
    let text = "path \"secret/data/10/*\" { capabilities = [\"read\"] }";
    let policy = json!({"policy": text});
    let path = "sys/policies/acl/reader";
    ask(&router, ROOT, Operation::Update, path, policy).await;
    let body = json!({"policies": ["reader"], "no_parent": true, "ttl": "1h"});
    let path = "auth/token/create";
    let made = ask(&router, ROOT, Operation::Update, path, body).await;
    let reader = made.auth.unwrap().client_token.unwrap().into_inner();
    (router, reader)
}

fn secret() -> Value {
    json!({"data": {"value": "v".repeat(1024)}})
}

fn incoming(token: &str, operation: Operation, path: &str, data: Value) -> Incoming {
    let Value::Object(data) = data else {
        panic!("the body is an object");
    };
    Incoming {
        id: "6a4cbd5e-1a53-4c2c-9a70-000000000000".into(),
        operation,
        path: path.to_owned(),
        token: Some(Secret::new(token.to_owned())),
        fingerprint: None,
        data,
        upload: Upload::default(),
        wrap_ttl: None,
        headers: Vec::new(),
        client: Client::default(),
        bytes: 200,
        payload_bytes: 0,
    }
}

async fn ask(
    router: &Router,
    token: &str,
    operation: Operation,
    path: &str,
    data: Value,
) -> Response {
    let reply = router.handle(incoming(token, operation, path, data)).await;
    reply.result.unwrap()
}

/// Asks the router as the edge does.
pub fn requests(criterion: &mut Criterion) {
    let runtime = runtime();
    let made = LazyCell::new(|| runtime.block_on(router()));
    let mut group = criterion.benchmark_group("router");
    for (id, operation, path, data) in [
        ("get", Operation::Read, "secret/data/10/1", json!({})),
        ("put", Operation::Update, "secret/data/10/1", secret()),
    ] {
        group.bench_function(id, |bencher| {
            let router = &made.0;
            bencher.iter_batched(
                || incoming(ROOT, operation, path, data.clone()),
                |incoming| runtime.block_on(router.handle(incoming)).result.unwrap(),
                BatchSize::SmallInput,
            );
        });
    }
    for (id, path, is_granted) in [
        ("get-by-policy", "secret/data/10/1", true),
        ("denied", "secret/data/1000/1", false),
    ] {
        group.bench_function(id, |bencher| {
            let (router, reader) = &*made;
            bencher.iter_batched(
                || incoming(reader, Operation::Read, path, json!({})),
                |incoming| {
                    let reply = runtime.block_on(router.handle(incoming));
                    assert_eq!(reply.result.is_ok(), is_granted);
                },
                BatchSize::SmallInput,
            );
        });
    }
    for names in NAMES {
        let path = format!("secret/metadata/{names}/");
        group.bench_function(BenchmarkId::new("list", names), |bencher| {
            let router = &made.0;
            bencher.iter_batched(
                || incoming(ROOT, Operation::List, &path, json!({})),
                |incoming| runtime.block_on(router.handle(incoming)).result.unwrap(),
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}
