//! `sys/storage/raft/` over a fake cluster.

use super::cluster::{FakeCluster, member};
use super::*;
use crate::engine::ErrorKind;
use crate::sys::{MemberChange, MemberStatus};

/// Creates a cluster of leader `a`, voter `b`, permanent non-voter `c` and learner `d`.
async fn harness() -> (Harness, Arc<FakeCluster>) {
    let mut harness = Harness::new().await;
    let voter = MemberStatus {
        voter: true,
        last_contact: Some(Duration::from_millis(1500)),
        ..member("b", 2)
    };
    let non_voter = MemberStatus {
        non_voter: true,
        ..member("c", 3)
    };
    let others = vec![voter, non_voter, member("d", 4)];
    let cluster = Arc::new(FakeCluster::of(others));
    harness.cluster = Some(Arc::clone(&cluster) as _);
    harness.restart();
    (harness, cluster)
}

fn path(name: &str) -> String {
    format!("sys/storage/raft/{name}")
}

impl Harness {
    async fn change(&self, name: &str, body: Value) -> Result<Response, String> {
        let done = self.root(Operation::Update, &path(name), body).await;
        done.map_err(|error| format!("{:?} {}", error.kind, error.messages.join("|")))
    }
}

#[tokio::test]
async fn without_a_cluster_there_is_nothing_here() {
    let harness = Harness::new().await;
    for name in [
        "configuration",
        "remove-peer",
        "promote",
        "demote",
        "autopilot/configuration",
        "autopilot/state",
    ] {
        for operation in [Operation::Read, Operation::Update] {
            let body = json!({"server_id": "a"});
            let error = harness.root(operation, &path(name), body).await;
            let error = error.unwrap_err();
            assert_eq!(error.kind, ErrorKind::NotFound, "{name}");
            assert_eq!(error.messages, Error::unsupported_path().messages);
        }
    }
}

#[tokio::test]
async fn the_configuration_lists_the_members() {
    let (harness, _) = harness().await;
    let answer = harness.read(ROOT, &path("configuration")).await.unwrap();
    let server = |name: &str, leader: bool, voter: bool| {
        json!({"node_id": name, "address": "127.0.0.1:8201", "leader": leader, "voter": voter,
            "protocol_version": "3"})
    };
    let servers = [
        server("a", true, true),
        server("b", false, true),
        server("c", false, false),
        server("d", false, false),
    ];
    assert_eq!(
        field(&answer, "config"),
        &json!({"index": 7, "servers": servers})
    );
}

#[tokio::test]
async fn a_member_that_is_seen_twice_is_marked_and_warned_of() {
    let mut harness = Harness::new().await;
    let doubtful = MemberStatus {
        seen_twice: true,
        ..member("b", 2)
    };
    let others = vec![doubtful, member("c", 3)];
    harness.cluster = Some(Arc::new(FakeCluster::of(others)) as _);
    harness.restart();
    let answer = harness.read(ROOT, &path("configuration")).await.unwrap();
    let config = field(&answer, "config");
    assert_eq!(config["servers"][1]["seen_twice"], true);
    assert!(config["servers"][2].get("seen_twice").is_none());
    let [warning] = &answer.warnings[..] else {
        panic!("{:?}", answer.warnings);
    };
    assert!(warning.starts_with("b is seen twice"), "{warning}");
    assert!(warning.ends_with("remove-peer b"), "{warning}");
}

#[tokio::test]
async fn what_a_path_cannot_do_is_refused() {
    let (harness, cluster) = harness().await;
    for (operation, name, kind) in [
        (
            Operation::Update,
            "configuration",
            ErrorKind::UnsupportedOperation,
        ),
        (
            Operation::Delete,
            "configuration",
            ErrorKind::UnsupportedOperation,
        ),
        (
            Operation::Read,
            "remove-peer",
            ErrorKind::UnsupportedOperation,
        ),
        (
            Operation::Delete,
            "remove-peer",
            ErrorKind::UnsupportedOperation,
        ),
        (Operation::Read, "promote", ErrorKind::UnsupportedOperation),
        (Operation::Read, "demote", ErrorKind::UnsupportedOperation),
        (
            Operation::Update,
            "autopilot/state",
            ErrorKind::UnsupportedOperation,
        ),
        (
            Operation::Delete,
            "autopilot/configuration",
            ErrorKind::UnsupportedOperation,
        ),
        (Operation::Read, "autopilot", ErrorKind::NotFound),
        (Operation::Update, "nothing", ErrorKind::NotFound),
    ] {
        let body = json!({"server_id": "b"});
        let error = harness.root(operation, &path(name), body).await;
        assert_eq!(error.unwrap_err().kind, kind, "{operation:?} {name}");
    }
    assert_eq!(cluster.take().0, []);
}

#[tokio::test]
async fn members_are_removed_promoted_and_demoted() {
    let (harness, cluster) = harness().await;
    let remove = |force| MemberChange::Remove { force };
    for (name, body, change) in [
        ("remove-peer", json!({"server_id": "b"}), remove(false)),
        // Gone already: harmless, as in Vault.
        ("remove-peer", json!({"server_id": "b"}), remove(false)),
        (
            "remove-peer",
            json!({"server_id": "b", "dr_operation_token": "x"}),
            remove(false),
        ),
        (
            "remove-peer",
            json!({"server_id": "b", "force": true}),
            remove(true),
        ),
        (
            "remove-peer",
            json!({"server_id": "b", "force": "true"}),
            remove(true),
        ),
        ("promote", json!({"server_id": "c"}), MemberChange::Promote),
        ("demote", json!({"server_id": "c"}), MemberChange::Demote),
        // One that waits for its vote may have it now, or never.
        ("demote", json!({"server_id": "d"}), MemberChange::Demote),
        ("promote", json!({"server_id": "d"}), MemberChange::Promote),
    ] {
        let node_id = body["server_id"].as_str().unwrap().to_owned();
        let answer = harness.change(name, body).await.unwrap();
        assert!(answer.data.is_none());
        assert_eq!(cluster.take().0, [(node_id, change)], "{name}");
    }
}

