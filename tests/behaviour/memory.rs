//! The sizes of caches and pools: by the machine, or as the operator says.

use crate::support::{Server, read_log, write_config};
use std::fs;

const SAID: &str = "the memory of caches and requests is set: profile=";

fn said(folder: &std::path::Path, more: &str, variables: &[(&str, &str)]) -> String {
    let config = write_config(folder, "tls_disable = true");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, format!("{more}{text}")).unwrap();
    let server = Server::start_with(&["-config", config.to_str().unwrap()], variables, folder);
    server.client().get("sys/seal-status").expect(200);
    assert_eq!(server.stop(), Some(0));
    let log = read_log(folder);
    let line = log.lines().rev().find_map(|line| line.split_once(SAID));
    line.unwrap_or_else(|| panic!("no profile in {log}"))
        .1
        .to_owned()
}

#[test]
fn the_start_says_which_profile_and_why_and_the_operator_decides() {
    let folder = tempfile::tempdir().unwrap();
    let by_itself = said(folder.path(), "", &[]);
    let reasons = ["the machine has ", "the control group allows "];
    let named = by_itself.starts_with("\"small (") || by_itself.starts_with("\"default (");
    assert!(named, "{by_itself}");
    assert!(
        reasons.iter().any(|reason| by_itself.contains(reason)),
        "{by_itself}"
    );
    let small = "\"small (memory_profile is set)\"";
    assert_eq!(
        said(folder.path(), "memory_profile = \"small\"\n", &[]),
        small
    );
    let set = [("COFFER_MEMORY_PROFILE", "default")];
    let default = "\"default (memory_profile is set)\"";
    assert_eq!(
        said(folder.path(), "memory_profile = \"small\"\n", &set),
        default
    );
}
