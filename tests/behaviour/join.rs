//! A node joins another's cluster with nothing but an address and the unseal keys.

use crate::support::{Client, Server};
use serde_json::{Value, json};
use std::path::Path;
use std::time::{Duration, Instant};

/// Longest wait for work in the background.
const PATIENCE: Duration = Duration::from_secs(30);

/// Starts a node of a cluster to be, with `stanza` in its storage stanza.
pub fn node(folder: &Path, name: &str, stanza: &str) -> Server {
    let home = folder.join(name);
    std::fs::create_dir_all(&home).unwrap();
    let text = format!(
        "storage \"raft\" {{\n  path = \"{}\"\n  node_id = \"{name}\"\n{stanza}\n}}\n\
         listener \"tcp\" {{\n  address = \"127.0.0.1:0\"\n  tls_disable = true\n}}\n\
         cluster_addr = \"https://127.0.0.1:0\"\ndisable_mlock = true\n",
        home.join("data").display()
    );
    let path = home.join("coffer.hcl");
    std::fs::write(&path, text).unwrap();
    Server::start(&["-config", path.to_str().unwrap()], &home)
}

#[track_caller]
pub fn eventually(what: &str, holds: impl FnMut() -> bool) {
    crate::support::wait(PATIENCE, what, holds);
}

pub fn api(server: &Server) -> String {
    format!("http://{}", server.address)
}

fn join(joiner: &Client, leader: &str) -> (u16, Value) {
    let path = "sys/storage/raft/join";
    let answer = joiner.put(path, json!({"leader_api_addr": leader}));
    (answer.status, answer.json())
}

pub fn error(answer: &Value) -> &str {
    answer["errors"][0].as_str().unwrap()
}

/// Returns `node_id` and address of every member.
fn members(client: &Client) -> Vec<(String, String)> {
    let answer = client.get("sys/storage/raft/configuration").expect(200);
    let answer = answer.json();
    let servers = answer["data"]["config"]["servers"].as_array().unwrap();
    let text = |server: &Value, name: &str| server[name].as_str().unwrap().to_owned();
    let pair = |server: &Value| (text(server, "node_id"), text(server, "address"));
    servers.iter().map(pair).collect()
}

pub fn names(client: &Client) -> Vec<String> {
    members(client).into_iter().map(|(name, _)| name).collect()
}

/// Gives the key until the node is unsealed: the store may arrive a little later.
#[track_caller]
pub fn unseal(server: &Server, key: &str) {
    let status = server.client().put("sys/unseal", json!({"key": key}));
    status.expect(200);
    eventually("unsealed", || {
        server.client().get("sys/seal-status").json()["sealed"] == false
    });
}

pub fn enable_kv(client: &Client) {
    let enabled = client.put("sys/mounts/kv", json!({"type": "kv"}));
    enabled.expect(204);
}

#[test]
fn by_hand_with_the_address_and_the_keys() {
    let folder = tempfile::tempdir().unwrap();
    let one = node(folder.path(), "one", "");
    let two = node(folder.path(), "two", "");
    let (key, token) = one.initialize();
    let root = one.client().with_token(&token);
    enable_kv(&root);
    root.put("kv/a", json!({"b": "c"})).expect(204);

    let joiner = two.client();
    let (status, answer) = join(&joiner, &api(&two));
    assert_eq!(status, 500, "{answer}");
    assert!(error(&answer).contains("this node itself"), "{answer}");
    let (status, answer) = join(&joiner, "http://127.0.0.1:1");
    assert_eq!(status, 500, "{answer}");
    assert!(error(&answer).contains("connection refused"), "{answer}");
    assert_eq!(joiner.get("sys/seal-status").json()["initialized"], false);

    let joined = (200, json!({"joined": true}));
    assert_eq!(join(&joiner, &api(&one)), joined);
    let status = joiner.get("sys/seal-status").json();
    assert_eq!(status["initialized"], true, "{status}");
    assert_eq!(status["sealed"], true, "{status}");
    assert_eq!((&status["n"], &status["t"]), (&json!(1), &json!(1)));
    let init = json!({"secret_shares": 1, "secret_threshold": 1});
    let refused = joiner.put("sys/init", init).expect(400).json();
    assert!(error(&refused).contains("second one"), "{refused}");

    let wrong = json!({"key": "ab".repeat(32)});
    let refused = joiner.put("sys/unseal", wrong).expect(400).json();
    assert!(error(&refused).contains("not those of that cluster"));
    assert_eq!(names(&root), ["one"], "who proves nothing is no member");

    unseal(&two, &key);
    assert_eq!(names(&root), ["one", "two"]);
    let read = joiner.with_token(&token).get("kv/a").expect(200).json();
    assert_eq!(read["data"], json!({"b": "c"}));
    assert_eq!(join(&joiner, "http://127.0.0.1:1"), joined, "it is in one");
}

