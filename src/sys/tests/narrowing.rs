//! Each field that narrows a grant is honoured or refused by name, never passed over: at every path
//! that writes.

use super::*;
use crate::engine::ErrorKind;
use crate::engine::narrowing::NARROWING;

/// Returns a value of the field that is narrower than any usual one.
fn narrow(name: &str) -> Value {
    match name.trim_start_matches("token_") {
        "cas" | "metadata_cas" | "renewable" => json!(0),
        _ => json!("1"),
    }
}

const CREATE: &[&str] = &[
    "entity_alias",
    "explicit_max_ttl",
    "lease",
    "no_default_policy",
    "num_uses",
    "period",
    "policies",
    "renewable",
    "ttl",
];
const ROLE: &[&str] = &[
    "allowed_entity_aliases",
    "allowed_policies",
    "allowed_policies_glob",
    "bound_cidrs",
    "disallowed_policies",
    "disallowed_policies_glob",
    "explicit_max_ttl",
    "period",
    "renewable",
    "token_bound_cidrs",
    "token_explicit_max_ttl",
    "token_no_default_policy",
    "token_num_uses",
    "token_period",
    "token_type",
];
const METADATA: &[&str] = &[
    "cas_required",
    "delete_version_after",
    "max_versions",
    "metadata_cas",
    "metadata_cas_required",
];
const POLICY: &[&str] = &["cas", "cas_required", "expiration", "ttl"];
const TUNE: &[&str] = &["default_lease_ttl", "max_lease_ttl", "token_type"];

