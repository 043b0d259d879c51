//! The sending side: opens a channel to a node, and sends requests in it.

use super::Host;
use super::body::{self, Binding};
use super::sealed::{self, Channel, Ends, Head, Refusal, RequestKind, SealedAnswer};
use crate::barrier::Unsealed;
use crate::http::forward::{ForwardAnswer, ForwardError, ForwardRequest};
use crate::peer::{CallError, Member, Network, Protocol, PublicKey};
use crate::secret::fill_random;
use crate::stream::Chunks;
use bytes::Bytes;
use futures_util::stream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The largest body in one piece, in bytes; larger ones are sent as a stream, so that they do not
/// hold up the calls behind them.
pub(super) const WHOLE_BYTES_MAX: usize = 256 << 10;
/// The longest wait for a channel to be opened, which takes the other side next to no time.
const OPEN_WITHIN: Duration = Duration::from_secs(4);

/// Sends to one node at a time: the one that is taken for active.
pub(super) struct Sender {
    node: Arc<dyn Host>,
    network: Arc<dyn Network>,
    me: PublicKey,
    way: Mutex<Option<Arc<Way>>>,
    /// Held while one request asks for a channel; the others wait for the outcome.
    opening: tokio::sync::Mutex<()>,
    /// The number of questions for a channel that failed.
    failures: AtomicU64,
}

/// A node, and the form in which it is spoken to.
struct Way {
    to: PublicKey,
    speech: Speech,
}

enum Speech {
    /// Sealed, under the numbers of a channel.
    Sealed { channel: Channel, next: AtomicU64 },
    /// In the form of the release before, which that node runs.
    Plain,
}

type Answered = Result<ForwardAnswer, ForwardError>;

impl Sender {
    /// Returns a sender for the node whose pinned key is `me`.
    pub fn new(node: Arc<dyn Host>, network: Arc<dyn Network>, me: PublicKey) -> Self {
        Self {
            node,
            network,
            me,
            way: Mutex::default(),
            opening: tokio::sync::Mutex::default(),
            failures: AtomicU64::new(0),
        }
    }

    /// Sends `request` to `to`, which is taken for active, and returns its answer.
    pub async fn send(&self, to: &Member, request: &ForwardRequest, within: Duration) -> Answered {
        let barrier = self.node.barrier();
        let barrier = barrier.ok_or_else(|| not_executed(&"this node is sealed"))?;
        let way = self.way(&barrier, to, within).await?;
        let answered = match &way.speech {
            Speech::Plain => self.send_plain(to, request, within).await,
            Speech::Sealed { channel, next } => {
                let place = (*channel, next.fetch_add(1, Ordering::Relaxed));
                let sent = self.send_sealed(&barrier, to, request, place, within);
                sent.await
            }
        };
        answered.unwrap_or_else(|Stale(error)| {
            self.forget(&way);
            Err(error)
        })
    }

    async fn send_sealed(
        &self,
        barrier: &Arc<Unsealed>,
        to: &Member,
        request: &ForwardRequest,
        (channel, number): (Channel, u64),
        within: Duration,
    ) -> Result<Answered, Stale> {
        let is_whole = request.body.len() <= WHOLE_BYTES_MAX;
        let (kind, inside) = match is_whole {
            true => (RequestKind::Whole, request.whole()),
            false => (RequestKind::Stream, request.head()),
        };
        let inside = match inside {
            Ok(inside) => inside,
            Err(error) => return Ok(Err(not_executed(&error))),
        };
        let ends = self.ends(to);
        let head = Head {
            kind,
            channel,
            number,
        };
        let (message, nonce) = match sealed::seal_request(barrier, &ends, head, &inside) {
            Ok(sealed) => sealed,
            Err(error) => return Ok(Err(not_executed(&error))),
        };
        drop(inside);
        let (network, protocol) = (&self.network, Protocol::Forward);
        let answer = if is_whole {
            network.call(to, protocol, message, within).await
        } else {
            let binding = Binding {
                barrier: Arc::clone(barrier),
                ends: ends.clone(),
                nonce,
            };
            let body = body::seal(binding, request.body.clone());
            network.stream(to, protocol, message, body, within).await
        };
        match answer {
            Ok(answer) => read(sealed::open_answer(barrier, &ends, &nonce, &answer), to),
            Err(error) => Ok(Err(unanswered(&error))),
        }
    }

    async fn send_plain(
        &self,
        to: &Member,
        request: &ForwardRequest,
        within: Duration,
    ) -> Result<Answered, Stale> {
        let is_whole = request.body.len() <= WHOLE_BYTES_MAX;
        let message = match is_whole {
            true => request.whole(),
            false => request.head(),
        };
        let message = match message {
            Ok(message) => message,
            Err(error) => return Ok(Err(not_executed(&error))),
        };
        let (network, protocol) = (&self.network, Protocol::Forward);
        let answer = if is_whole {
            network.call(to, protocol, message, within).await
        } else {
            let body: Chunks = Box::pin(stream::iter([Ok(request.body.clone())]));
            network.stream(to, protocol, message, body, within).await
        };
        match answer.map(decoded) {
            // It may speak better by now.
            Ok(Err(error @ ForwardError::NotExecuted(_))) => Err(Stale(error)),
            Ok(outcome) => Ok(outcome),
            Err(error) => Ok(Err(unanswered(&error))),
        }
    }

