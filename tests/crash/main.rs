//! Kills the storage at random points under load and checks the data that is left.
//!
//! The parent starts this same program as a child, which opens a data directory, prints what it
//! found, and then commits from several writers, printing each acknowledgement. After a random time
//! the parent kills it, and starts the next one on the same directory.
//!
//! `cargo test` does this for a few seconds; `tests/crash/run` for thousands of kills.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod child;
mod ledger;

use ledger::Ledger;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const KILLS_DEFAULT: usize = 25;
const CHILD: &str = "COFFER_CRASH_CHILD";

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Runs the child's side; does nothing when the tests are run as such.
#[test]
fn child() {
    if let Some(dir) = std::env::var_os(CHILD) {
        child::run(dir.as_ref(), number("COFFER_CRASH_CHILD_SEED").unwrap_or(1));
    }
}

#[test]
fn nothing_acknowledged_is_lost_to_kill_9() {
    let kills = number("CRASH_KILLS").map_or(KILLS_DEFAULT, |kills| kills.try_into().unwrap());
    let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let seed = number("CRASH_SEED").unwrap_or(u64::from(clock.unwrap().subsec_nanos()) | 1);
    println!("seed {seed}");
    let dir = tempfile::tempdir().unwrap();
    let mut dice = seed;
    let mut ledger = Ledger::default();
    let mut opening = 0;
    for _ in 0..kills {
        dice = child::step(dice);
        let life = Duration::from_micros(dice % 60_000);
        if !one_life(dir.path(), dice, Some(life), &mut ledger) {
            opening += 1;
        }
    }
    one_life(dir.path(), seed, None, &mut ledger);
    println!(
        "{kills} kills ({opening} of them while it opened), {} writes acknowledged, {} lost, {} \
         half-applied (seed {seed})",
        ledger.acknowledged, ledger.lost, ledger.torn
    );
    assert_eq!((ledger.lost, ledger.torn), (0, 0));
    assert!(ledger.acknowledged > kills, "hardly any load");
}

/// Runs a child until it is killed, or until it has printed what it found. Returns true if it has.
fn one_life(dir: &std::path::Path, seed: u64, life: Option<Duration>, ledger: &mut Ledger) -> bool {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture"])
        .env(CHILD, dir)
        .env("COFFER_CRASH_CHILD_SEED", seed.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let out = child.stdout.take().unwrap();
    let (sender, lines) = std::sync::mpsc::channel();
    let reader = std::thread::spawn(move || {
        for line in BufReader::new(out).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    let begun = Instant::now();
    let mut told = false;
    // A few kills come while it opens, most in the load after that.
    let mut end = life
        .filter(|_| seed.is_multiple_of(8))
        .map(|life| begun + life);
    let deadline = begun + Duration::from_secs(60);
    loop {
        let wait = end
            .unwrap_or(deadline)
            .saturating_duration_since(Instant::now());
        match lines.recv_timeout(wait) {
            Ok(line) => {
                ledger.read(&line);
                if line == "ready" {
                    told = true;
                    match life {
                        Some(life) => end = end.or(Some(Instant::now() + life)),
                        None => end = Some(Instant::now()),
                    }
                }
            }
            Err(_) => break,
        }
    }
    let ended = child.try_wait().unwrap();
    child.kill().unwrap();
    let output = child.wait_with_output().unwrap();
    reader.join().unwrap();
    lines.try_iter().for_each(|line| ledger.read(&line));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(ended.is_none(), "the child ended by itself: {errors}");
    assert!(
        told || end.is_some(),
        "the child did not open in time: {errors}"
    );
    told
}
