//! A standby answers what it can, forwards the rest, and never sends a request again that may have
//! been executed.

use crate::fake::{PATIENCE, Reply, until};
use crate::pair::{Pair, ROOT, Way, leader};
use crate::tls::{self, Material};
use coffer::http::Tls;
use serde_json::Value;
use std::sync::atomic::Ordering;
use std::time::Instant;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

const NO_ACTIVE: &str = "local node not active but active cluster node not found";

fn token() -> String {
    format!("X-Vault-Token: {ROOT}")
}

#[tokio::test]
async fn reads_are_answered_by_the_standby_and_writes_by_the_active_node() {
    let pair = Pair::start().await;
    let written = pair.b.root("POST", "kv/a", r#"{"n":"1"}"#).await;
    assert_eq!(written.status, 204, "{}", written.body);
    assert_eq!(pair.b.sent(), 1);
    let read = pair.b.root("GET", "kv/a", "").await;
    assert_eq!(
        (read.status, read.json()["data"]["n"].as_str()),
        (200, Some("1"))
    );
    let listed = pair.b.root("LIST", "kv", "").await;
    assert_eq!(listed.json()["data"]["keys"][0], "a");
    assert_eq!(pair.b.sent(), 1, "reads stay here");
    assert_eq!(pair.b.view.commits_refused.load(Ordering::SeqCst), 0);
    let (on_a, on_b) = (pair.a.audited_at("kv/a"), pair.b.audited_at("kv/a"));
    assert_eq!(
        (on_a.len(), on_b.len()),
        (2, 2),
        "each request is audited once"
    );
    assert_eq!(on_a[0]["request"]["operation"], "create");
    assert_eq!(on_b[0]["request"]["operation"], "read");
}

#[tokio::test]
async fn the_active_node_sees_the_client_and_not_the_standby() {
    let pair = Pair::start().await;
    let (sent, from) = pair
        .b
        .send("POST", "kv/a", &[&token()], r#"{"n":"1"}"#)
        .await;
    assert_eq!(sent.status, 204);
    let audited = pair.a.audited_at("kv/a");
    assert_eq!(
        audited[0]["request"]["remote_address"],
        from.ip().to_string()
    );
    assert_eq!(audited[0]["request"]["remote_port"], from.port());
}

#[tokio::test]
async fn what_the_client_claims_in_headers_is_no_more_believed_than_on_the_active_node() {
    let pair = Pair::start().await;
    let forged = [
        &*token(),
        "X-Forwarded-For: 10.9.8.7",
        "X-Vault-Forwarded: true",
        "X-Vault-Request-Forwarded: true",
        "X-Coffer-Forwarded: true",
    ];
    let (sent, from) = pair.b.send("POST", "kv/a", &forged, r#"{"n":"1"}"#).await;
    assert_eq!(sent.status, 204, "it is forwarded like any other");
    assert_eq!(pair.b.sent(), 1);
    let audited = pair.a.audited_at("kv/a");
    assert_eq!(
        audited[0]["request"]["remote_address"],
        from.ip().to_string()
    );
}

#[tokio::test]
async fn reads_that_write_go_to_the_active_node_before_they_are_audited() {
    let pair = Pair::start().await;
    pair.a.root("POST", "kv/a", r#"{"n":"1"}"#).await;
    let wrapped = ["X-Vault-Wrap-TTL: 60", &token()];
    let wrapped = pair.b.call("GET", "kv/a", &wrapped, "").await;
    assert_eq!(wrapped.status, 200);
    assert!(
        wrapped.json()["wrap_info"]["token"].is_string(),
        "{}",
        wrapped.body
    );
    assert_eq!(pair.b.sent(), 1);
    let made = r#"{"num_uses":2,"policies":["root"]}"#;
    let made = pair.a.root("POST", "auth/token/create", made).await;
    let made = made.json();
    let limited = format!(
        "X-Vault-Token: {}",
        made["auth"]["client_token"].as_str().unwrap()
    );
    for (path, status) in [("kv/a", 200), ("kv/nothing", 404), ("kv/a", 403)] {
        let read = pair.b.call("GET", path, &[&limited], "").await;
        assert_eq!(read.status, status, "{path}: each use counts");
    }
    assert_eq!(pair.b.sent(), 3, "the token that is gone is refused here");
    let on_b = pair.b.audited_at("kv/a");
    assert_eq!(on_b.len(), 2, "only the refusal: {on_b:?}");
}

#[tokio::test]
async fn some_paths_never_travel_and_some_always_do() {
    let pair = Pair::start().await;
    for path in ["sys/metrics", "sys/host-info", "sys/in-flight-req"] {
        assert_eq!(pair.b.root("GET", path, "").await.status, 200, "{path}");
        let from_active = ["X-Vault-Forward: active-node", &token()];
        let refused = pair.b.call("GET", path, &from_active, "").await;
        assert_eq!(refused.status, 400, "{path}");
        assert_eq!(
            refused.json()["errors"][0],
            "cannot forward local-only request"
        );
    }
    assert_eq!(pair.b.root("PUT", "sys/step-down", "").await.status, 204);
    assert_eq!(pair.b.sent(), 0);
    pair.b
        .root("GET", "sys/storage/raft/configuration", "")
        .await;
    assert_eq!(pair.b.sent(), 1);
    let from_active = ["X-Vault-Forward: active-node", &token()];
    assert_eq!(
        pair.b.call("LIST", "kv", &from_active, "").await.status,
        404
    );
    assert_eq!(pair.b.sent(), 2);
    let snapshot = pair.b.root("GET", "sys/storage/raft/snapshot", "").await;
    let location = Some("http://active:8200/v1/sys/storage/raft/snapshot");
    assert_eq!(
        (snapshot.status, snapshot.header("location")),
        (307, location)
    );
}

#[tokio::test]
async fn a_standby_tells_its_own_numbers_to_who_has_no_token() {
    let pair = Pair::with(|listener| listener.unauthenticated_metrics = true).await;
    let ask = async |half: &crate::pair::Half, method: &str| {
        half.call(method, "sys/metrics?format=prometheus", &[], "")
            .await
    };
    let told = ask(&pair.b, "GET").await;
    assert_eq!(told.status, 200, "{}", told.body);
    assert!(
        told.body
            .contains("# TYPE vault_core_handle_request summary"),
        "{}",
        told.body
    );
    assert_eq!(ask(&pair.b, "PUT").await.status, 405);
    assert_eq!(
        ask(&pair.a, "GET").await.status,
        403,
        "its listener says nothing"
    );
    let forwarded = pair.b.call("GET", "sys/metricsx", &[], "").await;
    assert_eq!(forwarded.status, 403, "nothing else is open");
    assert_eq!(pair.b.sent(), 0);
}

#[tokio::test]
async fn forwarded_and_redirected_answers_have_their_names_in_title_case() {
    let pair = Pair::start().await;
    let answered = pair.b.root("LIST", "sys/leases/lookup", "").await;
    answered.expect_title_case();
    let forwarded = pair.b.root("POST", "kv/a", r#"{"n":"1"}"#).await;
    assert_eq!((forwarded.status, pair.b.sent()), (204, 1));
    forwarded.expect_title_case();
    assert!(
        forwarded.head.contains("\r\nX-Vault-Index: "),
        "{forwarded:?}"
    );
    let redirected = pair.b.root("GET", "sys/storage/raft/snapshot", "").await;
    assert_eq!(redirected.status, 307);
    redirected.expect_title_case();
    assert!(redirected.head.contains("\r\nLocation: "), "{redirected:?}");
}

#[tokio::test]
async fn a_client_that_wants_no_forwarding_is_told_where_to_go() {
    let pair = Pair::start().await;
    let wants = ["X-Vault-No-Request-Forwarding: true", &token()];
    let told = pair.b.call("POST", "kv/a?x=1", &wants, "{}").await;
    let location = Some("http://active:8200/v1/kv/a?x=1");
    assert_eq!((told.status, told.header("location")), (307, location));
    let read = pair.b.call("LIST", "kv", &wants, "").await;
    assert_eq!(read.status, 404, "reads are answered here all the same");
    let empty = ["X-Vault-No-Request-Forwarding:", &token()];
    let sent = pair.b.call("POST", "kv/a", &empty, r#"{"n":"1"}"#).await;
    assert_eq!((sent.status, pair.b.sent()), (204, 1));
}

#[tokio::test]
async fn a_standby_without_leader_waits_for_one_and_then_says_so() {
    let pair = Pair::start().await;
    pair.b.stand_by(None);
    pair.b.view.has_leader.store(false, Ordering::SeqCst);
    let before = pair.b.followers();
    let begun = Instant::now();
    let refused = pair.b.root("GET", "kv/a", "").await;
    assert_eq!(
        (refused.status, &refused.json()["errors"][0]),
        (500, &NO_ACTIVE.into())
    );
    assert!(begun.elapsed() < PATIENCE);
    // The leader appears while the request waits for one, here and below.
    until(|| pair.b.followers() == before).await;
    let appears = async {
        until(|| pair.b.followers() > before).await;
        pair.b.stand_by(Some(leader()));
    };
    let write = pair.b.root("POST", "kv/a", r#"{"n":"1"}"#);
    let (written, ()) = tokio::join!(write, appears);
    assert_eq!(written.status, 204, "it waited: {}", written.body);
    pair.b.stand_by(None);
    until(|| pair.b.followers() == before).await;
    let itself = async {
        until(|| pair.b.followers() > before).await;
        pair.a.stand_by(Some(leader()));
        pair.b.view.has_leader.store(true, Ordering::SeqCst);
        pair.b.activate();
    };
    let write = pair.b.root("POST", "kv/b", r#"{"n":"1"}"#);
    let (written, ()) = tokio::join!(write, itself);
    assert_eq!(
        (written.status, pair.b.sent()),
        (204, 1),
        "it became active itself"
    );
}

#[tokio::test]
async fn a_standby_without_leader_still_answers_for_itself() {
    let pair = Pair::start().await;
    pair.b.stand_by(None);
    pair.b.view.has_leader.store(false, Ordering::SeqCst);
    let metrics = pair.b.root("GET", "sys/metrics", "").await;
    assert_eq!(metrics.status, 200, "{}", metrics.body);
    let stepped = pair.b.root("PUT", "sys/step-down", "").await;
    assert_eq!(stepped.status, 204, "{}", stepped.body);
    let nobody = pair.b.call("PUT", "sys/step-down", &[], "").await;
    assert_eq!(nobody.status, 403, "{}", nobody.body);
}

#[tokio::test]
async fn what_was_not_executed_is_sent_again_and_what_may_have_been_is_not() {
    let pair = Pair::start().await;
    *pair.b.link.way.lock().unwrap() = Way::Down;
    let repaired = async {
        until(|| pair.b.sent() >= 2).await;
        *pair.b.link.way.lock().unwrap() = Way::Good;
    };
    let write = pair.b.root("POST", "kv/a", r#"{"n":"1"}"#);
    let (written, ()) = tokio::join!(write, repaired);
    assert_eq!(written.status, 204);
    assert_eq!(pair.a.audited_at("kv/a").len(), 2, "executed once");
    *pair.b.link.way.lock().unwrap() = Way::AnswersLost;
    let before = pair.b.sent();
    let unknown = pair.b.root("POST", "kv/b", r#"{"n":"1"}"#).await;
    assert_eq!(unknown.status, 500);
    assert!(unknown.body.contains("may or may not"), "{}", unknown.body);
    assert_eq!(pair.b.sent(), before + 1, "sent once");
    assert_eq!(pair.a.audited_at("kv/b").len(), 2);
}

#[tokio::test]
async fn two_standbys_that_take_each_other_for_active_do_not_loop() {
    let pair = Pair::start().await;
    pair.a.stand_by(Some(leader()));
    let refused = pair.b.root("POST", "kv/a", r#"{"n":"1"}"#).await;
    assert_eq!(refused.status, 500);
    assert_eq!(refused.json()["errors"][0], NO_ACTIVE);
    assert_eq!(pair.a.sent(), 0, "what came from a member goes no further");
    assert!(pair.a.audited_at("kv/a").is_empty());
}

#[tokio::test]
async fn a_write_that_an_active_node_could_not_begin_goes_to_the_new_one() {
    let pair = Pair::start().await;
    pair.a.view.leads.store(false, Ordering::SeqCst);
    pair.b.activate();
    let learns = async {
        until(|| pair.a.view.commits_refused.load(Ordering::SeqCst) > 0).await;
        pair.a.stand_by(Some(leader()));
    };
    let write = pair.a.root("POST", "kv/a", r#"{"n":"1"}"#);
    let (written, ()) = tokio::join!(write, learns);
    assert_eq!(
        (written.status, pair.a.sent()),
        (204, 1),
        "{}",
        written.body
    );
    let on_a = pair.a.audited_at("kv/a");
    assert_eq!(on_a.len(), 2, "what it tried is told");
    assert!(on_a[1]["error"].is_string(), "{on_a:?}");
    assert_eq!(pair.b.audited_at("kv/a").len(), 2);
}

#[tokio::test]
async fn a_forwarded_write_that_could_not_begin_is_sent_again() {
    let pair = Pair::start().await;
    pair.a.view.leads.store(false, Ordering::SeqCst);
    let leads_again = async {
        until(|| pair.a.view.commits_refused.load(Ordering::SeqCst) >= 2).await;
        pair.a.view.leads.store(true, Ordering::SeqCst);
    };
    let write = pair.b.root("POST", "kv/a", r#"{"n":"1"}"#);
    let (written, ()) = tokio::join!(write, leads_again);
    assert_eq!(written.status, 204, "{}", written.body);
    assert!(
        pair.b.sent() >= 3,
        "the standby asks again: {}",
        pair.b.sent()
    );
    pair.a.view.has_leader.store(false, Ordering::SeqCst);
    let refused = pair.b.root("POST", "kv/a", r#"{"n":"2"}"#).await;
    assert_eq!(refused.status, 500);
    let lost = pair.a.root("POST", "kv/a", r#"{"n":"2"}"#).await;
    assert_eq!(
        lost.status, 503,
        "an active node that has lost its quorum says so"
    );
}

#[tokio::test]
async fn a_clients_certificate_travels_with_its_request() {
    let material = Material::new();
    let pair = Pair::with(|listener| {
        listener.tls = Some(Tls {
            client_ca_file: Some(material.path("ca.pem")),
            ..material.options()
        });
    })
    .await;
    for with_certificate in [true, false] {
        let stream = TcpStream::connect(pair.b.address()).await.unwrap();
        let stream = tls::over(stream, &material, rustls::ALL_VERSIONS, with_certificate);
        let mut stream = stream.await.unwrap();
        let request =
            format!("DELETE /v1/kv/a HTTP/1.1\r\nHost: x\r\nX-Vault-Token: {ROOT}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        assert_eq!(Reply::read(&mut stream).await.status, 204);
        let arrived = pair.b.link.last.lock().unwrap().clone().unwrap();
        let certificate = tls::der(&material.path("client.pem")).to_vec();
        let expected = if with_certificate {
            vec![certificate]
        } else {
            Vec::new()
        };
        assert_eq!(*arrived.certificates, expected);
    }
}

#[tokio::test]
async fn bodies_are_limited_where_the_client_is_connected() {
    let pair = Pair::with(|listener| listener.request_bytes_max = 300_000).await;
    let large = format!(r#"{{"n":"{}"}}"#, "x".repeat(250_000));
    assert_eq!(pair.b.root("POST", "kv/a", &large).await.status, 204);
    let read = pair.b.root("GET", "kv/a", "").await;
    assert_eq!(read.json()["data"]["n"].as_str().unwrap().len(), 250_000);
    let sent = pair.b.sent();
    let larger = "x".repeat(300_001);
    assert_eq!(pair.b.root("POST", "kv/a", &larger).await.status, 413);
    assert_eq!(pair.b.sent(), sent);
}

#[tokio::test]
async fn an_index_that_the_standby_does_not_know_is_a_412_or_the_active_nodes() {
    let pair = Pair::start().await;
    let written = pair.b.root("POST", "kv/a", r#"{"n":"1"}"#).await;
    let index = written.header("x-vault-index").unwrap().to_owned();
    let known = [&*format!("X-Vault-Index: {index}"), &*token()].map(str::to_owned);
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    assert_eq!(pair.b.call("GET", "kv/a", &known, "").await.status, 200);
    let text = format!("v1:{}:999999:0:", crate::pair::CLUSTER);
    let future = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, text);
    let future = format!("X-Vault-Index: {future}");
    let behind = pair.b.call("GET", "kv/a", &[&future, &token()], "").await;
    assert_eq!(behind.status, 412);
    let sent = pair.b.sent();
    let forward = [
        &*future,
        "X-Vault-Inconsistent: forward-active-node",
        &token(),
    ];
    assert_eq!(pair.b.call("GET", "kv/a", &forward, "").await.status, 200);
    assert_eq!(pair.b.sent(), sent + 1);
    let bad = ["X-Vault-Index: foo", &*token()];
    let bad: Value = pair.b.call("GET", "kv/a", &bad, "").await.json();
    assert_eq!(bad["errors"][0], "failed to decode \"X-Vault-Index\"");
}
