//! The steps of a request: to find the caller, its right, the engine, and the shape of the answer.

use super::audited::Told;
use super::call::Call;
use super::router::Router;
use super::routes::Route;
use super::wrapping;
use crate::barrier::{BarrierError, Batch};
use crate::clock::Timestamp;
use crate::engine::table::{
    self, Access, Document, Endpoint, Fields, Mounted, VALIDATION, warn_unread,
};
use crate::engine::{
    Body, Caller, Error, ErrorKind, Existing, Meaning, Operation, Outcome, Request, Response,
    narrowing,
};
use crate::policy::{Authorized, Question};
use crate::token::Spec;
use serde_json::{Value, json};
use std::sync::Arc;

impl Router {
    /// Finds token and mount, and asks the policies.
    pub(super) fn examine<'r>(
        &self,
        call: &mut Call,
        request: &'r mut Request,
        now: Timestamp,
    ) -> Result<Authorized<&'r mut Request>, Error> {
        request.now = now;
        // Nothing of an earlier attempt may stay: the token may be gone meanwhile.
        request.caller = Caller::default();
        request.existing = None;
        call.token = None;
        call.spends = false;
        call.allowed = false;
        self.find_route(call, request)?;
        let open = call.access() == Some(Access::Open);
        let identified = self.identify(call, request, now);
        if open {
            request.operation = call.asked;
            call.allowed = true;
            return Ok(Authorized::public(request));
        }
        identified?;
        call.spends = !wrapping::is_about_itself(call, request);
        self.settle_operation(call, request)?;
        self.ask_policies(call, request)
    }

    fn find_route(&self, call: &mut Call, request: &mut Request) -> Result<(), Error> {
        let found = self.routes.resolve(&call.path)?;
        let Some((route, rest)) = found else {
            call.route = None;
            call.settle(None);
            return Ok(());
        };
        let same = call
            .route
            .as_ref()
            .is_some_and(|known| Arc::ptr_eq(known, &route));
        if !same {
            match route.engine.canonical_path(call.asked, rest) {
                Some(one) => {
                    call.path = format!("{}{one}", route.context.path);
                    request.path = one;
                }
                None => rest.clone_into(&mut request.path),
            }
            let table = route.engine.table(&route.context);
            call.settle(table.found(&request.path, call.asked));
            request.mount = Arc::clone(&route.context);
            let passed = &route.entry.config.passthrough_request_headers;
            request.headers = match passed.as_slice() {
                [] => Vec::new(),
                names => call
                    .headers
                    .iter()
                    .filter(|(name, _)| passes(names, name))
                    .cloned()
                    .collect(),
            };
            call.route = Some(route);
        }
        Ok(())
    }

    /// Finds the token of the caller. Tells nothing to a caller without a good token, not even that
    /// the path exists.
    fn identify(
        &self,
        call: &mut Call,
        request: &mut Request,
        now: Timestamp,
    ) -> Result<(), Error> {
        let denied = || Error::new(ErrorKind::Denied, "permission denied");
        let Some(text) = &call.text else {
            return Err(denied());
        };
        let Some(token) = self.lookup(text, call.fingerprint, now)? else {
            return Err(match wrapping::is_about_itself(call, request) {
                true => wrapping::invalid(),
                false => denied(),
            });
        };
        if !token.permits_address(request.client.address.map(|address| address.ip())) {
            return Err(denied());
        }
        request.caller = token.caller();
        if call
            .route
            .as_ref()
            .is_some_and(|route| route.kind.sees_token)
        {
            request.caller.token = Some(Arc::clone(text));
        }
        call.token = Some(token);
        Ok(())
    }

    fn settle_operation(&self, call: &Call, request: &mut Request) -> Result<(), Error> {
        request.operation = call.asked;
        if let (Operation::Update, Some(route)) = (call.asked, &call.route) {
            match route.engine.existing(request, &route.view) {
                Ok(Existing::Slot(slot)) => {
                    if !slot.is_taken() {
                        request.operation = Operation::Create;
                    }
                    request.existing = Some(slot);
                }
                Ok(Existing::Nothing) => request.operation = Operation::Create,
                Ok(Existing::Undistinguished) => {}
                // The engine will find the same fault; a caller who may not ask must not see it.
                Err(error) if error.cause.is_none() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn ask_policies<'r>(
        &self,
        call: &mut Call,
        request: &'r mut Request,
    ) -> Result<Authorized<&'r mut Request>, Error> {
        let policies = &self.parts.policies;
        let acl = policies.acl_for(&request.caller.policies, request.now)?;
        let data = std::mem::take(&mut request.data);
        let endpoint = call.endpoint;
        let field = |name: &str| endpoint.map_or(Meaning::default(), |e| e.meaning(name));
        let question = Question {
            path: &call.path,
            operation: request.operation,
            data: &data,
            field: &field,
            wrap_ttl: request.wrap_ttl,
            needs_sudo: call.access() == Some(Access::Sudo),
        };
        let authorized = acl.authorize((), &question);
        request.data = data;
        let authorized = authorized?;
        call.allowed = true;
        request.caller.has_sudo = authorized.sudo();
        Ok(authorized.carry(request))
    }

    /// Has the engine find out what takes long, once the first line is in the audit.
    pub(super) async fn prepare(
        &self,
        call: &Call,
        authorized: Authorized<&mut Request>,
        told: &mut Told,
    ) -> Result<(), Error> {
        let Some(route) = call.route.clone() else {
            return Ok(());
        };
        self.tell(call, authorized.request(), told, None)?;
        self.admit_data(call, authorized.request())?;
        refuse_narrowing(call, authorized.request())?;
        let preparing = route.engine.prepare(authorized.borrowed(), &route.view);
        let prepared = preparing.await?;
        authorized.into_request().prepared = Some(prepared);
        Ok(())
    }

    /// Has the request answered on the node that commits its batch. Refuses new data while the
    /// disk is nearly full.
    pub(super) async fn perform_here(
        &self,
        call: &mut Call,
        authorized: Authorized<&mut Request>,
        now: Timestamp,
    ) -> (Result<Response, Error>, Batch) {
        match self.admit_data(call, authorized.request()) {
            Ok(()) => self.perform(call, authorized, now).await,
            Err(full) => (Err(full), Batch::new()),
        }
    }

    fn admit_data(&self, call: &Call, request: &Request) -> Result<(), Error> {
        if call.adds_data(request.wrap_ttl) {
            let admitted = self.parts.barrier.storage().admit_data();
            admitted.map_err(BarrierError::from)?;
        }
        Ok(())
    }

    /// Has the request answered. The batch must commit before the answer is good.
    pub(super) async fn perform(
        &self,
        call: &mut Call,
        authorized: Authorized<&mut Request>,
        now: Timestamp,
    ) -> (Result<Response, Error>, Batch) {
        let (authorized, request) = authorized.shared();
        let mut batch = Batch::new();
        let result = match self.ask_engine(call, authorized, now).await {
            Ok(mut outcome) => {
                if let Some(endpoint) = call.endpoint {
                    warn_unread(endpoint, request, &mut outcome.response);
                }
                batch.append(outcome.batch);
                match self.grant(call, outcome.response.lease.as_ref(), now).await {
                    Ok(()) => self.complete(call, request, outcome.response, &mut batch, now),
                    Err(error) => Err(error),
                }
            }
            Err(error) => Err(error),
        };
        if result.is_err() {
            batch = Batch::new();
        }
        (result, batch)
    }

    async fn ask_engine(
        &self,
        call: &mut Call,
        authorized: Authorized<&Request>,
        now: Timestamp,
    ) -> Result<Outcome, Error> {
        let request: &Request = authorized.request();
        let Some(route) = call.route.clone() else {
            let path = &call.path;
            return Err(Error::new(
                ErrorKind::NotFound,
                format!("no handler for route \"{path}\". route entry not found."),
            ));
        };
        if request.operation == Operation::Help {
            return Ok(help(&route, request)?.into());
        }
        refuse_narrowing(call, request)?;
        if let (Some(step), Some(endpoint)) = (call.step, call.endpoint) {
            Fields::read(endpoint.fields, &request.data, VALIDATION)?;
            return self.take_step(step, call, request, now);
        }
        if let Some(answer) = route.engine.act(authorized, &route.view) {
            // What it does cannot be taken back, nor done twice: the token's use comes first.
            self.conclude(call, Batch::new(), now).await?;
            call.spends = false;
            call.acted = true;
            return Ok(answer.await?.into());
        }
        route.engine.handle(authorized, &route.view)
    }

    /// Makes the token of a login, registers the lease of a secret, and wraps an answer that is to
    /// be wrapped.
    fn complete(
        &self,
        call: &Call,
        request: &Request,
        mut response: Response,
        batch: &mut Batch,
        now: Timestamp,
    ) -> Result<Response, Error> {
        if let Some(auth) = response.auth.take_if(|auth| auth.client_token.is_none()) {
            let (spec, warnings) = Spec::login(&auth, &call.path, &request.mount, now)?;
            let minted = self.parts.tokens.create(batch, spec, now)?;
            response.auth = Some(minted.into_auth());
            response.warnings.extend(warnings);
        }
        self.register(call, &mut response, batch, now)?;
        match request.wrap_ttl {
            Some(ttl) if !ttl.is_zero() && wrapping::is_worth_it(&response) => {
                let wrapped = self.wrap(&call.path, &request.id, response, ttl, batch, now)?;
                Ok(match call.wrap_ttl_refused {
                    Some(asked) => wrapped.warn(wrapping::capped(asked, ttl)),
                    None => wrapped,
                })
            }
            _ => Ok(response),
        }
    }
}

