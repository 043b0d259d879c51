//! `operator diagnose` says what would keep a server from starting or serving, before one runs and
//! beside one, and changes nothing.

use crate::support::{Server, exit_of, write_config};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The exit codes, as OpenBao's.
const WELL: i32 = 0;
const FAILED: i32 = 1;
const WARNED: i32 = 2;
const UNNAMED: i32 = 3;
const UNREADABLE: i32 = 4;
/// The checks whose outcome is this machine's, not the test's.
const SKIP: [&str; 6] = [
    "-skip=flush",
    "-skip=space",
    "-skip=mount",
    "-skip=clock",
    "-skip=memory",
    "-skip=descriptors",
];

struct Diagnosed {
    code: i32,
    lines: Vec<Value>,
}

fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_coffer"));
    command.args(["operator", "diagnose"]).args(args);
    command.env_clear().env("HOME", folder).current_dir(folder);
    command
}

fn diagnose_as(
    folder: &Path,
    config: &Path,
    args: &[&str],
    environment: &[(&str, &str)],
) -> Diagnosed {
    let config = format!("-config={}", config.display());
    let mut all = vec![config.as_str(), "-format=json"];
    all.extend(args);
    let mut command = command(folder, &all);
    let done = command.envs(environment.iter().copied()).output().unwrap();
    let shown: Value = serde_json::from_slice(&done.stdout).unwrap_or_else(|error| {
        panic!(
            "{error}: {}",
            String::from_utf8_lossy(&[done.stdout.clone(), done.stderr.clone()].concat())
        )
    });
    Diagnosed {
        code: done.status.code().unwrap(),
        lines: shown["children"].as_array().unwrap().clone(),
    }
}

fn diagnose(folder: &Path, config: &Path) -> Diagnosed {
    diagnose_as(folder, config, &SKIP, &[])
}

impl Diagnosed {
    /// Returns the worst line of this name.
    #[track_caller]
    fn line(&self, name: &str) -> &Value {
        let rank = |line: &&Value| {
            ["skip", "ok", "warn", "fail"]
                .iter()
                .position(|word| line["status"] == *word)
        };
        let named = self.lines.iter().filter(|line| line["name"] == name);
        named
            .max_by_key(rank)
            .unwrap_or_else(|| panic!("no {name} in {:#?}", self.lines))
    }

    #[track_caller]
    fn is(&self, code: i32, name: &str, status: &str, part: &str) {
        let line = self.line(name);
        let text = format!("{} {}", line["message"], line["Advice"]);
        assert_eq!(line["status"], status, "{line:#}");
        assert!(text.contains(part), "{part}: {line:#}");
        assert_eq!(self.code, code, "{:#?}", self.lines);
        if status != "ok" {
            assert!(
                !line["Advice"].as_str().unwrap().is_empty(),
                "no remedy: {line:#}"
            );
        }
    }
}

/// Returns every file below a folder with its size and time.
fn files(folder: &Path) -> BTreeMap<PathBuf, (u64, std::time::SystemTime)> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let (path, meta) = (
            entry.as_ref().unwrap().path(),
            entry.unwrap().metadata().unwrap(),
        );
        match meta.is_dir() {
            true => found.extend(files(&path)),
            false => drop(found.insert(path, (meta.len(), meta.modified().unwrap()))),
        }
    }
    found
}

fn edit(config: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(config).unwrap();
    assert!(text.contains(from), "{text}");
    std::fs::write(config, text.replace(from, to)).unwrap();
}

fn config(folder: &Path) -> PathBuf {
    let config = write_config(folder, "tls_disable = true");
    edit(&config, "https://127.0.0.1:0", "https://127.0.0.1:8201");
    config
}

#[test]
fn a_good_configuration_is_well_before_the_first_start_and_after_the_last() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let before = diagnose(folder.path(), &config);
    before.is(WELL, "Data directory", "ok", "does not exist yet");
    before.is(WELL, "Ports", "ok", "free");
    before.is(WELL, "Configuration", "ok", "");
    assert!(!folder.path().join("data").exists(), "it makes nothing");
    let server = Server::start(&["-config", config.to_str().unwrap()], folder.path());
    server.initialize();
    assert_eq!(server.stop(), Some(0));
    let there = files(folder.path());
    let all = diagnose_as(folder.path(), &config, &[], &[]);
    all.is(all.code, "Data directory", "ok", "no server uses it");
    // Which of these is a warning depends on the machine; that they were done does not.
    for name in [
        "Flush time",
        "Free space",
        "Mount",
        "Clock",
        "Memory",
        "File descriptors",
    ] {
        all.line(name);
    }
    assert_eq!(files(folder.path()), there, "it changes nothing");
    let log = exit_of(
        &["-config", config.to_str().unwrap(), "-test-verify-only"],
        folder.path(),
    );
    assert_eq!(log.0, 0, "{}", log.1);
}

