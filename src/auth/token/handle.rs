//! Lookup, renewal and revocation, by text, accessor or for oneself.

use super::TokenEngine;
use super::describe::describe;
use super::table::Find;
use crate::barrier::Batch;
use crate::engine::table::Matched;
use crate::engine::{Error, ErrorKind, Granted, Login, Outcome, Renewed, Request, Response};
use crate::secret::SecretString;
use crate::token::{Minted, Token};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// Most accessors that one list shows.
const ACCESSORS_MAX: usize = 100_000;

fn bad_token() -> Error {
    Error::new(ErrorKind::Denied, "bad token")
}

fn own_text(request: &Request) -> Result<&SecretString, Error> {
    let text = request.caller.token.as_deref();
    text.ok_or_else(|| Error::internal("the router gave the token engine no token"))
}

fn required_token(matched: &Matched<'_>) -> Result<SecretString, Error> {
    let token = matched.fields.secret("token");
    token.ok_or_else(|| Error::invalid("missing token ID"))
}

fn logical(message: &str) -> Error {
    Error::invalid(format!("1 error occurred:\n\t* {message}\n\n"))
}

/// Returns the token behind the accessor that the request names; `None` when there is none.
fn by_accessor(engine: &TokenEngine, matched: &Matched<'_>) -> Result<Option<Arc<Token>>, Error> {
    let accessor = matched.fields.text("accessor").unwrap_or_default();
    if accessor.is_empty() {
        return Err(logical("missing accessor"));
    }
    Ok(engine.tokens.by_accessor(accessor, matched.request.now)?)
}

fn found(token: &Token, text: &str, matched: &Matched<'_>) -> Outcome {
    Response::data(describe(token, text, matched.request.now)).into()
}

pub(super) fn lookup(engine: &TokenEngine, matched: &Matched<'_>) -> Result<Outcome, Error> {
    let request = matched.request;
    let given = matched.fields.secret("token");
    let text = match &given {
        Some(text) => text,
        None => own_text(request)?,
    };
    let token = engine.tokens.lookup(text, request.now)?;
    let token = token.ok_or_else(bad_token)?;
    Ok(found(&token, text.expose(), matched))
}

pub(super) fn lookup_self(engine: &TokenEngine, matched: &Matched<'_>) -> Result<Outcome, Error> {
    let request = matched.request;
    let text = own_text(request)?;
    let token = engine.tokens.lookup(text, request.now)?;
    let token = token.ok_or_else(bad_token)?;
    let mut outcome = found(&token, text.expose(), matched);
    if let (uses @ 1.., Some(data)) = (token.num_uses, &mut outcome.response.data) {
        // As it is once this use is counted.
        let left = match uses {
            1 => json!(-1),
            uses => json!(uses - 1),
        };
        data.insert("num_uses".into(), left);
    }
    Ok(outcome)
}

pub(super) fn lookup_accessor(
    engine: &TokenEngine,
    matched: &Matched<'_>,
) -> Result<Outcome, Error> {
    let token = by_accessor(engine, matched)?.ok_or_else(|| logical("invalid accessor"))?;
    Ok(found(&token, "", matched))
}

/// A token, and its text where that was sent.
pub(crate) type Named = (Arc<Token>, Option<SecretString>);

pub(super) fn renew(engine: &TokenEngine, matched: &Matched<'_>) -> Result<Named, Error> {
    let text = required_token(matched)?;
    let token = engine.tokens.lookup(&text, matched.request.now)?;
    let token = token.ok_or_else(|| Error::invalid("token not found"))?;
    Ok((token, Some(text)))
}

pub(super) fn renew_self(engine: &TokenEngine, matched: &Matched<'_>) -> Result<Named, Error> {
    let text = own_text(matched.request)?;
    let token = engine.tokens.lookup(text, matched.request.now)?;
    let token = token.ok_or_else(|| Error::invalid("token not found"))?;
    Ok((token, Some(SecretString::new(text.expose().clone()))))
}

pub(super) fn renew_accessor(engine: &TokenEngine, matched: &Matched<'_>) -> Result<Named, Error> {
    let token = by_accessor(engine, matched)?.ok_or_else(|| logical("invalid accessor"))?;
    Ok((token, None))
}

fn increment(matched: &Matched<'_>) -> Duration {
    Duration::from_secs(matched.fields.seconds("increment").unwrap_or(0))
}

