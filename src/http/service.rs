//! One request through the gate: target, role, open endpoints, router.

use super::activity::Activity;
use super::answer::{self, Answer};
use super::body::{self, BodyError};
use super::budget::Charge;
use super::envelope;
use super::json::JsonError;
use super::request::{self, HeadError, Query};
use super::server::Shared;
use super::target::{self, Target};
use super::unbroken::Unbroken;
use super::upload;
use crate::engine::{Client, Operation};
use crate::router::{Incoming, Leader, Reply, Role, Router};
use crate::sys::Step;
use crate::sys::open::{self, Endpoint, Verb};
use http_body_util::BodyExt;
use hyper::body::Incoming as HyperBody;
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, Request, StatusCode, Version, header};
use serde_json::{Map, Value};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::time::timeout;
use zeroize::Zeroizing;

/// Who is at the other end of a connection.
pub(super) struct Peer {
    /// `None` on a unix socket.
    pub(super) address: Option<SocketAddr>,
    /// Verified client certificates, DER, leaf first.
    pub(super) certificates: Arc<Vec<Vec<u8>>>,
}

impl Peer {
    /// A peer without TLS.
    pub(super) fn plain(address: Option<SocketAddr>) -> Self {
        Self {
            address,
            certificates: Arc::default(),
        }
    }
}

const SEALED: &str = "Vault is sealed";
const STOPPING: &str = "Vault is stopping";
const NO_ACTIVE: &str = "local node not active but active cluster node not found";
const TOO_LARGE: &str = "http: request body too large";
const TOO_SLOW: &str = "request took longer than max_request_duration; it may have taken effect";
const NO_HOST: &str = "400 Bad Request: missing required Host header";
const NO_UI: &str = "404 page not found: this server has no web UI\n";
const GENERATE_ROOT: &str = "sys/generate-root/";
const CLOSED: &str = "unsupported operation";
const NOT_FORWARDED: &str = "x-vault-no-request-forwarding";
const MERGE_PATCH: &[u8] = b"application/merge-patch+json";

/// Answers one request; never fails.
pub(super) async fn answer(
    shared: &Arc<Shared>,
    peer: &Arc<Peer>,
    activity: &Activity,
    request: Request<HyperBody>,
) -> Answer {
    let (head, body) = request.into_parts();
    let has_body = !hyper::body::Body::is_end_stream(&body);
    let namespace = request::namespace(&head.headers);
    let is_foreign = namespace.as_ref().is_some_and(|(_, foreign)| *foreign);
    let limit = upload::duration_max(&head, shared.options.request_duration_max);
    let mut answer = match timeout(limit, respond(shared, peer, head, body, is_foreign)).await {
        Ok(Ok(answer) | Err(answer)) => answer,
        Err(_) => answer::closing(answer::errors(StatusCode::SERVICE_UNAVAILABLE, &[TOO_SLOW])),
    };
    answer::finish(
        &mut answer,
        &shared.headers,
        namespace.map(|(value, _)| value),
    );
    if has_body && !answer.status().is_success() {
        // Some of the body may be unread, and the client still sending it.
        activity.linger();
    }
    if shared.connections.available_permits() == 0 {
        // Others wait for a connection: this one has had its turn.
        answer = answer::closing(answer);
    }
    answer
}

