//! The messages to a supervisor, in systemd's words.

use crate::support::{Server, write_config};
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

/// Longer than any message takes to arrive.
const PATIENCE: Duration = Duration::from_secs(20);

/// Reads messages until one has `word`; returns all of their lines.
#[track_caller]
fn told(socket: &UnixDatagram, word: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut message = [0; 4096];
    while !lines.iter().any(|line| line == word) {
        let bytes = socket.recv(&mut message);
        let bytes = bytes.unwrap_or_else(|error| panic!("no {word} after {lines:?}: {error}"));
        let text = std::str::from_utf8(&message[..bytes]).unwrap();
        lines.extend(text.lines().map(str::to_owned));
    }
    lines
}

#[test]
fn ready_phase_signs_of_life_and_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let socket = UnixDatagram::bind(folder.path().join("notify")).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let config = write_config(folder.path(), "tls_disable = true");
    let path = folder.path().join("notify");
    let variables = [
        ("NOTIFY_SOCKET", path.to_str().unwrap()),
        ("WATCHDOG_USEC", "200000"),
    ];
    let args = ["-config", config.to_str().unwrap()];
    let server = Server::start_with(&args, &variables, folder.path());
    let begin = told(&socket, "READY=1");
    let end = told(&socket, "WATCHDOG=1");
    assert!(!begin.contains(&"WATCHDOG=1".to_owned()), "{begin:?}");
    let lines = [begin, end].concat();
    assert!(
        lines.contains(&"STATUS=not initialised".to_owned()),
        "{lines:?}"
    );
    server.initialize();
    told(&socket, "STATUS=sealed");
    told(&socket, "STATUS=active");
    for _ in 0..3 {
        told(&socket, "WATCHDOG=1");
    }
    assert_eq!(server.stop(), Some(0));
    let lines = told(&socket, "STOPPING=1");
    assert!(lines.contains(&"STATUS=stopping".to_owned()), "{lines:?}");
}

#[test]
fn a_node_that_stands_still_gives_no_sign_of_life() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let config = write_config(folder.path(), "tls_disable = true");
    let variables = [
        ("NOTIFY_SOCKET", path.to_str().unwrap()),
        ("WATCHDOG_USEC", "200000"),
    ];
    let args = ["-config", config.to_str().unwrap()];
    let server = Server::start_with(&args, &variables, folder.path());
    told(&socket, "WATCHDOG=1");
    server.signal("-STOP");
    // Earlier messages are read first; then there is silence for ten times the interval.
    socket
        .set_read_timeout(Some(Duration::from_secs(1)))
        .unwrap();
    while socket.recv(&mut [0; 4096]).is_ok() {}
    server.signal("-CONT");
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    told(&socket, "WATCHDOG=1");
    assert_eq!(server.stop(), Some(0));
}
