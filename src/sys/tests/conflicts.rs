//! A store under which records never hold still.

use super::front::{Fate, Front};
use super::*;
use crate::engine::ErrorKind;

#[tokio::test]
async fn a_request_that_gives_up_is_audited_to_its_end() {
    let (harness, front) = Front::harness().await;
    let file = harness.directory.path().join("log");
    let device = json!({"type": "file", "options": {"file_path": file}});
    harness
        .root(Operation::Update, "sys/audit/file", device)
        .await
        .unwrap();
    let lines = || std::fs::read_to_string(&file).unwrap().lines().count();
    let before = lines();
    let conflicts = front.conflicts();
    front.set_rule(|| Box::pin(std::future::ready(Fate::Conflicts)));
    let refused = harness
        .root(Operation::Update, "kv/x", json!({"a": 1}))
        .await;
    assert_ne!(refused.unwrap_err().kind, ErrorKind::Denied);
    assert!(front.conflicts() > conflicts + 1, "it was tried again");
    assert_eq!(lines() - before, 2, "the request and its end");
}
