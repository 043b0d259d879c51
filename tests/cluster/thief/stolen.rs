//! Three processes, one of whose cards was stolen: the thief appears again and again in its place,
//! and attacks as its seed decides while clients work with the other two.

use super::super::before;
use super::super::check::check;
use super::super::fleet::{Fleet, Node, binary, wait};
use super::super::http::Connection;
use super::super::load::{BODY_CANARY, Load, step};
use super::super::real::{mount, setting};
use super::super::wait::reaches;
use super::den::Den;
use super::{Mood, Thief};
use coffer::raft::Timing;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Attacks of one appearance.
const ATTACKS: usize = 5;
/// Messages that the thief receives before leadership is offered to it, and as many after: a member's
/// share of half a second or more.
const MESSAGES: u64 = 10;
/// The pause between two looks at the sealed nodes.
const LOOK: Duration = Duration::from_millis(100);
/// Longest pause between two acknowledged writes that is normal, in milliseconds.
const NOISE_MS: u64 = 400;
/// Longest time of one failover, in milliseconds, on a busy machine and with the test build.
const FAILOVER_MS: u64 = 5000;

/// Most resident memory of a node while the thief fills it, in megabytes: on the smallest boards it
/// would be killed for the bytes that eight connections may hold.
const PEAK_MB_MAX: f64 = 160.0;
/// Longest time until a stolen member is removed.
const REMOVAL_MAX: Duration = Duration::from_secs(5);

/// Watches the nodes all the time, and remembers which were sealed.
struct Watch {
    stop: Arc<AtomicBool>,
    sealed: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Watch {
    fn start(addresses: Vec<SocketAddr>) -> Self {
        let (stop, sealed) = (Arc::new(AtomicBool::new(false)), Arc::default());
        let (ends, noted): (_, Arc<Mutex<Vec<String>>>) = (Arc::clone(&stop), Arc::clone(&sealed));
        let task = std::thread::spawn(move || {
            while !ends.load(Ordering::Relaxed) {
                for address in &addresses {
                    let mut connection = Connection::new(*address, Duration::from_secs(5));
                    let status = connection.send("GET", "sys/seal-status", "", None);
                    if let Ok((_, status)) = status
                        && status["sealed"] != false
                    {
                        noted.lock().unwrap().push(format!("{address}: {status}"));
                    }
                }
                std::thread::park_timeout(LOOK);
            }
        });
        Self { stop, sealed, task }
    }

    fn end(self) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        self.task.join().unwrap();
        std::mem::take(&mut *self.sealed.lock().unwrap())
    }
}

/// The thief's results.
#[derive(Default)]
struct Spoils {
    begins: u64,
    tried: BTreeMap<&'static str, (u64, u64)>,
    worst_ms: u64,
    interrupted_ms: u64,
    interruptions: usize,
    lasted: Duration,
    calls: usize,
    peak_mb: f64,
}

impl fmt::Display for Spoils {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "thief: {} appearances in {:?}, {} calls, at most {:.0} MB resident; {} interruptions, {} ms in all, worst {} ms; \
             secrets heard: 0; tried (times, said yes): {:?}",
            self.begins,
            self.lasted,
            self.calls,
            self.peak_mb,
            self.interruptions,
            self.interrupted_ms,
            self.worst_ms,
            self.tried,
        )
    }
}

impl Spoils {
    fn take(&mut self, thief: &Thief) {
        self.begins += 1;
        for (what, (times, yes)) in thief.tried().iter() {
            let (all, said) = self.tried.entry(what).or_default();
            *all += times;
            *said += yes;
        }
    }
}

