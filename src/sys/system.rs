//! The engine behind `sys/`: which path does what.

use super::assemble::Assembly;
use super::autopilot::Autopilot;
use super::cluster::Cluster;
use super::generate_root::{self, RootGenerations};
use super::known_fields;
use super::snapshot::auto::Auto;
use crate::audit;
use crate::barrier::{Unsealed, View};
use crate::clock::Timestamp;
use crate::engine::{
    self, Engine, Error, Field, MountContext, Operation, Outcome, Request, Response, SpecialPaths,
};
use crate::mount::{Class, Table};
use crate::router::{Direct, Flights, Lifetimes};
use crate::store::BoxFuture;
use crate::{policy, token};
use serde_json::{Map, Value};
use std::sync::Arc;

/// The `sys/` engine. It keeps nothing of its own in memory.
pub(super) struct System {
    pub barrier: Arc<Unsealed>,
    pub mounts: Arc<Table>,
    pub policies: Arc<policy::Store>,
    pub tokens: Arc<token::Store>,
    pub audit: Arc<audit::Broker>,
    pub flights: Arc<Flights>,
    pub lifetimes: Lifetimes,
    pub started: Timestamp,
    pub generations: RootGenerations,
    pub options: Options,
}

/// What the configuration settles for `sys/`.
pub(super) struct Options {
    pub raw_storage_endpoint: bool,
    pub sanitized: Map<String, Value>,
    pub cluster: Option<Arc<dyn Cluster>>,
    pub autopilot: Arc<Autopilot>,
    pub snapshots: Arc<Auto>,
}

impl Options {
    pub fn of(assembly: &Assembly) -> Self {
        Self {
            raw_storage_endpoint: assembly.raw_storage_endpoint,
            sanitized: assembly.sanitized.clone(),
            cluster: assembly.cluster.clone(),
            autopilot: Arc::clone(&assembly.autopilot),
            snapshots: Arc::clone(&assembly.snapshots),
        }
    }
}

/// Paths that need `sudo`, as in Vault.
const SUDO: &[&str] = &[
    "audit",
    "audit/*",
    "auth/*",
    "config/auditing/*",
    "config/cors",
    "config/ui/headers",
    "config/ui/headers/*",
    "leases/lookup/",
    "leases/lookup/*",
    "leases/revoke-force/*",
    "leases/revoke-prefix/*",
    "leases/tidy",
    "plugins/catalog/*",
    "raw",
    "raw/*",
    "remount",
    "revoke-force/*",
    "revoke-prefix/*",
    "rotate",
    "rotate/keyring",
    "seal",
    "step-down",
    "storage/raft/snapshot-auto/config/*",
];

/// Where the members are.
const RAFT: &str = "storage/raft/";

/// Paths that need no token; they tell little to who has none.
const OPEN: &[&str] = &[
    "generate-root/attempt",
    "generate-root/update",
    "internal/ui/mounts",
    "internal/ui/mounts/*",
    "wrapping/lookup",
];

impl Engine for System {
    fn kind(&self) -> &'static str {
        "system"
    }

    fn special_paths(&self) -> SpecialPaths {
        SpecialPaths {
            unauthenticated: OPEN,
            sudo: SUDO,
        }
    }

    fn canonical_path(&self, operation: Operation, path: &str) -> Option<String> {
        engine::canonical(operation, path, &["policies/acl/", "policy/"])
    }

    fn fields(&self, request: &Request) -> Option<&'static [&'static str]> {
        known_fields::of(request.operation, &request.path)
    }

    fn field(&self, _: &MountContext, path: &str, name: &str) -> Field {
        super::readings::of(path, name)
    }

    fn handle(&self, request: &Request, _view: &View) -> Result<Outcome, Error> {
        let path = request.path.trim_end_matches('/');
        let (head, rest) = path.split_once('/').unwrap_or((path, ""));
        match head {
            // Tuning has this second door in Vault, without sudo; enabling and disabling has not.
            "mounts" => match rest
                .strip_prefix("auth/")
                .filter(|rest| rest.ends_with("/tune"))
            {
                Some(method) => self.mounts(Class::Auth, request, method),
                None => self.mounts(Class::Secret, request, rest),
            },
            "auth" => self.mounts(Class::Auth, request, rest),
            "remount" => self.remount(request, rest),
            "policy" => self.policy(request, rest, true),
            "policies" => match rest.split_once('/').unwrap_or((rest, "")) {
                ("acl", name) => self.policy(request, name, false),
                _ => Err(Error::unsupported_path()),
            },
            "capabilities" | "capabilities-self" | "capabilities-accessor" if rest.is_empty() => {
                self.capabilities(request, head)
            }
            "audit" => self.audit_devices(request, rest),
            "audit-hash" => self.audit_hash(request, rest),
            "wrapping" if rest == "wrap" => wrap(request),
            "leases" => self.leases(request, rest),
            "renew" => self.renew_lease(request, rest),
            "revoke" => self.revoke_lease(request, rest),
            "key-status" if rest.is_empty() => self.key_status(request),
            "rotate" if rest == "config" => self.rotation_config(request),
            "tools" => super::tools::handle(request, rest),
            "internal" => self.internal(request, rest),
            "config" => self.config(request, rest),
            "raw" if self.options.raw_storage_endpoint => self.raw(request, rest),
            "storage" => match rest.strip_prefix("raft/") {
                Some(name @ ("snapshot" | "snapshot-force")) => step(request, name),
                Some(rest) if rest.starts_with("snapshot-auto/") => {
                    let rest = rest.strip_prefix("snapshot-auto/").unwrap_or_default();
                    self.snapshot_auto(request, rest)
                }
                Some(rest) => self.raft(request, rest),
                None => Err(Error::unsupported_path()),
            },
            "plugins" => super::catalog::handle(request, rest),
            "loggers" => super::loggers::handle(request, rest),
            "seal" | "step-down" | "ha-status" if rest.is_empty() => step(request, head),
            "host-info" | "version-history" | "in-flight-req" | "metrics" if rest.is_empty() => {
                self.info(request, head)
            }
            _ => Err(Error::unsupported_path()),
        }
    }
}

