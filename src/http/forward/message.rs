//! The messages between nodes, as bytes.
//!
//! ```text
//! request   u8 version = 1 | u32 length of head, big-endian | head | body
//! answer    u8 version = 1 | u8 kind | u32 length of head, big-endian | head | body
//!           kind 0: answered; 1: not active here, nothing was executed (head and body are empty)
//! ```
//!
//! A head is the postcard encoding of the struct below that bears its name. A large request is sent
//! as a stream: version, length and head first, then the body in pieces.

use crate::secret::Wiped;
use bytes::Bytes;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::sync::Arc;

const VERSION: u8 = 1;
const ANSWERED: u8 = 0;
const NOT_ACTIVE: u8 = 1;
/// Largest head: the head of an HTTP request, a chain of certificates, and room.
pub const HEAD_BYTES_MAX: usize = 256 * 1024;
/// Most headers of one head, far more than a listener accepts.
const HEADERS_MAX: usize = 4096;
/// Most bytes that postcard adds to one text or number.
const FIELD_BYTES: usize = 16;

/// Headers that concern one connection only, or that are obeyed before the request is sent on.
const STOPPED: [HeaderName; 10] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::EXPECT,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("x-vault-no-request-forwarding"),
];

/// Reasons why bytes are no message: the other node runs another version, or the bytes are damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// The other node runs another version; the operator must bring both to the same.
    #[error("version {0} of the forwarding protocol is not known here")]
    Version(u8),
    /// The message is cut short, or garbled.
    #[error("a malformed message")]
    Malformed,
    /// The head is larger than [`HEAD_BYTES_MAX`].
    #[error("a head of more than {HEAD_BYTES_MAX} bytes")]
    TooLarge,
}

/// A client's request, as it travels.
#[derive(Clone)]
pub struct ForwardRequest {
    /// The method, as the client wrote it.
    pub method: Method,
    /// Path and query, as the client wrote them.
    pub target: String,
    /// The headers, with the token, without those that concern one connection only.
    pub headers: HeaderMap,
    /// The whole body; empty where the method has none. It is wiped when its last holder drops it.
    pub body: Bytes,
    /// The client's address; `None` on a unix socket.
    pub address: Option<SocketAddr>,
    /// The client's verified certificates, DER, leaf first.
    pub certificates: Arc<Vec<Vec<u8>>>,
}

#[derive(Serialize, Deserialize)]
struct RequestHead<'a> {
    method: &'a str,
    target: &'a str,
    #[serde(borrow)]
    headers: Vec<(&'a str, &'a [u8])>,
    address: Option<SocketAddr>,
    #[serde(borrow)]
    certificates: Vec<&'a [u8]>,
}

impl ForwardRequest {
    /// Returns the part of the message before the body. It holds the token, so it is wiped.
    ///
    /// # Errors
    /// [`MessageError::TooLarge`].
    pub fn head(&self) -> Result<Bytes, MessageError> {
        self.encoded(0).map(Bytes::from_owner)
    }

    /// Returns head and body in one message.
    ///
    /// # Errors
    /// [`MessageError::TooLarge`].
    pub fn whole(&self) -> Result<Bytes, MessageError> {
        let mut message = self.encoded(self.body.len())?;
        message.extend_from_slice(&self.body);
        Ok(Bytes::from_owner(message))
    }

    fn encoded(&self, room: usize) -> Result<Wiped<Vec<u8>>, MessageError> {
        let headers = self.headers.iter();
        let head = RequestHead {
            method: self.method.as_str(),
            target: &self.target,
            headers: headers
                .filter(|(name, _)| !STOPPED.contains(name))
                .map(|(name, value)| (name.as_str(), value.as_bytes()))
                .collect(),
            address: self.address,
            certificates: self.certificates.iter().map(Vec::as_slice).collect(),
        };
        let fields = head
            .headers
            .iter()
            .map(|(name, value)| name.len() + value.len() + 2 * FIELD_BYTES);
        let chain = head.certificates.iter().map(|der| der.len() + FIELD_BYTES);
        let texts = head.method.len() + head.target.len() + 8 * FIELD_BYTES;
        let bound = texts + fields.sum::<usize>() + chain.sum::<usize>();
        framed(&[VERSION], &head, bound, room)
    }

    /// Reads a message that [`ForwardRequest::whole`] or [`ForwardRequest::head`] made.
    ///
    /// # Errors
    /// See [`MessageError`].
    pub fn decode(mut message: Bytes) -> Result<Self, MessageError> {
        let (&version, _) = message.split_first().ok_or(MessageError::Malformed)?;
        if version != VERSION {
            return Err(MessageError::Version(version));
        }
        let head = unframed(&mut message, 1)?;
        let read: RequestHead<'_> = decoded(&head)?;
        Ok(Self {
            method: read.method.parse().map_err(|_| MessageError::Malformed)?,
            target: read.target.to_owned(),
            headers: headers(&read.headers)?,
            body: message,
            address: read.address,
            certificates: Arc::new(read.certificates.into_iter().map(<[u8]>::to_vec).collect()),
        })
    }
}

