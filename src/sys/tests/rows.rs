//! Every row of every table, through the router: a wrong type in each field, an operation that it
//! does not know, no token, and tokens without the right.

use super::cluster::{FakeCluster, member};
use super::*;
use crate::engine::cubbyhole::Cubbyhole;
use crate::engine::kv::Kv;
use crate::engine::table::{Access, Endpoint, Field, FieldKind, Fields, On, Op, Sheet};
use crate::engine::{Engine, ErrorKind, MountContext};
use crate::sys::{open, recovery};

/// A row at its mount, with a path that fits it.
pub struct Case {
    pub path: String,
    pub endpoint: &'static Endpoint,
    pub ops: Vec<Op>,
}

/// Returns the tables behind the router, each with a mount.
pub fn sheets() -> [(&'static str, &'static dyn Sheet); 5] {
    let versions = |version: &str| MountContext {
        options: [("version".to_owned(), version.to_owned())].into(),
        ..MountContext::default()
    };
    [
        ("kv/", Kv.table(&versions("1"))),
        ("secret/", Kv.table(&versions("2"))),
        ("cubbyhole/", Cubbyhole.table(&versions("1"))),
        ("auth/token/", &crate::auth::token::TABLE),
        ("sys/", &crate::sys::endpoints::table::TABLE),
    ]
}

pub fn cases() -> Vec<Case> {
    let rows = sheets().into_iter().flat_map(|(mount, sheet)| {
        let rows = sheet.endpoints().into_iter();
        rows.map(move |(endpoint, ops)| Case {
            path: format!("{mount}{}", concrete(endpoint.pattern)),
            endpoint,
            ops,
        })
    });
    rows.collect()
}

/// Creates a node with all the parts that a configuration can leave out.
async fn harness() -> Harness {
    let mut harness = Harness::new().await;
    let cluster = FakeCluster::of(vec![member("b", 2)]);
    harness.cluster = Some(Arc::new(cluster) as _);
    harness.has_raw = true;
    harness.restart();
    harness
}

fn concrete(pattern: &str) -> String {
    let segments = pattern
        .split('/')
        .map(|segment| match segment.chars().next() {
            Some(':') => "x",
            Some('+' | '*') => "x/y",
            _ => segment,
        });
    segments.collect::<Vec<_>>().join("/")
}

/// Returns a value that the field cannot have; `None` where it can have any.
fn wrong(field: &Field) -> Option<Value> {
    match field.kind {
        FieldKind::Plain => None,
        FieldKind::Text => Some(json!({"a": 1})),
        FieldKind::List
        | FieldKind::CommaList
        | FieldKind::Names
        | FieldKind::CommaNames
        | FieldKind::Networks => Some(json!([{"a": 1}])),
        FieldKind::Pairs => Some(json!({"a": {}})),
        FieldKind::Map => Some(json!(7)),
        _ => Some(json!("maybe")),
    }
}

#[tokio::test]
async fn each_field_refuses_what_it_cannot_be() {
    let harness = harness().await;
    let mut refused = 0;
    for case in cases() {
        let writes = case.ops.iter().any(|op| op.is(Operation::Update));
        for field in case.endpoint.fields {
            let (true, true, Some(value)) = (writes, field.on.meets(On::WRITE), wrong(field))
            else {
                continue;
            };
            let body = json!({field.name: value});
            let answer = harness.root(Operation::Update, &case.path, body.clone());
            let error = answer.await.expect_err(&format!("{} {body}", case.path));
            assert_eq!(
                error.kind,
                ErrorKind::Invalid,
                "{} {body}: {error}",
                case.path
            );
            let message = &error.messages[0];
            let is_lifetime = matches!(field.kind, FieldKind::Lifetime | FieldKind::SystemLifetime);
            let expected = match is_lifetime {
                true => "time: invalid duration \"maybe\"".to_owned(),
                false => format!("error converting input for field {:?}: ", field.name),
            };
            assert!(
                message.contains(&expected),
                "{} {body}: {message}",
                case.path
            );
            refused += 1;
        }
    }
    println!("{refused} fields");
    assert!(refused > 240, "{refused}");
}

