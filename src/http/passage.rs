//! The way of a request to the node that can answer it.
//!
//! On a standby that is the standby itself, or the active node; while there is none, requests wait
//! a moment, because an election is shorter than a client's second attempt. A request that may have
//! been executed already is never sent again.

use super::answer::{self, Answer, bad_request, busy};
use super::budget::Share;
use super::call::{Call, NotActive};
use super::forward::{ForwardAnswer, ForwardError, ForwardRequest, Forwarder};
use super::limits::{ACTIVE_WAIT_MAX, FORWARD_PAUSE_MAX, FORWARD_PAUSE_MIN};
use super::payload::charged;
use crate::router::{Leader, Role, Router};
use bytes::Bytes;
use hyper::{Response, StatusCode};
use std::sync::Arc;
use tokio::sync::watch;
use tokio::time::{Duration, Instant, sleep};

const SEALED: &str = "Vault is sealed";
const STOPPING: &str = "Vault is stopping";
const NO_ACTIVE: &str = "local node not active but active cluster node not found";
const NO_ANSWER: &str =
    "the active node did not answer: the request may or may not have taken effect";
const NOT_HERE: &str = "cannot forward local-only request";
const NO_FORWARDING: &str = "x-vault-no-request-forwarding";

/// The part of a request that a standby does itself before it asks the active node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Locally {
    /// The standby tries; it may turn out that only the active node can answer.
    First,
    /// As [`Locally::First`], where the endpoint only computes.
    Computing,
    /// The standby answers alone: the request is about this node.
    Only,
    /// The standby does nothing, and the client must go to the active node itself.
    Redirected,
}

/// The place at which a request has arrived.
pub(super) enum Stop {
    /// This node is active.
    Active(Arc<Router>),
    /// This node is a standby that may be able to answer.
    Standby(Arc<Router>),
    /// This node is sealed, uninitialised or stopping; an open endpoint answers even so.
    Closed,
    /// The request is answered.
    Answered(Answer),
}

/// The state of one request's way.
pub(super) struct Passage {
    role: watch::Receiver<Role>,
    locally: Option<Locally>,
    begun: bool,
    deadline: Instant,
    pause: Duration,
    /// The answer to give when the wait was in vain.
    last: Option<Answer>,
}

impl Passage {
    pub(super) fn new(call: &Call<'_>, locally: Option<Locally>) -> Self {
        Self {
            role: call.shared.gate.role.clone(),
            locally,
            begun: false,
            deadline: Instant::now() + ACTIVE_WAIT_MAX,
            pause: FORWARD_PAUSE_MIN,
            last: None,
        }
    }

    /// Notes that the node that `next` named could not answer and executed nothing; `answer` is for
    /// the client if no other node can.
    pub(super) fn failed(&mut self, answer: Answer) {
        self.last = Some(answer);
    }

    /// Goes on to the next place where the request can be answered.
    pub(super) async fn next(&mut self, call: &Call<'_>, body: &Bytes) -> Stop {
        if std::mem::replace(&mut self.begun, true) && self.last.is_some() && !self.wait(true).await
        {
            return self.give_up();
        }
        loop {
            let role = self.role.borrow_and_update().clone();
            let leader = match role {
                Role::Active { router, .. } => return Stop::Active(router),
                Role::Uninitialised | Role::Sealed | Role::Stopping => return Stop::Closed,
                Role::Standby { .. } if call.is_forwarded => return Stop::Answered(not_active()),
                Role::Standby { router, leader } => {
                    match self.locally {
                        Some(Locally::Only) if self.last.is_some() => return self.give_up(),
                        Some(Locally::Only) => return Stop::Standby(router),
                        Some(Locally::First) => {
                            self.locally = None;
                            return Stop::Standby(router);
                        }
                        Some(Locally::Computing) => {
                            self.locally = None;
                            if router.may_compute(&call.path) {
                                return Stop::Standby(router);
                            }
                        }
                        Some(Locally::Redirected) | None => {}
                    }
                    leader
                }
            };
            let redirects = self.locally == Some(Locally::Redirected) || refuses_forwarding(call);
            if let Some(answer) = elsewhere(call, body, leader.as_ref(), redirects).await {
                return Stop::Answered(answer);
            }
            if !self.wait(leader.is_some()).await {
                return self.give_up();
            }
        }
    }

