//! One request through the gate: target and open endpoints; `logical.rs` has the requests to the
//! router.

use super::activity::Activity;
use super::allowance::Allowance;
use super::answer::{self, Answer, bad_request};
use super::budget::Share;
use super::call::{Call, Peer, refusal};
use super::envelope;
use super::forward::{ForwardRequest, MessageError};
use super::gate::Shared;
use super::logical::decode;
use super::options::Listener;
use super::passage::{Passage, Stop};
use super::payload::Payload;
use super::recovery;
use super::request;
use super::target::{self, Target};
use super::unread::{self, Rest};
use super::upload;
use crate::engine::{Client, Operation};
use crate::router::Reply;
use crate::sys;
use crate::sys::open::{self, Endpoint, Verb};
use bytes::Bytes;
use hyper::body::Incoming as HyperBody;
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, Request, StatusCode, Version, header};
use serde_json::Map;
use std::sync::Arc;
use tokio::time::timeout;

const TOO_SLOW: &str = "request took longer than max_request_duration; it may have taken effect";
const NO_HOST: &str = "400 Bad Request: missing required Host header";
const NO_UI: &str = "404 page not found: this server has no web UI\n";
const CLOSED: &str = "unsupported operation";

/// Answers one request; never fails.
pub(super) async fn answer(
    shared: &Arc<Shared>,
    peer: &Arc<Peer>,
    activity: &Activity,
    request: Request<HyperBody>,
) -> Answer {
    let (head, body) = request.into_parts();
    // Such a client sends the body only once it is asked for.
    let waits = head.headers.contains_key(header::EXPECT);
    let namespace = request::namespace(&head.headers).map(|(value, _)| value);
    let (body, rest) = unread::track(body);
    let payload = Payload::Socket(body);
    let mut answer = in_time(shared, peer, head, payload, Some(activity)).await;
    answer::finish(&mut answer, &shared.headers, namespace);
    if let Some(rest) = rest {
        if !answer.headers().contains_key(header::CONNECTION)
            && !is_over(rest, waits, activity).await
        {
            answer = answer::closing(answer);
        }
        if !answer.status().is_success() {
            // Some of the body may be unread, and the client may still be sending it.
            activity.linger();
        }
    }
    if shared.places.are_waited_for() {
        // Other connections wait for a place, and this one has had its turn.
        answer = answer::closing(answer);
    }
    answer
}

/// Returns true when nothing of a body is left, after what the answer did not need was read.
async fn is_over(rest: Rest, waits: bool, activity: &Activity) -> bool {
    if waits {
        return rest.is_read();
    }
    let _gives_way = activity.reads();
    rest.discard().await
}

/// Answers a request that another member forwarded. The answer is made from the client's own head,
/// and the request is not forwarded again.
pub(super) async fn answer_member(
    shared: &Arc<Shared>,
    request: ForwardRequest,
    payload: Payload,
) -> Result<Answer, MessageError> {
    let mut head = Request::new(()).into_parts().0;
    head.method = request.method;
    head.uri = request
        .target
        .parse()
        .map_err(|_| MessageError::Malformed)?;
    head.headers = request.headers;
    // The forwarding node has checked the rules of the client's HTTP version.
    head.version = Version::HTTP_10;
    let peer = Arc::new(Peer {
        address: request.address,
        certificates: request.certificates,
    });
    Ok(in_time(shared, &peer, head, payload, None).await)
}

async fn in_time(
    shared: &Arc<Shared>,
    peer: &Arc<Peer>,
    head: Parts,
    payload: Payload,
    activity: Option<&Activity>,
) -> Answer {
    let limit = upload::duration_max(&head, shared.options.request_duration_max);
    let answered = timeout(limit, respond(shared, peer, head, payload, activity)).await;
    match answered {
        Ok(Ok(answer) | Err(answer)) => answer,
        Err(_) => answer::closing(answer::errors(StatusCode::SERVICE_UNAVAILABLE, &[TOO_SLOW])),
    }
}

