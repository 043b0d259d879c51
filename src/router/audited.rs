//! The two audit lines of a request.

use super::call::Call;
use super::router::Router;
use crate::audit::{Exchange, Subject};
use crate::engine::{Error, Request, Response, TokenType};

impl Router {
    pub(super) fn audit_request(
        &self,
        call: &Call,
        request: &Request,
        error: Option<&Error>,
    ) -> Result<(), Error> {
        Ok(self
            .parts
            .audit
            .request(&self.exchange(call, request), error)?)
    }

    pub(super) fn audit_response(
        &self,
        call: &Call,
        request: &Request,
        result: Result<&Response, &Error>,
    ) -> Result<(), Error> {
        Ok(self
            .parts
            .audit
            .response(&self.exchange(call, request), result)?)
    }

    /// The lines about a request that came without a good token.
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
