//! Which path does what.

use super::{create, handle, readings, role, roles};
use crate::barrier::View;
use crate::engine::{
    self, Engine, Error, Field, MountContext, Operation, Outcome, Request, SpecialPaths,
};
use crate::{policy, token};
use std::sync::Arc;

/// The engine behind `auth/token/`. It keeps nothing of its own in memory.
pub struct TokenEngine {
    pub(super) tokens: Arc<token::Store>,
    pub(super) policies: Arc<policy::Store>,
}

impl TokenEngine {
    /// Over the tokens and policies of the barrier.
    pub fn new(tokens: Arc<token::Store>, policies: Arc<policy::Store>) -> Self {
        Self { tokens, policies }
    }

    fn write(&self, request: &Request, view: &View, path: &str) -> Result<Outcome, Error> {
        match path {
            "create" => create::plain(self, request),
            "create-orphan" => create::orphan(self, request),
            "lookup" => handle::lookup(self, request),
            "lookup-self" => handle::lookup_self(self, request),
            "lookup-accessor" => handle::lookup_accessor(self, request),
            "renew" => handle::renew(self, request),
            "renew-self" => handle::renew_self(self, request),
            "renew-accessor" => handle::renew_accessor(self, request),
            "revoke" => handle::revoke(self, request),
            "revoke-self" => handle::revoke_self(self, request),
            "revoke-orphan" => handle::revoke_orphan(self, request),
            "revoke-accessor" => handle::revoke_accessor(self, request),
            "tidy" => handle::tidy(),
            _ => match (path.strip_prefix("create/"), path.strip_prefix("roles/")) {
                (Some(role), _) => create::with_role(self, request, view, role),
                (_, Some(name)) => roles::write(request, view, name),
                _ => Err(unknown(path)),
            },
        }
    }

    fn read(&self, request: &Request, view: &View, path: &str) -> Result<Outcome, Error> {
        match path {
            "lookup" => handle::lookup(self, request),
            "lookup-self" => handle::lookup_self(self, request),
            _ => match path.strip_prefix("roles/") {
                Some(name) => roles::read(view, name),
                None => Err(unknown(path)),
            },
        }
    }
}

impl Engine for TokenEngine {
    fn kind(&self) -> &'static str {
        "token"
    }

    fn special_paths(&self) -> SpecialPaths {
        SpecialPaths {
            unauthenticated: &[],
            sudo: &["accessors", "accessors/"],
        }
    }

    fn canonical_path(&self, operation: Operation, path: &str) -> Option<String> {
        engine::canonical(operation, path, &[])
    }

    fn field(&self, _: &MountContext, path: &str, name: &str) -> Field {
        readings::of(path, name)
    }

    fn exists(&self, request: &Request, view: &View) -> Result<Option<bool>, Error> {
        match request.path.strip_prefix("roles/") {
            Some(name) => Ok(Some(roles::exists(view, name)?)),
            None => Ok(None),
        }
    }

    fn fields(&self, request: &Request) -> Option<&'static [&'static str]> {
        let path = request.path.as_str();
        if request.operation == Operation::Delete {
            return Some(&[]);
        }
        Some(match path {
            "create" | "create-orphan" => create::FIELDS,
            "lookup" | "lookup-self" | "revoke" | "revoke-self" | "revoke-orphan" => &["token"],
            "renew" | "renew-self" => &["token", "increment"],
            "renew-accessor" => &["accessor", "increment"],
            "lookup-accessor" | "revoke-accessor" => &["accessor"],
            "tidy" => &[],
            path if path.starts_with("create/") => create::FIELDS,
            path if path.starts_with("roles/") => role::FIELDS,
            _ => return None,
        })
    }

    fn handle(&self, request: &Request, view: &View) -> Result<Outcome, Error> {
        // Only a list may end in a slash: another spelling of a path would get around its deny.
        let path = match request.operation {
            Operation::List => request.path.trim_end_matches('/'),
            _ => request.path.as_str(),
        };
        match request.operation {
            Operation::Create | Operation::Update => self.write(request, view, path),
            Operation::Read => self.read(request, view, path),
            Operation::Delete => match path.strip_prefix("roles/") {
                Some(name) => roles::delete(view, name),
                None => Err(unknown(path)),
            },
            Operation::List => match path {
                "accessors" => handle::accessors(self, request),
                "roles" => roles::list(view),
                _ => Err(unknown(path)),
            },
            Operation::Patch | Operation::Scan | Operation::Help => Err(unknown(path)),
        }
    }
}

/// 405 where the path is one of ours, 404 where it is not.
fn unknown(path: &str) -> Error {
    const OURS: [&str; 15] = [
        "accessors",
        "create",
        "create-orphan",
        "lookup",
        "lookup-accessor",
        "lookup-self",
        "renew",
        "renew-accessor",
        "renew-self",
        "revoke",
        "revoke-accessor",
        "revoke-orphan",
        "revoke-self",
        "roles",
        "tidy",
    ];
    let below = |folder| {
        path.strip_prefix(folder)
            .is_some_and(|name: &str| !name.contains('/'))
    };
    if OURS.contains(&path) || below("create/") || below("roles/") {
        Error::unsupported_operation()
    } else {
        Error::unsupported_path()
    }
}
