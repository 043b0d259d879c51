//! Forwarded requests and their answers as they travel: sealed, so that a member without the
//! cluster's keys reads nothing, whatever it was taken for.
//!
//! ```text
//! request   u8 version = 2 | u8 kind | channel (16) | number, big-endian (8) | sealed
//!           kind 0: open a channel; the channel is random, the number 0, nothing is inside
//!           kind 1: a request in one piece       kind 2: the head of one whose body is streamed
//! frame     u8 last (0, or 1 for the end) | sealed       a body's piece; see `body.rs`
//! answer    u8 version = 2 | u8 0 | sealed               answered; inside: what was asked for
//!           u8 version = 2 | u8 1 | u8 why               refused, nothing was executed
//! sealed    as `barrier/messages.rs` has it; it begins with a nonce
//! ```
//!
//! Inside of a request and its answer are the messages of `http/forward/message.rs`; inside of the
//! answer to kind 0 is a channel (16). Associated data of all: label, version, kind of message, the
//! pinned keys of the asking and the answering node. Of a request also channel and number; of
//! frames and answers the nonce of the request that they belong to. So a message opens only at the
//! node that it was sealed for, only as the kind that it was sealed as, and an answer only for its
//! own request.
//!
//! Version 1, of the release before, is the inside alone. See [`super::Host::requires_proof`].

use crate::barrier::{BarrierError, MESSAGE_NONCE_BYTES, MESSAGE_OVERHEAD_BYTES, Unsealed};
use crate::peer::PublicKey;
use crate::secret::Wiped;
use bytes::Bytes;

/// The first byte of a sealed message.
pub(super) const VERSION: u8 = 2;
/// The first byte of a message that is not sealed.
pub(super) const VERSION_PLAIN: u8 = 1;
const LABEL: &[u8] = b"coffer forward";
const ANSWERED: u8 = 0;
const REFUSED: u8 = 1;
const HEAD_BYTES: usize = 2 + CHANNEL_BYTES + 8;

/// The length of a channel's name, in bytes.
pub(super) const CHANNEL_BYTES: usize = 16;

/// The name of a channel, in which the numbers of requests count.
pub(super) type Channel = [u8; CHANNEL_BYTES];
/// The nonce of a request, which binds its frames and its answer to it.
pub(super) type Nonce = [u8; MESSAGE_NONCE_BYTES];

/// The asking and the answering node, by their pinned keys.
#[derive(Clone)]
pub(super) struct Ends {
    pub asks: PublicKey,
    pub answers: PublicKey,
}

/// The kind of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RequestKind {
    /// A request for a channel.
    Open,
    /// A request in one piece.
    Whole,
    /// A request whose body follows.
    Stream,
}

/// The part of a request that is not sealed, but covered as associated data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub kind: RequestKind,
    pub channel: Channel,
    /// The request's number; each is used once in a channel.
    pub number: u64,
}

/// The reason for which nothing was executed. A refusal is not sealed: a node that cannot open a
/// request has nothing to seal with, and one that sends a refusal cannot have executed the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    /// The node is sealed: ask an unsealed one.
    #[error("it is sealed")]
    Sealed,
    /// Other keys, another receiver, another sender, or an altered message.
    #[error("the message does not open there")]
    DoesNotOpen,
    /// The node started anew, or another channel was opened since: open one.
    #[error("it does not know the channel")]
    UnknownChannel,
    /// The number was used: the message came twice, and was executed once.
    #[error("it had the message before")]
    Repeated,
    /// The number is too far behind others to know whether it was used: send the request under a
    /// new one.
    #[error("too many messages overtook it")]
    Overtaken,
}

/// The result of a request.
pub(super) enum SealedAnswer {
    /// The answer, opened.
    Opened(Bytes),
    /// A refusal; nothing was executed.
    Refused(Refusal),
    /// The node speaks only the form of the release before, and has executed nothing.
    OlderNode,
    /// Anything else; the outcome of the request is not known.
    Unreadable,
}

const KINDS: [RequestKind; 3] = [RequestKind::Open, RequestKind::Whole, RequestKind::Stream];
const REFUSALS: [Refusal; 5] = [
    Refusal::Sealed,
    Refusal::DoesNotOpen,
    Refusal::UnknownChannel,
    Refusal::Repeated,
    Refusal::Overtaken,
];

/// Returns the number of `one` in a message.
fn code<T: PartialEq>(all: &[T], one: &T) -> u8 {
    let at = all.iter().position(|other| other == one);
    at.and_then(|at| u8::try_from(at).ok()).unwrap_or(u8::MAX)
}

impl Head {
    fn encode(&self) -> [u8; HEAD_BYTES] {
        let mut bytes = [0; HEAD_BYTES];
        let fields = [VERSION, code(&KINDS, &self.kind)].into_iter();
        let fields = fields.chain(self.channel).chain(self.number.to_be_bytes());
        for (byte, field) in bytes.iter_mut().zip(fields) {
            *byte = field;
        }
        bytes
    }

    fn decode(bytes: &[u8; HEAD_BYTES]) -> Option<Self> {
        let [VERSION, kind, rest @ ..] = bytes else {
            return None;
        };
        let (channel, number) = rest.split_first_chunk()?;
        Some(Self {
            kind: *KINDS.get(usize::from(*kind))?,
            channel: *channel,
            number: u64::from_be_bytes(number.try_into().ok()?),
        })
    }
}