/// Returns true for a header that the mount's tuning lets through. No tuning lets a token through
/// to an engine (CVE-2026-4525).
fn passes(names: &[String], name: &str) -> bool {
    let token = name.eq_ignore_ascii_case("x-vault-token");
    !token && names.iter().any(|wanted| wanted.eq_ignore_ascii_case(name))
}

/// Refuses by name each narrowing field that the endpoint does not know: see [`narrowing`].
fn refuse_narrowing(call: &Call, request: &Request) -> Result<(), Error> {
    match call.endpoint {
        Some(endpoint) if super::call::is_write(request.operation) && !endpoint.takes_anything => {
            let known = |name: &str| endpoint.knows(request.operation, name);
            narrowing::refuse_unknown(&request.data, known)
        }
        _ => Ok(()),
    }
}

/// Returns the help for the path, for people and as a document.
fn help(route: &Route, request: &Request) -> Result<Response, Error> {
    let sheets = (route.kind.sheets)(&route.context);
    let path = request.path.trim_end_matches('/');
    let there = |endpoint: &Endpoint| route.engine.has(endpoint);
    let text = table::help(&sheets, path, there).ok_or_else(Error::unsupported_path)?;
    let mut document = Document::new("");
    for sheet in sheets {
        let endpoints = sheet.endpoints().into_iter();
        let found = sheet.endpoint(path, Operation::Help).map(|e| e.pattern);
        for (endpoint, ops) in endpoints {
            let is_asked_for = path.is_empty() || Some(endpoint.pattern) == found;
            if is_asked_for && endpoint.is_shown() && there(endpoint) {
                document.add_endpoint(Mounted::AT_ROOT, endpoint, &ops);
            }
        }
    }
    let help = json!({"help": text, "openapi": document.finish(), "see_also": Value::Null});
    Ok(Response {
        body: Some(Body {
            content_type: "application/json",
            bytes: help.to_string().into_bytes(),
        }),
        ..Response::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cve_2026_4525_no_tuning_passes_a_token_on() {
        let names = ["X-Vault-Token".to_owned(), "X-Trace".to_owned()];
        assert!(passes(&names, "x-trace"));
        assert!(!passes(&names, "x-vault-token"));
        assert!(!passes(&names, "x-other"));
    }
}
