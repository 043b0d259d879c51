//! What lies on the disk.

use crate::server::Server;
use rustix::fs::Mode;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

fn walk(folder: &Path, out: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, out);
        }
        out.push(path);
    }
}

async fn with_data(folder: &Path) -> Server {
    let path = folder.join("data");
    std::fs::create_dir(&path).unwrap();
    let stanzas = format!(
        "storage \"raft\" {{\n path = \"{}\"\n node_id = \"a\"\n}}\n\
         cluster_addr = \"http://127.0.0.1:1\"\napi_addr = \"http://127.0.0.1:2\"\n",
        path.display()
    );
    let server = Server::with(&stanzas).await;
    let body = r#"{"data":{"CANARY-field":"CANARY-value"}}"#;
    server
        .root("PUT", "secret/data/CANARY-folder/CANARY-name", body)
        .await;
    server
        .policy(
            "canary-policy",
            r#"path "CANARY-path/*" { capabilities = ["read"] }"#,
        )
        .await;
    server
        .root("PUT", "sys/mounts/CANARY-mount", r#"{"type":"kv"}"#)
        .await;
    server
}

/// Nobody but the owner reads the files, whatever the umask was.
#[tokio::test]
async fn cve_2021_38553_files_are_0600_under_any_umask() {
    let folder = tempfile::tempdir().unwrap();
    let umask = rustix::process::umask(Mode::empty());
    let server = with_data(folder.path()).await;
    server.node.shutdown().await;
    rustix::process::umask(umask);
    let mut paths = Vec::new();
    walk(&folder.path().join("data"), &mut paths);
    assert!(paths.iter().any(|path| path.is_file()), "{paths:?}");
    for path in paths {
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{} has mode {mode:o}", path.display());
    }
}

/// No secret, name, mount or policy can be read from the disk.
#[tokio::test]
async fn nothing_on_the_disk_is_readable() {
    let folder = tempfile::tempdir().unwrap();
    let server = with_data(folder.path()).await;
    server.node.shutdown().await;
    let mut paths = Vec::new();
    walk(folder.path(), &mut paths);
    for path in paths.iter().filter(|path| path.is_file()) {
        let bytes = std::fs::read(path).unwrap();
        for text in [
            "CANARY",
            "canary-policy",
            "root-for-tests",
            "\"keys\"",
            "secret/",
            "default",
        ] {
            let found = bytes
                .windows(text.len())
                .any(|window| window == text.as_bytes());
            assert!(!found, "{text} is readable in {}", path.display());
        }
    }
}