/// `Err` is an answer too, given early.
async fn respond(
    shared: &Arc<Shared>,
    peer: &Arc<Peer>,
    head: Parts,
    body: HyperBody,
    is_foreign: bool,
) -> Result<Answer, Answer> {
    if head.version == Version::HTTP_11 && !head.headers.contains_key(header::HOST) {
        return Err(answer::closing(answer::text(
            StatusCode::BAD_REQUEST,
            NO_HOST,
        )));
    }
    let client = client(shared, peer, &head.headers)?;
    let path = match target::parse(head.uri.path()) {
        Ok(Target::Api(path)) => path,
        Ok(Target::Redirect(clean)) => {
            return Ok(answer::redirect(&with_query(clean, head.uri.query())));
        }
        Ok(Target::Root) => return Ok(answer::redirect("/ui/")),
        Ok(Target::Ui) => return Ok(answer::text(StatusCode::NOT_FOUND, NO_UI)),
        Ok(Target::Unknown) => return Ok(answer::errors(StatusCode::NOT_FOUND, &[])),
        Err(error) => return Err(bad_request(&error.to_string())),
    };
    let call = Call {
        shared,
        client,
        head,
        path,
    };
    if shared.options.generate_root_closed && call.path.starts_with(GENERATE_ROOT) {
        return Err(answer::errors(StatusCode::METHOD_NOT_ALLOWED, &[CLOSED]));
    }
    match open::endpoint(&call.path) {
        Some(_) if is_foreign => Err(bad_request("operation unavailable in namespaces")),
        Some(endpoint) => call.open(endpoint, body).await,
        None => call.logical(body, is_foreign).await,
    }
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

fn bad_request(message: &str) -> Answer {
    answer::errors(StatusCode::BAD_REQUEST, &[message])
}

/// One API call on its way.
struct Call<'a> {
    shared: &'a Arc<Shared>,
    client: Client,
    head: Parts,
    path: String,
}

