//! Requests to the router: chooses the node, reads the request, answers.

use super::allowance::Allowance;
use super::answer::{self, Answer, bad_request, busy};
use super::body::{self, BodyError};
use super::budget::{Charge, Share};
use super::call::{Call, refusal};
use super::envelope;
use super::index::{self, Consistency};
use super::json::{JsonError, JsonLimits};
use super::passage::{Locally, Passage, Stop, closed, not_active, not_here};
use super::payload::Payload;
use super::request::{self, Query};
use super::unbroken::Unbroken;
use crate::engine::Operation;
use crate::engine::table::Place;
use crate::router::{Incoming, OnStandby, Reply, Role, Router};
use crate::stream::{Chunks, Upload};
use crate::sys;
use bytes::Bytes;
use hyper::{StatusCode, header};
use serde_json::{Map, Value};
use std::sync::Arc;

const MERGE_PATCH: &[u8] = b"application/merge-patch+json";

/// The operation and the conditions that a request's head asks for.
struct Asked {
    operation: Operation,
    consistency: Consistency,
}

impl Call<'_> {
    /// Answers a request to the router, here or on the active node.
    pub(super) async fn logical(
        self,
        payload: Payload,
        is_foreign: bool,
    ) -> Result<Answer, Answer> {
        let mut query = request::query(self.head.uri.query()).map_err(refusal)?;
        let operation = request::operation(&self.head.method, &mut query);
        self.gate(operation.as_ref().ok().copied())?;
        if is_foreign {
            return Err(answer::errors(
                StatusCode::NOT_FOUND,
                &["namespace not found"],
            ));
        }
        let operation = operation.map_err(refusal)?;
        let cluster = self.cluster_id();
        let asked = Asked {
            operation,
            consistency: Consistency::of(&self.head.headers, cluster.as_deref())?,
        };
        if sys::uploads(&self.path) && operation == Operation::Update {
            return self.travel(&asked, query, Err(payload)).await;
        }
        if operation == Operation::Patch {
            self.check_patch_type()?;
        }
        let (body, allowance) = match operation {
            Operation::Create | Operation::Update | Operation::Patch => {
                let allowance = self.allowance().await?;
                (self.body(payload, &allowance).await?, allowance)
            }
            // Vault's client sends the nonce of what it cancels there.
            Operation::Delete if sys::is_rekey(&self.path) => {
                let allowance = self.allowance().await?;
                (self.body(payload, &allowance).await?, allowance)
            }
            Operation::Read
            | Operation::Delete
            | Operation::List
            | Operation::Scan
            | Operation::Help => (Bytes::new(), Allowance::stranger(&self.shared.options)),
        };
        self.travel(&asked, query, Ok((body, allowance))).await
    }

    /// Answers the request on the node that can: with a `body` that is read already, or one that is
    /// streamed once the client is authorized.
    async fn travel(
        &self,
        asked: &Asked,
        query: Query,
        body: Result<(Bytes, Allowance), Payload>,
    ) -> Result<Answer, Answer> {
        let locally = self.locally(asked)?;
        let mut passage = Passage::new(self, locally);
        let clustered = self.shared.gate.forwarder.is_some() && !self.is_forwarded;
        let mut allowance = Allowance::stranger(&self.shared.options);
        let (may_move, mut body, mut upload) = match body {
            Ok((body, allowed)) => {
                allowance = allowed;
                (clustered, Some(body), None)
            }
            Err(payload) => (false, None, Some(self.upload(payload))),
        };
        let mut query = Some(query);
        loop {
            let kept = body.clone().unwrap_or_default();
            let (router, is_active) = match passage.next(self, &kept).await {
                Stop::Answered(answer) => return Ok(answer),
                Stop::Closed => return Err(closed(self, &self.shared.gate.role.borrow())),
                Stop::Active(router) => (router, true),
                Stop::Standby(router) => (router, false),
            };
            drop(kept);
            // No other node will ask for the body in a store that has none.
            let bytes = match may_move {
                true => body.clone(),
                false => body.take(),
            };
            let query = match query.take() {
                Some(query) => query,
                None => self.query_again()?,
            };
            let storage = Arc::clone(&router);
            let mut incoming = self.incoming(asked, query, bytes, &allowance).await?;
            incoming.0.upload = Upload::new(upload.take());
            let (answer, moved) = match is_active {
                true => self.ask_active(asked, router, incoming).await,
                false => match self.ask_standby(asked, router, incoming, locally).await {
                    Some(answer) => (answer, false),
                    None if locally == Some(Locally::Only) => (not_here(), false),
                    None => continue,
                },
            };
            if moved && may_move {
                passage.failed(answer);
                continue;
            }
            if moved && self.is_forwarded {
                // The node that forwarded it asks the next one.
                return Ok(not_active());
            }
            let mut answer = answer;
            if let Some(activity) = self.activity {
                self.remember(activity, &answer);
            }
            let cluster = self.cluster_id();
            index::stamp(&mut answer, cluster.as_deref(), storage.applied_index());
            return Ok(answer);
        }
    }

    /// Refuses the request if this node's role lets it answer nothing.
    fn gate(&self, operation: Option<Operation>) -> Result<(), Answer> {
        let role = self.shared.gate.role.borrow();
        match &*role {
            Role::Active { .. } | Role::Standby { .. } => Ok(()),
            // A node that is sealed already accepts the call to seal, from any client.
            Role::Uninitialised | Role::Sealed
                if operation == Some(Operation::Update) && sys::is_seal(&self.path) =>
            {
                Err(answer::json(StatusCode::NO_CONTENT, Vec::new()))
            }
            Role::Uninitialised | Role::Sealed | Role::Stopping => Err(closed(self, &role)),
        }
    }

    /// Returns the part that a standby may do itself; `None` if the active node must answer.
    fn locally(&self, asked: &Asked) -> Result<Option<Locally>, Answer> {
        let reads = matches!(
            asked.operation,
            Operation::Read | Operation::List | Operation::Scan | Operation::Help
        );
        let from_active = asked.consistency.from_active;
        Ok(match sys::place(&self.path) {
            Place::ThisNode if from_active => return Err(not_here()),
            Place::ThisNode => Some(Locally::Only),
            Place::ActiveItself => Some(Locally::Redirected),
            Place::Active => None,
            Place::Anywhere => {
                let wraps = request::wrap_ttl(&self.head.headers).map_err(refusal)?;
                match asked.operation {
                    _ if wraps.is_some() || from_active => None,
                    Operation::Update => Some(Locally::Computing),
                    _ => reads.then_some(Locally::First),
                }
            }
        })
    }

    fn cluster_id(&self) -> Option<Arc<str>> {
        let forwarder = self.shared.gate.forwarder.as_ref();
        forwarder.and_then(|forwarder| forwarder.cluster_id())
    }

    /// Asks this node's router. Returns the answer, and true if it says only that another node is
    /// to be asked.
    async fn ask_active(
        &self,
        asked: &Asked,
        router: Arc<Router>,
        (incoming, held): (Incoming, Held),
    ) -> (Answer, bool) {
        let id = incoming.id.clone();
        let work = async move {
            let _held = held;
            router.handle(incoming).await
        };
        let reply = to_the_end(asked.operation, work).await;
        let reply = reply.unwrap_or_else(|error| ended_early(id, &error));
        let moved = reply.moved;
        (envelope::encode(reply), moved)
    }

    /// Asks the router of a standby; returns `None` if only the active node can answer.
    async fn ask_standby(
        &self,
        asked: &Asked,
        router: Arc<Router>,
        (incoming, held): (Incoming, Held),
        locally: Option<Locally>,
    ) -> Option<Answer> {
        let id = incoming.id.clone();
        let consistency = asked.consistency;
        let work = async move {
            let _held = held;
            let is_local = locally == Some(Locally::Only);
            let done = router.handle_on_standby(incoming, consistency.index, is_local);
            done.await
        };
        match to_the_end(asked.operation, work).await {
            Ok(OnStandby::Answered(reply)) => Some(envelope::encode(*reply)),
            Ok(OnStandby::Behind) if !consistency.forward_when_behind => Some(index::behind()),
            Ok(OnStandby::Behind | OnStandby::ForActive) => None,
            Err(error) => Some(envelope::encode(ended_early(id, &error))),
        }
    }

    /// Builds the router's request, with the resources that it holds until it is answered.
    async fn incoming(
        &self,
        asked: &Asked,
        query: Query,
        body: Option<Bytes>,
        allowance: &Allowance,
    ) -> Result<(Incoming, Held), Answer> {
        let token = request::token(&self.head.headers).map_err(refusal)?;
        // Taken before the body is parsed, so that few parsed trees exist at a time.
        let turn = match (&token, allowance.share) {
            (Some(_), Share::Clients) => None,
            (Some(_), _) if body.as_ref().is_none_or(Bytes::is_empty) => None,
            _ => self.tokenless_turn().await,
        };
        let mut charge = self.shared.budget.charge(allowance.share);
        let body = body.unwrap_or_default();
        let body_bytes = body.len() as u64;
        let json = &allowance.json;
        let data = match asked.operation {
            Operation::Create | Operation::Update => {
                let content_type = self.head.headers.get(header::CONTENT_TYPE);
                let content_type = content_type.map(|value| value.as_bytes());
                decode(content_type, &body, json, &mut charge)?
            }
            Operation::Patch => decode(None, &body, json, &mut charge)?,
            Operation::Delete if !body.is_empty() => decode(None, &body, json, &mut charge)?,
            Operation::Read
            | Operation::Delete
            | Operation::List
            | Operation::Scan
            | Operation::Help => request::fields(query),
        };
        drop(body);
        let incoming = Incoming {
            id: request::request_id(),
            operation: asked.operation,
            path: as_listed(self.path.clone(), asked.operation),
            wrap_ttl: request::wrap_ttl(&self.head.headers).map_err(refusal)?,
            headers: request::forwarded_headers(&self.head.headers),
            client: self.client.clone(),
            bytes: request::head_bytes(&self.head).saturating_add(body_bytes),
            payload_bytes: body_bytes,
            token,
            fingerprint: allowance.fingerprint,
            data,
            upload: Upload::default(),
        };
        Ok((incoming, (charge, turn)))
    }

    /// Returns the body as a stream, for an authorized client.
    fn upload(&self, payload: Payload) -> Chunks {
        payload.chunks(self.shared.options.body_read_timeout)
    }

    /// Returns the fields of the query, without the switches that made the operation.
    fn query_again(&self) -> Result<Query, Answer> {
        let mut query = request::query(self.head.uri.query()).map_err(refusal)?;
        request::operation(&self.head.method, &mut query).map_err(refusal)?;
        Ok(query)
    }

    fn check_patch_type(&self) -> Result<(), Answer> {
        let content_type = self.head.headers.get(header::CONTENT_TYPE);
        let content_type = content_type.map(|value| value.as_bytes());
        let media_type = content_type.map(body::media_type).unwrap_or_default();
        match media_type.eq_ignore_ascii_case(MERGE_PATCH) {
            true => Ok(()),
            false => Err(wrong_patch_type(media_type)),
        }
    }
}