#[test]
fn beside_a_running_server_its_port_and_its_data_are_in_use_and_that_is_well() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let port = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    edit(
        &config,
        "127.0.0.1:0\"\n  tls",
        &format!("127.0.0.1:{port}\"\n  cluster_address = \"127.0.0.1:0\"\n  tls"),
    );
    let server = Server::start(&["-config", config.to_str().unwrap()], folder.path());
    let (_, token) = server.initialize();
    let beside = diagnose(folder.path(), &config);
    let pid = server.id().to_string();
    beside.is(WELL, "Data directory", "ok", &pid);
    beside.is(
        WELL,
        "Ports",
        "ok",
        &format!("held by the running server ({pid})"),
    );
    // Without a token the cluster's own account is not asked for, and the way to it is said.
    beside.is(WELL, "Backups", "skip", "VAULT_TOKEN");
    beside.is(WELL, "Members", "skip", "VAULT_TOKEN");
    let address = format!("http://{}", server.address);
    let login = [
        ("VAULT_ADDR", address.as_str()),
        ("VAULT_TOKEN", token.as_str()),
    ];
    let asked = diagnose_as(folder.path(), &config, &SKIP, &login);
    asked.is(WARNED, "Backups", "warn", "no snapshots by the clock");
    let root = server.client().with_token(&token);
    let snapshots = folder.path().join("snapshots");
    let setting = json!({"interval": "24h", "storage_type": "local", "local_max_space": 100_000_000,
        "path_prefix": snapshots});
    root.put("sys/storage/raft/snapshot-auto/config/daily", setting)
        .expect(204);
    let taken = || {
        let status = root
            .get("sys/storage/raft/snapshot-auto/status/daily")
            .expect(200)
            .json();
        status["data"]["last_snapshot_url"]
            .as_str()
            .is_some_and(|url| !url.is_empty())
    };
    crate::support::wait(std::time::Duration::from_secs(20), "a snapshot", taken);
    let asked = diagnose_as(folder.path(), &config, &SKIP, &login);
    asked.is(
        WELL,
        "Backups",
        "ok",
        "daily: the last one is 0 minutes old",
    );
    asked.is(WELL, "Members", "ok", "none are configured");
    // The server has noticed nothing of it.
    root.put(
        "sys/policies/acl/some",
        json!({"policy": "path \"x\" { capabilities = [\"read\"] }"}),
    )
    .expect(204);
    assert_eq!(server.stop(), Some(0));
}

/// Edits a good configuration, and expects a line.
#[track_caller]
fn check(
    root: &Path,
    (from, to): (&str, &str),
    code: i32,
    (name, status, part): (&str, &str, &str),
) {
    let config = config(root);
    edit(&config, from, to);
    diagnose(root, &config).is(code, name, status, part);
}

#[test]
fn each_bad_setting_is_a_line_with_its_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let tls = "tls_cert_file = \"/no/c\"\n  tls_key_file = \"/no/k\"";
    let line = ("Certificate", "fail", "/no/c");
    check(root, ("tls_disable = true", tls), FAILED, line);
    let unknown = "colour = \"red\"\ndisable_mlock = true";
    let line = ("Configuration", "warn", "coffer.hcl:10:1: ");
    check(root, ("disable_mlock = true", unknown), WARNED, line);
    let line = ("Configuration", "fail", "consul");
    check(root, ("\"raft\"", "\"consul\""), FAILED, line);
    let join = "node_id = \"n1\"\n  retry_join { leader_api_addr = \"http://127.0.0.1:1\" }";
    for line in [
        ("Members", "warn", "is not reached"),
        ("Own address", "fail", "no other node reaches it"),
    ] {
        check(root, ("node_id = \"n1\"", join), FAILED, line);
    }
}