#[tokio::test]
async fn changes_that_make_no_sense_are_refused() {
    let (harness, cluster) = harness().await;
    let unknown = "server x not found in raft configuration: list-peers shows the servers";
    for (name, body, message) in [
        ("remove-peer", json!({}), "no server id provided"),
        (
            "remove-peer",
            json!({"server_id": ""}),
            "no server id provided",
        ),
        ("promote", json!({}), "no server id provided"),
        (
            "demote",
            json!({"server_id": null}),
            "no server id provided",
        ),
        (
            "demote",
            json!({"server_id": ["b"]}),
            "Field validation failed: error converting input for field \"server_id\": '' expected \
             type 'string', got unconvertible type '[]interface {}'",
        ),
        ("promote", json!({"server_id": "x"}), unknown),
        ("demote", json!({"server_id": "x"}), unknown),
        (
            "promote",
            json!({"server_id": "b"}),
            "server is not a non-voter",
        ),
        (
            "demote",
            json!({"server_id": "c"}),
            "server is already a non-voter",
        ),
        (
            "remove-peer",
            json!({"server_id": "b", "force": "x"}),
            "Field validation failed: error converting input for field \"force\": '' cannot parse \
             value as 'bool': strconv.ParseBool: invalid syntax",
        ),
    ] {
        let refused = harness.change(name, body).await.unwrap_err();
        assert_eq!(refused, format!("Invalid {message}"), "{name}");
    }
    assert_eq!(cluster.take().0, []);
    cluster.refuse(true);
    let refused = harness
        .change("remove-peer", json!({"server_id": "b"}))
        .await;
    assert_eq!(refused.unwrap_err(), "Invalid 2 of 3 voters are needed");
}

#[tokio::test]
async fn members_are_for_those_whom_the_policies_let() {
    let (harness, cluster) = harness().await;
    let weak = harness
        .token(
            r#"path "sys/storage/raft/configuration" { capabilities = ["read"] }"#,
            json!({}),
        )
        .await;
    harness.read(&weak, &path("configuration")).await.unwrap();
    for token in ["", "made-up", &weak] {
        for (operation, name) in [
            (Operation::Update, "configuration"),
            (Operation::Update, "remove-peer"),
            (Operation::Update, "remove-peer/"),
            (Operation::Update, "promote"),
            (Operation::Update, "demote"),
            (Operation::Update, "autopilot/configuration"),
            (Operation::Read, "autopilot/configuration"),
            (Operation::Read, "autopilot/state"),
        ] {
            let body = json!({"server_id": "b", "min_quorum": 9, "dr_operation_token": "x"});
            let error = harness.call(token, operation, &path(name), body).await;
            assert_eq!(error.unwrap_err().kind, ErrorKind::Denied, "{name}");
        }
    }
    assert_eq!(cluster.take().0, []);
}

#[tokio::test]
async fn autopilots_settings_last() {
    let (mut harness, _) = harness().await;
    let read = async |harness: &Harness| {
        let answer = harness.read(ROOT, &path("autopilot/configuration")).await;
        Value::Object(answer.unwrap().data.unwrap())
    };
    let mut expected = json!({
        "cleanup_dead_servers": false, "dead_server_last_contact_threshold": "24h0m0s",
        "disable_upgrade_migration": false, "last_contact_threshold": "10s",
        "max_trailing_logs": 1000, "min_quorum": 0, "server_stabilization_time": "10s",
    });
    assert_eq!(read(&harness).await, expected);
    let body = json!({"cleanup_dead_servers": true, "min_quorum": 3});
    harness
        .change("autopilot/configuration", body)
        .await
        .unwrap();
    let body = json!({"last_contact_threshold": "20s"});
    harness
        .change("autopilot/configuration", body)
        .await
        .unwrap();
    expected["cleanup_dead_servers"] = json!(true);
    expected["min_quorum"] = json!(3);
    expected["last_contact_threshold"] = json!("20s");
    harness.restart();
    assert_eq!(read(&harness).await, expected);
    let body = json!({"min_quorum": 2, "last_contact_threshold": "1h"});
    let refused = harness.change("autopilot/configuration", body).await;
    assert!(
        refused
            .unwrap_err()
            .starts_with("Invalid min_quorum must be set when")
    );
    assert_eq!(read(&harness).await, expected);
}

#[tokio::test]
async fn autopilot_shows_what_it_sees() {
    let (harness, _) = harness().await;
    let state = harness.read(ROOT, &path("autopilot/state")).await.unwrap();
    assert_eq!(field(&state, "leader"), "a");
    assert_eq!(field(&state, "healthy"), false);
    assert_eq!(field(&state, "failure_tolerance"), 0);
    assert_eq!(field(&state, "voters"), &json!(["a", "b"]));
    assert_eq!(field(&state, "non_voters"), &json!(["c"]));
    let servers = field(&state, "servers");
    assert_eq!(servers["b"]["last_contact"], "1.5s");
    assert_eq!(servers["b"]["healthy"], true);
    assert_eq!(servers["d"]["healthy"], false);
}
