//! Policies asked through the router: what narrows a grant does so for the engine's own reading.

use super::{Harness, ROOT};
use crate::engine::{ErrorKind, Operation};
use serde_json::{Value, json};
use std::time::Duration;

const READ_KV: &str = r#"path "kv/*" { capabilities = ["read"] }"#;

async fn allows(harness: &Harness, token: &str, path: &str, body: &Value) -> bool {
    let done = harness
        .call(token, Operation::Update, path, body.clone())
        .await;
    !done.is_err_and(|error| error.kind == ErrorKind::Denied)
}

async fn reads(harness: &Harness, token: &str, path: &str) -> bool {
    let read = harness.read(token, path).await;
    !read.is_err_and(|error| error.kind == ErrorKind::Denied)
}

/// A path, a rule of a policy for it, bodies that pass and bodies that are refused.
type Spelt = (&'static str, &'static str, Value, Value);

fn spelt_for_tokens() -> Vec<Spelt> {
    vec![
        (
            "auth/token/create",
            r#"denied_parameters = { "policies" = ["secretadmin"] }"#,
            json!([{"policies": ["default"]}, {"policies": "default"}]),
            json!([
                {"policies": ["secretadmin"]},
                {"policies": "secretadmin"},
                {"policies": ["default", "secretadmin"]},
                {"policies": "default,secretadmin"},
                {"policies": ["default", " SecretAdmin "]},
            ]),
        ),
        (
            "auth/token/create",
            r#"allowed_parameters = { "policies" = ["default", "dev"] }"#,
            json!([{"policies": ["default", "dev"]}, {"policies": "dev"}, {}]),
            json!([{"policies": ["default", "ops"]}, {"policies": []}, {"ttl": "1h"}]),
        ),
        (
            "auth/token/create",
            r#"required_parameters = ["explicit_max_ttl"]"#,
            json!([{"explicit_max_ttl": "5s"}, {"explicit_max_ttl": 5}]),
            json!([
                {"EXPLICIT_MAX_TTL": "5s"},
                {"explicit_max_ttl": null},
                {"explicit_max_ttl": ""},
                {},
            ]),
        ),
        (
            "auth/token/create",
            r#"denied_parameters = { "ttl" = ["24h"], "no_parent" = [true] }"#,
            json!([{"ttl": "23h"}, {"lease": "1h"}, {"no_parent": "false"}]),
            json!([
                {"ttl": "24h"},
                {"ttl": 86400},
                {"ttl": "1440m"},
                {"lease": "24h"},
                {"no_parent": true},
                {"no_parent": "1"},
                {"no_parent": "True"},
            ]),
        ),
        (
            "auth/token/create",
            r#"denied_parameters = { "meta" = [{"team" = "ops"}] }"#,
            json!([{"meta": {"team": "dev"}}, {"meta": ["team=dev"]}]),
            json!([
                {"meta": {"team": "ops"}},
                {"meta": {"team": "ops", "x": "y"}},
                {"meta": ["team=ops"]},
                {"meta": "team=ops"},
            ]),
        ),
    ]
}

fn spelt_for_settings() -> Vec<Spelt> {
    vec![
        (
            "auth/token/roles/x",
            r#"denied_parameters = { "allowed_policies" = ["secretadmin"],
                 "token_period" = [60] }"#,
            json!([{"allowed_policies": "dev,ops"}, {"period": "2m"}]),
            json!([
                {"allowed_policies": "dev, secretadmin"},
                {"allowed_policies": ["dev", "SECRETADMIN"]},
                {"period": "1m"},
                {"token_period": "60"},
            ]),
        ),
        (
            "sys/mounts/kv/tune",
            r#"allowed_parameters = { "max_lease_ttl" = ["1h"],
                 "audit_non_hmac_request_keys" = ["a", "b"] }"#,
            json!([
                {"max_lease_ttl": 3600},
                {"audit_non_hmac_request_keys": "b,a"},
                {"audit_non_hmac_request_keys": ["a"]},
            ]),
            json!([
                {"max_lease_ttl": "2h"},
                {"audit_non_hmac_request_keys": "a,c"},
                {"audit_non_hmac_request_keys": ["a", "c"]},
            ]),
        ),
    ]
}

