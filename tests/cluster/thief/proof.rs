//! Proof of the keys against the thief, in one process. The same attacks succeed on members that
//! require none, as in the release before.

use super::super::seeded::{Robbery, World};
use super::Mood;
use coffer::raft::Leadership;
use std::sync::Arc;
use std::time::Duration;

/// The time for which the thief leads the members that follow it.
const REIGN: Duration = Duration::from_millis(600);
/// The member whose card is stolen.
const STOLEN: usize = 2;

/// The thief's results.
#[derive(Debug, PartialEq, Eq)]
struct Loot {
    /// The number of members that took it for their leader.
    followers: usize,
    /// The number of members that believe that they were removed.
    dismissed: usize,
}

fn left(world: &World) -> Vec<usize> {
    (0..world.count())
        .filter(|number| *number != STOLEN)
        .collect()
}

/// Returns the number of members that take the thief for the leader.
fn followers(world: &World) -> usize {
    let (_, key) = world.card(STOLEN);
    let follows = |number: &usize| {
        let running = world.running(*number).unwrap();
        let leadership = running.storage.leadership();
        matches!(
            &*leadership.borrow(),
            Leadership::Follower { leader } if *leader.public_key == *key.0
        )
    };
    left(world).iter().filter(|number| follows(number)).count()
}

async fn loot(world: Arc<World>, speaks_old: bool) -> Loot {
    world.catch_up().await;
    world.crash(STOLEN).await;
    world
        .wait("another node leads", || world.leader().is_some())
        .await;
    let robbery = Robbery::begin(&world, STOLEN, 7).await;
    let thief = Arc::clone(&robbery.thief);
    thief.set_mood(Mood::Meek);
    if speaks_old {
        thief.speak_old();
    }
    let reigning = Arc::clone(&thief);
    let reigning = tokio::spawn(async move { reigning.usurp(REIGN).await });
    let mut most = 0;
    while !reigning.is_finished() {
        most = most.max(followers(&world));
        // The pause between two looks at a reign that lasts as long as the thief wants.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    thief.farewells(&thief.card.others()).await;
    let is_removed = |number: &usize| world.running(*number).unwrap().storage.is_removed();
    let dismissed = left(&world)
        .iter()
        .filter(|number| is_removed(number))
        .count();
    println!("{:?}", thief.tried());
    robbery.end();
    world.shutdown().await;
    Loot {
        followers: most,
        dismissed,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_proof_of_the_keys_nobody_follows_the_thief_or_believes_it() {
    let nothing = Loot {
        followers: 0,
        dismissed: 0,
    };
    for speaks_old in [true, false] {
        let world = World::new(3, 5).await;
        assert_eq!(loot(world, speaks_old).await, nothing);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_proof_the_thief_leads_and_dismisses_them_all() {
    let world = World::without_proof(3, 5).await;
    let Loot {
        followers,
        dismissed,
    } = loot(world, true).await;
    assert!(followers >= 1 && dismissed == 2);
}
