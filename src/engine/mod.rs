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
mod field;
pub mod kv;
pub mod narrowing;
mod request;
mod response;

pub use error::{Error, ErrorKind};
pub use field::{Field, FieldKind};
pub use request::{Caller, Client, MountContext, Operation, Request};
pub use response::{Auth, Body, LeaseGrant, Outcome, Response, Streamed, TokenType, WrapInfo};

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

    /// The one spelling of a relative path that several spellings reach (a trailing slash, names
    /// whose case is folded); `None` when `path` is it. Policies, `sudo` rules and audit see only
    /// that spelling, so that no rule can be walked around by writing a name differently.
    fn canonical_path(&self, _operation: Operation, _path: &str) -> Option<String> {
        None
    }

    /// How the field `name` is read at `path` (relative) of the mount. A policy's rules about
    /// parameters compare names and values as this says, so that no rule can be walked around by
    /// writing a value differently: `handle` must read no name and no form that this passes over.
    fn field(&self, _mount: &MountContext, _path: &str, _name: &str) -> Field {
        Field::default()
    }

    /// Whether what the request writes to exists already, so that the policy can tell `create`
    /// from `update`. `None` where the engine makes no difference (then it is `update`).
    fn exists(&self, _request: &Request, _view: &View) -> Result<Option<bool>, Error> {
        Ok(None)
    }

    /// The fields that the path of a writing request knows; `None` where its body is data of the
    /// client's own, or where there is no such path. The router refuses others that narrow: see
    /// [`narrowing`].
    fn fields(&self, request: &Request) -> Option<&'static [&'static str]>;

    /// Answers one request. `Err` changes nothing. May be called again for the same request when
    /// a precondition of its batch failed.
    fn handle(&self, request: &Request, view: &View) -> Result<Outcome, Error>;
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
