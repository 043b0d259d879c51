//! The two attacks that were tried first, each alone and with all that it needs: they must fail
//! here, and succeed on the release without proof of the keys.

use super::super::before;
use super::super::fleet::{Fleet, binary, wait};
use super::super::load::{BODY_CANARY, Load};
use super::super::real::mount;
use super::super::wait::reaches;
use super::Mood;
use super::den::Den;
use std::time::Duration;

/// The member whose card is stolen.
const STOLEN: usize = 2;
/// The time for which the thief leads the members that follow it.
const REIGN: Duration = Duration::from_secs(3);

/// Starts three nodes that serve, and kills the last of them.
fn robbed(folder: &std::path::Path, binary: &str) -> Fleet {
    let mut fleet = Fleet::start_with(folder, 3, binary);
    mount(&fleet);
    fleet.nodes[STOLEN].kill();
    fleet.wait_active();
    fleet
}

/// Lets the thief ask for votes and lead the members that give one, while clients work; returns the
/// secrets that it hears.
fn usurped(binary: &str, speaks_old: bool) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let fleet = robbed(folder.path(), binary);
    let addresses = fleet.addresses()[..STOLEN].to_vec();
    let load = Load::start(addresses, &fleet.token, 8, 1, 0);
    wait("the load runs", || load.count_after(0) > 50);
    let canaries = [&*fleet.token, BODY_CANARY];
    let den = Den::open(&fleet.nodes[STOLEN].data(), folder.path(), &canaries, 1);
    den.thief.set_mood(Mood::Mute);
    if speaks_old {
        den.thief.speak_old();
    }
    den.run(den.thief.usurp(REIGN));
    let thief = den.close();
    load.stop();
    println!("usurped: {:?}; {}", thief.tried(), thief.ear.report());
    thief.ear.found()
}

/// Returns the health of the other members after a thief told them that they were removed.
fn dismissed(binary: &str, speaks_old: bool) -> Vec<Option<u16>> {
    let folder = tempfile::tempdir().unwrap();
    let fleet = robbed(folder.path(), binary);
    let den = Den::open(&fleet.nodes[STOLEN].data(), folder.path(), &[], 1);
    let others = den.thief.card.others();
    if speaks_old {
        den.thief.speak_old();
    }
    den.run(den.thief.farewells(&others));
    let left = &fleet.nodes[..STOLEN];
    let health = || left.iter().map(super::super::fleet::Node::health);
    // A member that believes it seals itself a moment later.
    reaches(Duration::from_secs(1), || {
        health().all(|code| code == Some(503))
    });
    let thief = den.close();
    println!("dismissed: {:?}", thief.tried());
    health().collect()
}

#[test]
fn who_asks_for_votes_without_the_keys_is_sent_nothing() {
    for speaks_old in [true, false] {
        let found = usurped(&binary(), speaks_old);
        assert!(found.is_empty(), "the thief heard {found:?}");
    }
}

#[test]
fn who_says_farewell_without_the_keys_seals_nobody() {
    for speaks_old in [true, false] {
        let health = dismissed(&binary(), speaks_old);
        let serves = |code: &Option<u16>| matches!(code, Some(200 | 429));
        assert!(health.iter().all(serves), "{health:?}");
    }
}

#[test]
fn the_release_before_gave_the_thief_both() {
    let Some(before) = before::binary() else {
        eprintln!("skipped: {}", before::MISSING);
        return;
    };
    let found = usurped(&before, true);
    assert!(!found.is_empty(), "the attack is none any more");
    let health = dismissed(&before, true);
    assert!(health.contains(&Some(503)), "{health:?}");
}
