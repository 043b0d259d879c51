//! Puts the rooms that need the keys together.

use crate::audit;
use crate::auth::token::TokenEngine;
use crate::barrier::{BarrierError, Batch, Unsealed};
use crate::clock::Clock;
use crate::engine::{Error, Kind, Kinds, cubbyhole};
use crate::memory::Sizes;
use crate::mount::{Class, Table};
use crate::router::{Flights, Lifetimes, Parts, Revoker, Router};
use crate::sys::duties::autopilot::Autopilot;
use crate::sys::duties::rewrap::Rewrapping;
use crate::sys::duties::snapshots::Auto;
use crate::sys::{self, Cluster, Rekeys, RootGenerations, System};
use crate::{auth, lease, policy, token};
use serde_json::{Map, Value};
use std::sync::Arc;

/// The parts that a router is assembled from.
pub struct Assembly {
    /// The barrier, with its keys.
    pub barrier: Arc<Unsealed>,
    /// Finds the node, for what only the node can do.
    pub node: sys::FindNode,
    /// Cluster time.
    pub clock: Arc<dyn Clock>,
    /// The sizes of caches.
    pub memory: &'static Sizes,
    /// Lease lives where mounts say nothing.
    pub lifetimes: Lifetimes,
    /// Audit devices of the configuration, and where others may write.
    pub audit: audit::Options,
    /// True where `sys/raw` is there.
    pub raw_storage_endpoint: bool,
    /// `sys/config/state/sanitized`: the configuration without its secrets.
    pub sanitized: Map<String, Value>,
    /// The members; `None` for a store that has no others.
    pub cluster: Option<Arc<dyn Cluster>>,
    /// The kinds of engines that can be mounted: [`super::KINDS`].
    pub kinds: Vec<&'static Kind>,
    /// The state that [`sys::duties::autopilot::run`] acts on, for the endpoints to show.
    pub autopilot: Arc<Autopilot>,
    /// The progress of [`sys::duties::rewrap::run`], for the endpoints to show.
    pub rewrapping: Arc<Rewrapping>,
    /// The record of what [`sys::duties::snapshots::run`] did, for the endpoints to show.
    pub snapshots: Arc<Auto>,
}

/// The cubbyholes of tokens, wherever their records lie.
struct Cubbyholes {
    barrier: Arc<Unsealed>,
    mounts: Arc<Table>,
}

impl token::Belongings for Cubbyholes {
    fn remove(&self, batch: &mut Batch, cubbyhole_id: &str) -> Result<bool, BarrierError> {
        let mounts = self.mounts.snapshot()?;
        let Some(entry) = mounts.get(Class::Secret, "cubbyhole") else {
            return Ok(true);
        };
        let view = self.barrier.view(&entry.storage_path());
        cubbyhole::purge(&view, batch, cubbyhole_id)
    }
}

/// Assembles a router with every engine of this build.
pub fn assemble(assembly: Assembly) -> Result<Router, Error> {
    let barrier = &assembly.barrier;
    let leases = Arc::new(lease::Store::new(barrier));
    let policies = Arc::new(policy::Store::sized(barrier, assembly.memory.policies));
    let mounts = Arc::new(Table::new(barrier)?);
    let revoker = Arc::new(Revoker::new(barrier, &leases, &assembly.clock));
    let tokens = token::Store::sized(barrier, leases, assembly.memory.tokens)?;
    let tokens = Arc::new(tokens.with_belongings(Arc::new(Cubbyholes {
        barrier: Arc::clone(barrier),
        mounts: Arc::clone(&mounts),
    })));
    let audit = Arc::new(audit::Broker::new(barrier, assembly.audit.clone())?);
    let flights = Arc::new(Flights::default());
    let grantors = Arc::clone(&revoker) as _;
    let token_engine = TokenEngine::new(Arc::clone(&tokens), Arc::clone(&policies), grantors);
    let kinds = Kinds::new(&assembly.kinds).with(&auth::token::KIND, Arc::new(token_engine));
    let system = Arc::new(System {
        barrier: Arc::clone(barrier),
        mounts: Arc::clone(&mounts),
        policies: Arc::clone(&policies),
        tokens: Arc::clone(&tokens),
        audit: Arc::clone(&audit),
        flights: Arc::clone(&flights),
        lifetimes: assembly.lifetimes,
        started: assembly.clock.now(),
        generations: RootGenerations::default(),
        rekeys: Rekeys::default(),
        guesses: Default::default(),
        options: sys::Options {
            raw_storage_endpoint: assembly.raw_storage_endpoint,
            sanitized: assembly.sanitized,
            cluster: assembly.cluster,
            autopilot: assembly.autopilot,
            rewrapping: assembly.rewrapping,
            snapshots: assembly.snapshots,
        },
        node: assembly.node,
        kinds: kinds.clone(),
        revoker: Arc::clone(&revoker),
        own_kind: &sys::KIND,
    });
    Ok(Router::new(Parts {
        barrier: assembly.barrier,
        clock: assembly.clock,
        mounts,
        policies,
        tokens,
        audit,
        kinds: kinds.with(&sys::KIND, system),
        lifetimes: assembly.lifetimes,
        flights,
        revoker,
    }))
}
