//! The calling side of one connection: matches answers to the callers that wait for them.

use super::assembly::Message;
use super::drive::Receiver;
use super::frame::{FrameError, FrameKind, PAYLOAD_BYTES_MAX};
use super::limits::Limits;
use super::outbox::{Charge, Outbox};
use super::window::WINDOW_BYTES;
use crate::stream::Chunks;
use bytes::Bytes;
use futures_util::StreamExt;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, oneshot};

/// The reason for which no answer came over a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum LineError {
    /// The connection had ended before anything was sent.
    Stale,
    /// The connection ended while the answer was awaited.
    Lost(String),
    /// No answer came in time.
    TimedOut,
    /// Too many requests wait on the connection, here or at the other side.
    Busy,
    /// The other side refused, in these words.
    Refused(String),
}

type LineAnswer = Result<Bytes, LineError>;

struct Pending {
    answer: oneshot::Sender<LineAnswer>,
    /// The bytes of a stream's body that may still be sent; `None` for a call.
    credit: Option<Arc<Semaphore>>,
}

#[derive(Default)]
struct Waiting {
    by_id: HashMap<u32, Pending>,
    last_id: u32,
    ended: Option<String>,
}

/// One connection to one member, ready for calls.
pub(super) struct Line {
    waiting: Mutex<Waiting>,
    outbox: Outbox,
    in_flight_max: usize,
}

/// A caller's place in the line; dropped early, it tells the other side not to go on.
struct Turn<'a> {
    line: &'a Line,
    id: u32,
    answer: oneshot::Receiver<LineAnswer>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if self.line.lock().by_id.remove(&self.id).is_some() && self.line.outbox.withdraw(self.id) {
            let nothing = Bytes::new();
            self.line
                .outbox
                .push(FrameKind::Cancel, self.id, nothing, None);
        }
    }
}

impl Line {
    /// Returns a line that carries at most `in_flight_max` calls or streams at a time.
    pub fn new(in_flight_max: usize) -> Arc<Self> {
        Arc::new(Self {
            waiting: Mutex::default(),
            outbox: Outbox::default(),
            in_flight_max,
        })
    }

    /// Returns the messages to be sent.
    pub fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// Returns true when the connection has ended.
    pub fn is_over(&self) -> bool {
        self.lock().ended.is_some()
    }

    /// Ends the line: all callers that wait get `why`.
    pub fn end(&self, why: &str) {
        let mut waiting = self.lock();
        waiting.ended.get_or_insert_with(|| why.to_owned());
        let all = std::mem::take(&mut waiting.by_id);
        drop(waiting);
        for (_, pending) in all {
            // A caller that stopped waiting needs no answer.
            let _ = pending.answer.send(Err(LineError::Lost(why.to_owned())));
        }
    }

    /// Sends one request and returns its answer.
    pub async fn call(&self, request: Bytes, charge: Charge, within: Duration) -> LineAnswer {
        let mut turn = self.turn(None)?;
        self.outbox
            .push(FrameKind::Call, turn.id, request, Some(charge));
        match tokio::time::timeout(within, &mut turn.answer).await {
            Ok(answer) => answer.unwrap_or_else(|_| Err(lost())),
            Err(_) => Err(LineError::TimedOut),
        }
    }

    /// Sends a head, and then a body as fast as there is credit for it, and returns the answer.
    pub async fn stream(&self, head: Bytes, mut body: Chunks, stalled: Duration) -> LineAnswer {
        let credit = Arc::new(Semaphore::new(0));
        let mut turn = self.turn(Some(credit.clone()))?;
        let id = turn.id;
        self.outbox.push(FrameKind::Open, id, head, None);
        let mut rest = Some(Bytes::new());
        let mut broken = None;
        loop {
            tokio::select! {
                biased;
                answer = &mut turn.answer => {
                    let answer = answer.unwrap_or_else(|_| Err(lost()));
                    return broken.map_or(answer, |why| Err(LineError::Lost(why)));
                }
                () = tokio::time::sleep(stalled) => return Err(LineError::TimedOut),
                moved = self.step(id, &credit, &mut rest, &mut body), if rest.is_some() => {
                    broken = moved?;
                }
            }
        }
    }