/// The active node's answer.
#[derive(Clone, Debug)]
pub struct ForwardAnswer {
    /// Its status.
    pub status: StatusCode,
    /// The headers, without those that concern one connection only.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
}

#[derive(Serialize, Deserialize)]
struct AnswerHead<'a> {
    status: u16,
    #[serde(borrow)]
    headers: Vec<(&'a str, &'a [u8])>,
}

impl ForwardAnswer {
    /// Encodes the answer; the bytes may hold secrets, so they are wiped.
    ///
    /// # Errors
    /// [`MessageError::TooLarge`].
    pub fn encode(&self) -> Result<Wiped<Vec<u8>>, MessageError> {
        let headers = self.headers.iter();
        let head = AnswerHead {
            status: self.status.as_u16(),
            headers: headers
                .filter(|(name, _)| !STOPPED.contains(name))
                .map(|(name, value)| (name.as_str(), value.as_bytes()))
                .collect(),
        };
        let fields = head
            .headers
            .iter()
            .map(|(name, value)| name.len() + value.len() + 2 * FIELD_BYTES);
        let bound = fields.sum::<usize>() + 2 * FIELD_BYTES;
        let mut message = framed(&[VERSION, ANSWERED], &head, bound, self.body.len())?;
        message.extend_from_slice(&self.body);
        Ok(message)
    }

    /// Returns the message for "nothing was executed: this node is not active".
    pub fn not_active() -> Bytes {
        Bytes::from_static(&[VERSION, NOT_ACTIVE, 0, 0, 0, 0])
    }

    /// Reads an answer; returns `None` if nothing was executed because that node is not active.
    ///
    /// # Errors
    /// See [`MessageError`].
    pub fn decode(mut message: Bytes) -> Result<Option<Self>, MessageError> {
        let kind = match *message {
            [VERSION, kind, ..] => kind,
            [version, ..] if version != VERSION => return Err(MessageError::Version(version)),
            _ => return Err(MessageError::Malformed),
        };
        let head = unframed(&mut message, 2)?;
        match kind {
            ANSWERED => {}
            NOT_ACTIVE => return Ok(None),
            _ => return Err(MessageError::Malformed),
        }
        let read: AnswerHead<'_> = decoded(&head)?;
        Ok(Some(Self {
            status: StatusCode::from_u16(read.status).map_err(|_| MessageError::Malformed)?,
            headers: headers(&read.headers)?,
            body: message,
        }))
    }
}

/// Returns a buffer with `start`, the head's length and the head, and `room` for a body. It never
/// grows, which would leave a copy behind that is not wiped.
fn framed<T: Serialize>(
    start: &[u8],
    head: &T,
    bound: usize,
    room: usize,
) -> Result<Wiped<Vec<u8>>, MessageError> {
    if bound > HEAD_BYTES_MAX {
        return Err(MessageError::TooLarge);
    }
    let before = start.len() + size_of::<u32>();
    let mut message = Wiped::new(Vec::with_capacity(before + bound + room));
    message.extend_from_slice(start);
    message.resize(before + bound, 0);
    let (prefix, space) = message.split_at_mut(before);
    let written = postcard::to_slice(head, space).map_err(|_| MessageError::TooLarge)?;
    let length = u32::try_from(written.len()).map_err(|_| MessageError::TooLarge)?;
    for (byte, value) in prefix
        .iter_mut()
        .skip(start.len())
        .zip(length.to_be_bytes())
    {
        *byte = value;
    }
    message.truncate(before + length as usize);
    Ok(message)
}

/// Takes the head that stands behind `start` bytes off `message`; the body stays.
fn unframed(message: &mut Bytes, start: usize) -> Result<Bytes, MessageError> {
    let before = start + size_of::<u32>();
    let length = message.get(start..before).ok_or(MessageError::Malformed)?;
    let length: [u8; 4] = length.try_into().map_err(|_| MessageError::Malformed)?;
    let length = u32::from_be_bytes(length) as usize;
    if length > HEAD_BYTES_MAX {
        return Err(MessageError::TooLarge);
    }
    if message.len() - before < length {
        return Err(MessageError::Malformed);
    }
    let _prefix = message.split_to(before);
    Ok(message.split_to(length))
}

fn decoded<'a, T: Deserialize<'a>>(head: &'a [u8]) -> Result<T, MessageError> {
    match postcard::take_from_bytes(head) {
        Ok((read, [])) => Ok(read),
        Ok(_) | Err(_) => Err(MessageError::Malformed),
    }
}

