//! Configurations with which a server refuses to start, and its messages.

use crate::support::{Server, exit_of, write_config};
use std::path::Path;

#[track_caller]
fn refused(folder: &Path, text: &str, expected: &str) {
    refused_with(1, folder, text, expected);
}

#[track_caller]
fn refused_with(exit_code: i32, folder: &Path, text: &str, expected: &str) {
    let path = folder.join("refused.hcl");
    std::fs::write(&path, text).unwrap();
    let (code, output) = exit_of(&["-config", path.to_str().unwrap()], folder);
    assert_eq!(code, exit_code, "{output}");
    assert!(
        output.contains(expected),
        "{expected:?} is not in:\n{output}"
    );
}

fn with_path(path: &Path) -> String {
    format!(
        "storage \"raft\" {{ path = \"{}\" }}\n\
         listener \"tcp\" {{ address = \"127.0.0.1:0\" tls_disable = 1 }}\n\
         cluster_addr = \"https://127.0.0.1:0\"\ndisable_mlock = true\n",
        path.display()
    )
}

#[test]
fn bad_configurations_name_file_line_and_column() {
    let folder = tempfile::tempdir().unwrap();
    let at = |rest: &str| format!("{}/refused.hcl:{rest}", folder.path().display());
    refused(
        folder.path(),
        "ui = \"maybe\"\n",
        &at("1:6: ui: expected true or false"),
    );
    refused(
        folder.path(),
        "memory_profile = \"tiny\"\n",
        &at("1:18: memory_profile: expected one of small, default"),
    );
    refused(
        folder.path(),
        "storage \"raft\" {\n",
        &at("1:17: syntax error"),
    );
    refused(
        folder.path(),
        "storage \"raft\" {}\n",
        &at("1:1: storage \"raft\" needs a path"),
    );
    refused(
        folder.path(),
        "ui = true\n",
        "A storage backend must be specified",
    );
    let seal = |kind: &str| {
        format!("storage \"inmem\" {{}}\nseal \"{kind}\" {{\n  kms_key = \"k3y-id\",\n}}\n")
    };
    refused(
        folder.path(),
        &seal("pkcs11"),
        &at("2:1: seal \"pkcs11\": pkcs11 is not in this build"),
    );
    refused(
        folder.path(),
        &seal("awskms"),
        &at("2:1: seal \"awskms\": kms_key is not a key of it: it knows access_key"),
    );
    let consul = "storage \"consul\" {}\n";
    refused(
        folder.path(),
        consul,
        "storage \"consul\" cannot be served from",
    );
    let bare = "storage \"inmem\" {}\nlistener \"tcp\" { address = \"127.0.0.1:0\" }\n";
    refused(
        folder.path(),
        &format!("{bare}disable_mlock = 1"),
        "needs tls_cert_file and tls_key_file",
    );
    let (code, output) = exit_of(&["-config", "/nowhere/at/all.hcl"], folder.path());
    assert_eq!(code, 1);
    assert!(output.contains("/nowhere/at/all.hcl"), "{output}");
    let (code, output) = exit_of(&["-nonsense"], folder.path());
    assert_eq!(code, 1);
    assert!(
        output.contains("flag provided but not defined: -nonsense"),
        "{output}"
    );
}

/// Tests that a node needs `cluster_addr`: its listener cannot know the address by which other
/// machines reach it.
#[test]
fn a_raft_node_that_nobody_told_how_it_is_reached_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let silent = with_path(&folder.path().join("data")).replace("cluster_addr", "# cluster_addr");
    let told = "cluster address must be set when using raft storage: set cluster_addr";
    refused(folder.path(), &silent, told);
    assert!(!folder.path().join("data").exists(), "nothing was made");
    let config = folder.path().join("refused.hcl");
    let args = ["-config", config.to_str().unwrap()];
    let url = "http://127.0.0.1:0";
    for name in [
        "VAULT_CLUSTER_ADDR",
        "VAULT_API_ADDR",
        "VAULT_REDIRECT_ADDR",
        "BAO_API_ADDR",
    ] {
        let server = Server::start_with(&args, &[(name, url)], folder.path());
        server.client().get("sys/seal-status").expect(200);
        let cluster = server
            .banner
            .lines()
            .find(|line| line.contains("Cluster Address:"));
        let cluster = cluster.unwrap_or_else(|| panic!("{}", server.banner));
        assert!(cluster.contains("https://127.0.0.1:"), "{name}: {cluster}");
        assert!(!cluster.ends_with(":0"), "{name}: {cluster}");
        server.kill();
    }
    let file = format!("{silent}api_addr = \"{url}\"\n");
    std::fs::write(&config, file).unwrap();
    Server::start(&args, folder.path()).kill();
    let home = folder.path().join("dev");
    std::fs::create_dir(&home).unwrap();
    let path = home.join("data");
    let dev = [
        "-dev",
        "-dev-listen-address=127.0.0.1:0",
        "-dev-path",
        path.to_str().unwrap(),
    ];
    Server::start(&dev, &home)
        .client()
        .get("sys/health")
        .expect(200);
}

#[test]
fn a_taken_port_is_named_and_worth_another_try() {
    let folder = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let text = format!(
        "storage \"inmem\" {{}}\nlistener \"tcp\" {{ address = \"{address}\" tls_disable = 1 }}\n\
         disable_mlock = 1\n"
    );
    refused_with(2, folder.path(), &text, &address.to_string());
}

#[test]
fn a_second_process_keeps_off_and_the_first_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::raft(folder.path());
    let (_, token) = server.initialize();
    let config = write_config(folder.path(), "tls_disable = true");
    let (code, output) = exit_of(&["-config", config.to_str().unwrap()], folder.path());
    assert_eq!(code, 1, "{output}");
    assert!(output.contains("in use by another process"), "{output}");
    server
        .client()
        .with_token(&token)
        .get("sys/mounts")
        .expect(200);
}

#[test]
fn a_foreign_directory_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("photos");
    std::fs::create_dir(&data).unwrap();
    std::fs::write(data.join("holiday.jpg"), "not ours").unwrap();
    refused(folder.path(), &with_path(&data), "holiday.jpg");
    let names: Vec<_> = std::fs::read_dir(&data).unwrap().collect();
    assert_eq!(names.len(), 1, "nothing was added");
}

#[test]
fn a_directory_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let data = file.join("data");
    refused(
        folder.path(),
        &with_path(&data),
        &data.display().to_string(),
    );
    refused(
        folder.path(),
        &with_path(Path::new("/proc/coffer")),
        "/proc/coffer",
    );
}