impl Direct for System {
    fn handle<'a>(
        &'a self,
        request: &'a Request,
    ) -> Option<BoxFuture<'a, Result<Response, Error>>> {
        if let Some((door, room)) = generate_root::place(&request.path) {
            return Some(Box::pin(self.generate_root(request, door, room)));
        }
        if request.operation == Operation::Delete {
            let method = request
                .path
                .strip_prefix("auth/")
                .filter(|path| !path.is_empty() && !path.ends_with("/tune"))?;
            return Some(Box::pin(self.disable_method(method, request.now)));
        }
        if !is_update(request) {
            return None;
        }
        match request.path.as_str() {
            "rotate" | "rotate/keyring" => Some(Box::pin(self.rotate(request.now))),
            "rotate/config" => Some(Box::pin(self.configure_rotation(request))),
            path if path.starts_with(RAFT) => self.raft_change(path.strip_prefix(RAFT)?, request),
            path => {
                // Once only: what needs sudo is known by these names.
                let path = path.strip_prefix("leases/").unwrap_or(path);
                let (verb, prefix) = path.split_once('/')?;
                matches!(verb, "revoke-prefix" | "revoke-force")
                    .then(|| Box::pin(self.revoke_prefix(prefix, request.now)) as _)
            }
        }
    }
}

/// PUT and POST; the policies may have been asked about a `create`.
pub(super) fn is_update(request: &Request) -> bool {
    matches!(request.operation, Operation::Create | Operation::Update)
}

/// Refuses every operation but PUT and POST.
pub(super) fn expect_update(request: &Request) -> Result<(), Error> {
    match is_update(request) {
        true => Ok(()),
        false => Err(Error::unsupported_operation()),
    }
}

/// Refuses every operation but `operation`.
pub(super) fn expect(request: &Request, operation: Operation) -> Result<(), Error> {
    match request.operation == operation {
        true => Ok(()),
        false => Err(Error::unsupported_operation()),
    }
}

/// 200 with `data`, which is also beside itself at the top.
pub(super) fn doubled(data: Map<String, Value>) -> Outcome {
    let mut response = Response::data(data);
    response.duplicate_data = true;
    response.into()
}

/// The router wraps what this answers; without a wrapping header there is nothing to do.
fn wrap(request: &Request) -> Result<Outcome, Error> {
    expect_update(request)?;
    if request.wrap_ttl.is_none_or(|ttl| ttl.is_zero()) {
        let message = "endpoint requires response wrapping to be used";
        return Err(Error::invalid(message));
    }
    Ok(Response::data(request.data.clone()).into())
}

/// Says that the caller may; the node then acts.
fn step(request: &Request, name: &str) -> Result<Outcome, Error> {
    match name {
        "snapshot" if request.operation == Operation::Read => Ok(Response::no_content().into()),
        "ha-status" => {
            expect(request, Operation::Read)?;
            Ok(Response::data(Map::new()).into())
        }
        _ => {
            expect_update(request)?;
            Ok(Response::no_content().into())
        }
    }
}