fn spelt_for_secrets_and_policies() -> Vec<Spelt> {
    vec![
        (
            "secret/metadata/x",
            r#"denied_parameters = { "cas_required" = [false], "max_versions" = ["1"] }"#,
            json!([{"cas_required": true}, {"max_versions": 2}]),
            json!([{"cas_required": "f"}, {"cas_required": 0}, {"max_versions": 1}]),
        ),
        (
            "secret/destroy/x",
            r#"denied_parameters = { "versions" = [1] }"#,
            json!([{"versions": [2, 3]}]),
            json!([{"versions": [1]}, {"versions": "2,1"}, {"versions": ["1"]}, {"versions": 1}]),
        ),
        (
            "kv/x",
            r#"allowed_parameters = { "Name" = ["a"] }"#,
            json!([{"Name": "a"}]),
            json!([{"Name": "b"}, {"NAME": "a"}, {"Name": "a", "x": 1}]),
        ),
        (
            "sys/policies/acl/x",
            r#"denied_parameters = { "policy" = ["*sudo*"], "ttl" = [60] }"#,
            json!([{"rules": READ_KV}, {"policy": READ_KV, "ttl": 61}]),
            json!([
                {"rules": "path \"a\" { capabilities = [\"sudo\"] }"},
                {"policy": READ_KV, "ttl": "1m"},
            ]),
        ),
    ]
}

/// Each spelling that an engine reads alike is judged alike; each case has its control.
#[tokio::test]
async fn no_spelling_of_a_value_walks_around_a_rule() {
    let harness = Harness::new().await;
    let role = json!({"allowed_policies": ["dev", "ops"]});
    harness
        .root(Operation::Update, "auth/token/roles/r", role)
        .await
        .unwrap();
    let cases = [
        spelt_for_tokens(),
        spelt_for_settings(),
        spelt_for_secrets_and_policies(),
    ];
    for (path, rule, passes, refused) in cases.into_iter().flatten() {
        let capabilities = r#"capabilities = ["create", "update", "sudo"]"#;
        let policy = format!("path \"{path}\" {{ {capabilities} {rule} }}");
        let token = harness.token(&policy, json!({})).await;
        for (bodies, passes) in [(passes, true), (refused, false)] {
            for body in bodies.as_array().unwrap() {
                let found = allows(&harness, &token, path, body).await;
                assert_eq!(found, passes, "{path} {rule} {body}");
            }
        }
    }
}

#[tokio::test]
async fn a_path_expires_on_cluster_time() {
    let harness = Harness::new().await;
    harness
        .root(Operation::Update, "kv/a", json!({"x": 1}))
        .await
        .unwrap();
    let over = r#"path "kv/*" { capabilities = ["read"] expiration = "2020-01-01T00:00:00Z" }"#;
    let token = harness.token(over, json!({})).await;
    assert!(!reads(&harness, &token, "kv/a").await, "it is over already");
    // The harness begins at 1,700,000,000.
    let soon = r#"path "kv/*" { capabilities = ["read"] expiration = 1700000060 }
                  path "kv/b" { capabilities = ["deny"] expiration = 1700000060 }
                  path "kv/b*" { capabilities = ["read"] }"#;
    let token = harness.token(soon, json!({})).await;
    let granted = ["kv/a", "kv/b", "kv/bc"];
    for (after_s, wanted) in [(59, [true, false, true]), (1, [false, true, true])] {
        harness.clock.advance(Duration::from_secs(after_s));
        for (path, wanted) in granted.iter().zip(wanted) {
            assert_eq!(
                reads(&harness, &token, path).await,
                wanted,
                "{path} {after_s}"
            );
        }
    }
    let body = json!({"paths": granted});
    let asked = harness.call(&token, Operation::Update, "sys/capabilities-self", body);
    let told = asked.await.unwrap().data.unwrap();
    assert_eq!(told["kv/a"], json!(["deny"]), "{told:?}");
    assert_eq!(told["kv/b"], json!(["read"]), "{told:?}");
}