impl Call<'_> {
    /// Endpoints that answer whatever the role is.
    async fn open(self, endpoint: Endpoint, body: HyperBody) -> Result<Answer, Answer> {
        let verb = match self.head.method {
            Method::GET => Verb::Get,
            Method::HEAD => Verb::Head,
            Method::PUT | Method::POST => Verb::Put,
            _ => Verb::Other,
        };
        let query = request::query(self.head.uri.query()).map_err(refusal)?;
        let mut charge = self.shared.budget.charge();
        let fields = if endpoint.takes(verb) && verb == Verb::Put {
            let bytes = self.body(body, &mut charge).await?;
            decode(None, &bytes, &mut charge)?
        } else {
            Map::new()
        };
        if endpoint.is_for_active()
            && let Role::Standby { leader, .. } = &*self.shared.gate.role.borrow()
        {
            return Err(self.elsewhere(leader.as_ref()));
        }
        let _turn = self.tokenless_turn().await;
        let standing = open::Standing::from(&*self.shared.gate.role.borrow());
        let lifecycle = self.shared.gate.lifecycle.as_ref();
        let request = open::Request {
            verb,
            query: &query,
            fields,
        };
        Ok(envelope::encode(Reply {
            request_id: String::new(),
            mount_type: String::new(),
            result: open::answer(endpoint, request, standing, lifecycle).await,
        }))
    }

    /// Everything behind the router.
    async fn logical(self, body: HyperBody, is_foreign: bool) -> Result<Answer, Answer> {
        let mut query = request::query(self.head.uri.query()).map_err(refusal)?;
        let operation = request::operation(&self.head.method, &mut query);
        let step = Step::of(&self.path);
        let router = match self.router(step, operation.as_ref().ok().copied()) {
            Ok(router) => router,
            Err(answer) => return Err(answer),
        };
        if is_foreign {
            return Err(answer::errors(
                StatusCode::NOT_FOUND,
                &["namespace not found"],
            ));
        }
        let operation = operation.map_err(refusal)?;
        if let Some(step) = step
            && !step.takes(operation)
        {
            return Err(answer::errors(StatusCode::METHOD_NOT_ALLOWED, &[]));
        }
        let mut charge = self.shared.budget.charge();
        let is_upload = step.is_some_and(Step::streams) && operation == Operation::Update;
        let (data, upload) = match is_upload {
            true => (Map::new(), Some(self.upload(body))),
            false => (self.data(operation, query, body, &mut charge).await?, None),
        };
        let token = request::token(&self.head.headers).map_err(refusal)?;
        let turn = match token {
            Some(_) => None,
            None => self.tokenless_turn().await,
        };
        let incoming = Incoming {
            id: request::request_id(),
            operation,
            path: as_listed(self.path, operation),
            wrap_ttl: request::wrap_ttl(&self.head.headers).map_err(refusal)?,
            headers: request::forwarded_headers(&self.head.headers),
            client: self.client,
            token,
            data,
        };
        let lifecycle = Arc::clone(&self.shared.gate.lifecycle);
        let id = incoming.id.clone();
        let work = async move {
            let _held = (charge, turn);
            let reply = router.handle(incoming).await;
            drop(router);
            match step {
                Some(step) => step.take(reply, lifecycle.as_ref(), upload).await,
                None => reply,
            }
        };
        Ok(envelope::encode(to_the_end(id, operation, work).await))
    }

    /// The role gate: the router that may answer, or why none does.
    fn router(
        &self,
        step: Option<Step>,
        operation: Option<Operation>,
    ) -> Result<Arc<Router>, Answer> {
        let unavailable = |why| Err(answer::errors(StatusCode::SERVICE_UNAVAILABLE, &[why]));
        match &*self.shared.gate.role.borrow() {
            Role::Active { router } => Ok(Arc::clone(router)),
            Role::Uninitialised | Role::Sealed => {
                // What is sealed already is sealed for everyone.
                if step == Some(Step::Seal) && operation == Some(Operation::Update) {
                    return Err(answer::json(StatusCode::NO_CONTENT, Vec::new()));
                }
                unavailable(SEALED)
            }
            Role::Stopping => unavailable(STOPPING),
            Role::Standby { leader, .. } => Err(self.elsewhere(leader.as_ref())),
        }
    }

    /// A standby's answer: who is active, or that nobody is known.
    fn elsewhere(&self, leader: Option<&Leader>) -> Answer {
        match leader {
            Some(leader) if !leader.api_address.is_empty() => {
                let path = self
                    .head
                    .uri
                    .path_and_query()
                    .map_or("/", |both| both.as_str());
                let wants_it = self.head.headers.contains_key(NOT_FORWARDED);
                tracing::debug!(wants_it, "redirected to the active node");
                answer::redirect(&format!("{}{path}", leader.api_address))
            }
            _ => answer::errors(StatusCode::INTERNAL_SERVER_ERROR, &[NO_ACTIVE]),
        }
    }

    /// The request's fields: of the body where it has one, else of the query.
    async fn data(
        &self,
        operation: Operation,
        query: Query,
        body: HyperBody,
        charge: &mut Charge,
    ) -> Result<Map<String, Value>, Answer> {
        let content_type = self.head.headers.get(header::CONTENT_TYPE);
        let content_type = content_type.map(|value| value.as_bytes());
        match operation {
            Operation::Create | Operation::Update => {
                let bytes = self.body(body, charge).await?;
                decode(content_type, &bytes, charge)
            }
            Operation::Patch => {
                let media_type = content_type.map(body::media_type).unwrap_or_default();
                if !media_type.eq_ignore_ascii_case(MERGE_PATCH) {
                    return Err(wrong_patch_type(media_type));
                }
                let bytes = self.body(body, charge).await?;
                decode(None, &bytes, charge)
            }
            Operation::Read
            | Operation::Delete
            | Operation::List
            | Operation::Scan
            | Operation::Help => Ok(request::fields(query)),
        }
    }

    /// The body as it comes, for who was authorized.
    fn upload(&self, body: HyperBody) -> crate::peer::Chunks {
        upload::chunks(body, self.shared.options.body_read_timeout)
    }

    /// Reads the whole body within the limits of size, pauses and shared memory.
    async fn body(
        &self,
        mut body: HyperBody,
        charge: &mut Charge,
    ) -> Result<Zeroizing<Vec<u8>>, Answer> {
        let bytes_max = self.shared.options.request_bytes_max;
        let hint = hyper::body::Body::size_hint(&body);
        if hint.lower() > bytes_max {
            return Err(too_large());
        }
        let expected = usize::try_from(hint.exact().unwrap_or(0)).unwrap_or(usize::MAX);
        charge.grow(expected).map_err(|_| busy())?;
        let mut bytes = Zeroizing::new(Vec::with_capacity(expected));
        loop {
            let frame = timeout(self.shared.options.body_read_timeout, body.frame()).await;
            let data = match frame {
                Err(_) => return Err(stalled()),
                Ok(None) => return Ok(bytes),
                Ok(Some(Err(_))) => return Err(answer::closing(bad_request("unreadable body"))),
                Ok(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => data,
                    Err(_trailers) => continue,
                },
            };
            if (bytes.len() + data.len()) as u64 > bytes_max {
                return Err(too_large());
            }
            let needed = bytes.len() + data.len();
            if needed > bytes.capacity() {
                let room = usize::try_from(bytes_max).unwrap_or(usize::MAX);
                let wanted = needed.saturating_mul(2).min(room);
                charge.grow(wanted - bytes.capacity()).map_err(|_| busy())?;
                // Growing in place could leave a copy behind that nobody wipes.
                let mut larger = Zeroizing::new(Vec::with_capacity(wanted));
                larger.extend_from_slice(&bytes);
                bytes = larger;
            }
            bytes.extend_from_slice(&data);
        }
    }

    /// Waits until fewer than the limit of calls without a token are being answered.
    async fn tokenless_turn(&self) -> Option<tokio::sync::OwnedSemaphorePermit> {
        Arc::clone(&self.shared.tokenless)
            .acquire_owned()
            .await
            .ok()
    }
}