/// Tests a place that takes connections and never answers, as a host behind a bad link does: a
/// request to it costs its sender the ten seconds that a question may take.
#[test]
fn dead_places_in_front_of_a_good_one_cost_next_to_nothing() {
    const ALL_AT_ONCE: Duration = Duration::from_secs(8);
    let folder = tempfile::tempdir().unwrap();
    let one = node(folder.path(), "one", "");
    let (key, token) = one.initialize();
    let silent: Vec<_> = (0..2)
        .map(|_| std::net::TcpListener::bind("127.0.0.1:0").unwrap())
        .collect();
    let dead = silent.iter().map(|listener| {
        let address = listener.local_addr().unwrap();
        format!("  retry_join {{ leader_api_addr = \"http://{address}\" }}\n")
    });
    let dead: String = dead.collect();
    let good = format!("  retry_join {{ leader_api_addr = \"{}\" }}", api(&one));
    let began = Instant::now();
    let two = node(folder.path(), "two", &format!("{dead}{good}"));
    eventually("the cluster is found", || {
        two.client().get("sys/seal-status").json()["n"] == 1
    });
    unseal(&two, &key);
    assert!(began.elapsed() < ALL_AT_ONCE, "{:?}", began.elapsed());
    assert_eq!(names(&one.client().with_token(&token)), ["one", "two"]);
    let log = crate::support::read_log(&folder.path().join("two"));
    let (_, after) = log.split_once("a cluster was found to join").unwrap();
    let asked = after
        .lines()
        .find(|line| line.contains("attempting to join"));
    assert!(
        asked.is_some_and(|line| line.contains(&api(&one))),
        "who answered is first: {log}"
    );
}

#[test]
fn by_itself_and_again_after_its_card_was_wiped() {
    let folder = tempfile::tempdir().unwrap();
    let one = node(folder.path(), "one", "");
    let stanza = format!(
        "  retry_join_as_non_voter = true\n  \
         retry_join {{ leader_api_addr = \"http://127.0.0.1:1\" }}\n  \
         retry_join {{ leader_api_addr = \"{}\" }}",
        api(&one)
    );
    let two = node(folder.path(), "two", &stanza);
    let init = json!({"secret_shares": 1, "secret_threshold": 1});
    let (key, token) = one.initialize();
    let refused = two.client().put("sys/init", init).expect(400).json();
    assert!(error(&refused).contains("second one"), "{refused}");
    let found = |node: &Server| node.client().get("sys/seal-status").json()["n"] == 1;
    eventually("the cluster is found", || found(&two));
    unseal(&two, &key);
    let root = one.client().with_token(&token);
    let before = members(&root);
    assert_eq!(names(&root), ["one", "two"]);

    let thief = node(folder.path(), "thief", "");
    let path = folder.path().join("thief/coffer.hcl");
    let text = std::fs::read_to_string(&path).unwrap();
    drop(thief);
    std::fs::write(&path, text.replace("\"thief\"", "\"two\"")).unwrap();
    let home = folder.path().join("thief");
    std::fs::remove_dir_all(home.join("data")).unwrap();
    let thief = Server::start(&["-config", path.to_str().unwrap()], &home);
    assert_eq!(join(&thief.client(), &api(&one)).0, 200);
    let refused = thief.client().put("sys/unseal", json!({"key": key}));
    let refused = refused.expect(500).json();
    assert!(error(&refused).contains("in use by a live member"));
    assert_eq!(members(&root), before, "a live node keeps its name");

    two.kill();
    std::fs::remove_dir_all(folder.path().join("two/data")).unwrap();
    let two = node(folder.path(), "two", &stanza);
    eventually("the cluster is found again", || found(&two));
    unseal(&two, &key);
    eventually("the old self is gone", || {
        names(&root) == ["one", "two"] && members(&root) != before
    });
    two.kill();
    let two = node(folder.path(), "two", &stanza);
    unseal(&two, &key);
    assert_eq!(names(&root), ["one", "two"], "a member does not join again");
}

#[test]
fn cve_2022_36129_an_answer_without_the_keys_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let one = node(folder.path(), "one", "");
    let client = one.client();
    let challenge = "sys/storage/raft/bootstrap/challenge";
    let answer = "sys/storage/raft/bootstrap/answer";
    let who = json!({"server_id": "two"});
    client.put(challenge, who.clone()).expect(503);
    let (_, token) = one.initialize();
    let asked = client.put(challenge, who.clone()).expect(200).json();
    assert_eq!(asked["data"]["seal_config"]["secret_threshold"], 1);
    let given = asked["data"]["challenge"].as_str().unwrap();
    let zeros = format!("{}=", "A".repeat(43));
    for (challenge, proof) in [(given, zeros.as_str()), ("AAAA", "AAAA"), (given, "")] {
        let said = json!({
            "server_id": "two", "challenge": challenge, "proof": proof, "statement": "AQAA",
        });
        client.put(answer, said).expect(400);
    }
    client.put(challenge, json!({})).expect(400);
    let long = json!({"server_id": "a".repeat(300)});
    client.put(challenge, long).expect(400);
    assert_eq!(names(&client.with_token(&token)), ["one"]);
}

#[test]
fn providers_that_are_not_built_are_refused_with_the_place_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "storage \"raft\" {{\n  path = \"{}\"\n  retry_join {{\n    auto_join = \
         \"provider=aws region=eu-west-1\"\n  }}\n}}\n\
         listener \"tcp\" {{\n  address = \"127.0.0.1:0\"\n  tls_disable = true\n}}\n\
         cluster_addr = \"https://127.0.0.1:0\"\ndisable_mlock = true\n",
        folder.path().join("data").display()
    );
    let path = folder.path().join("coffer.hcl");
    std::fs::write(&path, text).unwrap();
    let args = ["-config", path.to_str().unwrap()];
    let (code, told) = crate::support::exit_of(&args, folder.path());
    assert_eq!(code, 1, "{told}");
    assert!(told.contains("coffer.hcl:3"), "{told}");
    assert!(
        told.contains("\"aws\"") && told.contains("leader_api_addr"),
        "{told}"
    );
}
