//! A small server that keeps the secrets of the tests' engine, and fails on demand.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

/// The fate of a deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// It is done.
    Good,
    /// It is refused with 500.
    Down,
    /// It is done, and the connection is closed before the answer.
    Cut,
}

pub struct State {
    pub mood: Mood,
    /// The secrets that exist.
    pub secrets: BTreeSet<String>,
    /// Deletions that were asked for, refused ones too, in their order.
    pub deletions: Vec<String>,
    /// Renewals that were asked for.
    pub renewals: Vec<String>,
    /// The status and the body that answer a renewal.
    pub renewal: (u16, String),
    /// True while deletions wait.
    pub held: bool,
    /// Deletions under way.
    pub now: usize,
    /// Most deletions at a time.
    pub most: usize,
}

/// A server on a thread of its own. Dropping it leaves the thread waiting for connections, to the
/// end of the process.
pub struct Server {
    pub address: String,
    shared: Arc<(Mutex<State>, Condvar)>,
}

impl Server {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let state = State {
            mood: Mood::Good,
            secrets: BTreeSet::new(),
            deletions: Vec::new(),
            renewals: Vec::new(),
            renewal: (200, "{}".into()),
            held: false,
            now: 0,
            most: 0,
        };
        let shared = Arc::new((Mutex::new(state), Condvar::new()));
        let theirs = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let shared = Arc::clone(&theirs);
                std::thread::spawn(move || serve(&stream.unwrap(), &shared));
            }
        });
        Self { address, shared }
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.shared.0.lock().unwrap()
    }

    pub fn be(&self, mood: Mood) {
        self.state().mood = mood;
    }

    /// Lets the held deletions go on.
    pub fn let_go(&self) {
        self.state().held = false;
        self.shared.1.notify_all();
    }

    pub fn has(&self, name: &str) -> bool {
        self.state().secrets.contains(name)
    }

    /// Returns how often deleting `name` was asked for.
    pub fn deletions_of(&self, name: &str) -> usize {
        let state = self.state();
        state.deletions.iter().filter(|n| *n == name).count()
    }
}

fn serve(stream: &TcpStream, shared: &(Mutex<State>, Condvar)) {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    if reader.read_line(&mut first).unwrap_or(0) == 0 {
        return;
    }
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    reader.read_exact(&mut vec![0; length]).unwrap();
    let mut words = first.split(' ');
    let (method, path) = (words.next().unwrap(), words.next().unwrap());
    let answer = answer(method, path.trim_start_matches('/'), shared);
    if let Some((status, body)) = answer {
        let head = format!(
            "HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        // Nobody may be listening any more.
        (&*stream)
            .write_all(format!("{head}{body}").as_bytes())
            .ok();
    }
}

fn answer(
    method: &str,
    name: &str,
    (state, changed): &(Mutex<State>, Condvar),
) -> Option<(u16, String)> {
    let mut state = state.lock().unwrap();
    match method {
        "PUT" => {
            state.secrets.insert(name.to_owned());
            Some((201, "{}".into()))
        }
        "POST" => {
            state.renewals.push(name.to_owned());
            Some(state.renewal.clone())
        }
        "DELETE" => {
            state.deletions.push(name.to_owned());
            state.now += 1;
            state.most = state.most.max(state.now);
            let patience = Duration::from_secs(60);
            let (mut state, late) = changed
                .wait_timeout_while(state, patience, |state| state.held)
                .unwrap();
            assert!(!late.timed_out(), "it was held to the end");
            state.now -= 1;
            if state.mood == Mood::Down {
                return Some((500, "out of order".into()));
            }
            // What is gone already is deleted.
            state.secrets.remove(name);
            (state.mood != Mood::Cut).then(|| (204, String::new()))
        }
        _ => Some((405, String::new())),
    }
}