/// Asks the method that let the token in about its renewal; `None` where there is none to ask. A
/// token that cannot be renewed is left to [`prolong`], which refuses it.
pub(super) async fn ask_method(
    engine: &TokenEngine,
    matched: &Matched<'_>,
    find: Find,
) -> Result<Option<Renewed>, Error> {
    let (token, _) = find(engine, matched)?;
    if !token.is_login() || !token.renewable {
        return Ok(None);
    }
    let granted = Granted {
        path: token.path.clone(),
        internal: engine.tokens.login_note(&token)?,
        issue_time: token.creation_time,
        expire_time: token.expire_time,
        login: Some(Login {
            policies: token.policies.clone(),
            metadata: token.metadata.clone(),
            display_name: token.display_name.clone(),
            entity_id: token.entity_id.clone(),
        }),
        ..Granted::default()
    };
    let renewed = engine.grantors.renew(granted, increment(matched)).await?;
    Ok(Some(renewed))
}

pub(super) fn prolong(
    engine: &TokenEngine,
    matched: &Matched<'_>,
    (token, text): Named,
) -> Result<Outcome, Error> {
    let request = matched.request;
    let asked = increment(matched);
    let prepared = request.prepared.as_ref();
    let judged = prepared.and_then(|prepared| prepared.downcast_ref::<Option<Renewed>>());
    let judged = judged.cloned().flatten().unwrap_or_default();
    let mut batch = Batch::new();
    // The mount may have been tuned since the token was made.
    let max_ttl = match token.path.starts_with(&request.mount.path) {
        true => request.mount.max_lease_ttl,
        false => judged.max_ttl.unwrap_or(token.max_ttl),
    };
    let increment = judged.ttl.unwrap_or(asked);
    let renewal = engine
        .tokens
        .renew(&mut batch, &token, increment, max_ttl, request.now)?;
    let (renewed, mut warnings) = renewal;
    warnings.extend(judged.warnings);
    if !token.period.is_zero() && !asked.is_zero() {
        warnings.push("increment has no effect: the token lives on by its period".to_owned());
    }
    let ttl = renewed.ttl_left(request.now);
    let mut auth = Minted {
        token: text.unwrap_or_else(|| SecretString::new(String::new())),
        entry: renewed,
    }
    .into_auth();
    auth.ttl = ttl;
    let response = Response {
        auth: Some(auth),
        warnings,
        ..Response::default()
    };
    Ok(Outcome { response, batch })
}

pub(super) fn revoke(engine: &TokenEngine, matched: &Matched<'_>) -> Result<Outcome, Error> {
    let request = matched.request;
    let text = required_token(matched)?;
    let token = engine.tokens.lookup(&text, request.now)?;
    end_tree(engine, request, token.as_deref())
}

pub(super) fn revoke_self(engine: &TokenEngine, matched: &Matched<'_>) -> Result<Outcome, Error> {
    let request = matched.request;
    let token = engine.tokens.lookup(own_text(request)?, request.now)?;
    end_tree(engine, request, token.as_deref())
}

pub(super) fn revoke_accessor(
    engine: &TokenEngine,
    matched: &Matched<'_>,
) -> Result<Outcome, Error> {
    let request = matched.request;
    let token = by_accessor(engine, matched)?;
    if token.is_none() {
        let response = Response {
            status: Some(200),
            ..Response::default()
        };
        return Ok(response.warn("No token found with this accessor").into());
    }
    end_tree(engine, request, token.as_deref())
}

pub(super) fn revoke_orphan(engine: &TokenEngine, matched: &Matched<'_>) -> Result<Outcome, Error> {
    let request = matched.request;
    let text = required_token(matched)?;
    if !request.caller.is_root && !request.caller.has_sudo {
        return Err(Error::invalid(
            "root or sudo privileges required to revoke and orphan",
        ));
    }
    let token = engine.tokens.lookup(&text, request.now)?;
    let token = token.ok_or_else(|| Error::invalid("token to revoke not found"))?;
    refuse_batch(&token)?;
    let mut outcome = Outcome::default();
    engine
        .tokens
        .revoke_orphan(&mut outcome.batch, &token, request.now)?;
    Ok(outcome)
}

fn refuse_batch(token: &Token) -> Result<(), Error> {
    if token.is_batch() {
        return Err(Error::invalid("batch tokens cannot be revoked"));
    }
    Ok(())
}

fn end_tree(
    engine: &TokenEngine,
    request: &Request,
    token: Option<&Token>,
) -> Result<Outcome, Error> {
    let mut outcome = Outcome::default();
    if let Some(token) = token {
        refuse_batch(token)?;
        engine
            .tokens
            .revoke_tree(&mut outcome.batch, &token.id, request.now)?;
    }
    Ok(outcome)
}

