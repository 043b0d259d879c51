//! Real processes: the active killed again and again, and all nodes killed at once.

use super::check::check;
use super::fleet::{Fleet, wait};
use super::load::{Load, step};
use serde_json::json;
use std::time::Duration;

const CLIENTS: usize = 64;
/// Calls that are awaited between two faults.
const CALLS_BETWEEN: usize = 400;
/// Longest time without an acknowledged write: an election takes about a second, and the machine
/// may be busy.
pub const GAP_MS_MAX: u64 = 15_000;

/// Returns a count from the environment.
pub fn setting(name: &str, usual: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name}={text}")),
        Err(_) => usual,
    }
}

/// Starts a cluster with kv version 2 at `load/`.
fn fleet(folder: &std::path::Path, count: usize) -> Fleet {
    let fleet = Fleet::start(folder, count);
    mount(&fleet);
    fleet
}

pub fn mount(fleet: &Fleet) {
    let active = fleet.wait_active();
    let kind = json!({"type": "kv", "options": {"version": "2"}});
    fleet.call(active, "POST", "sys/mounts/load", kind);
    wait("the engine is ready", || {
        let data = json!({"data": {"v": 0}});
        let answer = fleet.nodes[active].ask("PUT", "load/data/first", &fleet.token, Some(data));
        answer.is_some_and(|(status, _)| status == 200)
    });
}

#[test]
fn a_killed_active_node_is_replaced_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let mut fleet = fleet(folder.path(), 3);
    let seed = setting("CLUSTER_SEED", 1);
    let clients = setting("CLUSTER_CLIENTS", 16);
    let mut gaps_ms = Vec::new();
    let load = Load::start(
        fleet.addresses(),
        &fleet.token,
        usize::try_from(clients).unwrap().min(CLIENTS),
        seed,
        0,
    );
    for _ in 0..setting("CLUSTER_FAILOVERS", 2) {
        let before = load.now();
        wait("the load runs", || load.count_after(before) > CALLS_BETWEEN);
        let active = fleet.wait_active();
        let killed = load.now();
        fleet.nodes[active].kill();
        let mut next = None;
        wait("a write is acknowledged again", || {
            next = load.acknowledged_after(killed);
            next.is_some()
        });
        gaps_ms.push((next.unwrap() - killed) / 1_000_000);
        fleet.nodes[active].start();
        fleet.unseal(active);
        fleet.wait_voters(3);
    }
    let history = load.stop();
    super::invariants::memory::is_bounded(&fleet);
    gaps_ms.sort_unstable();
    println!(
        "{} failovers with {clients} clients: median {} ms, worst {} ms, all {gaps_ms:?}; {} calls",
        gaps_ms.len(),
        gaps_ms[gaps_ms.len() / 2],
        gaps_ms.last().unwrap(),
        history.len(),
    );
    assert!(*gaps_ms.last().unwrap() < GAP_MS_MAX, "{gaps_ms:?}");
    check(&history).unwrap_or_else(|violation| panic!("seed {seed}: {violation}"));
}

#[test]
fn a_step_down_is_short_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let fleet = fleet(folder.path(), 3);
    let clients = usize::try_from(setting("CLUSTER_CLIENTS", 16)).unwrap();
    let seed = setting("CLUSTER_SEED", 1);
    let load = Load::start(fleet.addresses(), &fleet.token, clients, seed, 0);
    let mut gaps_ms = Vec::new();
    for _ in 0..setting("CLUSTER_FAILOVERS", 2) {
        let before = load.now();
        wait("the load runs", || load.count_after(before) > CALLS_BETWEEN);
        let active = fleet.wait_active();
        let asked = load.now();
        fleet.call(active, "PUT", "sys/step-down", json!({}));
        wait("another node is active", || {
            fleet.active().is_some_and(|node| node != active)
        });
        let taken_over = load.now();
        wait("a write is acknowledged again", || {
            load.acknowledged_after(taken_over).is_some()
        });
        gaps_ms.push(load.longest_silence(asked, load.now()) / 1_000_000);
    }
    let history = load.stop();
    gaps_ms.sort_unstable();
    println!(
        "{} step-downs with {clients} clients: no write acknowledged for {gaps_ms:?} ms",
        gaps_ms.len()
    );
    assert!(*gaps_ms.last().unwrap() < GAP_MS_MAX, "{gaps_ms:?}");
    check(&history).unwrap_or_else(|violation| panic!("seed {seed}: {violation}"));
}

#[test]
fn nothing_acknowledged_is_lost_when_all_nodes_are_killed_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut fleet = fleet(folder.path(), 3);
    let mut seed = setting("CLUSTER_SEED", 1);
    let (mut calls, kills) = (0, setting("CLUSTER_KILLS", 2));
    for round in 0..kills {
        seed = step(seed + round);
        let load = Load::start(fleet.addresses(), &fleet.token, 8, seed, round * 1000);
        wait("the load runs", || {
            load.count_after(0) > CALLS_BETWEEN + usize::try_from(seed % 200).unwrap()
        });
        for node in &mut fleet.nodes {
            node.kill();
        }
        for node in &mut fleet.nodes {
            node.start();
        }
        for number in 0..fleet.nodes.len() {
            fleet.unseal(number);
        }
        fleet.wait_active();
        let before = load.now();
        wait("the load runs again", || load.count_after(before) > 50);
        let history = load.stop();
        calls += history.len();
        check(&history).unwrap_or_else(|violation| panic!("round {round}: {violation}"));
    }
    println!("all three killed {kills} times: {calls} calls, 0 lost");
}

#[test]
fn a_paused_active_node_neither_serves_stale_reads_nor_loses_writes() {
    let folder = tempfile::tempdir().unwrap();
    let fleet = fleet(folder.path(), 3);
    let seed = setting("CLUSTER_SEED", 1);
    let load = Load::start(fleet.addresses(), &fleet.token, 8, seed, 0);
    let pause = Duration::from_secs(setting("CLUSTER_PAUSE_S", 5));
    wait("the load runs", || load.count_after(0) > CALLS_BETWEEN);
    let active = fleet.wait_active();
    let paused = load.now();
    fleet.nodes[active].signal("-STOP");
    // The pause is a part of the test.
    std::thread::sleep(pause);
    fleet.nodes[active].signal("-CONT");
    let resumed = load.now();
    assert!(
        load.acknowledged_after(paused)
            .is_some_and(|at| at < resumed),
        "nobody took over while the active node was paused"
    );
    wait("the load runs again", || {
        load.count_after(resumed) > CALLS_BETWEEN
    });
    check(&load.stop()).unwrap_or_else(|violation| panic!("{violation}"));
}
