//! Looks at the counts from time to time, and when a client asks.

use super::report::Report;
use crate::node::shared::Shared;
use std::sync::{Arc, Weak};

/// Finds the disk and follows the counts until the node is gone; not at all where no device is
/// known.
pub(in crate::node) fn follow(shared: &Arc<Shared>) {
    crate::task::spawn(run(Arc::downgrade(shared)));
}

async fn run(shared: Weak<Shared>) {
    let begun = shared.clone();
    let begun = tokio::task::spawn_blocking(move || begin(&begun)).await;
    if !begun.is_ok_and(|goes_on| goes_on) {
        return;
    }
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

/// Returns false where there is nothing to follow.
fn begin(shared: &Weak<Shared>) -> bool {
    let Some(shared) = shared.upgrade() else {
        return false;
    };
    shared.wear.begin();
    shared.wear.warn_of_age();
    shared.wear.has_something_to_look_at()
}

impl Shared {
    /// Returns the wear of the device, as it stands now.
    pub(in crate::node) async fn worn(self: &Arc<Self>) -> Option<Report> {
        let shared = Arc::clone(self);
        let looked = tokio::task::spawn_blocking(move || shared.wear.look()).await;
        looked.ok()
    }
}
