//! Writers wait for nobody but other writers.

use super::front::{Fate, Front};
use super::*;
use crate::engine::ErrorKind;

#[tokio::test]
async fn only_who_is_authorized_is_announced_as_a_writer() {
    let (harness, front) = Front::harness().await;
    let reader = r#"path "kv/*" { capabilities = ["read"] }"#;
    let reader = harness.token(reader, json!({})).await;
    let before = front.announced();
    for (token, path) in [
        ("", "kv/x"),
        ("made-up", "kv/x"),
        (reader.as_str(), "kv/x"),
        ("", "sys/wrapping/lookup"),
        ("made-up", "sys/generate-root/update"),
    ] {
        let refused = harness
            .call(token, Operation::Update, path, json!({"a": 1}))
            .await;
        refused.expect_err("it is refused");
        let now = front.announced();
        assert_eq!(now, before, "{token:?} at {path}");
    }
    harness
        .root(Operation::Update, "kv/x", json!({"a": 1}))
        .await
        .expect("root writes");
    assert_eq!(front.announced(), before + 1);
}

#[tokio::test]
async fn who_is_refused_takes_no_place_in_a_writers_queue() {
    let (harness, front) = Front::harness().await;
    let before = front.commits();
    let mut fates = [Fate::Conflicts].into_iter();
    front.set_rule(move || {
        let fate = fates.next().unwrap_or(Fate::Waits);
        Box::pin(std::future::ready(fate))
    });
    let write = |token| Harness::incoming(token, Operation::Update, "kv/x", json!({"a": 1}));
    let router = Arc::clone(&harness.router);
    let held = tokio::spawn(async move { router.handle(write(ROOT)).await.result });
    while front.commits() < before + 2 {
        tokio::task::yield_now().await;
    }
    for token in ["", "made-up"] {
        let refused = harness.router.handle(write(token));
        let refused = tokio::time::timeout(Duration::from_secs(20), refused).await;
        let refused = refused.expect("it does not queue").result;
        assert_eq!(refused.expect_err("refused").kind, ErrorKind::Denied);
    }
    let queues = harness.router.handle(write(ROOT));
    let queues = tokio::time::timeout(Duration::from_millis(50), queues).await;
    assert!(queues.is_err(), "a writer waits for the one before");
    held.abort();
}
