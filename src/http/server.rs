//! The listeners together: start, reload, graceful stop.

use super::activity::Activity;
use super::budget::Budget;
use super::connection;
use super::forward::ForwardEntry;
use super::forwarded::Rules;
use super::gate::{Gate, Shared, Shutdown};
use super::limits;
use super::listener::{self, Accepted, Socket};
use super::options::{Address, HeaderSelector, Listener, Options, ServeError};
use super::places::{Guest, Places};
use super::tls::{Reloadable, TlsError};
use hyper::header::{HeaderName, HeaderValue};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, watch};

/// Pause after a failed accept, such as for want of file descriptors.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);
/// Longest time that cancelled connections get to notice it.
const ABORT_WAIT: Duration = Duration::from_secs(1);

/// The address of a listener, after binding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bound {
    /// The TCP address, with the port that port 0 became.
    Tcp(SocketAddr),
    /// The path of a socket file; removed at shutdown.
    Unix(PathBuf),
}

/// The running listeners. Dropping it closes them and all connections at once.
pub struct Server {
    bound: Vec<Bound>,
    tls: Vec<(String, Arc<Reloadable>)>,
    phase: watch::Sender<Shutdown>,
    places: Arc<Places>,
    entry: ForwardEntry,
}

/// Binds all listeners, then serves them. If one of them cannot be bound none listens.
pub async fn serve(options: Options, gate: Gate) -> Result<Server, ServeError> {
    if options.listeners.is_empty() {
        return Err(ServeError::NoListener);
    }
    let places = Places::new(options.connections_max);
    let budget = Budget::new(options.requests);
    let tokenless = Arc::new(Semaphore::new(limits::TOKENLESS_CALLS_MAX));
    let entry = ForwardEntry(Arc::new(Shared {
        tls: None,
        forwarded: None,
        headers: Vec::new(),
        gate: gate.clone(),
        budget: Arc::clone(&budget),
        tokenless: Arc::clone(&tokenless),
        places: Arc::clone(&places),
        options: widest(&options.listeners),
    }));
    let (phase, _) = watch::channel(Shutdown::Running);
    let (mut bound, mut tls, mut ready) = (Vec::new(), Vec::new(), Vec::new());
    for listener in options.listeners {
        let shared = Shared {
            tls: load_tls(&listener)?,
            forwarded: listener
                .forwarded_for
                .as_ref()
                .map(Rules::new)
                .transpose()?,
            headers: response_headers(&listener)?,
            gate: gate.clone(),
            budget: Arc::clone(&budget),
            tokenless: Arc::clone(&tokenless),
            places: Arc::clone(&places),
            options: listener,
        };
        let socket = listener::bind(&shared.options).await?;
        bound.push(bound_address(&socket)?);
        if let Some(reloadable) = &shared.tls {
            tls.push((shown(&shared.options), Arc::clone(reloadable)));
        }
        ready.push((socket, Arc::new(shared)));
    }
    for (socket, shared) in ready {
        crate::task::spawn(accept(socket, shared, phase.subscribe()));
    }
    Ok(Server {
        bound,
        tls,
        phase,
        places,
        entry,
    })
}

/// Returns the widest limits of all listeners, for forwarded requests: those have passed a listener
/// of the node that sent them.
fn widest(listeners: &[Listener]) -> Listener {
    let mut widest = Listener::new(Address::Tcp(String::new()));
    for listener in listeners {
        widest.request_bytes_max = widest.request_bytes_max.max(listener.request_bytes_max);
        widest.json = widest.json.or(&listener.json);
        widest.request_duration_max = widest
            .request_duration_max
            .max(listener.request_duration_max);
    }
    widest
}

impl Server {
    /// Returns the addresses, in the order of the options.
    pub fn addresses(&self) -> &[Bound] {
        &self.bound
    }

    /// Returns the entry for requests that other nodes forward.
    pub fn entry(&self) -> ForwardEntry {
        self.entry.clone()
    }

    /// Reads all TLS files again. Listeners whose files are bad keep their certificates; their
    /// addresses and reasons are returned.
    pub fn reload(&self) -> Result<(), Vec<(String, TlsError)>> {
        let failures: Vec<_> = self
            .tls
            .iter()
            .filter_map(|(address, tls)| Some((address.clone(), tls.reload().err()?)))
            .collect();
        if failures.is_empty() {
            Ok(())
        } else {
            Err(failures)
        }
    }