/// A path, a body that it takes, and those narrowing fields that it knows.
type Row = (Operation, &'static str, Value, &'static [&'static str]);

fn of_tokens() -> Vec<Row> {
    use Operation::{Delete, Update};
    vec![
        (Update, "auth/token/create", json!({}), CREATE),
        (Update, "auth/token/create-orphan", json!({}), CREATE),
        (Update, "auth/token/create/r", json!({}), CREATE),
        (Update, "auth/token/roles/r", json!({}), ROLE),
        (Delete, "auth/token/roles/none", json!({}), &[]),
        (Update, "auth/token/lookup", json!({"token": ROOT}), &[]),
        (Update, "auth/token/lookup-self", json!({}), &[]),
        (
            Update,
            "auth/token/renew",
            json!({"token": "$leased"}),
            &["increment"],
        ),
        (
            Update,
            "auth/token/renew-accessor",
            json!({"accessor": "$accessor"}),
            &["increment"],
        ),
        (
            Update,
            "auth/token/lookup-accessor",
            json!({"accessor": "$accessor"}),
            &[],
        ),
        (Update, "auth/token/revoke", json!({"token": "none"}), &[]),
        (
            Update,
            "auth/token/revoke-accessor",
            json!({"accessor": "none"}),
            &[],
        ),
        (Update, "auth/token/tidy", json!({}), &[]),
    ]
}

fn of_secrets() -> Vec<Row> {
    use Operation::{Delete, Patch, Update};
    vec![
        (
            Update,
            "secret/config",
            json!({}),
            &[
                "cas_required",
                "delete_version_after",
                "max_versions",
                "metadata_cas_required",
            ],
        ),
        (Update, "secret/data/a", json!({"data": {}}), &[]),
        (Patch, "secret/data/a", json!({"data": {}}), &[]),
        (Delete, "secret/data/a", json!({}), &[]),
        (Update, "secret/metadata/a", json!({}), METADATA),
        (Patch, "secret/metadata/a", json!({}), METADATA),
        (Delete, "secret/metadata/none", json!({}), &[]),
        (
            Update,
            "secret/delete/a",
            json!({"versions": [1]}),
            &["versions"],
        ),
        (
            Update,
            "secret/undelete/a",
            json!({"versions": [1]}),
            &["versions"],
        ),
        (
            Update,
            "secret/destroy/none",
            json!({"versions": [1]}),
            &["versions"],
        ),
    ]
}

fn of_mounts_policies_and_leases() -> Vec<Row> {
    use Operation::{Delete, Update};
    let lease = || json!({"lease_id": "auth/token/create/none"});
    vec![
        (Update, "sys/mounts/x", json!({"type": "kv"}), &[]),
        (Update, "sys/mounts/secret/tune", json!({}), TUNE),
        (Update, "sys/mounts/auth/token/tune", json!({}), TUNE),
        (Update, "sys/auth/token/tune", json!({}), TUNE),
        (Delete, "sys/mounts/none", json!({}), &[]),
        (
            Update,
            "sys/policies/acl/p",
            json!({"policy": "path \"x\" { capabilities = [\"read\"] }"}),
            POLICY,
        ),
        (
            Update,
            "sys/policy/p",
            json!({"policy": "path \"x\" { capabilities = [\"read\"] }"}),
            POLICY,
        ),
        (Delete, "sys/policies/acl/p", json!({}), &[]),
        (Update, "sys/remount", json!({"from": "x", "to": "y"}), &[]),
        (Update, "sys/leases/renew", lease(), &["increment"]),
        (Update, "sys/renew", lease(), &["increment"]),
        (Update, "sys/leases/revoke", lease(), &[]),
        (Update, "sys/revoke", lease(), &[]),
        (Update, "sys/leases/revoke-prefix/none", json!({}), &[]),
        (Update, "sys/leases/revoke-force/none", json!({}), &[]),
        (Update, "sys/leases/tidy", json!({}), &[]),
    ]
}

fn of_the_rest() -> Vec<Row> {
    use Operation::{Delete, Update};
    vec![
        (
            Update,
            "sys/wrapping/lookup",
            json!({"token": "$wrapped"}),
            &[],
        ),
        (
            Update,
            "sys/wrapping/rewrap",
            json!({"token": "$wrapped"}),
            &[],
        ),
        (Update, "sys/capabilities-self", json!({"path": "x"}), &[]),
        (Update, "sys/rotate", json!({}), &[]),
        (Update, "sys/rotate/config", json!({"enabled": true}), &[]),
        (
            Update,
            "sys/config/auditing/request-headers/x",
            json!({}),
            &[],
        ),
        (
            Update,
            "sys/config/ui/headers/x",
            json!({"values": ["y"]}),
            &[],
        ),
        (
            Update,
            "sys/storage/raft/autopilot/configuration",
            json!({}),
            &[],
        ),
        (Update, "sys/generate-root/attempt", json!({}), &[]),
        (Delete, "sys/generate-root/attempt", json!({}), &[]),
    ]
}

fn rows() -> Vec<Row> {
    let parts = [
        of_tokens(),
        of_secrets(),
        of_mounts_policies_and_leases(),
        of_the_rest(),
    ];
    parts.into_iter().flatten().collect()
}

/// Paths that refuse even what they were given here, for want of what they are about.
const WANTING: &[&str] = &["sys/leases/renew", "sys/renew"];

#[tokio::test]
async fn no_path_passes_over_what_narrows() {
    let (mut harness, _shares) = Harness::sealed_by(1).await;
    let cluster = super::cluster::FakeCluster::of(Vec::new());
    harness.cluster = Some(Arc::new(cluster) as _);
    harness.restart();
    let role = json!({});
    harness
        .root(Operation::Update, "auth/token/roles/r", role)
        .await
        .unwrap();
    let value = json!({"data": {"v": 1}});
    harness
        .root(Operation::Update, "secret/data/a", value)
        .await
        .unwrap();
    let spec = json!({"policies": ["default"], "ttl": "1h"});
    let made = harness.root(Operation::Update, "auth/token/create", spec);
    let auth = made.await.unwrap().auth.unwrap();
    let leased = auth.client_token.unwrap().into_inner();
    let wrapped = harness.wrapped("sys/mounts").await;
    let mut refused = 0;
    for (operation, path, body, known) in rows() {
        let text = body.to_string();
        let text = text
            .replace("$leased", &leased)
            .replace("$accessor", &auth.accessor)
            .replace("$wrapped", &wrapped);
        let body: Map<String, Value> = serde_json::from_str(&text).unwrap();
        let prefixed = NARROWING.iter().map(|name| format!("token_{name}"));
        let upper = NARROWING.iter().map(|name| name.to_uppercase());
        let names = NARROWING.iter().map(ToString::to_string);
        for name in names.chain(prefixed).chain(upper) {
            if known.contains(&name.as_str()) || body.contains_key(&name) {
                continue;
            }
            let mut body = body.clone();
            body.insert(name.clone(), narrow(&name.to_lowercase()));
            let answer = harness.root(operation, path, Value::Object(body)).await;
            let error = answer.expect_err(&format!("{path} passes over {name}"));
            assert_eq!(error.kind, ErrorKind::Invalid, "{path} {name}");
            let named = error
                .messages
                .iter()
                .any(|m| m.contains(&format!("{name:?}")));
            assert!(named, "{path} {name}: {error}");
            refused += 1;
        }
        // And takes what it was given without them.
        let answer = harness.root(operation, path, Value::Object(body)).await;
        match WANTING.contains(&path) {
            true => assert_eq!(answer.unwrap_err().messages, ["lease not found"]),
            false => drop(answer.unwrap_or_else(|error| panic!("{path}: {error}"))),
        }
    }
    assert!(refused > 5000, "{refused}");
}

/// Maps within a body are held to the same rule.
#[tokio::test]
async fn no_map_within_a_body_passes_over_what_narrows() {
    let harness = Harness::new().await;
    for (path, body, field) in [
        (
            "secret/data/a",
            json!({"data": {}, "options": {"cas_required": true}}),
            "cas_required",
        ),
        (
            "secret/data/a",
            json!({"data": {}, "options": {"CAS": 0}}),
            "CAS",
        ),
        (
            "sys/mounts/x",
            json!({"type": "kv", "config": {"max_ttl": "1h"}}),
            "max_ttl",
        ),
        (
            "sys/mounts/x",
            json!({"type": "kv", "config": "max_lease_ttl=1h"}),
            "config",
        ),
        (
            "sys/mounts/x",
            json!({"type": "kv", "config": {"token_type": "batch"}}),
            "token_type",
        ),
        (
            "sys/mounts/x",
            json!({"type": "kv", "options": {"version": "2", "cas_required": "true"}}),
            "cas_required",
        ),
        (
            "sys/mounts/kv/tune",
            json!({"options": {"max_versions": "3"}}),
            "max_versions",
        ),
    ] {
        let refused = harness.root(Operation::Update, path, body.clone()).await;
        let error = refused.expect_err(&format!("{path} {body}"));
        assert_eq!(error.kind, ErrorKind::Invalid, "{path} {body}");
        assert!(error.messages[0].contains(field), "{path} {body}: {error}");
    }
    for (path, body) in [
        (
            "secret/data/a",
            json!({"data": {}, "options": {"cas": 0, "comment": "x"}}),
        ),
        (
            "sys/mounts/x",
            json!({"type": "kv", "config": {"max_lease_ttl": "1h", "token_type": ""},
                "options": {"version": "2", "cas_required": ""}}),
        ),
        ("sys/mounts/x/tune", json!({"options": {"version": "2"}})),
    ] {
        let taken = harness.root(Operation::Update, path, body.clone()).await;
        taken.unwrap_or_else(|error| panic!("{path} {body}: {error}"));
    }
}

/// Tokens are made with each field that `create` knows.
#[tokio::test]
async fn each_narrowing_field_of_a_token_is_honoured() {
    let harness = Harness::new().await;
    for (field, value, shown, narrowed) in [
        ("ttl", json!("5m"), "creation_ttl", json!(300)),
        ("lease", json!("5m"), "creation_ttl", json!(300)),
        ("explicit_max_ttl", json!("5m"), "creation_ttl", json!(300)),
        ("period", json!("5m"), "creation_ttl", json!(300)),
        ("num_uses", json!(3), "num_uses", json!(3)),
        ("renewable", json!(false), "renewable", json!(false)),
        (
            "policies",
            json!(["a"]),
            "policies",
            json!(["a", "default"]),
        ),
        (
            "no_default_policy",
            json!(true),
            "policies",
            json!(["wide"]),
        ),
    ] {
        let mut body = json!({"policies": ["wide", "default"]});
        let wide = harness.lookup(&body).await;
        assert_ne!(wide[shown], narrowed, "{field}");
        body[field] = value;
        assert_eq!(harness.lookup(&body).await[shown], narrowed, "{field}");
    }
    let body = json!({"policies": ["wide"], "entity_alias": "x"});
    let refused = harness
        .root(Operation::Update, "auth/token/create", body)
        .await;
    assert!(refused.unwrap_err().messages[0].contains("entity_alias"));
}

impl Harness {
    async fn lookup(&self, body: &Value) -> Value {
        let made = self
            .root(Operation::Update, "auth/token/create", body.clone())
            .await;
        let token = made.unwrap().auth.unwrap().client_token.unwrap();
        let named = json!({"token": token.expose()});
        let found = self.root(Operation::Update, "auth/token/lookup", named);
        Value::Object(found.await.unwrap().data.unwrap())
    }
}
