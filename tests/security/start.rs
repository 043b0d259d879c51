//! The output of a start.

use crate::server::PATIENCE;
use crate::support::reaches;
use std::process::{Command, Stdio};

const BINARY: &str = env!("CARGO_BIN_EXE_coffer");

/// Tests that credentials in the environment do not turn up in the banner or the log.
#[test]
fn cve_2020_13223_a_start_shows_no_credentials() {
    let home = tempfile::tempdir().unwrap();
    let output = home.path().join("output");
    let file = std::fs::File::create(&output).unwrap();
    let proxy = "http://user:CANARY-proxy@proxy.example:3128";
    let mut child = Command::new(BINARY)
        .args(["server", "-dev", "-dev-listen-address=127.0.0.1:0"])
        .args(["-dev-no-store-token", "-log-level=trace"])
        .env_clear()
        .env("HOME", home.path())
        .envs([("HTTP_PROXY", proxy), ("HTTPS_PROXY", proxy)])
        .envs([("http_proxy", proxy), ("https_proxy", proxy)])
        .env("VAULT_TOKEN", "CANARY-token")
        .stdin(Stdio::null())
        .stdout(file.try_clone().unwrap())
        .stderr(file)
        .spawn()
        .unwrap();
    let read = || std::fs::read_to_string(&output).unwrap();
    let told = reaches(PATIENCE, || read().contains("\nRoot Token: "));
    child.kill().unwrap();
    child.wait().unwrap();
    let text = read();
    assert!(told, "{text}");
    assert!(!text.contains("CANARY"), "{text}");
}

/// Tests that an address with a password in it is refused, in words that do not repeat it.
#[test]
fn cve_2020_13223_an_address_with_a_password_is_refused() {
    for key in ["api_addr", "cluster_addr"] {
        let text = format!("{key} = \"https://user:CANARY@node.example:8200\"\n");
        let error = coffer::config::from_text(&[("test.hcl".into(), text)], &[]).unwrap_err();
        assert!(error.to_string().contains(key), "{error}");
        assert!(!error.to_string().contains("CANARY"), "{error}");
        assert!(!format!("{error:?}").contains("CANARY"), "{error:?}");
    }
}