    /// Returns the number of open connections.
    pub fn connections(&self) -> usize {
        self.places.taken()
    }

    /// Stops accepting, lets the requests in flight finish for up to `grace`, then cuts the rest.
    /// Returns true if nothing had to be cut.
    pub async fn shutdown(self, grace: Duration) -> bool {
        self.phase.send_replace(Shutdown::Draining);
        let all = self.places.emptied();
        let drained = tokio::time::timeout(grace, all).await.is_ok();
        self.phase.send_replace(Shutdown::Closed);
        if !drained {
            let all = self.places.emptied();
            if tokio::time::timeout(ABORT_WAIT, all).await.is_err() {
                tracing::warn!("connections did not close in time");
            }
        }
        drained
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.phase.send_replace(Shutdown::Closed);
        for bound in &self.bound {
            if let Bound::Unix(path) = bound {
                let _it_may_be_gone = std::fs::remove_file(path);
            }
        }
    }
}

async fn accept(socket: Socket, shared: Arc<Shared>, mut phase: watch::Receiver<Shutdown>) {
    loop {
        let accepted = tokio::select! {
            _ = phase.changed() => return,
            accepted = socket.accept() => accepted,
        };
        match accepted {
            Ok(accepted) => admit(accepted, &shared, &phase),
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_RETRY).await;
            }
        }
    }
}

/// Serves the connection once there is a place for it.
fn admit(accepted: Accepted, shared: &Arc<Shared>, phase: &watch::Receiver<Shutdown>) {
    let guest = guest(&accepted, shared);
    let options = &shared.options;
    let activity = Activity::new(options.header_read_timeout, options.idle_timeout);
    let place = shared.places.take(guest, &activity);
    let (shared, mut phase) = (Arc::clone(shared), phase.clone());
    crate::task::spawn(async move {
        let place = match place {
            Some(place) => Some(place),
            None => tokio::select! {
                _ = phase.changed() => None,
                place = shared.places.wait(guest, &activity) => place,
            },
        };
        if let Some(_place) = place {
            connection::run(accepted, shared, activity, phase).await;
        }
    });
}

/// Returns the claim of a connection to a place. Proxies speak for many clients, so theirs are not
/// counted.
fn guest(accepted: &Accepted, shared: &Shared) -> Guest {
    let address = match accepted {
        Accepted::Tcp(_, peer) => Some(peer.ip()),
        Accepted::Unix(_) => None,
    };
    let is_proxy = |address| {
        let rules = shared.forwarded.as_ref();
        rules.is_some_and(|rules| rules.believes(address))
    };
    match address {
        Some(address) if is_proxy(address) => Guest::new(Some(address), None),
        address => Guest::new(address, shared.options.connections_per_client_max),
    }
}

fn load_tls(listener: &Listener) -> Result<Option<Arc<Reloadable>>, ServeError> {
    let Some(options) = &listener.tls else {
        return Ok(None);
    };
    Reloadable::load(options)
        .map(|tls| Some(Arc::new(tls)))
        .map_err(|source| ServeError::Tls {
            address: shown(listener),
            source,
        })
}

fn response_headers(
    listener: &Listener,
) -> Result<Vec<(HeaderSelector, HeaderName, HeaderValue)>, ServeError> {
    let mut out = Vec::new();
    for group in &listener.response_headers {
        for (name, value) in &group.headers {
            let refused = || ServeError::ResponseHeader(name.clone());
            if name.to_ascii_lowercase().starts_with("x-vault-") {
                return Err(refused());
            }
            out.push((
                group.selector,
                name.parse().map_err(|_| refused())?,
                HeaderValue::from_str(value).map_err(|_| refused())?,
            ));
        }
    }
    Ok(out)
}

fn bound_address(socket: &Socket) -> Result<Bound, ServeError> {
    match socket {
        Socket::Tcp(listener) => {
            listener
                .local_addr()
                .map(Bound::Tcp)
                .map_err(|source| ServeError::Bind {
                    address: String::from("a bound socket"),
                    source,
                })
        }
        Socket::Unix(_, path) => Ok(Bound::Unix(path.clone())),
    }
}

fn shown(listener: &Listener) -> String {
    match &listener.address {
        Address::Tcp(address) => address.clone(),
        Address::Unix { path, .. } => path.display().to_string(),
    }
}