fn headers(pairs: &[(&str, &[u8])]) -> Result<HeaderMap, MessageError> {
    if pairs.len() > HEADERS_MAX {
        return Err(MessageError::Malformed);
    }
    // A plain `HeaderMap` panics beyond its capacity.
    let headers = HeaderMap::try_with_capacity(pairs.len());
    let mut headers = headers.map_err(|_| MessageError::Malformed)?;
    for (name, value) in pairs {
        let name: HeaderName = name.parse().map_err(|_| MessageError::Malformed)?;
        let value = HeaderValue::from_bytes(value).map_err(|_| MessageError::Malformed)?;
        headers
            .try_append(name, value)
            .map_err(|_| MessageError::Malformed)?;
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::BytesMut;

    fn request() -> ForwardRequest {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("x-vault-token", "s.secret"),
            ("x-vault-wrap-ttl", "60"),
            ("accept", "a"),
            ("accept", "b"),
            ("connection", "keep-alive"),
            ("transfer-encoding", "chunked"),
            ("x-vault-no-request-forwarding", "true"),
        ] {
            let name: HeaderName = name.parse().unwrap();
            headers.append(name, value.parse().unwrap());
        }
        ForwardRequest {
            method: Method::from_bytes(b"LIST").unwrap(),
            target: "/v1/secret/?a=b".into(),
            headers,
            body: Bytes::from_static(b"{\"a\":1}"),
            address: Some("[fe80::1]:4711".parse().unwrap()),
            certificates: Arc::new(vec![vec![0x30, 0x82], vec![]]),
        }
    }

    #[test]
    fn a_request_arrives_as_it_was_without_what_concerns_the_connection() {
        let sent = request();
        let got = ForwardRequest::decode(sent.whole().unwrap()).unwrap();
        assert_eq!(got.method, sent.method);
        assert_eq!(got.target, sent.target);
        assert_eq!(got.body, sent.body);
        assert_eq!(got.address, sent.address);
        assert_eq!(got.certificates, sent.certificates);
        let names: Vec<_> = got.headers.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            ["x-vault-token", "x-vault-wrap-ttl", "accept", "accept"]
        );
        let alone = ForwardRequest::decode(sent.head().unwrap()).unwrap();
        assert!(alone.body.is_empty());
        assert_eq!(alone.target, sent.target);
    }

    #[test]
    fn an_answer_arrives_as_it_was() {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("application/json"));
        headers.insert("content-length", HeaderValue::from_static("3"));
        let sent = ForwardAnswer {
            status: StatusCode::IM_A_TEAPOT,
            headers,
            body: Bytes::from_static(b"abc"),
        };
        let bytes = Bytes::from_owner(sent.encode().unwrap());
        let got = ForwardAnswer::decode(bytes).unwrap().unwrap();
        assert_eq!((got.status, got.body), (sent.status, sent.body));
        assert_eq!(got.headers.len(), 1);
        assert!(
            ForwardAnswer::decode(ForwardAnswer::not_active())
                .unwrap()
                .is_none()
        );
    }

    #[test]
    fn what_is_cut_short_or_foreign_is_refused() {
        let whole = request().whole().unwrap();
        let head = request().head().unwrap().len();
        for length in 0..head {
            assert!(
                ForwardRequest::decode(whole.slice(..length)).is_err(),
                "{length}"
            );
        }
        let mut foreign = BytesMut::from(&whole[..]);
        foreign[0] = 9;
        let refused = ForwardRequest::decode(foreign.freeze()).err();
        assert_eq!(refused, Some(MessageError::Version(9)));
        let mut long = BytesMut::from(&whole[..]);
        long[1] = 0xff;
        let refused = ForwardRequest::decode(long.freeze()).err();
        assert_eq!(refused, Some(MessageError::TooLarge));
        for bytes in [&[][..], &[1], &[1, 2, 0, 0, 0, 0], &[1, 0, 0, 0, 0, 0]] {
            let bytes = Bytes::copy_from_slice(bytes);
            assert!(ForwardAnswer::decode(bytes).is_err());
        }
    }

    #[test]
    fn a_head_of_too_many_headers_is_malformed() {
        for (count, fits) in [
            (HEADERS_MAX, true),
            (HEADERS_MAX + 1, false),
            (60_000, false),
        ] {
            let head = AnswerHead {
                status: 200,
                headers: vec![("a", &[]); count],
            };
            let sent = framed(&[VERSION, ANSWERED], &head, HEAD_BYTES_MAX, 0).unwrap();
            let got = ForwardAnswer::decode(Bytes::from_owner(sent));
            assert_eq!(got.is_ok(), fits, "{count}");
        }
    }

    #[test]
    fn heads_are_bounded() {
        let mut large = request();
        let value = HeaderValue::from_bytes(&vec![b'a'; HEAD_BYTES_MAX]).unwrap();
        large.headers.insert("x-large", value);
        assert_eq!(large.whole().err(), Some(MessageError::TooLarge));
    }
}