#[tokio::test]
async fn each_row_knows_its_operations_only() {
    let harness = harness().await;
    let mut refused = 0;
    for case in cases() {
        for operation in [
            Operation::Read,
            Operation::Update,
            Operation::Patch,
            Operation::Delete,
        ] {
            if case.ops.iter().any(|op| op.is(operation)) {
                continue;
            }
            let answer = harness.root(operation, &case.path, json!({})).await;
            let error = answer.expect_err(&format!("{operation:?} {}", case.path));
            let kind = error.kind;
            assert_eq!(
                kind,
                ErrorKind::UnsupportedOperation,
                "{operation:?} {}",
                case.path
            );
            refused += 1;
        }
    }
    println!("{refused} operations that a row does not know");
    assert!(refused > 300, "{refused}");
}

const DENIED: &str = "permission denied";

/// Returns the path for the operation: that of a list ends in a slash.
fn listed(op: Op, path: &str) -> String {
    match op.operation {
        Operation::List | Operation::Scan if !path.ends_with('/') => format!("{path}/"),
        _ => path.to_owned(),
    }
}

async fn denies(harness: &Harness, token: &str, op: Op, path: &str) -> bool {
    let path = listed(op, path);
    let answer = harness.call(token, op.operation, &path, json!({})).await;
    answer.is_err_and(|error| {
        error.kind == ErrorKind::Denied && error.messages.iter().any(|m| m.contains(DENIED))
    })
}

#[tokio::test]
async fn each_row_asks_who_may() {
    let harness = harness().await;
    let nothing = json!({"no_default_policy": true});
    let unrelated = r#"path "nowhere/*" { capabilities = ["read"] }"#;
    let powerless = harness.token(unrelated, nothing.clone()).await;
    let all =
        r#"path "*" { capabilities = ["create","read","update","delete","list","patch","scan"] }"#;
    let plain = harness.token(all, nothing.clone()).await;
    let with_sudo = all.replace("\"scan\"", "\"scan\",\"sudo\"");
    let (mut asked, mut sudo) = (0, 0);
    for case in cases() {
        let path = &case.path;
        // It answers everyone, but tells of the mounts that concern the caller only.
        if case.endpoint.pattern == "internal/ui/mounts/+path" {
            let op = Op::READ;
            let known = path.replace("x/y", "kv");
            assert!(denies(&harness, "", op, path).await && denies(&harness, "", op, &known).await);
            assert!(!denies(&harness, &plain, op, &known).await);
            continue;
        }
        let open = case.endpoint.access == Access::Open;
        for op in &case.ops {
            let what = format!("{:?} {path}", op.operation);
            assert_eq!(
                denies(&harness, "", *op, path).await,
                !open,
                "no token: {what}"
            );
            // A bad token where a wrapping one is asked for is no wrapping token: 400.
            assert_eq!(
                denies(&harness, "unknown", *op, path).await,
                !open && case.endpoint.wrapping.is_none(),
                "a bad one: {what}"
            );
            assert_eq!(
                denies(&harness, &powerless, *op, path).await,
                !open,
                "no right: {what}"
            );
            // Each time another, for some end the token that they are called with.
            let needs_sudo = case.endpoint.access == Access::Sudo;
            if needs_sudo {
                assert!(denies(&harness, &plain, *op, path).await, "no sudo: {what}");
                sudo += 1;
            }
            let mighty = harness.token(&with_sudo, nothing.clone()).await;
            assert!(!denies(&harness, &mighty, *op, path).await, "may: {what}");
            asked += 1;
        }
    }
    println!("{asked} operations, {sudo} with sudo");
    assert!(asked > 170 && sudo > 35, "{asked} {sudo}");
}

