//! The answering side of one connection.

use super::assembly::Message;
use super::drive::Receiver;
use super::frame::{FrameError, FrameKind};
use super::limits::Limits;
use super::network::{PublicKey, Service};
use super::outbox::{Charge, Gauge, Outbox};
use super::window::{Filling, window};
use bytes::Bytes;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use tokio::task::{AbortHandle, JoinSet};

/// The most bytes of a refusal in words.
const REFUSAL_BYTES_MAX: usize = 4096;

struct Running {
    task: Option<AbortHandle>,
    body: Option<Filling>,
}

type AllRunning = Arc<Mutex<HashMap<u32, Running>>>;

/// Finds the service that answers; called for each request, since it may change while a connection
/// lives.
pub(super) type FindService = Box<dyn Fn() -> Option<Weak<dyn Service>> + Send>;

/// Starts the answers to a member's requests. Dropped with its connection, it drops all that are
/// not finished.
pub(super) struct Served {
    from: PublicKey,
    service: FindService,
    outbox: Arc<Outbox>,
    running: AllRunning,
    tasks: JoinSet<()>,
    gauge: Arc<Gauge>,
    calls_max: usize,
    streams_max: usize,
    answer_bytes_max: usize,
}

impl Served {
    /// Serves a connection of `from`, whose answers go to `outbox`. Requests and answers that wait
    /// are charged to `gauge`, which the peer's other connections share.
    pub fn new(
        from: PublicKey,
        service: FindService,
        outbox: Arc<Outbox>,
        gauge: Arc<Gauge>,
        limits: &Limits,
    ) -> Self {
        Self {
            from,
            service,
            outbox,
            running: Arc::default(),
            tasks: JoinSet::new(),
            gauge,
            calls_max: limits.calls_in_flight_max,
            streams_max: limits.streams_in_flight_max,
            answer_bytes_max: limits.message_bytes_max,
        }
    }

    fn start(&mut self, id: u32, request: Bytes, is_stream: bool) -> Result<(), FrameError> {
        while self.tasks.try_join_next().is_some() {}
        let kind = if is_stream {
            FrameKind::Open
        } else {
            FrameKind::Call
        };
        let in_flight_max = if is_stream {
            self.streams_max
        } else {
            self.calls_max
        };
        let is_full = {
            let running = lock(&self.running);
            if running.contains_key(&id) {
                return Err(FrameError::Unexpected(kind));
            }
            running.len() >= in_flight_max
        };
        let charge = self.gauge.take(request.len());
        let Some(charge) = charge.filter(|_| !is_full) else {
            return self.turn_away(FrameKind::Busy, id, Bytes::new());
        };
        let service = (self.service)().and_then(|service| service.upgrade());
        let Some(service) = service else {
            let words = Bytes::from_static(b"nothing answers here yet");
            return self.turn_away(FrameKind::Refusal, id, words);
        };
        let (body, chunks) = match is_stream {
            true => Some(window(id, &self.outbox)).unzip(),
            false => (None, None),
        };
        lock(&self.running).insert(id, Running { task: None, body });
        let turn = self.turn(id, charge);
        let from = self.from.clone();
        let task = self.tasks.spawn(crate::task::boxed(async move {
            let answer = match chunks {
                Some(chunks) => service.stream(from, request, Box::pin(chunks)).await,
                None => service.call(from, request).await,
            };
            turn.answer(answer);
        }));
        if let Some(running) = lock(&self.running).get_mut(&id) {
            running.task = Some(task);
        }
        Ok(())
    }

    /// Answers without having done anything. A peer that asks on without reading such answers is
    /// cut off.
    fn turn_away(&self, kind: FrameKind, id: u32, words: Bytes) -> Result<(), FrameError> {
        if self.gauge.is_overrun() {
            return Err(FrameError::Unread);
        }
        let charge = self.gauge.force(words.len());
        self.outbox.push(kind, id, words, Some(charge));
        Ok(())
    }

    fn turn(&self, id: u32, charge: Charge) -> Turn {
        Turn {
            id,
            running: self.running.clone(),
            outbox: self.outbox.clone(),
            gauge: self.gauge.clone(),
            answer_bytes_max: self.answer_bytes_max,
            _charge: charge,
        }
    }
}

impl Receiver for Served {
    fn receive(&mut self, message: Message) -> Result<(), FrameError> {
        let Message { kind, id, payload } = message;
        match kind {
            FrameKind::Call => return self.start(id, payload, false),
            FrameKind::Open => return self.start(id, payload, true),
            FrameKind::Cancel => {
                let cancelled = lock(&self.running).remove(&id);
                if let Some(task) = cancelled.and_then(|running| running.task) {
                    task.abort();
                }
                // An answer that nobody waits for need not be sent.
                self.outbox.withdraw_unless_begun(id);
            }
            FrameKind::Chunk | FrameKind::End | FrameKind::Broken => {
                // One that was answered early, or refused, may still be sending.
                if let Some(running) = lock(&self.running).get_mut(&id) {
                    let body = running.body.as_mut();
                    let body = body.ok_or(FrameError::Unexpected(kind))?;
                    match kind {
                        FrameKind::Chunk => body.put(payload)?,
                        _ => body.end(kind == FrameKind::End),
                    }
                }
            }
            other => return Err(FrameError::Unexpected(other)),
        }
        Ok(())
    }
}

/// The duty to answer a request. Dropped without an answer (the service panicked), it refuses.
struct Turn {
    id: u32,
    running: AllRunning,
    outbox: Arc<Outbox>,
    gauge: Arc<Gauge>,
    answer_bytes_max: usize,
    _charge: Charge,
}

impl Turn {
    fn answer(self, answer: Result<Bytes, String>) {
        let (kind, payload) = match answer {
            Ok(answer) if answer.len() > self.answer_bytes_max => (
                FrameKind::Refusal,
                Bytes::from_static(b"the answer is too large"),
            ),
            Ok(answer) => (FrameKind::Answer, answer),
            Err(mut words) => {
                let mut end = words.len().min(REFUSAL_BYTES_MAX);
                while !words.is_char_boundary(end) {
                    end -= 1;
                }
                words.truncate(end);
                (FrameKind::Refusal, Bytes::from(words))
            }
        };
        self.send(kind, payload);
    }

    fn send(&self, kind: FrameKind, payload: Bytes) {
        // Not there any more: cancelled, or answered.
        if lock(&self.running).remove(&self.id).is_some() {
            let charge = self.gauge.force(payload.len());
            self.outbox.push(kind, self.id, payload, Some(charge));
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.send(FrameKind::Refusal, Bytes::from_static(b"it failed inside"));
    }
}

fn lock(running: &AllRunning) -> MutexGuard<'_, HashMap<u32, Running>> {
    running.lock().unwrap_or_else(PoisonError::into_inner)
}
