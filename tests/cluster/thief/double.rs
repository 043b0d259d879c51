//! The known limit: until the thief is removed, its vote and its word that it keeps an entry count.
//! The tests show the worst that it can do with them, and that the deceived members notice.

use super::super::check::{Action, Outcome};
use super::super::seeded::{Robbery, World, act};
use super::Mood;
use coffer::raft::Leadership;
use std::sync::Arc;

/// Returns the term in which node `number` serves as leader.
fn reign(world: &World, number: usize) -> Option<u64> {
    let running = world.running(number)?;
    match *running.storage.leadership().borrow() {
        Leadership::Leader { term } => Some(term),
        Leadership::None | Leadership::Follower { .. } => None,
    }
}

/// Writes by way of node `number`.
async fn write(world: &World, number: usize) -> Option<Outcome> {
    let barrier = world.running(number)?.barrier?;
    let value = u64::try_from(number).unwrap();
    act(&barrier, world.now(number), 1, Action::Put { value }).await
}

/// Makes two nodes that do not hear one another, and a thief in the place of their leader.
async fn divided(seed: u64) -> (Arc<World>, Robbery, [usize; 2]) {
    let world = World::new(3, seed).await;
    world.catch_up().await;
    let stolen = world.leader().expect("somebody leads");
    let left = [(stolen + 1) % 3, (stolen + 2) % 3];
    let keys = world.keys();
    world.net.part(&keys[left[0]], &keys[left[1]], true);
    world.crash(stolen).await;
    let robbery = Robbery::begin(&world, stolen, seed).await;
    robbery.thief.set_mood(Mood::Meek);
    (world, robbery, left)
}

#[tokio::test(flavor = "multi_thread")]
async fn two_leaders_of_one_term_notice_each_other_and_stop() {
    let (world, robbery, left) = divided(3).await;
    let terms = || left.map(|number| reign(&world, number));
    world
        .wait("the thief's vote makes two leaders of one term", || {
            let [one, other] = terms();
            one.is_some() && one == other
        })
        .await;
    let term = reign(&world, left[0]);
    // The worst case: while the two do not hear each other, the thief's word makes each a quorum.
    for number in left {
        let wrote = write(&world, number).await;
        assert!(matches!(wrote, Some(Outcome::Wrote { .. })), "{wrote:?}");
    }
    let keys = world.keys();
    world.net.part(&keys[left[0]], &keys[left[1]], false);
    world
        .wait("neither leads in that term any more", || {
            terms().iter().all(|now| *now != term)
        })
        .await;
    robbery.end();
    world.shutdown().await;
}
