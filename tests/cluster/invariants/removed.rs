//! A removed node cannot come back by itself.

use super::super::seeded::World;
use super::super::wait::Looks;
use coffer::raft::Leadership;
use coffer::store::Storage;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The time for which the removed node is watched: many election timeouts.
const WATCHED: Duration = Duration::from_millis(1500);
/// The number of watches, in one of which the term must stay as it is.
const WATCHES: usize = 3;

/// Removes the last node, restarts it, and checks that it neither leads nor disturbs.
pub async fn stays_out(world: &Arc<World>) {
    let last = world.count() - 1;
    let mut looks = Looks::within(Duration::from_secs(20));
    while !world.remove(last).await {
        assert!(looks.again().await, "the last node cannot be removed");
    }
    world.crash(last).await;
    world.start(last).await;
    world.unseal(last);
    world
        .wait("the others are led", || {
            world.leader().is_some_and(|leader| leader != last)
        })
        .await;
    let term = |world: &World| {
        let leader = world.leader().and_then(|leader| world.running(leader));
        leader.map(|leader| leader.storage.status().term)
    };
    // A hint that a thief gave before may have the leader lead above it, once. A node that disturbs
    // does so at each of its election timeouts, in every watch.
    for left in (0..WATCHES).rev() {
        let before = term(world);
        watch(world, last).await;
        let after = term(world);
        if after == before {
            return;
        }
        assert!(
            left > 0,
            "a removed node caused an election: {before:?}, {after:?}"
        );
    }
}

/// Watches for a while that the removed node neither leads nor votes.
async fn watch(world: &World, last: usize) {
    let until = Instant::now() + WATCHED;
    while Instant::now() < until {
        let node = world.running(last).unwrap();
        let leads = matches!(
            *node.storage.leadership().borrow(),
            Leadership::Leader { .. }
        );
        assert!(!leads, "a removed node leads\n{}", world.describe());
        assert!(
            !world.votes(last),
            "a removed node votes\n{}",
            world.describe()
        );
        // The pause between two looks.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
