//! The way to one member: dials when a caller asks, once for all callers, and pauses after
//! failures.

use super::drive::{self, Ended, Heard};
use super::frame::Hello;
use super::inner::Inner;
use super::line::{self, Line};
use super::network::{Member, Protocol, PublicKey};
use super::outbox::Gauge;
use super::presence::Sign;
use super::roster::{Cut, Registration};
use super::tls;
use crate::telemetry::debug;
use bytes::BytesMut;
use rustls::ClientConfig;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// The most addresses of one name that are tried.
const ADDRESSES_MAX: usize = 8;

/// The member, protocol and use of a connection. Streams have their own, so that calls do not wait
/// behind them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Lane {
    pub key: PublicKey,
    pub protocol: Protocol,
    pub is_for_streams: bool,
}

#[derive(Clone)]
enum LinkState {
    Idle,
    Dialling,
    Up(Arc<Line>),
    /// No caller dials until then, unless the address changes or the member itself was heard of.
    Pausing {
        until: Instant,
        address: String,
        why: Arc<str>,
    },
}

/// The way to one member for one [`Lane`]: see the module.
pub(super) struct Link {
    lane: Lane,
    state: watch::Sender<LinkState>,
    /// The number of failures in a row.
    failures: AtomicU32,
    config: OnceLock<Arc<ClientConfig>>,
    /// The bytes that wait to be sent to this peer, over all lanes.
    pub gauge: Arc<Gauge>,
}

enum Next {
    Use(Arc<Line>),
    Wait,
    Dial,
    Fail(Arc<str>),
}

impl Link {
    /// Returns a link without a connection.
    pub fn new(lane: Lane, gauge: Arc<Gauge>) -> Arc<Self> {
        Arc::new(Self {
            lane,
            state: watch::Sender::new(LinkState::Idle),
            failures: Default::default(),
            config: OnceLock::new(),
            gauge,
        })
    }

    /// Returns a line to the member: the present one, or a new one. Fails at once during a pause.
    pub async fn line(
        self: &Arc<Self>,
        inner: &Arc<Inner>,
        to: &Member,
    ) -> Result<Arc<Line>, String> {
        let mut changes = self.state.subscribe();
        loop {
            match self.next(&to.address) {
                Next::Use(line) => return Ok(line),
                Next::Fail(why) => return Err(why.to_string()),
                Next::Dial => {
                    let (dialling, to) = (Dialling::new(self), to.clone());
                    let dialler = inner.clone();
                    if !inner.spawn(async move { dialling.run(&dialler, &to).await }) {
                        return Err("this node is shutting down".to_owned());
                    }
                }
                Next::Wait => {}
            }
            // The sender is in `self`, so this ends only with a change.
            let _ = changes
                .wait_for(|state| !matches!(state, LinkState::Dialling))
                .await;
        }
    }

    /// Ends a pause, since the member is there, as a connection of its own shows.
    pub fn end_pause(&self) {
        self.state.send_if_modified(|state| {
            let is_pausing = matches!(state, LinkState::Pausing { .. });
            if is_pausing {
                *state = LinkState::Idle;
            }
            is_pausing
        });
    }

    fn next(&self, wanted: &str) -> Next {
        let mut next = Next::Wait;
        self.state.send_if_modified(|state| {
            next = match state {
                LinkState::Dialling => Next::Wait,
                LinkState::Up(line) if !line.is_over() => Next::Use(line.clone()),
                LinkState::Pausing {
                    until,
                    address,
                    why,
                } if address == wanted && Instant::now() < *until => Next::Fail(why.clone()),
                LinkState::Idle | LinkState::Up(_) | LinkState::Pausing { .. } => Next::Dial,
            };
            if matches!(next, Next::Dial) {
                *state = LinkState::Dialling;
            }
            // Callers that wait for the end of dialling need not be woken by its beginning.
            false
        });
        next
    }

