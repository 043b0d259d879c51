//! All messages to the thief, and a search for secrets in them.

use bytes::Bytes;
use coffer::peer::{Protocol, PublicKey};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard};

/// Most messages that are kept, to be sent again.
const KEPT: usize = 64;

/// One message that came in.
#[derive(Clone)]
pub struct Heard {
    pub from: PublicKey,
    pub protocol: Protocol,
    pub bytes: Bytes,
}

/// The messages that the thief received.
#[derive(Default)]
pub struct Ear {
    canaries: Vec<Vec<u8>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    bytes: u64,
    kinds: BTreeMap<&'static str, u64>,
    found: Vec<String>,
    kept: VecDeque<Heard>,
}

impl Ear {
    /// Listens for `canaries`, each in plain, in hex and in base64.
    pub fn new(canaries: &[&str]) -> Self {
        use base64::Engine;
        let forms = canaries.iter().flat_map(|canary| {
            let base64 = base64::engine::general_purpose::STANDARD_NO_PAD;
            // The last character depends on the text that follows.
            let mut encoded = base64.encode(canary);
            encoded.pop();
            [(*canary).to_owned(), hex::encode(canary), encoded]
        });
        Self {
            canaries: forms.map(String::into_bytes).collect(),
            state: Mutex::default(),
        }
    }

    /// Records the bytes of a call, a stream or an answer.
    pub fn hear(&self, what: &'static str, bytes: &[u8]) {
        let found = self.canaries.iter().filter(|canary| holds(bytes, canary));
        let found: Vec<String> = found
            .map(|canary| format!("{what}: {}", String::from_utf8_lossy(canary)))
            .collect();
        let mut state = self.state();
        state.bytes += bytes.len() as u64;
        *state.kinds.entry(what).or_default() += 1;
        state.found.extend(found);
    }

    /// Keeps a message to send it again.
    pub fn keep(&self, heard: Heard) {
        let mut state = self.state();
        if state.kept.len() == KEPT {
            state.kept.pop_front();
        }
        state.kept.push_back(heard);
    }

    /// Returns the messages that were kept.
    pub fn kept(&self) -> Vec<Heard> {
        self.state().kept.iter().cloned().collect()
    }

    /// Returns the secrets that were heard, each with its kind of message.
    pub fn found(&self) -> Vec<String> {
        self.state().found.clone()
    }

    /// Returns the number of messages, pieces and answers that came.
    pub fn messages(&self) -> u64 {
        self.state().kinds.values().sum()
    }

    /// Returns the counts in a line.
    pub fn report(&self) -> String {
        let state = self.state();
        format!("{} bytes in {:?}", state.bytes, state.kinds)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

fn holds(bytes: &[u8], canary: &[u8]) -> bool {
    let Some((first, rest)) = canary.split_first() else {
        return false;
    };
    let mut left = bytes;
    while let Some(at) = left.iter().position(|byte| byte == first) {
        left = &left[at + 1..];
        if left.starts_with(rest) {
            return true;
        }
    }
    false
}

#[test]
fn a_canary_is_found_however_it_is_written() {
    let ear = Ear::new(&["canary-1"]);
    ear.hear("noise", b"ccacanarycanary-");
    assert!(ear.found().is_empty());
    ear.hear("plain", b"xcanary-1x");
    ear.hear("hex", hex::encode("canary-1").as_bytes());
    assert_eq!(ear.found().len(), 2, "{:?}", ear.found());
}
