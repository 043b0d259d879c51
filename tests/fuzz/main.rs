//! The fuzz targets under a small seeded mutator, so that `cargo test` runs them everywhere.
//!
//! `COFFER_FUZZ_MS` is the time for each target (default 300 ms), `COFFER_FUZZ_SEED` replays a
//! run; a failure prints the seed and the input. `tests/fuzz/run` is the real fuzzer.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

mod targets;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Longest mutated input, in bytes.
const INPUT_BYTES_MAX: usize = 64 * 1024;
/// Pieces of syntax that random bytes would seldom make.
const TOKENS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    "\"",
    ":",
    ",",
    "\\u",
    "\\ud800",
    "null",
    "true",
    "1e9",
    "-0",
    "%2e",
    "%2f",
    "%",
    "/../",
    "//",
    "/v1/",
    "*",
    "+",
    "path",
    "capabilities",
    "deny",
    "sudo",
    "<<EOT\n",
    "EOT\n",
    "${",
    "#",
    "/*",
    "listener \"tcp\"",
    "= ",
    "\u{0}",
    "ü",
    "a=1&",
];

#[test]
fn body() {
    fuzz("body");
}

#[test]
fn path() {
    fuzz("path");
}

#[test]
fn policy() {
    fuzz("policy");
}

#[test]
fn config() {
    fuzz("config");
}

#[test]
fn share() {
    fuzz("share");
}

#[test]
fn barrier() {
    fuzz("barrier");
}

#[test]
fn transaction() {
    fuzz("transaction");
}

#[test]
fn token() {
    fuzz("token");
}

#[test]
fn group() {
    fuzz("group");
}

#[test]
fn frame() {
    fuzz("frame");
}

#[test]
fn state() {
    fuzz("state");
}

#[test]
fn archive() {
    fuzz("archive");
}

#[test]
fn every_target_has_seeds() {
    for (name, _) in targets::ALL {
        assert!(!seeds(name).is_empty(), "tests/fuzz/seeds/{name} is empty");
    }
}

fn fuzz(name: &str) {
    let (_, target) = targets::ALL
        .iter()
        .find(|(known, _)| *known == name)
        .unwrap();
    let seed = number("COFFER_FUZZ_SEED").unwrap_or_else(|| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        now.as_nanos() as u64
    });
    let time = Duration::from_millis(number("COFFER_FUZZ_MS").unwrap_or(300));
    let corpus = seeds(name);
    let mut random = Random(seed | 1);
    let run = |input: &[u8]| {
        if catch_unwind(AssertUnwindSafe(|| target(input))).is_err() {
            panic!(
                "{name}: COFFER_FUZZ_SEED={seed}, input {:?}",
                input.escape_ascii().to_string()
            );
        }
    };
    corpus.iter().for_each(|input| run(input));
    let start = Instant::now();
    while start.elapsed() < time {
        let input = mutate(&corpus, &mut random);
        run(&input);
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

fn seeds(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fuzz/seeds")
        .join(name);
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    paths
        .iter()
        .map(|path| std::fs::read(path).unwrap())
        .collect()
}

/// Returns an input that one to eight changes make of a seed.
fn mutate(corpus: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut input = corpus[random.below(corpus.len())].clone();
    for _ in 0..=random.below(8) {
        let at = random.below(input.len() + 1);
        let end = at + random.below(input.len() - at + 1).min(64);
        match random.below(7) {
            0 if at < input.len() => input[at] ^= 1 << random.below(8),
            1 if at < input.len() => input[at] = random.next() as u8,
            2 => drop(input.drain(at..end)),
            3 => {
                let piece = input[at..end].repeat(1 + random.below(4));
                input.splice(at..at, piece);
            }
            4 => {
                let other = &corpus[random.below(corpus.len())];
                let from = random.below(other.len() + 1);
                input.splice(at..at, other[from..].iter().copied());
            }
            5 => input.truncate(at),
            _ => {
                let token = TOKENS[random.below(TOKENS.len())];
                input.splice(at..at, token.bytes());
            }
        }
        input.truncate(INPUT_BYTES_MAX);
    }
    input
}

/// A generator, xorshift64*: enough for tests, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 8
    }

    /// Returns a number below `limit`; zero when that is zero.
    fn below(&mut self, limit: usize) -> usize {
        if limit == 0 {
            return 0;
        }
        (self.next() % limit as u64) as usize
    }
}
