//! Three nodes, each in a network namespace of its own, cut from one another.
//!
//! Needs root and `ip`, so it runs when `CLUSTER_NETNS` is 1: see `run`.

use super::check::check;
use super::fleet::{Fleet, Place, wait};
use super::load::Load;
use super::real::{mount, setting};
use std::process::Command;

const BRIDGE: &str = "coffer-br";
const NODES: usize = 3;
/// Calls that are awaited before, during and after a cut.
const CALLS: usize = 400;

/// Namespaces on a bridge; gone when dropped.
struct Net;

fn ip(words: &str) {
    let done = Command::new("ip").args(words.split(' ')).output().unwrap();
    let text = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "ip {words}: {text}");
}

fn inside(node: usize, words: &str) {
    ip(&format!("netns exec coffer-{node} ip {words}"));
}

fn address(node: usize) -> String {
    format!("10.77.7.{}", node + 1)
}

impl Net {
    fn new() -> Self {
        let net = Self;
        net.remove();
        ip(&format!("link add {BRIDGE} type bridge"));
        ip(&format!("addr add 10.77.7.254/24 dev {BRIDGE}"));
        ip(&format!("link set {BRIDGE} up"));
        for node in 0..NODES {
            ip(&format!("netns add coffer-{node}"));
            ip(&format!(
                "link add cof{node} type veth peer name eth0 netns coffer-{node}"
            ));
            ip(&format!("link set cof{node} master {BRIDGE} up"));
            inside(node, &format!("addr add {}/24 dev eth0", address(node)));
            inside(node, "link set eth0 up");
            inside(node, "link set lo up");
        }
        net
    }

    fn remove(&self) {
        for node in 0..NODES {
            let _ = Command::new("ip")
                .args(["netns", "del", &format!("coffer-{node}")])
                .output();
        }
        let _ = Command::new("ip").args(["link", "del", BRIDGE]).output();
    }

    /// Pulls a node's cable, or plugs it in.
    fn link(&self, node: usize, up: bool) {
        ip(&format!(
            "link set cof{node} {}",
            if up { "up" } else { "down" }
        ));
    }

    /// Drops the packets from `from` to `to`; the other way stays open.
    fn one_way(&self, from: usize, to: usize, cut: bool) {
        let what = if cut { "add" } else { "del" };
        inside(from, &format!("route {what} blackhole {}/32", address(to)));
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        self.remove();
    }
}

fn runs(load: &Load, what: &str) {
    let before = load.now();
    wait(what, || load.count_after(before) > CALLS);
}

#[test]
fn nodes_that_are_cut_from_one_another_stay_one_store() {
    if setting("CLUSTER_NETNS", 0) == 0 {
        eprintln!("skipped: network namespaces need root; CLUSTER_NETNS=1 runs this");
        return;
    }
    let net = Net::new();
    let folder = tempfile::tempdir().unwrap();
    let places = (0..NODES).map(|node| Place {
        ip: address(node),
        port: 8200,
        prefix: ["ip", "netns", "exec", &format!("coffer-{node}")]
            .map(String::from)
            .to_vec(),
    });
    let fleet = Fleet::at(folder.path(), places.collect());
    mount(&fleet);
    let load = Load::start(
        fleet.addresses(),
        &fleet.token,
        8,
        setting("CLUSTER_SEED", 1),
        0,
    );
    runs(&load, "the load runs");
    let mut cuts = 0;
    for round in 0..usize::try_from(setting("CLUSTER_CUTS", 2)).unwrap() {
        let active = fleet.wait_active();
        let standby = (active + 1 + round % 2) % NODES;
        net.link(active, false);
        runs(&load, "writes go on without the node that was active");
        net.link(active, true);
        fleet.wait_voters(NODES);

        let active = fleet.wait_active();
        for other in (0..NODES).filter(|node| *node != active) {
            net.one_way(active, other, true);
        }
        runs(&load, "writes go on when the active node is not heard");
        for other in (0..NODES).filter(|node| *node != active) {
            net.one_way(active, other, false);
        }
        let active = fleet.wait_active();
        if standby != active {
            net.one_way(standby, active, true);
            runs(&load, "writes go on when a standby is not heard");
            net.one_way(standby, active, false);
        }
        cuts += 3;
    }
    runs(&load, "the load runs at the end");
    let history = load.stop();
    println!("network namespaces: {cuts} cuts, {} calls", history.len());
    check(&history).unwrap_or_else(|violation| panic!("{violation}"));
}
