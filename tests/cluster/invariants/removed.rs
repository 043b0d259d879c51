//! A removed node cannot come back by itself.

use super::super::seeded::World;
use super::super::wait::Looks;
use coffer::raft::Leadership;
use coffer::store::Storage;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The time for which the removed node is watched: many election timeouts.
const WATCHED: Duration = Duration::from_millis(1500);

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
    let before = term(world);
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
    assert_eq!(term(world), before, "a removed node caused an election");
}
