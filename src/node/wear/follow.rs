//! Looks at the counts from time to time, and when a client asks.

use super::report::Report;
use crate::node::shared::Shared;
use std::sync::{Arc, Weak};

/// Follows the counts until the node is gone. Starts no task where no device is known.
pub(in crate::node) fn follow(shared: &Arc<Shared>) {
    if !shared.wear.has_something_to_look_at() {
        return;
    }
    shared.wear.warn_of_age();
    crate::task::spawn(run(Arc::downgrade(shared)));
}

async fn run(shared: Weak<Shared>) {
    loop {
        let Some(wait) = shared.upgrade().map(|shared| shared.wear.wait()) else {
            return;
        };
        tokio::time::sleep(wait).await;
        let Some(shared) = shared.upgrade() else {
            return;
        };
        shared.wear.look();
    }
}

impl Shared {
    /// Returns the wear of the device, as it stands now.
    pub(in crate::node) async fn worn(self: &Arc<Self>) -> Option<Report> {
        let shared = Arc::clone(self);
        let looked = tokio::task::spawn_blocking(move || shared.wear.look()).await;
        looked.ok()
    }
}
