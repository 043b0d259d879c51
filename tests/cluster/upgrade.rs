//! A rolling upgrade from the release before: one node after the other, with clients at work.

use super::before;
use super::check::check;
use super::fleet::{Fleet, binary, wait};
use super::load::Load;
use super::real::{GAP_MS_MAX, mount, setting};
use serde_json::json;

/// The beginning of the log line about a member that proves no keys.
const REFUSED: &str = "upgrade coffer there";
/// Calls that are awaited before and after each step.
const CALLS: usize = 200;

fn runs(load: &Load, what: &str) {
    let before = load.now();
    wait(what, || load.count_after(before) > CALLS);
}

/// Stops a node and starts it with another program.
fn change(fleet: &mut Fleet, number: usize, program: &str) {
    fleet.nodes[number].stop();
    program.clone_into(&mut fleet.nodes[number].binary);
    fleet.nodes[number].start();
}

#[test]
fn three_nodes_go_one_at_a_time_from_the_release_before() {
    let Some(old) = before::binary() else {
        eprintln!("skipped: {}", before::MISSING);
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let mut fleet = Fleet::start_with(folder.path(), 3, &old);
    mount(&fleet);
    let seed = setting("CLUSTER_SEED", 1);
    let load = Load::start(fleet.addresses(), &fleet.token, 8, seed, 0);
    let began = load.now();
    runs(&load, "the load runs");
    let active = fleet.wait_active();
    // The manuals upgrade standbys first.
    for number in [active + 1, active + 2, active].map(|number| number % 3) {
        change(&mut fleet, number, &binary());
        fleet.unseal(number);
        fleet.wait_voters(3);
        runs(&load, "the load runs after a node was upgraded");
    }
    let silence = load.longest_silence(began, load.now());
    let history = load.stop();
    println!(
        "rolling upgrade: {} calls, longest {} ms without a write",
        history.len(),
        silence / 1_000_000
    );
    assert!(silence / 1_000_000 < GAP_MS_MAX, "{silence} ns");
    check(&history).unwrap_or_else(|violation| panic!("seed {seed}: {violation}"));
    the_release_before_is_refused(&mut fleet, &old);
}

/// Checks a node that was forgotten, or put back: its refusal names the remedy, and it serves again
/// after that.
fn the_release_before_is_refused(fleet: &mut Fleet, old: &str) {
    let active = fleet.wait_active();
    let late = (active + 1) % 3;
    fleet.nodes[active].wait("proof of the keys is required", || {
        fleet.nodes[active].data().join("cluster.key").exists()
    });
    change(fleet, late, old);
    let key = json!({"key": fleet.keys[0]});
    fleet.nodes[late].ask("PUT", "sys/unseal", "", Some(key));
    fleet.nodes[active].wait("the release before is refused by name", || {
        fleet.nodes[active].log().contains(REFUSED)
    });
    let data = json!({"data": {"v": 0}});
    let answer = fleet.nodes[late].ask("PUT", "load/data/late", &fleet.token, Some(data.clone()));
    assert!(answer.is_none_or(|(status, _)| status >= 500), "it serves");
    assert!(fleet.active().is_some(), "the others go on");
    change(fleet, late, &binary());
    fleet.unseal(late);
    fleet.nodes[late].wait("it serves again", || {
        let answer =
            fleet.nodes[late].ask("PUT", "load/data/late", &fleet.token, Some(data.clone()));
        answer.is_some_and(|(status, _)| status == 200)
    });
}
