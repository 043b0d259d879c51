//! One API call on its way, and the answers to a head that cannot be read.

use super::activity::Activity;
use super::answer::{self, Answer, bad_request};
use super::gate::Shared;
use super::request::HeadError;
use crate::engine::Client;
use hyper::StatusCode;
use hyper::http::request::Parts;
use std::net::SocketAddr;
use std::sync::Arc;

/// The client at the other end of a connection.
pub(super) struct Peer {
    /// Its address; `None` on a unix socket.
    pub(super) address: Option<SocketAddr>,
    /// Its verified certificates, DER, leaf first.
    pub(super) certificates: Arc<Vec<Vec<u8>>>,
}

impl Peer {
    /// Returns a peer without TLS.
    pub(super) fn plain(address: Option<SocketAddr>) -> Self {
        Self {
            address,
            certificates: Arc::default(),
        }
    }
}

/// Marks an answer to another node: nothing was executed, because this node is not active.
#[derive(Clone, Copy)]
pub(super) struct NotActive;

/// One API call on its way.
pub(super) struct Call<'a> {
    pub(super) shared: &'a Arc<Shared>,
    pub(super) client: Client,
    pub(super) head: Parts,
    pub(super) path: String,
    /// The state of the client's connection; `None` if another node forwarded the call.
    pub(super) activity: Option<&'a Activity>,
    /// Another node forwarded the call, and it must not be forwarded again.
    pub(super) is_forwarded: bool,
}

impl Call<'_> {
    /// Waits until fewer calls without a token are being answered than the limit allows.
    pub(super) async fn tokenless_turn(&self) -> Option<tokio::sync::OwnedSemaphorePermit> {
        Arc::clone(&self.shared.tokenless)
            .acquire_owned()
            .await
            .ok()
    }
}

pub(super) fn refusal(error: HeadError) -> Answer {
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