    fn pause(&self, inner: &Inner, to: &Member, why: &str) {
        let failures = &self.failures;
        let failures = failures.fetch_add(1, Ordering::Relaxed);
        let pause = pause(inner.limits.backoff_min, inner.limits.backoff_max, failures);
        debug!(peer = %to.name, address = %to.address, why, ?pause, "no connection");
        self.state.send_replace(LinkState::Pausing {
            until: Instant::now() + pause,
            address: to.address.clone(),
            why: why.into(),
        });
    }

    async fn connect(&self, inner: &Arc<Inner>, to: &Member) -> Result<Connected, String> {
        let stream = connect(&to.address, inner.limits.connect_within).await?;
        let config = self.config.get_or_init(|| {
            let Lane { key, protocol, .. } = &self.lane;
            Arc::new(tls::client(&inner.identity, key, *protocol))
        });
        let handshake = self.shake_hands(inner, config.clone(), stream);
        match tokio::time::timeout(inner.limits.handshake_within, handshake).await {
            Ok(done) => done,
            Err(_) => Err("it accepted the connection and then said nothing".to_owned()),
        }
    }

    async fn shake_hands(
        &self,
        inner: &Arc<Inner>,
        config: Arc<ClientConfig>,
        stream: TcpStream,
    ) -> Result<Connected, String> {
        let address = stream.peer_addr().map_err(|error| error.to_string())?;
        let (stream, handle) = drive::prepare(stream).map_err(|error| error.to_string())?;
        let cut = Cut::new(handle);
        // From here on a removal cuts it, also while it is being made.
        let place = inner.roster.admit(&self.lane.key, false, &cut);
        let place = place.map_err(|unwelcome| unwelcome.to_string())?;
        let connector = TlsConnector::from(config);
        let mut stream = connector
            .connect(tls::server_name(), stream)
            .await
            .map_err(|error| handshake_error(&error))?;
        let mut buffer = BytesMut::new();
        let hello = async {
            drive::send_hello(&mut stream, inner.process).await?;
            drive::read_hello(&mut stream, &mut buffer).await
        };
        let (hello, process) = hello.await.map_err(|ended| hello_error(&ended))?;
        if Hello::ours().common(hello).is_none() {
            return Err(Ended::Version(hello).to_string());
        }
        let address = address.ip().to_canonical();
        Ok(Connected {
            stream,
            buffer,
            cut,
            sign: inner.presence.greet(&self.lane.key, process, address),
            _place: place,
        })
    }
}

/// A connection on which both sides have sent a hello.
struct Connected {
    stream: TlsStream<TcpStream>,
    buffer: BytesMut,
    cut: Arc<Cut>,
    sign: Sign,
    _place: Registration,
}

impl Connected {
    async fn carry(self, inner: &Inner, key: &PublicKey, line: Arc<Line>) -> Ended {
        let Self {
            mut stream,
            buffer,
            cut,
            sign,
            _place,
        } = self;
        let assembly = inner.share(key).assembly(&inner.limits);
        let outbox = line.outbox();
        let mut heard = Heard {
            sign,
            receiver: line.clone(),
        };
        let ended = drive::drive(&mut stream, buffer, outbox, &cut, assembly, &mut heard).await;
        // A courtesy; it is over either way.
        let _ = stream.shutdown().await;
        ended
    }
}

/// An attempt to connect, and the line that comes of it. Dropped at any moment it leaves no caller
/// waiting.
struct Dialling {
    link: Arc<Link>,
    line: Option<Arc<Line>>,
}

impl Dialling {
    /// Begins an attempt for a link whose state is [`LinkState::Dialling`] already.
    fn new(link: &Arc<Link>) -> Self {
        Self {
            link: link.clone(),
            line: None,
        }
    }

