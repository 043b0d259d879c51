//! Assembles the router of an unsealed node.

use super::assemble::{Assembly, assemble};
use super::kinds::KINDS;
use super::lifecycle::Handle;
use super::shared::Shared;
use crate::barrier::Unsealed;
use crate::router::{Lifetimes, Router};
use crate::sys::{FindNode, Lifecycle, LifecycleError};
use std::sync::Arc;

/// Returns the router of an unsealed node.
pub(super) fn router(
    shared: &Arc<Shared>,
    barrier: &Arc<Unsealed>,
) -> Result<Router, LifecycleError> {
    let assembly = Assembly {
        barrier: Arc::clone(barrier),
        node: find(shared),
        clock: Arc::clone(&shared.clock),
        memory: shared.facts.memory,
        lifetimes: Lifetimes {
            default: shared.facts.default_lease_ttl,
            max: shared.facts.max_lease_ttl,
        },
        audit: shared.facts.audit.clone(),
        raw_storage_endpoint: shared.facts.raw_storage_endpoint,
        sanitized: shared.facts.sanitized.clone(),
        cluster: shared.cluster(),
        kinds: KINDS.to_vec(),
        autopilot: Arc::clone(&shared.autopilot),
        rewrapping: Arc::clone(&shared.rewrapping),
        snapshots: Arc::clone(&shared.snapshots),
    };
    assemble(assembly).map_err(|error| LifecycleError::Internal(error.to_string()))
}

/// Finds the node without keeping it alive: the node owns the router.
fn find(shared: &Arc<Shared>) -> FindNode {
    let shared = Arc::downgrade(shared);
    Arc::new(move || {
        let handle = Handle(shared.upgrade()?);
        Some(Arc::new(handle) as Arc<dyn Lifecycle>)
    })
}
