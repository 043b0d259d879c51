//! Lookup, renewal and revocation, by text, accessor or for oneself.

use super::TokenEngine;
use super::describe::describe;
use super::field;
use crate::barrier::Batch;
use crate::engine::{Error, ErrorKind, Outcome, Request, Response};
use crate::secret::SecretString;
use crate::token::{Minted, Token};
use std::sync::Arc;

/// Most accessors that one list shows.
const ACCESSORS_MAX: usize = 100_000;

fn bad_token() -> Error {
    Error::new(ErrorKind::Denied, "bad token")
}

fn own_text(request: &Request) -> Result<&SecretString, Error> {
    let text = request.caller.token.as_deref();
    text.ok_or_else(|| Error::internal("the router gave the token engine no token"))
}

fn required_token(request: &Request) -> Result<SecretString, Error> {
    field::secret(request, "token")?.ok_or_else(|| Error::invalid("missing token ID"))
}

fn logical(message: &str) -> Error {
    Error::invalid(format!("1 error occurred:\n\t* {message}\n\n"))
}

/// The token behind the accessor that the request names; `None` when there is none.
fn by_accessor(engine: &TokenEngine, request: &Request) -> Result<Option<Arc<Token>>, Error> {
    let accessor = field::text(request, "accessor")?;
    if accessor.is_empty() {
        return Err(logical("missing accessor"));
    }
    Ok(engine.tokens.by_accessor(&accessor, request.now)?)
}

fn found(token: &Token, text: &str, request: &Request, known: &[&str]) -> Outcome {
    let response = Response::data(describe(token, text, request.now));
    field::warn_ignored(response, request, known).into()
}

pub(super) fn lookup(engine: &TokenEngine, request: &Request) -> Result<Outcome, Error> {
    let given = field::secret(request, "token")?;
    let text = match &given {
        Some(text) => text,
        None => own_text(request)?,
    };
    let token = engine.tokens.lookup(text, request.now)?;
    let token = token.ok_or_else(bad_token)?;
    Ok(found(&token, text.expose(), request, &["token"]))
}

pub(super) fn lookup_self(engine: &TokenEngine, request: &Request) -> Result<Outcome, Error> {
    let text = own_text(request)?;
    let token = engine.tokens.lookup(text, request.now)?;
    let token = token.ok_or_else(bad_token)?;
    Ok(found(&token, text.expose(), request, &["token"]))
}

pub(super) fn lookup_accessor(engine: &TokenEngine, request: &Request) -> Result<Outcome, Error> {
    let token = by_accessor(engine, request)?.ok_or_else(|| logical("invalid accessor"))?;
    Ok(found(&token, "", request, &["accessor"]))
}

pub(super) fn renew(engine: &TokenEngine, request: &Request) -> Result<Outcome, Error> {
    let text = required_token(request)?;
    let token = engine.tokens.lookup(&text, request.now)?;
    let token = token.ok_or_else(|| Error::invalid("token not found"))?;
    prolong(engine, request, &token, Some(text.expose()), "token")
}

pub(super) fn renew_self(engine: &TokenEngine, request: &Request) -> Result<Outcome, Error> {
    let text = own_text(request)?;
    let token = engine.tokens.lookup(text, request.now)?;
    let token = token.ok_or_else(|| Error::invalid("token not found"))?;
    prolong(engine, request, &token, Some(text.expose()), "token")
}

pub(super) fn renew_accessor(engine: &TokenEngine, request: &Request) -> Result<Outcome, Error> {
    let token = by_accessor(engine, request)?.ok_or_else(|| logical("invalid accessor"))?;
    prolong(engine, request, &token, None, "accessor")
}

fn prolong(
    engine: &TokenEngine,
    request: &Request,
    token: &Token,
    text: Option<&str>,
    named_by: &str,
) -> Result<Outcome, Error> {
    let increment = field::duration(request, "increment")?.unwrap_or_default();
    let mut batch = Batch::new();
    let renewal = engine
        .tokens
        .renew(&mut batch, token, increment, request.now)?;
    let (renewed, warnings) = renewal;
    let ttl = renewed.ttl_left(request.now);
    let mut auth = Minted {
        token: SecretString::new(text.unwrap_or_default().to_owned()),
        entry: renewed,
    }
    .into_auth();
    auth.ttl = ttl;
    let response = Response {
        auth: Some(auth),
        warnings,
        ..Response::default()
    };
    let response = field::warn_ignored(response, request, &[named_by, "increment"]);
    Ok(Outcome { response, batch })
}

pub(super) fn revoke(engine: &TokenEngine, request: &Request) -> Result<Outcome, Error> {
    let text = required_token(request)?;
    let token = engine.tokens.lookup(&text, request.now)?;
    end_tree(engine, request, token.as_deref())
}

pub(super) fn revoke_self(engine: &TokenEngine, request: &Request) -> Result<Outcome, Error> {
    let token = engine.tokens.lookup(own_text(request)?, request.now)?;
    end_tree(engine, request, token.as_deref())
}

pub(super) fn revoke_accessor(engine: &TokenEngine, request: &Request) -> Result<Outcome, Error> {
    let token = by_accessor(engine, request)?;
    if token.is_none() {
        let response = Response {
            status: Some(200),
            ..Response::default()
        };
        return Ok(response.warn("No token found with this accessor").into());
    }
    end_tree(engine, request, token.as_deref())
}

pub(super) fn revoke_orphan(engine: &TokenEngine, request: &Request) -> Result<Outcome, Error> {
    let text = required_token(request)?;
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

pub(super) fn accessors(engine: &TokenEngine) -> Result<Outcome, Error> {
    let accessors = engine.tokens.list_accessors(ACCESSORS_MAX)?;
    if accessors.is_empty() {
        return Err(Error::not_found());
    }
    Ok(Response::list(accessors).into())
}

/// Records and indexes change together here, so there is nothing to tidy; clients still ask.
pub(super) fn tidy() -> Result<Outcome, Error> {
    let response = Response {
        status: Some(202),
        ..Response::default()
    };
    let started = "Tidy operation successfully started. \
                   Any information from the operation will be printed to the server logs.";
    Ok(response.warn(started).into())
}
