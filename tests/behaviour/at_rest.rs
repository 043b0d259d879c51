//! A stolen card shows nothing: no secret, no name, no policy, no user, no token.

use crate::support::{Server, read_log};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Every word that a client sends in this test.
const WORDS: [&str; 9] = [
    "quincemarmalade",
    "wintermount",
    "applesegment",
    "leafsegment",
    "fieldname",
    "policyname",
    "displayname",
    "metakey",
    "metavalue",
];

fn files(folder: &Path, into: &mut Vec<PathBuf>) {
    for item in std::fs::read_dir(folder).unwrap() {
        let path = item.unwrap().path();
        if path.is_dir() {
            files(&path, into);
        } else {
            into.push(path);
        }
    }
}

#[test]
fn the_data_directory_holds_no_plaintext() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::raft(folder.path());
    let (key, token) = server.initialize();
    let root = server.client().with_token(&token);
    let mount = json!({"type": "kv", "options": {"version": "2"}});
    root.put("sys/mounts/wintermount", mount).expect(204);
    let policy = "path \"wintermount/data/applesegment/*\" { capabilities = [\"read\"] }";
    root.put("sys/policies/acl/policyname", json!({"policy": policy}))
        .expect(204);
    let spec = json!({
        "policies": ["policyname"], "display_name": "displayname", "meta": {"metakey": "metavalue"},
    });
    let made = root.put("auth/token/create", spec).expect(200).json();
    let child = made["auth"]["client_token"].as_str().unwrap().to_owned();
    let accessor = made["auth"]["accessor"].as_str().unwrap().to_owned();
    let secret = json!({"data": {"fieldname": "quincemarmalade"}});
    root.put("wintermount/data/applesegment/leafsegment", secret)
        .expect(200);
    server
        .client()
        .with_token(&child)
        .get("wintermount/data/applesegment/leafsegment")
        .expect(200);
    let uuid = root.get("sys/mounts").json()["data"]["wintermount/"]["uuid"].clone();
    assert_eq!(server.stop(), Some(0), "a checkpoint was written");

    let mut wanted: Vec<Vec<u8>> = WORDS.iter().map(|word| word.as_bytes().to_vec()).collect();
    for word in [&key, &token, &child, &accessor, uuid.as_str().unwrap()] {
        wanted.push(word.as_bytes().to_vec());
    }
    for mark in ["kv", "cubbyhole", "auth/token", "root"] {
        wanted.push(format!("/{mark}/").into_bytes());
    }
    let mut all = Vec::new();
    files(&folder.path().join("data"), &mut all);
    assert!(all.len() > 2, "{all:?}");
    for path in &all {
        let bytes = std::fs::read(path).unwrap();
        for word in &wanted {
            let found = bytes.windows(word.len()).any(|window| window == word);
            let word = String::from_utf8_lossy(word);
            assert!(!found, "{word} is in {}", path.display());
            let name = path
                .strip_prefix(folder.path())
                .unwrap()
                .display()
                .to_string();
            assert!(!name.contains(&*word), "{word} is a file's name: {name}");
        }
    }
    let log = read_log(folder.path());
    for word in &wanted {
        let word = String::from_utf8_lossy(word);
        assert!(!log.contains(&*word), "{word} is in the log");
    }
}

#[test]
fn files_are_for_the_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let server = Server::raft(folder.path());
    server.initialize();
    let mut all = Vec::new();
    files(&folder.path().join("data"), &mut all);
    for path in &all {
        let mode = std::fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{} has mode {mode:o}", path.display());
    }
}
