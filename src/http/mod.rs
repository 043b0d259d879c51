//! The edge: sockets, TLS, limits, requests in, envelopes out, and the one table of statuses.
//!
//! Owns the listeners and every byte between a client and [`crate::router::Router::handle`]. The
//! way of a request: connection (deadlines, TLS) > target (path rules) > request (headers, body,
//! JSON) > gate (role) > router or [`crate::sys::open`] > answer (envelope, status, headers).
//!
//! Invariants
//! - Nothing a client sends is held without a named limit: see [`Options`] and [`limits`].
//! - A path reaches the router decoded exactly once, checked, and free of encoded separators.
//! - A refusal never repeats a body, a token or a path that the client sent.
//! - A token travels in [`Incoming::token`](crate::router::Incoming) and in no other field.
//! - The status of an error is decided in `status.rs` and nowhere else.
//!
//! It never reads the configuration, and knows no engine.

mod activity;
mod allowance;
mod answer;
mod answer_body;
mod body;
mod budget;
mod call;
mod connection;
mod envelope;
pub mod forward;
mod forwarded;
mod gate;
mod index;
mod json;
pub mod limits;
mod listener;
mod logical;
mod metrics;
mod options;
mod passage;
mod payload;
mod places;
mod recovery;
mod request;
mod server;
mod service;
mod status;
mod suites;
mod target;
mod tls;
mod unbroken;
mod unread;
mod upload;

pub use body::{BodyError, decode as decode_body};
pub use forwarded::ForwardedError;
pub use gate::Gate;
pub use json::{JsonError, JsonLimits, parse as parse_json};
pub use options::{
    Address, ForwardedFor, HeaderSelector, Listener, Options, ResponseHeaders, ServeError, Tls,
    TlsVersion, UnixOwner,
};
pub use places::{connections_within, descriptors_for};
pub use server::{Bound, Server, serve};
pub use target::{Target, TargetError, parse as parse_target};
pub use tls::{TlsError, check as check_tls};