/// Runs one appearance: attacks by hand, or the program itself on the stolen card, to which
/// leadership is then offered.
fn appear(fleet: &Fleet, stolen: usize, folder: &Path, seed: u64) -> Arc<Thief> {
    let canaries = [&*fleet.token, BODY_CANARY];
    let den = Den::open(&fleet.nodes[stolen].data(), folder, &canaries, seed);
    if seed.is_multiple_of(4) {
        let storage = den.run(den.thief.pose(&den.directory, Timing::default()));
        // It receives a member's messages before leadership is offered, and after.
        let hears_more = |what: &str| {
            let heard = den.thief.ear.messages() + MESSAGES;
            wait(what, || den.thief.ear.messages() >= heard);
        };
        hears_more("the thief receives a member's messages");
        let active = fleet.wait_active();
        // The node decides whether another can lead.
        fleet.nodes[active].ask("PUT", "sys/step-down", &fleet.token, Some(json!({})));
        hears_more("the thief receives more");
        den.run(den.thief.unmask(storage));
    } else {
        den.run(den.thief.be_found());
        den.run(den.thief.rampage(ATTACKS));
        if seed.is_multiple_of(3) {
            den.garble_frames();
        }
    }
    den.thief.set_mood(Mood::Mute);
    let directory = den.directory.clone();
    let thief = den.close();
    std::fs::remove_dir_all(directory).unwrap();
    thief
}

/// Returns the members as `list-peers` shows them, without the fields that change by themselves and
/// without the thief's address, which the thief may give.
fn listed(fleet: &Fleet, stolen: usize) -> Vec<Value> {
    let active = fleet.wait_active();
    let mut peers = fleet.peers(active);
    for peer in &mut peers {
        let mut fields = vec!["node_id", "voter"];
        if peer["node_id"] != fleet.nodes[stolen].name {
            fields.push("address");
        }
        let fields = fields.into_iter();
        *peer = fields
            .map(|name| (name.to_owned(), peer[name].clone()))
            .collect();
    }
    peers.sort_by_key(Value::to_string);
    peers
}

/// Runs three processes of `binary`, with a thief in the place of one for as long as `lasts`. `Err`
/// describes the damage.
fn siege(binary: &str, seed: u64, lasts: Duration, failover_ms: u64) -> Result<Spoils, String> {
    let folder = tempfile::tempdir().unwrap();
    let mut fleet = Fleet::start_with(folder.path(), 3, binary);
    mount(&fleet);
    let stolen = usize::try_from(seed % 3).unwrap();
    let before = listed(&fleet, stolen);
    fleet.nodes[stolen].kill();
    let mut left = fleet.addresses();
    left.remove(stolen);
    let load = Load::start(left.clone(), &fleet.token, 8, seed, 0);
    wait("writes are acknowledged without it", || {
        load.acknowledged_after(load.now().saturating_sub(500_000_000))
            .is_some()
    });
    let watch = Watch::start(left);
    let (begun, mut spoils, mut dice) = (Instant::now(), Spoils::default(), seed);
    let mut troubles = Vec::new();
    while begun.elapsed() < lasts && troubles.is_empty() {
        dice = step(dice.wrapping_add(spoils.begins) | 1);
        let from = load.now();
        let thief = appear(&fleet, stolen, folder.path(), dice);
        spoils.take(&thief);
        let goes = load.now();
        let patience = Duration::from_millis(2 * failover_ms);
        let recovers = reaches(patience, || load.acknowledged_after(goes).is_some());
        let (long, times) = load.interruptions(from, load.now(), NOISE_MS * 1_000_000);
        let long_ms = long / 1_000_000;
        spoils.worst_ms = spoils.worst_ms.max(long_ms);
        spoils.interrupted_ms += long_ms;
        spoils.interruptions += times;
        let found = thief.ear.found();
        if !found.is_empty() || long_ms > failover_ms || !recovers {
            troubles.push(format!(
                "appearance {dice}: {long_ms} ms without a write (recovered: {recovers}), heard \
                 {found:?}, tried {:?}",
                thief.tried()
            ));
        }
    }
    let sealed = watch.end();
    if !sealed.is_empty() {
        troubles.push(format!("sealed: {sealed:?}"));
    }
    spoils.lasted = begun.elapsed();
    let history = load.stop();
    spoils.calls = history.len();
    if let Err(violation) = check(&history) {
        troubles.push(violation.to_string());
    }
    for number in (0..3).filter(|number| *number != stolen) {
        let node = &mut fleet.nodes[number];
        troubles.extend(wounds(node));
        spoils.peak_mb = spoils.peak_mb.max(node.peak_mb());
    }
    if spoils.peak_mb > PEAK_MB_MAX {
        troubles.push(format!("{} MB were resident", spoils.peak_mb));
    }
    if !troubles.is_empty() {
        return Err(troubles.join("\n"));
    }
    let after = listed(&fleet, stolen);
    if after != before {
        return Err(format!("other members: {after:?}, before: {before:?}"));
    }
    is_a_stranger_once_removed(&fleet, stolen, folder.path());
    Ok(spoils)
}