    /// Dials, and then carries the line until it ends.
    async fn run(mut self, inner: &Arc<Inner>, to: &Member) {
        let link = self.link.clone();
        match link.connect(inner, to).await {
            Ok(connected) => {
                link.failures.store(0, Ordering::Relaxed);
                let streams = link.lane.is_for_streams;
                let line = Line::new(line::in_flight_max(&inner.limits, streams));
                self.line = Some(line.clone());
                link.state.send_replace(LinkState::Up(line.clone()));
                let key = &link.lane.key;
                let ended = connected.carry(inner, key, line.clone()).await;
                debug!(peer = %to.name, address = %to.address, %ended, "connection ended");
                line.end(&ended.to_string());
            }
            Err(why) => link.pause(inner, to, &why),
        }
    }
}

impl Drop for Dialling {
    fn drop(&mut self) {
        if let Some(line) = &self.line {
            line.end("the connection was closed");
        }
        self.link.state.send_if_modified(|state| {
            let is_mine = match (&*state, &self.line) {
                (LinkState::Dialling, None) => true,
                (LinkState::Up(there), Some(mine)) => Arc::ptr_eq(there, mine),
                _ => false,
            };
            if is_mine {
                *state = LinkState::Idle;
            }
            is_mine
        });
    }
}

/// Connects to the first address of a name that answers; resolves the name each time, since names
/// move.
async fn connect(address: &str, within: Duration) -> Result<TcpStream, String> {
    let found = tokio::time::timeout(within, tokio::net::lookup_host(address)).await;
    let found = match found {
        Ok(Ok(found)) => found,
        Ok(Err(error)) => return Err(format!("its name cannot be resolved: {error}")),
        Err(_) => return Err("its name was not resolved in time".to_owned()),
    };
    let mut why = "its name has no address".to_owned();
    for address in found.take(ADDRESSES_MAX) {
        match tokio::time::timeout(within, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => why = error.to_string(),
            Err(_) => why = format!("no connection within {within:?}"),
        }
    }
    Err(why)
}

/// Returns true when each address of a name refuses a connection.
pub(super) async fn is_refused(address: &str, within: Duration) -> bool {
    let refused = async {
        let found = tokio::net::lookup_host(address).await.ok()?;
        let mut tried = 0;
        for address in found.take(ADDRESSES_MAX) {
            let error = TcpStream::connect(address).await.err()?;
            if error.kind() != std::io::ErrorKind::ConnectionRefused {
                return None;
            }
            tried += 1;
        }
        (tried > 0).then_some(())
    };
    matches!(tokio::time::timeout(within, refused).await, Ok(Some(())))
}

/// Returns the pause after one more than `failures` of them: doubled for each, of which a random
/// half.
fn pause(min: Duration, max: Duration, failures: u32) -> Duration {
    let full = min.saturating_mul(1 << failures.min(16)).min(max);
    let mut chance = [0; 4];
    crate::secret::fill_random(&mut chance);
    let share = f64::from(u32::from_le_bytes(chance)) / f64::from(u32::MAX);
    full.mul_f64(0.5 + share / 2.0)
}

fn handshake_error(error: &std::io::Error) -> String {
    let inside = error.get_ref().and_then(|inside| inside.downcast_ref());
    match inside {
        Some(rustls::Error::InvalidCertificate(_)) => {
            "another key answers there than this member's".to_owned()
        }
        Some(rustls::Error::AlertReceived(_)) => {
            format!("it refused the handshake: {error}")
        }
        _ => format!("the handshake failed: {error}"),
    }
}

/// Returns the reason of a failed hello. With TLS 1.3 the side that dials learns only here that its
/// key was refused.
fn hello_error(ended: &Ended) -> String {
    match ended {
        Ended::Io(_) | Ended::Closed => {
            format!("it closed the connection; is this node a member there? ({ended})")
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_are_bounded() {
        let (min, max) = (Duration::from_millis(50), Duration::from_secs(1));
        for (failures, at_most_ms) in [(0, 50), (1, 100), (3, 400), (5, 1000), (1000, 1000)] {
            for _ in 0..100 {
                let pause = pause(min, max, failures);
                let most = Duration::from_millis(at_most_ms);
                assert!(pause <= most && pause >= most / 2, "{failures}: {pause:?}");
            }
        }
    }
}