    /// Returns the way to speak to `to`: the known one, or the one that its answer to a question
    /// for a channel shows.
    async fn way(
        &self,
        barrier: &Unsealed,
        to: &Member,
        within: Duration,
    ) -> Result<Arc<Way>, ForwardError> {
        if let Some(way) = self.known(to) {
            return Ok(way);
        }
        let failures = self.failures.load(Ordering::Acquire);
        let _one = self.opening.lock().await;
        if let Some(way) = self.known(to) {
            return Ok(way);
        }
        if self.failures.load(Ordering::Acquire) != failures {
            return Err(not_executed(&"it was just asked for a channel in vain"));
        }
        let opened = self.open(barrier, to, within.min(OPEN_WITHIN)).await;
        let speech = opened.inspect_err(|_| _ = self.failures.fetch_add(1, Ordering::AcqRel))?;
        let way = Arc::new(Way {
            to: to.public_key.clone(),
            speech,
        });
        *self.lock() = Some(Arc::clone(&way));
        Ok(way)
    }

    async fn open(
        &self,
        barrier: &Unsealed,
        to: &Member,
        within: Duration,
    ) -> Result<Speech, ForwardError> {
        let ends = self.ends(to);
        let mut head = Head {
            kind: RequestKind::Open,
            channel: Channel::default(),
            number: 0,
        };
        fill_random(&mut head.channel);
        let sealed = sealed::seal_request(barrier, &ends, head, &[]);
        let (message, nonce) = sealed.map_err(|error| not_executed(&error))?;
        let asked = self.network.call(to, Protocol::Forward, message, within);
        let answer = asked.await.map_err(|error| not_executed(&error))?;
        match sealed::open_answer(barrier, &ends, &nonce, &answer) {
            SealedAnswer::Opened(inside) => match Channel::try_from(&*inside) {
                Ok(channel) => Ok(Speech::Sealed {
                    channel,
                    next: AtomicU64::new(0),
                }),
                Err(_) => Err(not_executed(&"it named no channel")),
            },
            SealedAnswer::Refused(why) => Err(not_executed(&why)),
            SealedAnswer::Unreadable => Err(not_executed(&NO_PROOF)),
            SealedAnswer::OlderNode if self.node.requires_proof() => {
                Err(not_executed(&format!("{} {NO_SEAL}", to.name)))
            }
            SealedAnswer::OlderNode => Ok(Speech::Plain),
        }
    }

    fn known(&self, to: &Member) -> Option<Arc<Way>> {
        let way = self.lock().clone()?;
        let is_good = match way.speech {
            Speech::Sealed { .. } => true,
            Speech::Plain => !self.node.requires_proof(),
        };
        (way.to == to.public_key && is_good).then_some(way)
    }

    fn forget(&self, way: &Arc<Way>) {
        let mut known = self.lock();
        if known.as_ref().is_some_and(|known| Arc::ptr_eq(known, way)) {
            *known = None;
        }
    }

    fn ends(&self, to: &Member) -> Ends {
        Ends {
            asks: self.me.clone(),
            answers: to.public_key.clone(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<Way>>> {
        self.way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const NO_PROOF: &str = "its answer does not prove that it has the cluster's keys";
const NO_SEAL: &str = "runs a release that does not seal what is forwarded, and this cluster \
                       requires it: upgrade it";

/// An error of a request that was not executed, over a way that is not to be used again.
struct Stale(ForwardError);

fn read(answer: SealedAnswer, to: &Member) -> Result<Answered, Stale> {
    match answer {
        SealedAnswer::Opened(message) => Ok(decoded(message)),
        SealedAnswer::Refused(why) => match why {
            // The number is used up, and a message under it was executed.
            Refusal::Repeated => Ok(Err(unknown(&why))),
            Refusal::Overtaken => Ok(Err(not_executed(&why))),
            Refusal::Sealed | Refusal::DoesNotOpen | Refusal::UnknownChannel => {
                Err(Stale(not_executed(&format!("{}: {why}", to.name))))
            }
        },
        SealedAnswer::OlderNode => Err(Stale(not_executed(&format!("{} {NO_SEAL}", to.name)))),
        SealedAnswer::Unreadable => Ok(Err(unknown(&NO_PROOF))),
    }
}

fn decoded(message: Bytes) -> Answered {
    match ForwardAnswer::decode(message) {
        Ok(Some(answer)) => Ok(answer),
        Ok(None) => Err(not_executed(&"that node is not active")),
        Err(error) => Err(unknown(&error)),
    }
}

fn unanswered(error: &CallError) -> ForwardError {
    match error {
        CallError::Unreachable { sent: false, .. } | CallError::Busy(_) => not_executed(error),
        CallError::Unreachable { sent: true, .. }
        | CallError::TimedOut(_)
        | CallError::NotMember(_)
        | CallError::Refused(_) => unknown(error),
    }
}

/// Returns the error of a request that was not executed and may be sent again.
pub(super) fn not_executed(reason: &dyn std::fmt::Display) -> ForwardError {
    ForwardError::NotExecuted(reason.to_string())
}

fn unknown(reason: &dyn std::fmt::Display) -> ForwardError {
    ForwardError::Unknown(reason.to_string())
}
