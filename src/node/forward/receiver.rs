//! The receiving side: opens the messages of members, lets each in once, and seals the answers.

use super::Host;
use super::body::{self, Binding, Forged};
use super::channels::Channels;
use super::refusals::ForwardRefusals;
use super::sealed::{self, Ends, Head, Nonce, Refusal, RequestKind, VERSION};
use crate::barrier::Unsealed;
use crate::http::forward::{ForwardAnswer, ForwardEntry, Wrap};
use crate::peer::{Network, Protocol, PublicKey, Service};
use crate::store::BoxFuture;
use crate::stream::Chunks;
use bytes::Bytes;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

/// Executes forwarded requests. The node's is [`ForwardEntry`].
pub(in crate::node) trait Desk: Send + Sync {
    /// Executes a request in one piece. `None` when its answer could not be wrapped.
    fn whole<'a>(&'a self, request: Bytes, wrap: Wrap<'a>) -> BoxFuture<'a, Option<Bytes>>;

    /// Executes a request whose body follows its head. `None` when its answer could not be wrapped.
    fn stream<'a>(
        &'a self,
        head: Bytes,
        body: Chunks,
        wrap: Wrap<'a>,
    ) -> BoxFuture<'a, Option<Bytes>>;
}

impl Desk for ForwardEntry {
    fn whole<'a>(&'a self, request: Bytes, wrap: Wrap<'a>) -> BoxFuture<'a, Option<Bytes>> {
        Box::pin(self.call(request, wrap))
    }

    fn stream<'a>(
        &'a self,
        head: Bytes,
        body: Chunks,
        wrap: Wrap<'a>,
    ) -> BoxFuture<'a, Option<Bytes>> {
        Box::pin(ForwardEntry::stream(self, head, body, wrap))
    }
}

/// Takes the requests that members forward to this node.
pub(in crate::node) struct FromMembers {
    node: Arc<dyn Host>,
    desk: Box<dyn Desk>,
    me: PublicKey,
    channels: Channels,
    refusals: ForwardRefusals,
}

/// A request that was opened.
struct Opened {
    binding: Binding,
    head: Head,
    inside: Bytes,
}

impl FromMembers {
    /// Answers forwarded requests, at the node whose pinned key is `me`, for as long as the
    /// returned value lives.
    pub fn serve(
        network: &dyn Network,
        node: Arc<dyn Host>,
        desk: impl Desk + 'static,
        me: PublicKey,
    ) -> Arc<Self> {
        let serving = Arc::new(Self {
            node,
            desk: Box::new(desk),
            me,
            channels: Channels::default(),
            refusals: ForwardRefusals::new(),
        });
        let weak = Arc::downgrade(&serving);
        network.serve(Protocol::Forward, weak as Weak<dyn Service>);
        serving
    }

    async fn take(&self, from: PublicKey, message: Bytes, body: Option<Chunks>) -> Answered {
        if message.first() != Some(&VERSION) {
            return self.take_plain(&from, message, body).await;
        }
        let opened = match self.open(&from, &message, body.is_some()) {
            Ok(opened) => opened,
            Err(why) => return Ok(self.refuse(&from, why)),
        };
        drop(message);
        let Opened {
            binding,
            head,
            inside,
        } = opened;
        let seal = |answer: Bytes| sealed_answer(&binding, &binding.nonce, &answer);
        match (head.kind, body) {
            (RequestKind::Open, _) => {
                let channel = self.channels.open(&from);
                seal(Bytes::copy_from_slice(&channel)).ok_or_else(|| UNSEALABLE.to_owned())
            }
            (_, None) => {
                let answer = self.desk.whole(inside, &seal).await;
                answer.ok_or_else(|| UNSEALABLE.to_owned())
            }
            (_, Some(body)) => {
                let forged = Forged::default();
                let body = body::open(binding.clone(), body, Arc::clone(&forged));
                let answer = self.desk.stream(inside, body, &seal).await;
                if forged.load(Ordering::Acquire) {
                    // The desk, which waited for the rest of the body, got an error instead.
                    return Ok(self.refuse(&from, Refusal::DoesNotOpen));
                }
                answer.ok_or_else(|| UNSEALABLE.to_owned())
            }
        }
    }

    /// Opens a request, and lets it in.
    fn open(&self, from: &PublicKey, message: &[u8], is_stream: bool) -> Result<Opened, Refusal> {
        let barrier: Arc<Unsealed> = self.node.barrier().ok_or(Refusal::Sealed)?;
        let ends = Ends {
            asks: from.clone(),
            answers: self.me.clone(),
        };
        let (head, nonce, inside) = sealed::open_request(&barrier, &ends, message)?;
        if is_stream != (head.kind == RequestKind::Stream) {
            return Err(Refusal::DoesNotOpen);
        }
        if head.kind != RequestKind::Open {
            self.channels.admit(from, &head.channel, head.number)?;
        }
        let binding = Binding {
            barrier,
            ends,
            nonce,
        };
        Ok(Opened {
            binding,
            head,
            inside,
        })
    }

    /// Answers in the form of the release before, which has no other words for "not executed".
    async fn take_plain(&self, from: &PublicKey, message: Bytes, body: Option<Chunks>) -> Answered {
        if self.node.requires_proof() {
            self.refusals.plain(&self.node.name_of(from));
            return Ok(ForwardAnswer::not_active());
        }
        let answer = match body {
            None => self.desk.whole(message, &Some).await,
            Some(body) => self.desk.stream(message, body, &Some).await,
        };
        answer.ok_or_else(|| UNSEALABLE.to_owned())
    }

    fn refuse(&self, from: &PublicKey, why: Refusal) -> Bytes {
        self.refusals.sealed(&self.node.name_of(from), why);
        sealed::refuse(why)
    }
}

type Answered = Result<Bytes, String>;

/// The error for a request that was executed: it must not pass for a refusal.
const UNSEALABLE: &str = "the answer could not be sealed: this node was sealed meanwhile";

fn sealed_answer(binding: &Binding, nonce: &Nonce, answer: &[u8]) -> Option<Bytes> {
    sealed::seal_answer(&binding.barrier, &binding.ends, nonce, answer).ok()
}

impl Service for FromMembers {
    fn call(&self, from: PublicKey, request: Bytes) -> BoxFuture<'_, Result<Bytes, String>> {
        Box::pin(self.take(from, request, None))
    }

    fn stream(
        &self,
        from: PublicKey,
        head: Bytes,
        body: Chunks,
    ) -> BoxFuture<'_, Result<Bytes, String>> {
        Box::pin(self.take(from, head, Some(body)))
    }
}
