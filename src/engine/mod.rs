//! Engines, which answer behind mounts, and the words that every engine shares.
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
mod granted;
pub mod hash;
pub mod json;
mod kind;
pub mod kv;
pub mod narrowing;
mod request;
mod response;
pub mod table;
pub mod tools;
pub mod transit;

pub use error::{Error, ErrorKind};
pub use granted::{Granted, Grantors, Login, Renewed};
pub use kind::{Alias, Kind, Kinds, Make, Options};
pub use request::{Caller, Client, MountContext, Operation, Request};
pub use response::{Auth, Body, LeaseGrant, Outcome, Response, Streamed, TokenType, WrapInfo};
pub use table::{FieldKind, Meaning};

use crate::barrier::{Batch, Slot, View};
use crate::policy::Authorized;
use crate::task::BoxFuture;
use std::any::Any;
use std::sync::Arc;
use std::time::Duration;
use table::{Endpoint, Sheet};

/// The record at the place that a request writes to.
#[derive(Debug)]
pub enum Existing {
    /// The engine makes no difference: it is an update.
    Undistinguished,
    /// No record can be there.
    Nothing,
    /// The record, or its absence.
    Slot(Slot),
}

/// The result of [`Engine::prepare`], for the handler to take apart.
pub type Prepared = Arc<dyn Any + Send + Sync>;

/// An engine: it answers the requests to its mounts.
pub trait Engine: Send + Sync {
    /// Returns its endpoints at a mount with these settings: their paths, the callers that may ask,
    /// the ways in which their fields are read. `handle` must read no name and no form that the
    /// table does not have, or a policy's rules about parameters could be walked around.
    fn table(&self, mount: &MountContext) -> &'static dyn Sheet;

    /// Returns true when `endpoint` is there. An endpoint that the configuration leaves out is not.
    fn has(&self, _endpoint: &Endpoint) -> bool {
        true
    }

    /// Returns the one spelling of a relative path that several spellings reach (a trailing slash,
    /// names whose case is folded); `None` when `path` is it. Policies, `sudo` rules and audit see
    /// only that spelling, so that no rule can be walked around by writing a name differently.
    fn canonical_path(&self, _operation: Operation, _path: &str) -> Option<String> {
        None
    }

    /// Returns the record that the request writes to, so that the policy can tell `create` from
    /// `update`. The engine is given the record that was read here with the request: see
    /// [`Request::slot`].
    fn existing(&self, _request: &Request, _view: &View) -> Result<Existing, Error> {
        Ok(Existing::Undistinguished)
    }

    /// Does the work that takes long before a request can be decided on: a password's hash, a key
    /// pair, a call to another server. It is asked once, after the policies granted the request, at
    /// endpoints with [`table::Endpoint::prepares`], and may wait; work that takes the processor
    /// for more than a few milliseconds belongs on [`crate::task::compute`]. `handle` finds the
    /// result in [`Request::prepared`]. A thing that it made elsewhere is the engine's to take back
    /// where `handle` does not grant it; from the grant on it is the router's ([`Engine::revoke`]).
    ///
    /// # Errors
    /// They are the answer.
    fn prepare<'a>(
        &'a self,
        _request: Authorized<&'a Request>,
        _view: &'a View,
    ) -> BoxFuture<'a, Result<Prepared, Error>> {
        Box::pin(async { Ok(Arc::new(()) as Prepared) })
    }

    /// Acts on the node or the world, or in more than one log entry. Returns `None` for requests
    /// that [`Engine::handle`] answers. It runs once; the audit's second record is written when it
    /// has ended, and says how.
    fn act<'a>(
        &'a self,
        _request: Authorized<&'a Request>,
        _view: &'a View,
    ) -> Option<BoxFuture<'a, Result<Response, Error>>> {
        None
    }

    /// Answers one request. `Err` changes nothing. May be called again for the same request when
    /// a precondition of its batch failed.
    fn handle(&self, request: Authorized<&Request>, view: &View) -> Result<Outcome, Error>;

    /// Judges the renewal of a secret's lease, or of a login's token, that this mount granted, for
    /// `increment` (zero: as the engine likes), and does what it takes elsewhere. It may wait. The
    /// new deadline is committed afterwards, so a renewal that was done elsewhere may yet be
    /// refused to the client: the lease then ends at its old deadline.
    ///
    /// # Errors
    /// They are the answer, and the lease stays as it is.
    fn renew<'a>(
        &'a self,
        _granted: &'a Granted,
        _increment: Duration,
        _view: &'a View,
    ) -> BoxFuture<'a, Result<Renewed, Error>> {
        Box::pin(async { Ok(Renewed::default()) })
    }

    /// Revokes the secret behind a lease of this mount. It may wait. The batch (often none) is
    /// committed together with the end of the lease's record.
    ///
    /// It is asked once more where nobody knows how it ended: the node died or lost leadership
    /// between the act and the commit, the batch's preconditions failed, or the answer did not come
    /// in time. So revoking a secret that is revoked already is a success.
    ///
    /// # Errors
    /// It is tried again later, a bounded number of times; not after 405.
    fn revoke<'a>(
        &'a self,
        _granted: &'a Granted,
        _view: &'a View,
    ) -> BoxFuture<'a, Result<Batch, Error>> {
        granted::cannot_revoke()
    }
}

/// Helps with [`Engine::canonical_path`]: drops trailing slashes except from lists, and folds the
/// names below `folded` (each with its trailing slash).
pub fn canonical(operation: Operation, path: &str, folded: &[&str]) -> Option<String> {
    let lists = matches!(operation, Operation::List | Operation::Scan);
    let plain = if lists {
        path
    } else {
        path.trim_end_matches('/')
    };
    let below = folded
        .iter()
        .find_map(|folder| plain.strip_prefix(folder).map(|name| (*folder, name)));
    let one = match below {
        Some((folder, name)) => format!("{folder}{}", name.trim().to_lowercase()),
        None => plain.to_owned(),
    };
    (one != path).then_some(one)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_spellings_have_one_canonical_form() {
        let folded = ["policies/acl/"];
        for (operation, path, one) in [
            (Operation::Update, "rotate/", Some("rotate")),
            (Operation::Update, "rotate", None),
            (
                Operation::Read,
                "policies/acl/Prod",
                Some("policies/acl/prod"),
            ),
            (
                Operation::Read,
                "policies/acl/ prod ",
                Some("policies/acl/prod"),
            ),
            (
                Operation::Read,
                "policies/acl/prod/",
                Some("policies/acl/prod"),
            ),
            (Operation::Read, "policies/acl/prod", None),
            (Operation::List, "policies/acl/", None),
            (Operation::Read, "mounts/Secret", None),
        ] {
            let got = canonical(operation, path, &folded);
            assert_eq!(got.as_deref(), one, "{path}");
        }
    }
}