/// Returns the part of the associated data that names the kind of message and its ends.
fn between<'a>(what: &'a [u8], ends: &'a Ends, bound_to: &'a [u8]) -> [&'a [u8]; 5] {
    [LABEL, what, &ends.asks.0, &ends.answers.0, bound_to]
}

const REQUEST: &[u8] = &[VERSION, 0];
const ANSWER: &[u8] = &[VERSION, 1];
const FRAME: &[u8] = &[VERSION, 2];

/// Seals a request. Returns it with the nonce that frames and the answer are bound to.
pub(super) fn seal_request(
    barrier: &Unsealed,
    ends: &Ends,
    head: Head,
    inside: &[u8],
) -> Result<(Bytes, Nonce), BarrierError> {
    let head = head.encode();
    let mut message = Vec::with_capacity(HEAD_BYTES + inside.len() + MESSAGE_OVERHEAD_BYTES);
    message.extend(head);
    barrier.seal_message(&between(REQUEST, ends, &head), inside, &mut message)?;
    let nonce = nonce_of(&message).ok_or(BarrierError::Decode("outgoing message"))?;
    Ok((message.into(), nonce))
}

/// Opens a request that `ends.asks` sent here.
pub(super) fn open_request(
    barrier: &Unsealed,
    ends: &Ends,
    message: &[u8],
) -> Result<(Head, Nonce, Bytes), Refusal> {
    let (head, sealed) = message.split_first_chunk().ok_or(Refusal::DoesNotOpen)?;
    let parsed = Head::decode(head).ok_or(Refusal::DoesNotOpen)?;
    let nonce = nonce_of(message).ok_or(Refusal::DoesNotOpen)?;
    let inside = open(barrier, &between(REQUEST, ends, head), sealed)?;
    Ok((parsed, nonce, inside))
}

/// Seals the answer to the request of that nonce.
pub(super) fn seal_answer(
    barrier: &Unsealed,
    ends: &Ends,
    nonce: &Nonce,
    inside: &[u8],
) -> Result<Bytes, BarrierError> {
    let mut message = Vec::with_capacity(2 + inside.len() + MESSAGE_OVERHEAD_BYTES);
    message.extend([VERSION, ANSWERED]);
    barrier.seal_message(&between(ANSWER, ends, nonce), inside, &mut message)?;
    Ok(message.into())
}

/// Returns a refusal: nothing was executed.
pub(super) fn refuse(why: Refusal) -> Bytes {
    Bytes::copy_from_slice(&[VERSION, REFUSED, code(&REFUSALS, &why)])
}

/// Opens the answer of `ends.answers` to the request of that nonce.
pub(super) fn open_answer(
    barrier: &Unsealed,
    ends: &Ends,
    nonce: &Nonce,
    message: &[u8],
) -> SealedAnswer {
    match message {
        [VERSION, ANSWERED, sealed @ ..] => {
            match open(barrier, &between(ANSWER, ends, nonce), sealed) {
                Ok(inside) => SealedAnswer::Opened(inside),
                Err(_) => SealedAnswer::Unreadable,
            }
        }
        [VERSION, REFUSED, why] => match REFUSALS.get(usize::from(*why)) {
            Some(why) => SealedAnswer::Refused(*why),
            None => SealedAnswer::Unreadable,
        },
        [VERSION_PLAIN, 1, ..] => SealedAnswer::OlderNode,
        _ => SealedAnswer::Unreadable,
    }
}

/// Seals a piece of a streamed body at its place.
pub(super) fn seal_frame(
    barrier: &Unsealed,
    ends: &Ends,
    place: &PiecePosition,
    inside: &[u8],
) -> Result<Bytes, BarrierError> {
    let mut frame = Vec::with_capacity(1 + inside.len() + MESSAGE_OVERHEAD_BYTES);
    frame.push(u8::from(place.is_last));
    let bound_to = place.encode();
    barrier.seal_message(&between(FRAME, ends, &bound_to), inside, &mut frame)?;
    Ok(frame.into())
}

/// Opens a piece of a streamed body at its place; `sealed` holds the bytes after its first.
pub(super) fn open_frame(
    barrier: &Unsealed,
    ends: &Ends,
    place: &PiecePosition,
    sealed: &[u8],
) -> Result<Bytes, Refusal> {
    let bound_to = place.encode();
    open(barrier, &between(FRAME, ends, &bound_to), sealed)
}

/// The place of a piece in a streamed body.
#[derive(Clone)]
pub(super) struct PiecePosition {
    /// The nonce of the request.
    pub nonce: Nonce,
    /// The number of the piece, from zero.
    pub number: u64,
    /// True when the body ends with this piece.
    pub is_last: bool,
}

impl PiecePosition {
    fn encode(&self) -> Vec<u8> {
        let mut bytes = self.nonce.to_vec();
        bytes.extend(self.number.to_be_bytes());
        bytes.push(u8::from(self.is_last));
        bytes
    }
}

fn open(barrier: &Unsealed, context: &[&[u8]], sealed: &[u8]) -> Result<Bytes, Refusal> {
    match barrier.open_message(context, sealed) {
        Ok(inside) => Ok(Bytes::from_owner(Wiped::new(inside.into_inner()))),
        Err(BarrierError::Sealed) => Err(Refusal::Sealed),
        Err(_) => Err(Refusal::DoesNotOpen),
    }
}

fn nonce_of(message: &[u8]) -> Option<Nonce> {
    message.get(HEAD_BYTES..)?.first_chunk().copied()
}