/// Lists the fields beside the text for which a write of a policy of version 1 that wants
/// check-and-set is refused, each with the message.
fn refusals_of_a_version() -> Vec<(Value, &'static str)> {
    vec![
        (json!({}), "check-and-set parameter required"),
        (
            json!({"cas": 7}),
            "parameter 7 did not match the current version 1",
        ),
        (json!({"cas": -1}), "set to -1 on existing entry"),
        (json!({"cas": null}), "parameter 0 did not match"),
        (json!({"cas": "x"}), "cannot parse value as 'int'"),
        (
            json!({"cas": 1, "cas_required": "maybe"}),
            "cannot parse value as 'bool'",
        ),
        (json!({"cas": 1, "ttl": 0}), "already elapsed"),
        (
            json!({"cas": 1, "ttl": "-5s"}),
            "cannot provide negative value",
        ),
        (json!({"cas": 1, "ttl": "zz"}), "invalid duration"),
        (
            json!({"cas": 1, "expiration": "2020-01-01T00:00:00Z"}),
            "already elapsed",
        ),
        (
            json!({"cas": 1, "expiration": "soon"}),
            "could not parse string as date and time",
        ),
        (
            json!({"cas": 1, "expiration": ""}),
            "could not parse string as date and time",
        ),
        (
            json!({"cas": 1, "ttl": "1h", "expiration": "2120-01-01T00:00:00Z"}),
            "cannot supply both",
        ),
    ]
}

#[tokio::test]
async fn a_policy_expires_and_is_written_by_version() {
    let harness = Harness::new().await;
    let path = "sys/policies/acl/short";
    let write = |body: Value| harness.root(Operation::Update, path, body);
    write(json!({"policy": READ_KV, "ttl": "1m", "cas_required": true, "cas": 0}))
        .await
        .unwrap();
    let made = json!({"policies": ["short"], "no_parent": true});
    let made = harness.root(Operation::Update, "auth/token/create", made);
    let token = made.await.unwrap().auth.unwrap().client_token.unwrap();
    let token = token.into_inner();

    let shown = harness.read(ROOT, path).await.unwrap().data.unwrap();
    assert_eq!(shown["version"], 1);
    assert_eq!(shown["cas_required"], true);
    assert_eq!(shown["expiration"], "2023-11-14T22:14:20Z");
    assert_eq!(shown["modified"], "2023-11-14T22:13:20Z");
    assert!(reads(&harness, &token, "kv/a").await);

    for (body, message) in refusals_of_a_version() {
        let mut body = body;
        body["policy"] = json!(READ_KV);
        let refused = write(body.clone()).await.expect_err("is refused");
        assert!(
            refused.messages.join("").contains(message),
            "{body}: {refused:?}"
        );
    }
    harness.clock.advance(Duration::from_secs(60));
    assert!(!reads(&harness, &token, "kv/a").await, "it is over");
    let gone = harness.read(ROOT, path).await.expect_err("is gone");
    assert_eq!(gone.kind, ErrorKind::NotFound);
    let listed = harness.root(Operation::List, "sys/policies/acl/", json!({}));
    let keys = listed.await.unwrap().data.unwrap()["keys"].to_string();
    assert!(!keys.contains("short"), "{keys}");
    write(json!({"policy": READ_KV}))
        .await
        .expect("is another one");
    assert!(reads(&harness, &token, "kv/a").await, "as before");
}

#[tokio::test]
async fn a_policy_that_says_what_nobody_follows_is_refused_by_name() {
    let harness = Harness::new().await;
    for key in [
        "control_group",
        "list_scan_response_keys_filter_path",
        "mfa_methods",
        "pagination_limit",
        "response_keys_filter_path",
        "subscribe_event_types",
        "ttl",
    ] {
        let text = format!("path \"kv/*\" {{ capabilities = [\"read\"] {key} = [\"x\"] }}");
        let body = json!({ "policy": text });
        let write = harness.root(Operation::Update, "sys/policies/acl/x", body);
        let refused = write.await.expect_err(key).messages.join("");
        assert!(refused.contains(key), "{key}: {refused}");
    }
}

#[tokio::test]
async fn a_folder_s_policies_are_listed_by_their_whole_names() {
    let harness = Harness::new().await;
    for name in ["team/one", "team/two/three", "teams/x"] {
        let path = format!("sys/policies/acl/{name}");
        let written = harness.root(Operation::Update, &path, json!({"policy": READ_KV}));
        written.await.unwrap();
    }
    for tree in ["sys/policies/acl", "sys/policy"] {
        let listed = async |folder: &str| {
            let path = format!("{tree}/{folder}");
            harness.root(Operation::List, &path, json!({})).await
        };
        let team = listed("Team/").await.unwrap();
        assert_eq!(
            super::field(&team, "keys"),
            &json!(["team/one", "team/two/three"])
        );
        let two = listed("team/two/").await.unwrap();
        assert_eq!(super::field(&two, "keys"), &json!(["team/two/three"]));
        let nothing = listed("tea/").await.unwrap_err();
        assert_eq!(nothing.kind, crate::engine::ErrorKind::NotFound);
    }
}
