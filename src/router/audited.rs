//! The two audit lines of a request.

use super::call::Call;
use super::router::Router;
use crate::audit::{AuditError, Devices, Exchange, Reserve, Subject};
use crate::engine::table::Effect;
use crate::engine::{Error, ErrorKind, Request, Response, TokenType};

const TOO_MANY: &str = "too many requests without a token from this address: try again later";

/// The state of a request's audit: the lines written, and the room reserved for them.
#[derive(Default)]
pub(super) struct Told {
    /// True once the first line is written.
    pub(super) is_done: bool,
    /// Bytes of both lines so far.
    pub(super) bytes: u64,
    reserve: Option<Reserve>,
    /// The devices that have the first line, for a request that acts: the act may take away the
    /// keys that the settings of the audit are read with.
    devices: Option<Devices>,
}

impl Router {
    /// Writes the first line of a request, once. Without an `error` it reserves room for the lines
    /// that a request without a token may cause.
    pub(super) fn tell(
        &self,
        call: &Call,
        request: &Request,
        told: &mut Told,
        error: Option<&Error>,
    ) -> Result<(), Error> {
        if told.is_done {
            return Ok(());
        }
        told.is_done = true;
        if error.is_none() {
            told.reserve = self.admit(call, request)?;
        }
        told.bytes = self.audit_request(call, request, error)?;
        if call.effect == Some(Effect::Acts) {
            told.devices = Some(self.parts.audit.devices()?);
        }
        Ok(())
    }

    pub(super) fn audit_request(
        &self,
        call: &Call,
        request: &Request,
        error: Option<&Error>,
    ) -> Result<u64, Error> {
        let exchange = self.exchange(call, request);
        self.write_line(call, request, || self.parts.audit.request(&exchange, error))
    }

    pub(super) fn audit_response(
        &self,
        call: &Call,
        request: &Request,
        result: Result<&Response, &Error>,
        told: &Told,
    ) -> Result<u64, Error> {
        let exchange = self.exchange(call, request);
        let devices = told.devices.as_ref().filter(|_| call.acted);
        self.write_line(call, request, || {
            self.parts.audit.response(&exchange, result, devices)
        })
    }

    /// Writes a line of the audit. Where no device has space for it, a request that repairs has the
    /// reserve of the disk given up; one that rescues goes on without its line, which is told in
    /// the log of the server: else a full disk could not be helped over the API.
    fn write_line(
        &self,
        call: &Call,
        request: &Request,
        write: impl Fn() -> Result<u64, AuditError>,
    ) -> Result<u64, Error> {
        let mut written = write();
        let is_full =
            |written: &Result<u64, AuditError>| matches!(written, Err(AuditError::NoSpace(_)));
        if is_full(&written) && call.repairs() {
            if self.parts.barrier.storage().give_up_reserve() {
                written = write();
            }
            if is_full(&written) && call.rescues() {
                let accessor = call.token.as_ref().map(|token| &*token.accessor);
                tracing::error!(
                    id = %request.id,
                    path = call.path,
                    operation = ?call.asked,
                    accessor,
                    client = ?request.client.address,
                    "no audit device has space: this request goes on without its line"
                );
                return Ok(0);
            }
        }
        Ok(written?)
    }

    /// Reserves room in the log for a request that may be executed without a good token. Answers
    /// 429 when its address has used up its share.
    pub(super) fn admit(&self, call: &Call, request: &Request) -> Result<Option<Reserve>, Error> {
        if call.token.is_some() {
            return Ok(None);
        }
        let audit = &self.parts.audit;
        match audit.admit(&request.client, call.bytes, request.now)? {
            Some(reserve) => Ok(Some(reserve)),
            None => Err(Error::new(ErrorKind::RateLimited, TOO_MANY)),
        }
    }

    /// Gives back the rest of the reserved room; all of it after a login.
    pub(super) fn settle(&self, told: Told, result: &Result<Response, Error>) {
        let Some(reserve) = told.reserve else { return };
        let has_logged_in = matches!(result, Ok(response) if response.auth.is_some());
        let spent = if has_logged_in { 0 } else { told.bytes };
        self.parts.audit.settle(reserve, spent);
    }

    /// Writes the lines about a request that came without a good token.
    pub(super) fn audit_refusal(
        &self,
        call: &Call,
        request: &Request,
        error: &Error,
    ) -> Result<(), Error> {
        let exchange = self.exchange(call, request);
        Ok(self.parts.audit.refusal(&exchange, error, call.bytes)?)
    }

    fn exchange<'a>(&self, call: &'a Call, request: &'a Request) -> Exchange<'a> {
        let entry = call.route.as_ref().map(|route| &route.entry);
        Exchange {
            time: request.now,
            id: &request.id,
            operation: request.operation,
            path: &call.path,
            mount_point: &request.mount.path,
            mount_class: entry.map_or("", |entry| entry.class.name()),
            mount_kind: &request.mount.kind,
            mount_accessor: &request.mount.accessor,
            data: &request.data,
            headers: &call.headers,
            client: &request.client,
            wrap_ttl: request.wrap_ttl,
            subject: subject(call),
            clear_request_fields: entry
                .map_or(&[], |entry| &entry.config.audit_non_hmac_request_keys),
            clear_response_fields: entry
                .map_or(&[], |entry| &entry.config.audit_non_hmac_response_keys),
        }
    }
}

fn subject(call: &Call) -> Subject<'_> {
    let text = call.text.as_deref();
    let Some(token) = &call.token else {
        return Subject {
            token: text,
            ..Subject::default()
        };
    };
    Subject {
        token: text,
        accessor: &token.accessor,
        display_name: &token.display_name,
        policies: &token.policies,
        token_type: Some(match token.is_batch() {
            true => TokenType::Batch,
            false => TokenType::Service,
        }),
        issue_time: token.creation_time,
        ttl: token.ttl,
        entity_id: &token.entity_id,
        metadata: Some(&token.metadata),
        allowed: call.allowed,
    }
}