pub(super) fn accessors(engine: &TokenEngine, matched: &Matched<'_>) -> Result<Outcome, Error> {
    let request = matched.request;
    let accessors = engine.tokens.list_accessors(ACCESSORS_MAX, request.now)?;
    if accessors.is_empty() {
        return Err(Error::not_found());
    }
    Ok(Response::list(accessors).into())
}

/// Answers that tidying has started. Records and indexes change together here, so there is nothing
/// to tidy; clients still ask.
pub(super) fn tidy(_: &TokenEngine, _: &Matched<'_>) -> Result<Outcome, Error> {
    let response = Response {
        status: Some(202),
        ..Response::default()
    };
    let started = "Tidy operation successfully started. \
                   Any information from the operation will be printed to the server logs.";
    Ok(response.warn(started).into())
}

#[cfg(test)]
mod tests {
    use super::super::harness::Bench;
    use super::*;
    use crate::engine::Operation;
    use serde_json::Value;

    #[tokio::test]
    async fn lookup_shows_what_clients_read() {
        let bench = Bench::new();
        let root = bench.root().await;
        let data = bench.lookup(&root).await;
        let accessor = data["accessor"].clone();
        assert_eq!(
            Value::Object(data),
            json!({"accessor": accessor, "creation_time": 1_800_000_000, "creation_ttl": 0,
                "display_name": "root", "entity_id": "", "expire_time": null,
                "explicit_max_ttl": 0, "id": root, "issue_time": "2027-01-15T08:00:00Z",
                "meta": null, "num_uses": 0, "orphan": true, "path": "auth/token/root",
                "policies": ["root"], "renewable": false, "ttl": 0, "type": "service"})
        );
        let create = json!({"policies": ["a"], "ttl": "1h", "period": "30m", "meta": {"k": 1},
            "display_name": "My App!"});
        let (text, auth) = bench.create(&root, "create-orphan", create).await;
        bench.clock.advance(Duration::from_millis(500));
        let asked = bench.write(&root, "lookup", json!({"token": text})).await;
        let data = asked.expect("looks up").data.expect("data");
        assert_eq!(data["ttl"], 1799);
        assert_eq!(data["meta"], json!({"k": "1"}));
        assert_eq!(data["display_name"], "token-My-App");
        assert_eq!(data["period"], 1800);
        let asked = bench
            .write(&root, "lookup-accessor", json!({"accessor": auth.accessor}))
            .await;
        assert_eq!(asked.expect("looks up").data.expect("data")["id"], "");
    }

    #[tokio::test]
    async fn refusals_read_as_clients_know_them() {
        let bench = Bench::new();
        let root = bench.root().await;
        let missing = "1 error occurred:\n\t* missing accessor\n\n";
        let invalid = "1 error occurred:\n\t* invalid accessor\n\n";
        for (path, data, message) in [
            ("lookup", json!({"token": "nope"}), "bad token"),
            ("lookup-accessor", json!({}), missing),
            ("lookup-accessor", json!({"accessor": "nope"}), invalid),
            ("lookup-accessor", json!({"accessor": "../id/x"}), invalid),
            ("renew", json!({"token": "nope"}), "token not found"),
            ("renew", json!({}), "missing token ID"),
            ("renew-self", json!({}), "invalid lease ID"),
            ("renew-accessor", json!({}), missing),
            ("revoke", json!({}), "missing token ID"),
            (
                "revoke-orphan",
                json!({"token": "nope"}),
                "token to revoke not found",
            ),
        ] {
            let refusal = bench.refusal(&root, path, data.clone()).await;
            assert_eq!(refusal, message, "{path} {data}");
        }
        let nothing = bench.write(&root, "revoke", json!({"token": "nope"})).await;
        assert!(nothing.expect("204").warnings.is_empty());
        let data = json!({"accessor": "nope"});
        let nothing = bench
            .write(&root, "revoke-accessor", data)
            .await
            .expect("200");
        assert_eq!(nothing.warnings, ["No token found with this accessor"]);
        for (operation, path, kind) in [
            (Operation::Read, "create", ErrorKind::UnsupportedOperation),
            (Operation::Delete, "create", ErrorKind::UnsupportedOperation),
            (Operation::Read, "foo", ErrorKind::NotFound),
            (Operation::Read, "lookup/x", ErrorKind::NotFound),
            (Operation::List, "roles", ErrorKind::NotFound),
        ] {
            let answer = bench.ask(&root, operation, path, Value::Null, false).await;
            assert_eq!(answer.expect_err(path).kind, kind, "{path}");
        }
    }

