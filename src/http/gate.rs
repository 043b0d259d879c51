//! The services behind the edge, and the state that the connections of one listener share.

use super::budget::Budget;
use super::forward::Forwarder;
use super::forwarded::Rules;
use super::options::{HeaderSelector, Listener};
use super::places::Places;
use super::tls::Reloadable;
use crate::router::Role;
use crate::sys::{Lifecycle, RecoveryMode};
use hyper::header::{HeaderName, HeaderValue};
use std::sync::Arc;
use tokio::sync::{Semaphore, watch};

/// The services behind the edge.
#[derive(Clone)]
pub struct Gate {
    /// This node's present role.
    pub role: watch::Receiver<Role>,
    /// Serves the endpoints that answer while sealed.
    pub lifecycle: Arc<dyn Lifecycle>,
    /// The way to the active node; `None` for a store that has no other nodes.
    pub forwarder: Option<Arc<dyn Forwarder>>,
    /// Recovery mode, which then answers all requests.
    pub recovery: Option<Arc<RecoveryMode>>,
}

/// The state that the connections of one listener share.
pub(super) struct Shared {
    pub(super) gate: Gate,
    pub(super) options: Listener,
    pub(super) tls: Option<Arc<Reloadable>>,
    pub(super) forwarded: Option<Rules>,
    pub(super) headers: Vec<(HeaderSelector, HeaderName, HeaderValue)>,
    pub(super) budget: Arc<Budget>,
    pub(super) tokenless: Arc<Semaphore>,
    pub(super) places: Arc<Places>,
}

/// The stages of a stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shutdown {
    Running,
    Draining,
    Closed,
}