    /// Sends the next piece of a body. `rest` holds bytes that were taken from it and are not sent
    /// yet; it is `None` once the body has ended. Returns the reason if the body broke off.
    async fn step(
        &self,
        id: u32,
        credit: &Semaphore,
        rest: &mut Option<Bytes>,
        body: &mut Chunks,
    ) -> Result<Option<String>, LineError> {
        let Some(left) = rest else { return Ok(None) };
        if left.is_empty() {
            match body.next().await {
                Some(Ok(bytes)) => *left = bytes,
                Some(Err(error)) => {
                    self.outbox.push(FrameKind::Broken, id, Bytes::new(), None);
                    *rest = None;
                    return Ok(Some(format!("the body to send broke off: {error}")));
                }
                None => {
                    self.outbox.push(FrameKind::End, id, Bytes::new(), None);
                    *rest = None;
                }
            }
            return Ok(None);
        }
        let size = left.len().min(PAYLOAD_BYTES_MAX);
        let permits = credit.acquire_many(size as u32).await;
        permits.map_err(|_| lost())?.forget();
        let piece = left.split_to(size);
        self.outbox.push(FrameKind::Chunk, id, piece, None);
        Ok(None)
    }

    fn turn(&self, credit: Option<Arc<Semaphore>>) -> Result<Turn<'_>, LineError> {
        let mut waiting = self.lock();
        if waiting.ended.is_some() {
            return Err(LineError::Stale);
        }
        if waiting.by_id.len() >= self.in_flight_max {
            return Err(LineError::Busy);
        }
        let mut id = waiting.last_id.wrapping_add(1);
        while waiting.by_id.contains_key(&id) {
            id = id.wrapping_add(1);
        }
        waiting.last_id = id;
        let (sender, answer) = oneshot::channel();
        let pending = Pending {
            answer: sender,
            credit,
        };
        waiting.by_id.insert(id, pending);
        Ok(Turn {
            line: self,
            id,
            answer,
        })
    }

    fn answered(&self, id: u32, answer: LineAnswer) {
        if let Some(pending) = self.lock().by_id.remove(&id) {
            // A caller that stopped waiting needs no answer.
            let _ = pending.answer.send(answer);
        }
    }

    fn credited(&self, id: u32, payload: &[u8]) -> Result<(), FrameError> {
        let bytes = payload.try_into().map_err(|_| FrameError::Credit)?;
        let bytes = u32::from_le_bytes(bytes) as usize;
        let waiting = self.lock();
        let Some(pending) = waiting.by_id.get(&id) else {
            return Ok(());
        };
        let credit = pending.credit.as_ref().ok_or(FrameError::Credit)?;
        if credit.available_permits() + bytes > WINDOW_BYTES {
            return Err(FrameError::Credit);
        }
        credit.add_permits(bytes);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Receiver for Arc<Line> {
    fn receive(&mut self, message: Message) -> Result<(), FrameError> {
        let Message { kind, id, payload } = message;
        match kind {
            FrameKind::Answer => self.answered(id, Ok(payload)),
            FrameKind::Refusal => {
                let words = String::from_utf8_lossy(&payload).into_owned();
                self.answered(id, Err(LineError::Refused(words)));
            }
            FrameKind::Busy => self.answered(id, Err(LineError::Busy)),
            FrameKind::Credit => self.credited(id, &payload)?,
            other => return Err(FrameError::Unexpected(other)),
        }
        Ok(())
    }
}

/// Returns the number of calls, or of streams, that a line carries.
pub(super) fn in_flight_max(limits: &Limits, is_for_streams: bool) -> usize {
    if is_for_streams {
        limits.streams_in_flight_max
    } else {
        limits.calls_in_flight_max
    }
}

fn lost() -> LineError {
    LineError::Lost("the connection was closed".to_owned())
}
