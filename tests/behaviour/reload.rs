//! SIGHUP takes new certificates without a restart, and keeps the old ones when the new are bad.

use crate::support::{Server, hello, read_log, write_config};
use std::path::Path;
use std::time::Duration;

/// Writes a self-signed certificate into `folder`; returns its DER.
fn certify(folder: &Path) -> Vec<u8> {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    std::fs::write(folder.join("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    made.cert.der().to_vec()
}

#[track_caller]
fn wait_for(what: &str, holds: impl FnMut() -> bool) {
    crate::support::wait(Duration::from_secs(10), what, holds);
}

#[test]
fn certificates_are_taken_on_sighup() {
    let folder = tempfile::tempdir().unwrap();
    let first = certify(folder.path());
    let files = format!(
        "tls_cert_file = \"{0}/cert.pem\"\n  tls_key_file = \"{0}/key.pem\"",
        folder.path().display()
    );
    let config = write_config(folder.path(), &files);
    let server = Server::start(&["-config", config.to_str().unwrap()], folder.path());
    assert_eq!(hello(&server.address, &first), first);

    let second = certify(folder.path());
    assert_eq!(
        hello(&server.address, &first),
        first,
        "not before it is told to"
    );
    server.signal("-HUP");
    wait_for("the new certificate", || {
        hello(&server.address, &second) == second
    });

    std::fs::write(folder.path().join("cert.pem"), "nonsense").unwrap();
    server.signal("-HUP");
    wait_for("a complaint", || {
        read_log(folder.path()).contains("not reloaded")
    });
    assert_eq!(hello(&server.address, &second), second);
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn the_log_level_is_taken_on_sighup() {
    let folder = tempfile::tempdir().unwrap();
    let config = write_config(folder.path(), "tls_disable = true");
    let server = Server::start(&["-config", config.to_str().unwrap()], folder.path());
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("{text}log_level = \"error\"\n")).unwrap();
    server.signal("-HUP");
    wait_for("the reload", || {
        read_log(folder.path()).contains("reload requested")
    });
    // The level changes after that line; from then on INFO is silent.
    wait_for("silence", || {
        let before = read_log(folder.path()).matches("reload requested").count();
        server.signal("-HUP");
        server.client().get("sys/health");
        read_log(folder.path()).matches("reload requested").count() == before
    });
}