/// Returns the signs of damage at a node.
fn wounds(node: &mut Node) -> Vec<String> {
    let mut wounds = Vec::new();
    if !node.is_running() {
        wounds.push(format!("{} stopped", node.name));
    }
    let log = node.log();
    for bad in [
        "panicked",
        "was removed",
        "empty its data directory",
        "keeps its files",
        "consensus stopped",
    ] {
        let lines = log.lines().filter(|line| line.contains(bad));
        wounds.extend(lines.map(|line| format!("{}: {line}", node.name)));
    }
    wounds
}

#[test]
fn a_stolen_card_opens_nothing_and_breaks_nothing() {
    let seed = setting("CLUSTER_SEED", 1);
    let lasts = Duration::from_secs(setting("CLUSTER_THIEF_S", 8));
    let failover_ms = setting("CLUSTER_FAILOVER_MS", FAILOVER_MS);
    for seed in seed..seed + setting("CLUSTER_THIEVES", 1) {
        println!("thief: seed {seed}; CLUSTER_SEED={seed} repeats its attacks");
        match siege(&binary(), seed, lasts, failover_ms) {
            Ok(spoils) => println!("{spoils}"),
            Err(troubles) => panic!("seed {seed}: {troubles}"),
        }
    }
}

#[test]
fn the_same_thief_breaks_the_release_before() {
    let Some(before) = before::binary() else {
        eprintln!("skipped: {}", before::MISSING);
        return;
    };
    let lasts = Duration::from_secs(20);
    let troubles = siege(&before, 1, lasts, FAILOVER_MS).map(|spoils| spoils.to_string());
    let troubles = troubles.unwrap_err();
    let first: String = troubles.chars().take(400).collect();
    println!("the release before: {first}");
}

/// Removes the stolen member, with the one command of an operator, and checks that the thief, which
/// tries to delay the command, gets nothing afterwards.
fn is_a_stranger_once_removed(fleet: &Fleet, stolen: usize, folder: &Path) {
    let active = fleet.wait_active();
    let den = Den::open(&fleet.nodes[stolen].data(), folder, &[], 1);
    let moving = Arc::clone(&den.thief);
    let moving = den.spawn(async move { moving.move_about().await });
    // The thief is at work already when the operator's command comes.
    wait("the thief moves", || {
        let tried = den.thief.tried();
        tried.get("moved").is_some_and(|(times, _)| *times > 0)
    });
    let name = json!({"server_id": fleet.nodes[stolen].name});
    let asked = Instant::now();
    fleet.call(active, "POST", "sys/storage/raft/remove-peer", name);
    println!(
        "thief: removed in {:?}, {:?}",
        asked.elapsed(),
        den.thief.tried()
    );
    assert!(asked.elapsed() < REMOVAL_MAX, "{:?}", asked.elapsed());
    moving.abort();
    let others = den.thief.card.others();
    wait("nobody hears who was removed", || {
        !den.run(den.thief.is_heard(&others))
    });
    den.close();
}