/// Returns the answer; `Err` is an answer too, given early.
async fn respond(
    shared: &Arc<Shared>,
    peer: &Arc<Peer>,
    head: Parts,
    payload: Payload,
    activity: Option<&Activity>,
) -> Result<Answer, Answer> {
    if head.version == Version::HTTP_11 && !head.headers.contains_key(header::HOST) {
        return Err(answer::closing(answer::text(
            StatusCode::BAD_REQUEST,
            NO_HOST,
        )));
    }
    let client = client(shared, peer, &head.headers)?;
    let recovery = shared.gate.recovery.clone();
    let path = match target::parse(head.uri.path()) {
        Ok(Target::Api(path)) => path,
        Ok(Target::Redirect(clean)) => {
            return Ok(answer::redirect(&with_query(clean, head.uri.query())));
        }
        _ if recovery.is_some() => return Err(recovery::not_found()),
        Ok(Target::Root) => return Ok(answer::redirect("/ui/")),
        Ok(Target::Ui) => return Ok(answer::text(StatusCode::NOT_FOUND, NO_UI)),
        Ok(Target::Unknown) => return Ok(answer::errors(StatusCode::NOT_FOUND, &[])),
        Err(error) => return Err(bad_request(&error.to_string())),
    };
    let is_foreign = request::namespace(&head.headers).is_some_and(|(_, foreign)| foreign);
    let call = Call {
        shared,
        client,
        head,
        path,
        activity,
        is_forwarded: activity.is_none(),
    };
    if let Some(mode) = recovery {
        return call.recover(payload, mode).await;
    }
    if shared.options.unauthenticated_metrics && sys::is_metrics(&call.path) {
        return call.metrics().await;
    }
    if is_closed(&shared.options, &call.path) {
        return Err(answer::errors(StatusCode::METHOD_NOT_ALLOWED, &[CLOSED]));
    }
    match open::endpoint(&call.path) {
        Some(_) if is_foreign => Err(bad_request("operation unavailable in namespaces")),
        Some(endpoint) if !call.asks_for_help() => call.open(endpoint, payload).await,
        _ => call.logical(payload, is_foreign).await,
    }
}

/// Returns true for a path of share holders without a token, where the listener asks for one.
fn is_closed(options: &Listener, path: &str) -> bool {
    options.generate_root_closed && sys::is_root_generation(path)
        || options.rekey_closed && sys::is_rekey_without_token(path)
}

fn client(shared: &Shared, peer: &Peer, headers: &HeaderMap) -> Result<Client, Answer> {
    let address = match (&shared.forwarded, peer.address) {
        (Some(rules), Some(peer)) => Some(
            rules
                .client(peer, headers)
                .map_err(|error| bad_request(&error.to_string()))?,
        ),
        (_, address) => address,
    };
    Ok(Client {
        address,
        certificates: Arc::clone(&peer.certificates),
    })
}

fn with_query(path: String, query: Option<&str>) -> String {
    match query {
        Some(query) => format!("{path}?{query}"),
        None => path,
    }
}

impl Call<'_> {
    /// Returns true if the client asks for help, which the router gives for open endpoints too.
    fn asks_for_help(&self) -> bool {
        let query = self.head.uri.query();
        let mut query = match query.filter(|query| query.contains("help")) {
            Some(query) => request::query(Some(query)).unwrap_or_default(),
            None => return false,
        };
        request::operation(&self.head.method, &mut query) == Ok(Operation::Help)
    }

    /// Answers at the endpoints that are open in every role; some of them only the active node can
    /// answer.
    async fn open(self, endpoint: Endpoint, payload: Payload) -> Result<Answer, Answer> {
        let verb = match self.head.method {
            Method::GET => Verb::Get,
            Method::HEAD => Verb::Head,
            Method::PUT | Method::POST => Verb::Put,
            _ => Verb::Other,
        };
        let query = request::query(self.head.uri.query()).map_err(refusal)?;
        let takes_body = endpoint.takes(verb) && verb == Verb::Put;
        let allowance = Allowance::at(endpoint, &self.shared.options);
        let body = match takes_body {
            true => self.body(payload, &allowance).await?,
            false => Bytes::new(),
        };
        if endpoint.is_for_active() && endpoint.takes(verb) {
            let mut passage = Passage::new(&self, None);
            match passage.next(&self, &body).await {
                Stop::Answered(answer) => return Ok(answer),
                Stop::Active(_) | Stop::Standby(_) | Stop::Closed => {}
            }
        }
        // A flood at other endpoints must not keep a node sealed, or its state unknown.
        let _turn = match allowance.share {
            Share::Operators => None,
            Share::Strangers | Share::Clients => self.tokenless_turn().await,
        };
        let mut charge = self.shared.budget.charge(allowance.share);
        let fields = match takes_body {
            true => decode(None, &body, &allowance.json, &mut charge)?,
            false => Map::new(),
        };
        drop(body);
        let phase = self.shared.gate.role.borrow().phase();
        let lifecycle = self.shared.gate.lifecycle.as_ref();
        let request = open::Request {
            verb,
            query: &query,
            fields,
        };
        Ok(envelope::encode(Reply {
            request_id: String::new(),
            mount_type: String::new(),
            result: open::answer(endpoint, request, &phase, lifecycle).await,
            moved: false,
        }))
    }
}
