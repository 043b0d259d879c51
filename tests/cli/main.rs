//! The command line against a real server, as dialogues: `$ ` starts a command, then follow its
//! standard output, its standard error with `! ` before each line, and `= ` and its exit code
//! unless that is 0. `…` stands for anything within a line, and `NAME<` before an expected line
//! keeps its last word for `$NAME` in later commands.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use tempfile::TempDir;

#[path = "../support/wait.rs"]
mod wait;

/// Longest time that a server may take to answer.
const START_MAX: Duration = Duration::from_secs(20);

struct Server {
    home: TempDir,
    child: Child,
    address: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    fn dev() -> Self {
        let port = free_port();
        let listen = format!("-dev-listen-address=127.0.0.1:{port}");
        Self::start(port, |_| {
            vec![s("-dev"), listen, s("-dev-root-token-id=root")]
        })
    }

    fn raft() -> Self {
        Self::with("")
    }

    /// Starts a server with `stanza` in its configuration.
    fn with(stanza: &str) -> Self {
        let port = free_port();
        Self::start(port, |home| {
            let data = home.join("data");
            std::fs::create_dir(&data).expect("a directory");
            let data = data.display();
            let config = format!(
                "storage \"raft\" {{\n  path = \"{data}\"\n  node_id = \"n1\"\n}}\n\
                 listener \"tcp\" {{\n  address = \"127.0.0.1:{port}\"\n  tls_disable = true\n}}\n\
                 disable_mlock = true\napi_addr = \"http://127.0.0.1:{port}\"\n\
                 cluster_addr = \"http://127.0.0.1:{}\"\n{stanza}\n",
                free_port()
            );
            let path = home.join("config.hcl");
            std::fs::write(&path, config).expect("written");
            vec![format!("-config={}", path.display())]
        })
    }

    fn start(port: u16, args: impl FnOnce(&Path) -> Vec<String>) -> Self {
        let home = tempfile::tempdir().expect("a directory");
        let link = home.path().join("vault");
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_coffer"), link).expect("a link");
        let args = args(home.path());
        // A development server answers a moment before it is unsealed.
        let is_dev = args.iter().any(|arg| arg.starts_with("-dev"));
        let is_ready = |code: Option<i32>| code == Some(0) || (code == Some(2) && !is_dev);
        let log = std::fs::File::create(home.path().join("log")).expect("a file");
        let child = Command::new(env!("CARGO_BIN_EXE_coffer"))
            .arg("server")
            .args(args)
            .env("HOME", home.path())
            .stdout(log.try_clone().expect("a file"))
            .stderr(log)
            .spawn()
            .expect("a server");
        let address = format!("http://127.0.0.1:{port}");
        let server = Self {
            home,
            child,
            address,
        };
        let answers = || is_ready(server.run("vault status", &BTreeMap::new()).status.code());
        let log = || std::fs::read_to_string(server.home.path().join("log"));
        assert!(wait::reaches(START_MAX, answers), "no answer: {:?}", log());
        server
    }

    fn run(&self, line: &str, kept: &BTreeMap<String, String>) -> Output {
        let mut command = Command::new("sh");
        command
            .args(["-c", line])
            .current_dir(self.home.path())
            .env_clear()
            .env("HOME", self.home.path())
            .env(
                "PATH",
                format!("{}:/usr/bin:/bin", self.home.path().display()),
            )
            .env("VAULT_ADDR", &self.address)
            .env(
                "PGP",
                concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/pgp"),
            )
            .envs(kept)
            .stdin(Stdio::null());
        command.output().expect("a shell")
    }

    /// Plays a dialogue to its end and panics with all differences.
    fn play(&self, dialogue: &str) {
        let mut kept = BTreeMap::new();
        let mut faults = String::new();
        let lines: Vec<&str> = dialogue
            .lines()
            .filter(|line| !line.starts_with('#'))
            .collect();
        let mut at = 0;
        while at < lines.len() {
            let Some(command) = lines[at].strip_prefix("$ ") else {
                assert!(lines[at].is_empty(), "not a command: {}", lines[at]);
                at += 1;
                continue;
            };
            at += 1;
            let end = lines[at..].iter().position(|line| line.starts_with("$ "));
            let end = end.map_or(lines.len(), |end| at + end);
            let mut expected = lines[at..end].to_vec();
            while expected.last().is_some_and(|line| line.is_empty()) {
                expected.pop();
            }
            at = end;
            let shown = show(&self.run(command, &kept));
            let actual: Vec<&str> = shown.lines().collect();
            let same = expected.len() == actual.len()
                && expected
                    .iter()
                    .zip(&actual)
                    .all(|(e, a)| matches(keep(e).1, a));
            for (name, word) in expected
                .iter()
                .zip(&actual)
                .filter_map(|(e, a)| Some((keep(e).0?, a.split_whitespace().last()?)))
            {
                kept.insert(String::from(name), String::from(word));
            }
            if !same {
                let expected = expected.join("\n");
                writeln!(
                    faults,
                    "$ {command}\n--- expected\n{expected}\n--- got\n{shown}"
                )
                .expect("text");
            }
        }
        assert!(faults.is_empty(), "\n{faults}");
    }
}

fn s(text: &str) -> String {
    String::from(text)
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

fn show(output: &Output) -> String {
    let mut text = String::from_utf8_lossy(&output.stdout)
        .trim_end_matches('\n')
        .to_owned();
    if !text.is_empty() {
        text.push('\n');
    }
    for line in String::from_utf8_lossy(&output.stderr)
        .trim_end_matches('\n')
        .lines()
    {
        writeln!(text, "{}", format!("! {line}").trim_end()).expect("text");
    }
    if let Some(code) = output.status.code().filter(|code| *code != 0) {
        writeln!(text, "= {code}").expect("text");
    }
    text
}

/// Splits the name under which the line's last word is kept from the line itself.
fn keep(expected: &str) -> (Option<&str>, &str) {
    match expected.split_once('<') {
        Some((name, line)) if !name.is_empty() && name.bytes().all(|b| b.is_ascii_uppercase()) => {
            (Some(name), line)
        }
        _ => (None, expected),
    }
}

fn matches(expected: &str, actual: &str) -> bool {
    let mut parts = expected.split('…');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = actual.strip_prefix(first) else {
        return false;
    };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else {
        return rest.is_empty();
    };
    for part in parts {
        match rest.find(part) {
            Some(found) => rest = &rest[found + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[test]
fn kv() {
    Server::dev().play(include_str!("kv.txt"));
}

#[test]
fn tokens_policies_and_mounts() {
    Server::dev().play(include_str!("access.txt"));
}

#[test]
fn what_is_typed_wrong_and_what_is_refused() {
    Server::dev().play(include_str!("faults.txt"));
}

#[test]
fn operators() {
    Server::raft().play(include_str!("operator.txt"));
}

#[test]
fn a_root_token_from_the_unseal_keys() {
    Server::raft().play(include_str!("generate_root.txt"));
}

#[test]
fn new_unseal_keys_from_the_old_ones() {
    Server::raft().play(include_str!("rekey.txt"));
}

#[test]
fn recovery_keys_of_a_server_that_unseals_by_itself() {
    let key = "ab".repeat(32);
    let stanza =
        format!("seal \"static\" {{\n  current_key_id = \"k\"\n  current_key = \"{key}\"\n}}");
    Server::with(&stanza).play(include_str!("recovery.txt"));
}

#[test]
fn sheets_and_keys_in_words() {
    Server::raft().play(include_str!("sheets.txt"));
}