    #[tokio::test]
    async fn renewals_answer_with_the_token() {
        let bench = Bench::new();
        let root = bench.root().await;
        let create = json!({"policies": ["a"], "ttl": "1h"});
        let (text, auth) = bench.create(&root, "create", create).await;
        bench.clock.advance(Duration::from_secs(60));
        let renewed = bench
            .write(&text, "renew-self", json!({"increment": "10m"}))
            .await;
        let renewed = renewed.expect("renews").auth.expect("auth");
        assert_eq!(renewed.ttl, Duration::from_secs(600));
        assert_eq!(renewed.client_token.expect("its own").expose(), &text);
        let data = json!({"accessor": auth.accessor});
        let renewed = bench
            .write(&root, "renew-accessor", data)
            .await
            .expect("renews");
        let renewed = renewed.auth.expect("auth");
        assert_eq!(renewed.ttl, Duration::from_secs(3600));
        assert_eq!(renewed.client_token.expect("none").expose(), "");
        assert_eq!(
            bench.lookup(&text).await["last_renewal_time"],
            1_800_000_060
        );
    }

    #[tokio::test]
    async fn a_renewal_keeps_to_what_the_mount_allows_now() {
        let mut bench = Bench::new();
        let root = bench.root().await;
        let hour = Duration::from_secs(3600);
        let create = json!({"policies": ["a"], "ttl": "10h"});
        let (text, _) = bench.create(&root, "create", create.clone()).await;
        let periodic = json!({"policies": ["a"], "period": "10h"});
        let (period, _) = bench.create(&root, "create", periodic).await;
        bench.max_lease_ttl = 2 * hour;
        for (token, ttl) in [(&text, 2 * hour), (&period, 2 * hour)] {
            let renewed = bench.write(token, "renew-self", json!({})).await;
            let renewed = renewed.expect("renews");
            assert_eq!(renewed.auth.expect("auth").ttl, ttl);
            assert_eq!(renewed.warnings.len(), 1);
        }
        bench.clock.advance(hour);
        let renewed = bench.write(&text, "renew-self", json!({})).await;
        assert_eq!(renewed.expect("renews").auth.expect("auth").ttl, hour);
        bench.max_lease_ttl = hour;
        assert_eq!(
            bench.refusal(&text, "renew-self", json!({})).await,
            "past the max TTL, cannot renew"
        );
    }

    #[tokio::test]
    async fn revoking_takes_the_tree_and_orphaning_does_not() {
        let bench = Bench::new();
        let root = bench.root().await;
        let create = || json!({"policies": ["a"]});
        let (parent, _) = bench.create(&root, "create", create()).await;
        let (child, _) = bench.create(&parent, "create", json!({})).await;
        let (grandchild, auth) = bench.create(&child, "create", json!({})).await;
        let data = json!({"token": parent});
        assert_eq!(
            bench.refusal(&parent, "revoke-orphan", data.clone()).await,
            "root or sudo privileges required to revoke and orphan"
        );
        bench
            .write(&root, "revoke-orphan", data)
            .await
            .expect("revokes");
        assert_eq!(bench.lookup(&child).await["orphan"], true);
        bench
            .write(&child, "revoke-self", json!({}))
            .await
            .expect("revokes");
        for text in [parent, child, grandchild] {
            let refusal = bench.refusal(&root, "lookup", json!({"token": text})).await;
            assert_eq!(refusal, "bad token");
        }
        let accessors = bench
            .ask(&root, Operation::List, "accessors", Value::Null, true)
            .await;
        let keys = accessors.expect("lists").data.expect("data")["keys"].clone();
        assert_eq!(keys.as_array().map(Vec::len), Some(1), "root's alone");
        assert!(!keys.to_string().contains(&auth.accessor));
    }

    #[tokio::test]
    async fn batch_tokens_can_only_be_looked_up() {
        let bench = Bench::new();
        let root = bench.root().await;
        let create = json!({"policies": ["a"], "type": "batch", "ttl": "1h"});
        let (text, _) = bench.create(&root, "create", create).await;
        let data = bench.lookup(&text).await;
        assert_eq!(
            (&data["type"], &data["accessor"]),
            (&json!("batch"), &json!(""))
        );
        assert_eq!(data["id"], text);
        for (path, message) in [
            ("renew-self", "batch tokens cannot be renewed"),
            ("revoke-self", "batch tokens cannot be revoked"),
        ] {
            assert_eq!(bench.refusal(&text, path, json!({})).await, message);
        }
    }
}
