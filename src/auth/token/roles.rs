//! `roles/`: write, read, delete, list.

use super::role::{Role, record_path};
use crate::barrier::{Batch, View};
use crate::engine::{Error, Outcome, Request, Response};

pub(super) fn exists(view: &View, name: &str) -> Result<bool, Error> {
    Ok(Role::load(view, name)?.is_some())
}

pub(super) fn write(request: &Request, view: &View, name: &str) -> Result<Outcome, Error> {
    if record_path(name).is_none() {
        return Err(Error::unsupported_path());
    }
    let mut role = Role::load(view, name)?.unwrap_or_default();
    role.update(request)?;
    let mut batch = Batch::new();
    role.store(view, &mut batch, name)?;
    Ok(Outcome {
        batch,
        ..Outcome::default()
    })
}

pub(super) fn read(view: &View, name: &str) -> Result<Outcome, Error> {
    let role = Role::load(view, name)?.ok_or_else(Error::not_found)?;
    Ok(Response::data(role.describe(name)).into())
}

pub(super) fn delete(view: &View, name: &str) -> Result<Outcome, Error> {
    let mut outcome = Outcome::default();
    if let Some(path) = record_path(name) {
        view.delete(&mut outcome.batch, &path);
    }
    Ok(outcome)
}

pub(super) fn list(view: &View) -> Result<Outcome, Error> {
    let names = view.list("role/")?;
    if names.is_empty() {
        return Err(Error::not_found());
    }
    Ok(Response::list(names).into())
}

#[cfg(test)]
mod tests {
    use super::super::harness::Bench;
    use crate::engine::{ErrorKind, Operation};
    use serde_json::{Value, json};

    #[tokio::test]
    async fn a_role_shows_its_defaults() {
        let bench = Bench::new();
        let root = bench.root().await;
        bench
            .write(&root, "roles/x", json!({}))
            .await
            .expect("writes");
        let read = bench
            .ask(&root, Operation::Read, "roles/x", Value::Null, false)
            .await;
        assert_eq!(
            Value::Object(read.expect("reads").data.expect("data")),
            json!({"allowed_entity_aliases": null, "allowed_policies": [],
                "allowed_policies_glob": [], "disallowed_policies": [],
                "disallowed_policies_glob": [], "explicit_max_ttl": 0, "name": "x",
                "orphan": false, "path_suffix": "", "period": 0, "renewable": true,
                "token_explicit_max_ttl": 0, "token_no_default_policy": false,
                "token_period": 0, "token_type": "default-service"})
        );
        let list = bench
            .ask(&root, Operation::List, "roles", Value::Null, false)
            .await;
        assert_eq!(
            list.expect("lists").data.expect("data")["keys"],
            json!(["x"])
        );
        for _ in 0..2 {
            let deleted = bench.ask(&root, Operation::Delete, "roles/x", Value::Null, false);
            deleted.await.expect("deletes");
        }
        let gone = bench
            .ask(&root, Operation::Read, "roles/x", Value::Null, false)
            .await;
        assert_eq!(gone.expect_err("is gone").kind, ErrorKind::NotFound);
    }

    #[tokio::test]
    async fn cve_2026_89322_a_role_has_one_spelling() {
        let bench = Bench::new();
        let root = bench.root().await;
        bench
            .write(&root, "roles/admin", json!({}))
            .await
            .expect("writes");
        for name in ["Admin", "ADMIN", " admin", "admin "] {
            let path = format!("create/{name}");
            let refusal = bench.refusal(&root, &path, json!({})).await;
            assert_eq!(refusal, format!("unknown role {name}"));
        }
        let slashed = bench.write(&root, "create/admin/", json!({})).await;
        assert!(slashed.is_err());
    }

    #[tokio::test]
    async fn old_names_show_beside_the_new() {
        let bench = Bench::new();
        let root = bench.root().await;
        let old = json!({"explicit_max_ttl": "3h", "bound_cidrs": "10.0.0.0/8", "period": "1h"});
        bench.write(&root, "roles/r", old).await.expect("writes");
        bench
            .write(&root, "roles/r", json!({"orphan": true}))
            .await
            .expect("writes");
        let read = bench
            .ask(&root, Operation::Read, "roles/r", Value::Null, false)
            .await;
        let data = read.expect("reads").data.expect("data");
        for (field, value) in [
            ("explicit_max_ttl", json!(10800)),
            ("token_explicit_max_ttl", json!(10800)),
            ("period", json!(3600)),
            ("token_period", json!(3600)),
            ("bound_cidrs", json!(["10.0.0.0/8"])),
            ("token_bound_cidrs", json!(["10.0.0.0/8"])),
            ("orphan", json!(true)),
        ] {
            assert_eq!(data[field], value, "{field}");
        }
    }

    #[tokio::test]
    async fn what_does_not_fit_is_refused() {
        let bench = Bench::new();
        let root = bench.root().await;
        for (data, message) in [
            (
                json!({"token_type": "zzz"}),
                "invalid 'token_type' value \"zzz\"",
            ),
            (
                json!({"token_type": "batch", "renewable": false}),
                "'token_type' cannot be 'batch' when role is set to generate non-orphan tokens",
            ),
            (
                json!({"token_type": "batch", "period": "1h"}),
                "'token_type' cannot be 'batch' when role is set to generate periodic tokens",
            ),
            (
                json!({"path_suffix": "a b"}),
                "given role path suffix contains invalid characters; must match \\w[\\w-.]+\\w",
            ),
            (
                json!({"bound_cidrs": ["nope"]}),
                "error parsing role fields: error parsing address \"nope\": \
                 Unable to convert \"nope\" to an IPv4 or IPv6 address, or a UNIX Socket",
            ),
        ] {
            assert_eq!(
                bench.refusal(&root, "roles/r", data.clone()).await,
                message,
                "{data}"
            );
        }
    }
}
