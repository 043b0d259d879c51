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
//! answer to kind 0 is a channel (16). Associated data of all: label, version, what it is, the
//! pinned keys of who asks and who answers. Of a request also channel and number; of frames and
//! answers the nonce of the request that they belong to. So a message opens only at the node that
//! it was sealed for, only as what it was sealed as, and an answer only for its own request.
//!
//! Version 1, of the release before, is the inside alone. See [`super::Node::requires_proof`].

use crate::barrier::{BarrierError, MESSAGE_NONCE_BYTES, MESSAGE_OVERHEAD_BYTES, Unsealed};
use crate::peer::PublicKey;
use crate::secret::Wiped;
use bytes::Bytes;

/// First byte of what is sealed.
pub(super) const VERSION: u8 = 2;
/// First byte of what is not.
pub(super) const VERSION_PLAIN: u8 = 1;
const LABEL: &[u8] = b"coffer forward";
const ANSWERED: u8 = 0;
const REFUSED: u8 = 1;
const HEAD_BYTES: usize = 2 + CHANNEL_BYTES + 8;

/// Length of a channel's name.
pub(super) const CHANNEL_BYTES: usize = 16;

/// Names a channel: what numbers count in.
pub(super) type Channel = [u8; CHANNEL_BYTES];
/// Of the request; binds what belongs to it.
pub(super) type Nonce = [u8; MESSAGE_NONCE_BYTES];

/// Who asks and who answers, by their pinned keys.
#[derive(Clone)]
pub(super) struct Ends {
    pub asks: PublicKey,
    pub answers: PublicKey,
}

/// What a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// For a channel.
    Open,
    /// In one piece.
    Whole,
    /// Its body follows.
    Stream,
}

/// What of a request is not inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub kind: Kind,
    pub channel: Channel,
    /// Each is used once in a channel.
    pub number: u64,
}

/// Why nothing was executed. Not sealed: who cannot open a request has nothing to seal with, and
/// whoever says so cannot have executed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    /// Ask who is unsealed.
    #[error("it is sealed")]
    Sealed,
    /// Other keys, another receiver, another sender, or altered.
    #[error("the message does not open there")]
    DoesNotOpen,
    /// That node started anew, or another channel was opened since: open one.
    #[error("it does not know the channel")]
    UnknownChannel,
    /// A number that was used: the message came twice, and was executed once.
    #[error("it had the message before")]
    Repeated,
    /// A number so far behind others that nobody can tell: send it under a new one.
    #[error("too many messages overtook it")]
    Overtaken,
}

/// What came back.
pub(super) enum Answer {
    /// What was asked for.
    Opened(Bytes),
    /// Nothing was executed.
    Refused(Refusal),
    /// The node speaks only what the release before spoke, and has executed nothing.
    OlderNode,
    /// Anything else; what became of the request is not known.
    Unreadable,
}

const KINDS: [Kind; 3] = [Kind::Open, Kind::Whole, Kind::Stream];
const REFUSALS: [Refusal; 5] = [
    Refusal::Sealed,
    Refusal::DoesNotOpen,
    Refusal::UnknownChannel,
    Refusal::Repeated,
    Refusal::Overtaken,
];

/// Its number in a message.
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

/// The part of the associated data that says who speaks to whom.
fn between<'a>(what: &'a [u8], ends: &'a Ends, bound_to: &'a [u8]) -> [&'a [u8]; 5] {
    [LABEL, what, &ends.asks.0, &ends.answers.0, bound_to]
}

const REQUEST: &[u8] = &[VERSION, 0];
const ANSWER: &[u8] = &[VERSION, 1];
const FRAME: &[u8] = &[VERSION, 2];

/// Seals a request. Its nonce is what frames and the answer are bound to.
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

/// "Nothing was executed."
pub(super) fn refuse(why: Refusal) -> Bytes {
    Bytes::copy_from_slice(&[VERSION, REFUSED, code(&REFUSALS, &why)])
}

/// Reads what `ends.answers` gave to the request of that nonce.
pub(super) fn open_answer(
    barrier: &Unsealed,
    ends: &Ends,
    nonce: &Nonce,
    message: &[u8],
) -> Answer {
    match message {
        [VERSION, ANSWERED, sealed @ ..] => {
            match open(barrier, &between(ANSWER, ends, nonce), sealed) {
                Ok(inside) => Answer::Opened(inside),
                Err(_) => Answer::Unreadable,
            }
        }
        [VERSION, REFUSED, why] => match REFUSALS.get(usize::from(*why)) {
            Some(why) => Answer::Refused(*why),
            None => Answer::Unreadable,
        },
        [VERSION_PLAIN, 1, ..] => Answer::OlderNode,
        _ => Answer::Unreadable,
    }
}

/// Seals a piece of a streamed body: the one of that number, for the request of that nonce.
pub(super) fn seal_frame(
    barrier: &Unsealed,
    ends: &Ends,
    place: &Place,
    inside: &[u8],
) -> Result<Bytes, BarrierError> {
    let mut frame = Vec::with_capacity(1 + inside.len() + MESSAGE_OVERHEAD_BYTES);
    frame.push(u8::from(place.is_last));
    let bound_to = place.encode();
    barrier.seal_message(&between(FRAME, ends, &bound_to), inside, &mut frame)?;
    Ok(frame.into())
}

/// Opens a piece of a streamed body; `sealed` is what follows its first byte.
pub(super) fn open_frame(
    barrier: &Unsealed,
    ends: &Ends,
    place: &Place,
    sealed: &[u8],
) -> Result<Bytes, Refusal> {
    let bound_to = place.encode();
    open(barrier, &between(FRAME, ends, &bound_to), sealed)
}

/// Where a piece of a body belongs.
#[derive(Clone)]
pub(super) struct Place {
    /// Of the request.
    pub nonce: Nonce,
    /// From zero.
    pub number: u64,
    /// The body ends with it.
    pub is_last: bool,
}

impl Place {
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