    /// Waits for another role, or with pauses until a node is to be asked again. Returns false once
    /// the time is over.
    async fn wait(&mut self, with_pauses: bool) -> bool {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        let pause = if with_pauses {
            self.pause.min(left)
        } else {
            left
        };
        self.pause = (self.pause * 2).min(FORWARD_PAUSE_MAX);
        tokio::select! {
            changed = self.role.changed() => changed.is_ok(),
            () = sleep(pause) => with_pauses,
        }
    }

    fn give_up(&mut self) -> Stop {
        Stop::Answered(self.last.take().unwrap_or_else(no_active))
    }
}

/// Returns the active node's answer, or a redirect to that node. `None`: wait, and look again.
async fn elsewhere(
    call: &Call<'_>,
    body: &Bytes,
    leader: Option<&Leader>,
    redirects: bool,
) -> Option<Answer> {
    let forwarder = call.shared.gate.forwarder.as_deref();
    match (leader, forwarder) {
        (Some(_), Some(forwarder)) if !redirects => forward(call, body, forwarder).await,
        (Some(leader), _) => Some(redirect(call, leader)),
        (None, Some(_)) => None,
        (None, None) => Some(no_active()),
    }
}

/// Returns true if the client asks to be redirected instead of forwarded.
fn refuses_forwarding(call: &Call<'_>) -> bool {
    let value = call.head.headers.get(NO_FORWARDING);
    value.is_some_and(|value| !value.is_empty())
}

/// Sends the request to the active node. Returns `None` if it was not executed and may be sent
/// again.
async fn forward(call: &Call<'_>, body: &Bytes, forwarder: &dyn Forwarder) -> Option<Answer> {
    let target = call.head.uri.path_and_query();
    let request = ForwardRequest {
        method: call.head.method.clone(),
        target: target.map_or("/", |both| both.as_str()).to_owned(),
        headers: call.head.headers.clone(),
        body: body.clone(),
        address: call.client.address,
        certificates: Arc::clone(&call.client.certificates),
    };
    let within = call.shared.options.request_duration_max;
    match forwarder.forward(&request, within).await {
        Ok(answer) => Some(passed_on(call, answer)),
        Err(ForwardError::NotExecuted(reason)) => {
            crate::telemetry::debug!(%reason, "a request was not forwarded yet");
            None
        }
        Err(ForwardError::Unknown(reason)) => {
            tracing::warn!(%reason, "a forwarded request has no answer");
            Some(answer::errors(
                StatusCode::INTERNAL_SERVER_ERROR,
                &[NO_ANSWER],
            ))
        }
    }
}

/// Returns the active node's answer; its memory counts until the client has it.
fn passed_on(call: &Call<'_>, answer: ForwardAnswer) -> Answer {
    let Some(body) = charged(answer.body, &call.shared.budget, Share::Clients) else {
        return busy();
    };
    let mut response = Response::new(body.into());
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers;
    response
}

fn redirect(call: &Call<'_>, leader: &Leader) -> Answer {
    if leader.api_address.is_empty() {
        return no_active();
    }
    let target = call.head.uri.path_and_query();
    let target = target.map_or("/", |both| both.as_str());
    answer::redirect(&format!("{}{target}", leader.api_address))
}

/// Returns the answer for a cluster without an active node, as far as this node knows.
pub(super) fn no_active() -> Answer {
    answer::errors(StatusCode::INTERNAL_SERVER_ERROR, &[NO_ACTIVE])
}

/// Returns the answer to a request about this node that needs the active node.
pub(super) fn not_here() -> Answer {
    bad_request(NOT_HERE)
}

/// Returns the answer to a node that took this one for the active node.
pub(super) fn not_active() -> Answer {
    let mut answer = no_active();
    answer.extensions_mut().insert(NotActive);
    answer
}

/// Returns the answer of a closed node to a request for more than an open endpoint.
pub(super) fn closed(call: &Call<'_>, role: &Role) -> Answer {
    let why = match role {
        Role::Stopping => STOPPING,
        Role::Uninitialised | Role::Sealed | Role::Standby { .. } | Role::Active { .. } => SEALED,
    };
    let mut answer = answer::errors(StatusCode::SERVICE_UNAVAILABLE, &[why]);
    if call.is_forwarded {
        answer.extensions_mut().insert(NotActive);
    }
    answer
}
