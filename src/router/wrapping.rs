//! Response wrapping: an answer put away in the cubbyhole of a token that opens once.
//!
//! The wrapping token has one use, and opening spends it in the same entry that removes token and
//! cubbyhole, under the precondition that the token's record is as it was read. So of two who
//! open at the same time one finds the token gone.

use super::call::Call;
use super::envelope;
use super::router::Router;
use super::routes::Route;
use crate::barrier::Batch;
use crate::clock::{Timestamp, format_duration};
use crate::engine::cubbyhole;
use crate::engine::table::Wrapping;
use crate::engine::{Body, Error, ErrorKind, Operation, Outcome, Request, Response, WrapInfo};
use crate::policy::RESPONSE_WRAPPING;
use crate::secret::{Secret, SecretString};
use crate::token::{Spec, Token};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::Duration;

/// The record of the answer in the wrapping token's cubbyhole.
const RECORD: &str = "response";

/// Returns the answer to every unusable wrapping token.
pub(super) fn invalid() -> Error {
    Error::invalid("wrapping token is not valid or does not exist")
}

/// Returns the warning for a caller that asked for a longer life than any wrapping may have.
pub(super) fn capped(asked: Duration, granted: Duration) -> String {
    format!(
        "wrap TTL of {:?} exceeds the maximum lease TTL of the system: it is {:?}",
        format_duration(asked),
        format_duration(granted)
    )
}

/// Returns true when the request is about the token that it was sent with.
pub(super) fn is_about_itself(call: &Call, request: &Request) -> bool {
    call.step.is_some() && named(request).is_none_or(|named| is_same(call, named))
}

fn named(request: &Request) -> Option<&str> {
    let token = request.data.get("token").and_then(Value::as_str);
    token.filter(|token| !token.is_empty())
}

fn is_same(call: &Call, named: &str) -> bool {
    call.text
        .as_ref()
        .is_some_and(|text| text.expose() == named)
}

/// Returns true for a response that is worth wrapping: errors, empty answers and raw bodies are
/// not.
pub(super) fn is_worth_it(response: &Response) -> bool {
    let something = response.data.is_some() || response.auth.is_some();
    something && response.body.is_none() && response.wrap_info.is_none()
}

impl Router {
    /// Puts `response` away and answers with the token that opens it.
    pub(super) fn wrap(
        &self,
        path: &str,
        request_id: &str,
        response: Response,
        ttl: Duration,
        batch: &mut Batch,
        now: Timestamp,
    ) -> Result<Response, Error> {
        let sealed = Secret::new(envelope::encode(request_id, &response));
        let accessor = response.auth.as_ref().map(|auth| auth.accessor.clone());
        self.put_away(path, sealed, accessor, ttl, batch, now)
    }

    fn put_away(
        &self,
        path: &str,
        sealed: SecretString,
        wrapped_accessor: Option<String>,
        ttl: Duration,
        batch: &mut Batch,
        now: Timestamp,
    ) -> Result<Response, Error> {
        let minted = self
            .parts
            .tokens
            .create(batch, Spec::wrapping(path, ttl), now)?;
        let mut data = Map::new();
        data.insert(RECORD.into(), Value::String(sealed.into_inner()));
        let view = &self.cubbyhole()?.view;
        cubbyhole::put_away(view, batch, &minted.entry.cubbyhole_id, RECORD, &data)?;
        Ok(Response {
            anonymous: true,
            wrap_info: Some(WrapInfo {
                token: minted.token,
                accessor: minted.entry.accessor.clone(),
                ttl,
                creation_time: now,
                creation_path: path.to_owned(),
                wrapped_accessor,
            }),
            ..Response::default()
        })
    }

    /// Answers a request about a wrapping token.
    pub(super) fn take_step(
        &self,
        step: Wrapping,
        call: &Call,
        request: &Request,
        now: Timestamp,
    ) -> Result<Outcome, Error> {
        let known = match (step, request.operation) {
            (Wrapping::Lookup, Operation::Read) => true,
            (_, operation) => matches!(operation, Operation::Update | Operation::Create),
        };
        if !known {
            return Err(Error::unsupported_operation());
        }
        let text = Secret::new(match (named(request), &call.text) {
            (Some(named), _) => named.to_owned(),
            (None, Some(text)) => text.expose().clone(),
            (None, None) => {
                let message = "error validating wrapping token: token is empty";
                return Err(Error::new(ErrorKind::Denied, message));
            }
        });
        let token = self.parts.tokens.lookup(&text, now)?;
        let token = token
            .filter(|t| t.policies == [RESPONSE_WRAPPING])
            .ok_or_else(invalid)?;
        match step {
            Wrapping::Lookup => Ok(describe(&token).into()),
            Wrapping::Unwrap => self.unwrap(&token, now),
            Wrapping::Rewrap => self.rewrap(&token, now),
        }
    }

    fn unwrap(&self, token: &Token, now: Timestamp) -> Result<Outcome, Error> {
        let mut outcome = Outcome::default();
        let sealed = self.open(token, &mut outcome.batch, now)?;
        outcome.response.body = Some(Body {
            content_type: "application/json",
            bytes: sealed.into_inner().into_bytes(),
        });
        Ok(outcome)
    }

    fn rewrap(&self, token: &Token, now: Timestamp) -> Result<Outcome, Error> {
        let mut outcome = Outcome::default();
        let batch = &mut outcome.batch;
        let sealed = self.open(token, batch, now)?;
        // One that was made before there was a maximum gets none that is longer.
        let ttl = token.ttl.min(self.parts.lifetimes.max);
        outcome.response = self.put_away(&token.path, sealed, None, ttl, batch, now)?;
        Ok(outcome)
    }

    /// Reads what is wrapped and spends the token.
    fn open(
        &self,
        token: &Token,
        batch: &mut Batch,
        now: Timestamp,
    ) -> Result<SecretString, Error> {
        let view = &self.cubbyhole()?.view;
        let kept = cubbyhole::kept(view, &token.cubbyhole_id, RECORD)?;
        let mut data = kept.ok_or_else(invalid)?;
        let Some(Value::String(sealed)) = data.remove(RECORD) else {
            return Err(invalid());
        };
        self.parts.tokens.use_once(batch, token, now)?;
        Ok(Secret::new(sealed))
    }

    fn cubbyhole(&self) -> Result<Arc<Route>, Error> {
        let Some((route, _)) = self.routes.resolve("cubbyhole/")? else {
            return Err(Error::internal("there is no cubbyhole"));
        };
        Ok(route)
    }
}

fn describe(token: &Token) -> Response {
    let mut data = Map::new();
    data.insert("creation_path".into(), json!(token.path));
    data.insert("creation_time".into(), json!(token.creation_time.rfc3339()));
    data.insert("creation_ttl".into(), json!(token.ttl.as_secs()));
    Response::data(data)
}
