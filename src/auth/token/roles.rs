//! `roles/`: write, read, delete, list.

use super::TokenEngine;
use super::role::{Role, record_path};
use crate::barrier::Batch;
use crate::engine::table::Matched;
use crate::engine::{Error, Existing, Outcome, Response};

pub(super) fn existing(matched: &Matched<'_>) -> Result<Existing, Error> {
    let slot = Role::slot(matched.request, matched.view, matched.captured("role_name"))?;
    Ok(slot.map_or(Existing::Nothing, Existing::Slot))
}

pub(super) fn write(_: &TokenEngine, matched: &Matched<'_>) -> Result<Outcome, Error> {
    let slot = Role::slot(matched.request, matched.view, matched.captured("role_name"))?;
    let slot = slot.ok_or_else(Error::unsupported_path)?;
    let mut role = Role::held(&slot)?.unwrap_or_default();
    role.update(&matched.fields)?;
    let mut batch = Batch::new();
    role.store(&mut batch, &slot)?;
    Ok(Outcome {
        batch,
        ..Outcome::default()
    })
}

pub(super) fn read(_: &TokenEngine, matched: &Matched<'_>) -> Result<Outcome, Error> {
    let name = matched.captured("role_name");
    let slot = Role::slot(matched.request, matched.view, name)?;
    let role = slot.map_or(Ok(None), |slot| Role::held(&slot))?;
    let role = role.ok_or_else(Error::not_found)?;
    let response = Response::data(role.describe(name));
    Ok(match role.may_lack_names() {
        true => response.warn(Role::LACKS_NAMES).into(),
        false => response.into(),
    })
}

pub(super) fn delete(_: &TokenEngine, matched: &Matched<'_>) -> Result<Outcome, Error> {
    let mut outcome = Outcome::default();
    if let Some(path) = record_path(matched.captured("role_name")) {
        matched.view.delete(&mut outcome.batch, &path);
    }
    Ok(outcome)
}

pub(super) fn list(_: &TokenEngine, matched: &Matched<'_>) -> Result<Outcome, Error> {
    let names = matched.view.list("role/")?;
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

    async fn role(bench: &Bench, root: &str, name: &str) -> (Value, Vec<String>) {
        let path = format!("roles/{name}");
        let read = bench.ask(root, Operation::Read, &path, Value::Null, false);
        let read = read.await.expect("reads");
        (Value::Object(read.data.expect("data")), read.warnings)
    }

    #[tokio::test]
    async fn lists_stay_as_they_are_given() {
        let bench = Bench::new();
        let root = bench.root().await;
        let lists = json!({"allowed_policies": ["root", "B", "b", "a"],
            "disallowed_policies": "root,Admin,admin",
            "allowed_policies_glob": ["root*", "x*"],
            "disallowed_policies_glob": ["root", "y*"]});
        bench.write(&root, "roles/r", lists).await.expect("writes");
        let (data, warnings) = role(&bench, &root, "r").await;
        for (field, list) in [
            ("allowed_policies", json!(["a", "b", "root"])),
            ("disallowed_policies", json!(["admin", "root"])),
            ("allowed_policies_glob", json!(["root*", "x*"])),
            ("disallowed_policies_glob", json!(["root", "y*"])),
        ] {
            assert_eq!(data[field], list, "{field}");
        }
        assert!(warnings.is_empty());
        let other = json!({"orphan": true});
        bench.write(&root, "roles/r", other).await.expect("writes");
        let (data, _) = role(&bench, &root, "r").await;
        assert_eq!(data["disallowed_policies"], json!(["admin", "root"]));
    }

    /// Stores the record that versions before wrote for `["admin","root"]`: it ends with the role.
    async fn store_as_before(bench: &Bench, root: &str, name: &str) {
        let lists = json!({"disallowed_policies": ["root"]});
        let path = format!("roles/{name}");
        bench.write(root, &path, lists).await.expect("writes");
        let view = bench.barrier.view("logical/token/");
        let path = format!("role/{name}");
        let mut bytes = view.get(&path).unwrap().unwrap().value.expose().clone();
        bytes.pop();
        let mut batch = crate::barrier::Batch::new();
        view.put_blindly(&mut batch, &path, crate::secret::Secret::new(bytes));
        bench.commit(batch).await.expect("commits");
    }

    #[tokio::test]
    async fn a_role_that_lost_names_gives_nothing_new_until_it_is_written_again() {
        let bench = Bench::new();
        let root = bench.root().await;
        let dev = json!({"policies": ["dev"]});
        let (dev, _) = bench.create(&root, "create", dev).await;
        store_as_before(&bench, &root, "old").await;
        let (data, warnings) = role(&bench, &root, "old").await;
        assert_eq!(data["disallowed_policies"], json!(["root"]));
        assert!(warnings[0].contains("disallowed_policies"), "{warnings:?}");
        let admin = json!({"policies": ["admin"]});
        let refusal = bench.refusal(&dev, "create/old", admin.clone()).await;
        assert!(refusal.contains("disallowed_policies"), "{refusal}");
        let own = json!({"policies": ["dev"]});
        let (_, auth) = bench.create(&dev, "create/old", own).await;
        assert_eq!(auth.policies, ["default", "dev"]);
        let by_root = bench.write(&root, "create/old", admin.clone()).await;
        let by_root = by_root.expect("root may give what it likes");
        assert!(
            by_root
                .warnings
                .iter()
                .any(|w| w.contains("disallowed_policies"))
        );
        // Other fields say nothing about the lists.
        let other = json!({"orphan": true});
        bench
            .write(&root, "roles/old", other)
            .await
            .expect("writes");
        assert!(!role(&bench, &root, "old").await.1.is_empty());
        bench.refusal(&dev, "create/old", admin.clone()).await;
        let again = json!({"disallowed_policies": ["root"]});
        bench
            .write(&root, "roles/old", again)
            .await
            .expect("writes");
        assert!(role(&bench, &root, "old").await.1.is_empty());
        let (_, auth) = bench.create(&dev, "create/old", admin).await;
        assert_eq!(auth.policies, ["admin", "default"]);
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
                json!({"token_bound_cidrs": ["nope"]}),
                "error parsing role fields: error parsing address \"nope\": \
                 Unable to convert \"nope\" to an IPv4 or IPv6 address, or a UNIX Socket",
            ),
            (
                json!({"bound_cidrs": "10.0.0.0/8,7"}),
                "error parsing bound_cidrs: error parsing address \"7\": \
                 Unable to convert \"7\" to an IPv4 or IPv6 address, or a UNIX Socket",
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
