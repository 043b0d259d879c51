//! Engines: what answers behind a mount, and the words every engine shares.
//!
//! Owns [`Request`], [`Response`], [`Outcome`] and the [`Engine`] trait, and a folder for each
//! secrets engine. An engine reads through the [`View`] it is given and returns its response
//! together with the [`Batch`] that must commit before anyone sees that response.
//!
//! Invariants
//! - An engine never commits, never waits, never reads a clock (see [`Request::now`]) and never
//!   sees the caller's token (only the token engine does, see [`Caller::token`]).
//! - It keeps no state of its own that the store does not have; caches follow the store's
//!   observer.

pub mod cubbyhole;
mod error;
pub mod kv;
mod request;
mod response;

pub use error::{Error, ErrorKind};
pub use request::{Caller, Client, MountContext, Operation, Request};
pub use response::{Auth, Body, LeaseGrant, Outcome, Response, TokenType, WrapInfo};

use crate::barrier::View;

/// Paths that an engine treats specially; relative to its mount. A trailing `*` matches any
/// rest, a `+` segment any one segment.
#[derive(Clone, Copy, Debug, Default)]
pub struct SpecialPaths {
    /// No token is needed (logins).
    pub unauthenticated: &'static [&'static str],
    /// The `sudo` capability is needed as well.
    pub sudo: &'static [&'static str],
}

/// What answers behind a mount.
pub trait Engine: Send + Sync {
    /// Its type in the mount table: `kv`, `cubbyhole`, `token`.
    fn kind(&self) -> &'static str;

    /// Paths with their own access rules.
    fn special_paths(&self) -> SpecialPaths {
        SpecialPaths::default()
    }

    /// Whether what the request writes to exists already, so that the policy can tell `create`
    /// from `update`. `None` where the engine makes no difference (then it is `update`).
    fn exists(&self, _request: &Request, _view: &View) -> Result<Option<bool>, Error> {
        Ok(None)
    }

    /// Answers one request. `Err` changes nothing. May be called again for the same request when
    /// a precondition of its batch failed.
    fn handle(&self, request: &Request, view: &View) -> Result<Outcome, Error>;
}