/// The resources that a request holds until it is answered.
type Held = (Charge, Option<tokio::sync::OwnedSemaphorePermit>);

/// Returns the path of a list operation with a slash at its end, whether the client wrote it or
/// not: lists name folders.
pub(super) fn as_listed(mut path: String, operation: Operation) -> String {
    let lists = matches!(operation, Operation::List | Operation::Scan);
    if lists && !path.is_empty() && !path.ends_with('/') {
        path.push('/');
    }
    path
}

/// Finishes `work` even when its caller is gone (its time is over, the connection was cut): half an
/// audit trail is none, and reads commit too when they are wrapped or their token is limited. Reads
/// rarely wait, so they become a task only when that happens.
pub(super) async fn to_the_end<T: Send + 'static>(
    operation: Operation,
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T, tokio::task::JoinError> {
    let writes = matches!(
        operation,
        Operation::Create | Operation::Update | Operation::Patch | Operation::Delete
    );
    match writes {
        true => crate::task::spawn(work).await,
        false => Ok(Unbroken::new(work).await),
    }
}

pub(super) fn ended_early(request_id: String, error: &tokio::task::JoinError) -> Reply {
    let inside = format!("the task of a request ended early: {error}");
    Reply {
        request_id,
        mount_type: String::new(),
        result: Err(crate::engine::Error::internal(inside)),
        moved: false,
    }
}

pub(super) fn decode(
    content_type: Option<&[u8]>,
    bytes: &[u8],
    limits: &JsonLimits,
    charge: &mut Charge,
) -> Result<Map<String, Value>, Answer> {
    let mut grow = |more| charge.grow(more).is_ok();
    body::decode(content_type, bytes, limits, &mut grow).map_err(|error| match error {
        BodyError::Json(JsonError::Busy) => busy(),
        other => bad_request(&other.to_string()),
    })
}

fn wrong_patch_type(media_type: &[u8]) -> Answer {
    let given = String::from_utf8_lossy(media_type);
    answer::errors(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        &[&format!(
            "PATCH requires Content-Type of application/merge-patch+json, provided {given}"
        )],
    )
}