/// Returns the paths that the document shows to root.
async fn documented(harness: &Harness) -> Map<String, Value> {
    let path = "sys/internal/specs/openapi";
    let body = harness.read(ROOT, path).await.unwrap().body.unwrap();
    let document: Value = serde_json::from_slice(&body.bytes).unwrap();
    document["paths"].as_object().unwrap().clone()
}

#[tokio::test]
async fn documents_and_help_leave_out_what_is_not_there() {
    let (all, fewer) = (harness().await, Harness::new().await);
    for path in ["sys/raw/{path}", "sys/storage/raft/configuration"] {
        let shown = format!("/{path}");
        assert!(documented(&all).await.contains_key(&shown), "{path}");
        assert!(!documented(&fewer).await.contains_key(&shown), "{path}");
        let asked = path.replace("{path}", "x");
        let help = async |harness: &Harness| {
            let answer = harness.root(Operation::Help, &asked, json!({})).await;
            answer.map_err(|error| error.kind)
        };
        assert!(help(&all).await.is_ok(), "{path}");
        assert_eq!(
            help(&fewer).await.unwrap_err(),
            ErrorKind::NotFound,
            "{path}"
        );
    }
    assert!(
        documented(&fewer)
            .await
            .contains_key("/sys/rotate/keyring/config")
    );
}

/// Fields that no endpoint knows are warned of wherever an envelope is answered.
#[tokio::test]
async fn each_row_warns_of_what_it_does_not_know() {
    let harness = harness().await;
    let told = "Endpoint ignored these unrecognized parameters: [unheard_of]";
    let mut warned = 0;
    for case in cases() {
        for op in &case.ops {
            let path = listed(*op, &case.path);
            // Some end the token that they are called with.
            let root = json!({"policies": ["root"], "no_parent": true});
            let made = harness.root(Operation::Update, "auth/token/create", root);
            let token = made.await.unwrap().auth.unwrap().client_token.unwrap();
            let body = json!({"unheard_of": 1});
            let answer = harness.call(token.expose(), op.operation, &path, body);
            let Ok(answer) = answer.await else { continue };
            let writes = op.is(Operation::Update) || op.is(Operation::Patch);
            let is_envelope = answer.status.is_none() && answer.body.is_none();
            let says = is_envelope && (answer.data.is_some() || answer.auth.is_some());
            let meant = says && !(case.endpoint.takes_anything && writes);
            let has = answer.warnings.iter().any(|warning| warning == told);
            assert_eq!(has, meant, "{:?} {path}: {answer:?}", op.operation);
            warned += usize::from(has);
        }
    }
    println!("{warned} answers warn");
    assert!(warned > 30, "{warned}");
}

/// Tables that answer before the router refuse wrong types and unknown operations by themselves.
#[test]
fn rows_before_the_router_read_and_refuse_alike() {
    let (mut fields, mut refused) = (0, 0);
    let sheets: [&dyn Sheet; 2] = [&open::TABLE, &recovery::TABLE];
    for (endpoint, ops) in sheets.iter().flat_map(|sheet| sheet.endpoints()) {
        for field in endpoint.fields.iter().filter(|f| f.on.meets(On::WRITE)) {
            let Some(value) = wrong(field) else { continue };
            let data = Map::from_iter([(field.name.to_owned(), value)]);
            let error = Fields::read(endpoint.fields, &data, "").unwrap_err();
            assert!(
                error.messages[0].contains(&format!("{:?}", field.name)),
                "{error}"
            );
            fields += 1;
        }
        let path = concrete(endpoint.pattern);
        for operation in [Operation::Read, Operation::Update, Operation::Delete] {
            let known = ops.iter().any(|op| op.is(operation));
            let mut found = sheets
                .iter()
                .filter_map(|sheet| sheet.found(&path, operation));
            let effect = found.next().and_then(|found| found.effect);
            assert_eq!(effect.is_some(), known, "{operation:?} {path}");
            refused += usize::from(!known);
        }
    }
    println!("{fields} fields, {refused} operations");
    assert!(fields > 20 && refused > 10, "{fields} {refused}");
}
