//! The engine behind `sys/`: which path does what.

use super::acts::FindNode;
use super::generate_root::RootGenerations;
use super::policies::FOLDED;
use super::table::{Run, TABLE};
use super::{raft, raw};
use crate::audit;
use crate::barrier::{Unsealed, View};
use crate::clock::Timestamp;
use crate::engine::table::{Endpoint, Sheet};
use crate::engine::{
    self, Engine, Error, Kind, Kinds, Make, MountContext, Operation, Outcome, Prepared, Request,
    Response,
};
use crate::mount::Table;
use crate::policy::Authorized;
use crate::router::{Flights, Lifetimes, Revoker};
use crate::store::BoxFuture;
use crate::sys::duties::autopilot::Autopilot;
use crate::sys::duties::snapshots::Auto;
use crate::sys::open;
use crate::sys::ports::Cluster;
use crate::{policy, token};
use serde_json::{Map, Value};
use std::sync::Arc;

/// `sys/`, of which there is one.
pub static KIND: Kind = Kind {
    is_single: true,
    ..Kind::usual("system", |_| vec![&TABLE, &open::TABLE], Make::Before)
};

/// The `sys/` engine. It keeps nothing of its own in memory.
pub struct System {
    /// With its keys.
    pub barrier: Arc<Unsealed>,
    /// The mount table.
    pub mounts: Arc<Table>,
    /// The policies.
    pub policies: Arc<policy::Store>,
    /// The tokens.
    pub tokens: Arc<token::Store>,
    /// The audit devices.
    pub audit: Arc<audit::Broker>,
    /// The requests that are being answered.
    pub flights: Arc<Flights>,
    /// Lease lives where mounts say nothing.
    pub lifetimes: Lifetimes,
    /// Cluster time of the start.
    pub started: Timestamp,
    /// Attempts to make a root token with the unseal shares.
    pub generations: RootGenerations,
    /// See there.
    pub options: Options,
    /// Finds the node, for what only the node can do.
    pub node: FindNode,
    /// What can be mounted.
    pub kinds: Kinds,
    /// Asks engines about their leases.
    pub revoker: Arc<Revoker>,
}

/// What the configuration settles for `sys/`.
pub struct Options {
    /// Is `sys/raw` there?
    pub raw_storage_endpoint: bool,
    /// `sys/config/state/sanitized`: the configuration without its secrets.
    pub sanitized: Map<String, Value>,
    /// The members; `None` for a store that has no others.
    pub cluster: Option<Arc<dyn Cluster>>,
    /// What autopilot acts on.
    pub autopilot: Arc<Autopilot>,
    /// What became of snapshots by the clock.
    pub snapshots: Arc<Auto>,
}

impl Engine for System {
    fn table(&self, _: &MountContext) -> &'static dyn Sheet {
        &TABLE
    }

    fn has(&self, endpoint: &Endpoint) -> bool {
        let options = &self.options;
        (options.raw_storage_endpoint || !raw::is_raw(endpoint))
            && (options.cluster.is_some() || !raft::is_about_members(endpoint))
    }

    fn canonical_path(&self, operation: Operation, path: &str) -> Option<String> {
        engine::canonical(operation, path, FOLDED)
    }

    fn prepare<'a>(
        &'a self,
        request: Authorized<&'a Request>,
        view: &'a View,
    ) -> BoxFuture<'a, Result<Prepared, Error>> {
        let request = request.into_request();
        let there = |endpoint: &Endpoint| self.has(endpoint);
        match TABLE.route_if(request, view, there) {
            Ok((Run::After(preparing, _), matched)) => preparing(self, matched),
            Ok(_) => Box::pin(async { Ok(Arc::new(()) as Prepared) }),
            Err(error) => Box::pin(async { Err(error) }),
        }
    }

    fn act<'a>(
        &'a self,
        request: Authorized<&'a Request>,
        view: &'a View,
    ) -> Option<BoxFuture<'a, Result<Response, Error>>> {
        let request = request.into_request();
        let row = TABLE.find(&request.path, request.operation)?;
        let Run::Act(_) = row.handler(request.operation)? else {
            return None;
        };
        let there = |endpoint: &Endpoint| self.has(endpoint);
        match TABLE.route_if(request, view, there) {
            Ok((Run::Act(acting), matched)) => Some(acting(self, matched)),
            Ok(_) => None,
            Err(error) => Some(Box::pin(async { Err(error) })),
        }
    }

    fn handle(&self, request: Authorized<&Request>, view: &View) -> Result<Outcome, Error> {
        let request = request.into_request();
        let there = |endpoint: &Endpoint| self.has(endpoint);
        let (run, matched) = TABLE.route_if(request, view, there)?;
        match run {
            Run::Answer(handler) | Run::After(_, handler) => handler(self, &matched),
            // See `act`.
            Run::Act(_) => Err(Error::internal("this is not answered with a batch")),
        }
    }
}

/// 200 with `data`, which is also beside itself at the top.
pub(in crate::sys) fn doubled(data: Map<String, Value>) -> Outcome {
    let mut response = Response::data(data);
    response.duplicate_data = true;
    response.into()
}