/// Lists name folders, so their paths end in a slash, whether the client wrote it or not.
fn as_listed(mut path: String, operation: Operation) -> String {
    let lists = matches!(operation, Operation::List | Operation::Scan);
    if lists && !path.is_empty() && !path.ends_with('/') {
        path.push('/');
    }
    path
}

/// What is begun is finished even when nobody waits for it any more (its time is over, the
/// connection was cut): half an audit trail is none, and reads commit too when they are wrapped or
/// their token is limited. Those rarely wait, so they become a task only when that happens.
async fn to_the_end(
    id: String,
    operation: Operation,
    work: impl Future<Output = Reply> + Send + 'static,
) -> Reply {
    let writes = matches!(
        operation,
        Operation::Create | Operation::Update | Operation::Patch | Operation::Delete
    );
    if !writes {
        return Unbroken::new(work).await;
    }
    tokio::spawn(work).await.unwrap_or_else(|error| Reply {
        request_id: id,
        mount_type: String::new(),
        result: Err(crate::engine::Error::internal(format!(
            "the task of a request ended early: {error}"
        ))),
    })
}

fn decode(
    content_type: Option<&[u8]>,
    bytes: &[u8],
    charge: &mut Charge,
) -> Result<Map<String, Value>, Answer> {
    body::decode(content_type, bytes, &mut |more| charge.grow(more).is_ok()).map_err(|error| {
        match error {
            BodyError::Json(JsonError::Memory) => busy(),
            other => bad_request(&other.to_string()),
        }
    })
}

fn refusal(error: HeadError) -> Answer {
    match error {
        HeadError::Method => answer::errors(StatusCode::METHOD_NOT_ALLOWED, &[]),
        HeadError::Head => answer::errors(
            StatusCode::METHOD_NOT_ALLOWED,
            &["1 error occurred:\n\t* unsupported operation\n\n"],
        ),
        HeadError::Options => bad_request("cannot handle internal-only request operation"),
        HeadError::Switch => answer::errors(StatusCode::BAD_REQUEST, &[]),
        HeadError::Parameters => bad_request("too many query parameters"),
        HeadError::WrapTtl => {
            bad_request("error parsing X-Vault-Wrap-TTL header: invalid duration")
        }
        HeadError::NegativeWrapTtl => bad_request(
            "error parsing X-Vault-Wrap-TTL header: requested wrap ttl cannot be negative",
        ),
        HeadError::Token => answer::errors(StatusCode::FORBIDDEN, &["permission denied"]),
    }
}

fn too_large() -> Answer {
    answer::closing(answer::errors(StatusCode::PAYLOAD_TOO_LARGE, &[TOO_LARGE]))
}

fn stalled() -> Answer {
    answer::closing(answer::errors(
        StatusCode::REQUEST_TIMEOUT,
        &["the body did not arrive in time"],
    ))
}

fn busy() -> Answer {
    answer::closing(answer::errors(
        StatusCode::SERVICE_UNAVAILABLE,
        &["too much memory is in use by requests in flight: try again"],
    ))
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
