//! The files on the disk.

use crate::server::{ROOT, Server};
use crate::support as process;
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

/// Tests that only the owner can read the files, under any umask. The shell's own file shows that
/// the umask lets everybody read.
#[test]
fn cve_2021_38553_files_are_0600_under_any_umask() {
    let folder = tempfile::tempdir().unwrap();
    let shell = ["umask 0", "touch control", "mkdir data"];
    let server = process::Server::raft_after(&shell, folder.path());
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder.path().join("control")), 0o666);
    let data = folder.path().join("data");
    assert_eq!(mode(&data), 0o700, "it is closed to others");
    let (_, token) = server.initialize();
    let client = server.client().with_token(&token);
    let body = serde_json::json!({"data": {"a": "b"}});
    let is_ready = || client.put("cubbyhole/x", body.clone()).status == 204;
    assert!(process::reaches(crate::server::PATIENCE, is_ready));
    assert_eq!(server.stop(), Some(0));
    let mut paths = Vec::new();
    walk(&data, &mut paths);
    assert!(paths.iter().any(|path| path.is_file()), "{paths:?}");
    for path in paths {
        let mode = mode(&path);
        assert_eq!(mode & 0o077, 0, "{} has mode {mode:o}", path.display());
    }
}

/// Tests that files which another user put there, for the server to write to or to believe, are
/// refused by name.
#[tokio::test]
async fn files_that_another_user_made_are_not_taken() {
    let folder = tempfile::tempdir().unwrap();
    let public = std::fs::Permissions::from_mode(0o1777);
    std::fs::set_permissions(folder.path(), public).unwrap();
    let server = Server::start().await;
    let path = folder.path().join("audit.log");
    let enable = async |name: &str, path: &Path| {
        let body = serde_json::json!({"type": "file", "options": {"file_path": path}});
        let answer = server
            .call(ROOT, "PUT", &format!("sys/audit/{name}"), &body.to_string())
            .await;
        (answer.status, answer.body)
    };
    std::fs::write(&path, "").unwrap();
    let taken = enable("own", &path).await;
    assert_eq!(taken.0, 204, "its own is taken: {}", taken.1);
    let linked = folder.path().join("linked");
    std::fs::hard_link(&path, &linked).unwrap();
    let refused = enable("linked", &linked).await;
    assert!(
        refused.0 == 400 && refused.1.contains("more than one name"),
        "{}",
        refused.1
    );
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let planted = folder.path().join("planted.log");
    std::fs::write(&planted, "").unwrap();
    std::os::unix::fs::chown(&planted, Some(54_321), None).unwrap();
    let refused = enable("planted", &planted).await;
    assert!(
        refused.0 == 400 && refused.1.contains("another user"),
        "{}",
        refused.1
    );
    assert_eq!(
        std::fs::read_to_string(&planted).unwrap(),
        "",
        "nothing was written"
    );
    let pid = coffer::node::PidFile::write(&planted).unwrap_err();
    assert!(pid.to_string().contains("another user"), "{pid}");
    let log = coffer::telemetry::LogFile::open(&planted, coffer::telemetry::Rotation::default());
    assert!(log.err().unwrap().to_string().contains("another user"));
    let config = coffer::config::load(std::slice::from_ref(&planted)).unwrap_err();
    assert!(config.to_string().contains("another user"), "{config}");
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    std::os::unix::fs::chown(&data, Some(54_321), None).unwrap();
    let refused = coffer::raft::check_directory(&data).unwrap_err();
    assert!(refused.to_string().contains("another user"), "{refused}");
}

/// Tests that no secret, name, mount or policy can be read from the disk.
#[tokio::test]
async fn nothing_on_the_disk_is_readable() {
    let folder = tempfile::tempdir().unwrap();
    let server = with_data(folder.path()).await;
    server.node.shutdown().await;
    let has = |bytes: &[u8], text: &str| {
        let mut windows = bytes.windows(text.len());
        windows.any(|window| window == text.as_bytes())
    };
    assert!(has(b"a CANARY in a mine", "CANARY"), "it would be found");
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
            assert!(
                !has(&bytes, text),
                "{text} is readable in {}",
                path.display()
            );
        }
    }
}