#[test]
fn each_bad_thing_of_the_machine_is_a_line_with_its_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("{:?}", taken.local_addr().unwrap().to_string());
    let line = ("Ports", "fail", "ss -ltnp");
    check(root, ("\"127.0.0.1:0\"", &address), FAILED, line);
    let line = ("Ports", "fail", "not an address of this machine");
    check(
        root,
        ("\"127.0.0.1:0\"", "\"192.0.2.7:8200\""),
        FAILED,
        line,
    );
    std::fs::create_dir(root.join("data")).unwrap();
    std::fs::write(root.join("data/vault.db"), "x").unwrap();
    let line = ("Data directory", "fail", "vault.db");
    check(root, ("node_id", "node_id"), FAILED, line);
}

#[test]
fn certificates_are_judged_by_their_keys_and_their_days() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let make = |name: &str, days: i64| {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut parameters = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let now = std::time::SystemTime::now();
        let day = std::time::Duration::from_secs(86_400);
        let end = match u32::try_from(days) {
            Ok(days) => now + day * days,
            Err(_) => now - day * u32::try_from(-days).unwrap(),
        };
        parameters.not_before = (now - 400 * day).into();
        parameters.not_after = end.into();
        let made = parameters.self_signed(&key).unwrap();
        std::fs::write(root.join(format!("{name}.crt")), made.pem()).unwrap();
        std::fs::write(root.join(format!("{name}.key")), key.serialize_pem()).unwrap();
    };
    make("good", 90);
    make("soon", 5);
    make("past", -3);
    for (crt, key, code, status, part) in [
        ("good", "good", WELL, "ok", "89 days left"),
        ("soon", "soon", WARNED, "warn", "4 days left"),
        ("past", "past", FAILED, "fail", "ended on"),
        ("good", "soon", FAILED, "fail", "cannot be used"),
    ] {
        let config = config(root);
        let path = |name: &str, end: &str| root.join(format!("{name}.{end}")).display().to_string();
        let files = format!(
            "tls_cert_file = {:?}\n  tls_key_file = {:?}",
            path(crt, "crt"),
            path(key, "key")
        );
        edit(&config, "tls_disable = true", &files);
        diagnose(root, &config).is(code, "Certificate", status, part);
    }
}

#[test]
fn a_configuration_that_cannot_be_read_is_named_with_file_and_line() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    edit(
        &config,
        "disable_mlock = true",
        "disable_mlock = 7\nmax_lease_ttl = \"soon\"",
    );
    let found = diagnose(folder.path(), &config);
    assert_eq!(found.code, UNREADABLE);
    assert_eq!(found.lines.len(), 2, "{:#?}", found.lines);
    for (line, part) in found.lines.iter().zip([
        "coffer.hcl:10:17: disable_mlock",
        "coffer.hcl:11:17: max_lease_ttl",
    ]) {
        assert_eq!(line["status"], "fail");
        assert!(line["message"].as_str().unwrap().contains(part), "{line:#}");
    }
    let missing = diagnose(folder.path(), &folder.path().join("none.hcl"));
    assert_eq!(missing.code, UNREADABLE);
    missing.is(UNREADABLE, "Configuration", "fail", "none.hcl");
    let unnamed = command(folder.path(), &[])
        .env("COFFER_CONFIG_PATH", "")
        .output()
        .unwrap();
    if !Path::new("/etc/coffer.d").exists() {
        assert_eq!(unnamed.status.code(), Some(UNNAMED));
    }
    let unknown = command(folder.path(), &["-skip=everything"])
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&unknown.stderr).into_owned();
    assert_eq!(unknown.status.code(), Some(1), "{told}");
    assert!(
        told.contains("everything") && told.contains("certificates"),
        "{told}"
    );
}

#[test]
fn people_get_lines() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    edit(&config, "\"127.0.0.1:0\"", "\"0.0.0.0:0\"");
    let path = format!("-config={}", config.display());
    let mut all = vec![path.as_str()];
    all.extend(SKIP);
    let done = command(folder.path(), &all).output().unwrap();
    let text = String::from_utf8(done.stdout).unwrap();
    assert_eq!(done.status.code(), Some(WARNED), "{text}");
    for part in [
        "[ warning ] coffer diagnose",
        "  [ success ] Data directory: ",
        "  [ warning ] Certificate: 0.0.0.0:0 has no TLS",
        "\n    set tls_cert_file",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains('\u{1b}'), "colours are for terminals");
}
