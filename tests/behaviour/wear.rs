//! A node tells what its device was given to write, and warns when a budget is passed; telling it
//! writes nothing.

use crate::support::{Client, Server, read_log, wait, write_config};
use coffer::hardware::{Condition, Face, Frame, SIDE};
use serde_json::{Value, json};
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);

/// A machine with an SD card beneath the data directory, as files.
struct Machine {
    folder: tempfile::TempDir,
    config: PathBuf,
}

impl Machine {
    fn new(more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let number = std::fs::metadata(root).unwrap().dev();
        let (major, minor) = (rustix::fs::major(number), rustix::fs::minor(number));
        for made in [
            "sys/dev/block",
            "sys/devices/card",
            "sys/class/graphics/fb1",
            "dev",
            "proc",
        ] {
            std::fs::create_dir_all(root.join(made)).unwrap();
        }
        let disk = root.join("sys/devices/mmcblk0");
        std::fs::create_dir_all(&disk).unwrap();
        symlink(&disk, root.join(format!("sys/dev/block/{major}:{minor}"))).unwrap();
        symlink(root.join("sys/devices/card"), disk.join("device")).unwrap();
        for (name, text) in [("type", "SD"), ("name", "SD32G"), ("manfid", "0x000003")] {
            std::fs::write(root.join("sys/devices/card").join(name), text).unwrap();
        }
        std::fs::write(disk.join("size"), "62521344").unwrap();
        std::fs::write(root.join("proc/uptime"), "864000.00 1.0").unwrap();
        std::fs::write(root.join("sys/class/graphics/fb1/name"), "RPi-Sense FB").unwrap();
        std::fs::write(root.join("dev/fb1"), [0; 2 * SIDE * SIDE]).unwrap();
        let config = write_config(
            root,
            "tls_disable = true\n  telemetry { unauthenticated_metrics_access = true }",
        );
        let text = std::fs::read_to_string(&config).unwrap();
        let root = root.display();
        let stanza = format!("node_id = \"n1\"\n  system_root = \"{root}\"\n  {more}");
        let text = text.replace("node_id = \"n1\"", &stanza)
            + &format!("indicator \"sense_hat\" {{ system_root = \"{root}\" }}\n");
        std::fs::write(&config, text).unwrap();
        let made = Self { folder, config };
        made.counts(1_000_000_000);
        made
    }

    fn start(&self) -> Server {
        Server::start(
            &["-config", self.config.to_str().unwrap()],
            self.folder.path(),
        )
    }

    /// Sets the bytes that the device was given since the machine's start.
    fn counts(&self, bytes: u64) {
        let text = format!("1 0 8 1 20 0 {} 9 0 9 9 0 0 0 0 7 9", bytes / 512);
        std::fs::write(self.folder.path().join("sys/devices/mmcblk0/stat"), text).unwrap();
    }

    fn shows(&self, condition: &Condition) -> bool {
        let pattern = Face::Matrix.pattern(condition);
        let Frame::Picture(picture) = pattern.first() else {
            panic!("not a picture");
        };
        let shape: Vec<bool> = picture.pixels().map(|colour| colour.is_lit()).collect();
        let bytes = std::fs::read(self.folder.path().join("dev/fb1")).unwrap();
        let lit: Vec<bool> = bytes.chunks(2).map(|pixel| pixel != [0, 0]).collect();
        lit == shape
    }
}

fn worn(root: &Client) -> Value {
    root.get("sys/storage/wear").expect(200).json()["data"].clone()
}

fn number(value: &Value, pointer: &str) -> f64 {
    let found = value.pointer(pointer).and_then(Value::as_f64);
    found.unwrap_or_else(|| panic!("no {pointer} in {value:#}"))
}

fn verb(server: &Server, token: &str, args: &[&str]) -> String {
    let done = Command::new(env!("CARGO_BIN_EXE_coffer"))
        .args(["operator", "wear"])
        .args(args)
        .env_clear()
        .env("VAULT_ADDR", format!("http://{}", server.address))
        .env("VAULT_TOKEN", token)
        .output()
        .unwrap();
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    String::from_utf8(done.stdout).unwrap()
}

#[test]
fn what_clients_write_is_counted_and_what_they_read_is_not() {
    let machine = Machine::new("");
    let server = machine.start();
    let (_, token) = server.initialize();
    let root = server.client().with_token(&token);
    root.put(
        "sys/mounts/kv",
        json!({"type": "kv", "options": {"version": "2"}}),
    )
    .expect(204);
    let before = worn(&root);
    let value = "x".repeat(1024);
    for at in 0..20 {
        root.put(&format!("kv/data/{at}"), json!({"data": {"value": value}}))
            .expect(200);
    }
    let after = worn(&root);
    let grown = |pointer: &str| number(&after, pointer) - number(&before, pointer);
    let payload = grown("/payload_bytes");
    assert!(
        (20.0 * 1024.0..20.0 * 1200.0).contains(&payload),
        "{payload}"
    );
    let flushes = grown("/node/parts/log/flushes");
    assert!(
        (20.0..40.0).contains(&flushes),
        "one for each lone writer: {flushes}"
    );
    let log = grown("/node/parts/log/bytes");
    assert!(log > payload && log < 20.0 * 16_384.0, "{log}");
    assert!(
        number(&after, "/node/parts/files/bytes") > 80.0,
        "its key and numbers"
    );
    assert!(number(&after, "/amplification/node") > 1.0);
    assert!(number(&after, "/flush_ms/count") >= 20.0);
    assert!(number(&after, "/flush_ms/p50") <= number(&after, "/flush_ms/p99"));
    assert!(number(&after, "/flush_ms/p99") <= number(&after, "/flush_ms/max"));
    for _ in 0..20 {
        root.get("kv/data/3").expect(200);
    }
    let read = worn(&root);
    for pointer in [
        "/payload_bytes",
        "/node/parts/log/flushes",
        "/node/parts/log/bytes",
        "/node/bytes",
    ] {
        let (before, after) = (number(&after, pointer), number(&read, pointer));
        assert!(
            (after - before).abs() < 0.5,
            "{pointer}: {before} to {after}"
        );
    }
    // A request that is refused is no payload.
    let stranger = server.client().with_token("hvs.none");
    stranger
        .put("kv/data/1", json!({"data": {"value": value}}))
        .expect(403);
    assert!((number(&worn(&root), "/payload_bytes") - number(&read, "/payload_bytes")).abs() < 0.5);
}

#[test]
fn a_device_is_described_and_a_passed_budget_is_told_by_log_light_metrics_and_command() {
    let machine = Machine::new("write_budget_mb_per_day = 50\n  endurance_tbw = 2.5");
    let server = machine.start();
    let (_, token) = server.initialize();
    let root = server.client().with_token(&token);
    machine.counts(1_000_000_000 + 49_000_000);
    let told = worn(&root);
    assert_eq!(told["device"]["kind"], "sd");
    assert_eq!(told["device"]["card"]["maker"], "SanDisk");
    assert_eq!(told["budget"]["passed"], false);
    assert_eq!(told["endurance"]["source"], "endurance_tbw");
    assert!((number(&told, "/device/bytes") - 49_000_000.0).abs() < 512.0);
    // 2.5 TB at 105 MB a day: ten days of uptime.
    let years = number(&told, "/endurance/years_left");
    assert!((years - 65.2).abs() < 0.5, "{years}");
    assert!(!machine.shows(&Condition::WriteBudget));
    assert!(!read_log(machine.folder.path()).contains("write_budget_mb_per_day"));
    machine.counts(1_000_000_000 + 51_000_000);
    assert_eq!(worn(&root)["budget"]["passed"], true);
    wait(PATIENCE, "the light", || {
        machine.shows(&Condition::WriteBudget)
    });
    let log = read_log(machine.folder.path());
    let lines: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("write_budget_mb_per_day"))
        .collect();
    assert_eq!(lines.len(), 1, "{log}");
    assert!(
        lines[0].contains("WARN") && lines[0].contains("mmcblk0"),
        "{}",
        lines[0]
    );
    let metrics = server
        .client()
        .get("sys/metrics?format=prometheus")
        .expect(200)
        .body;
    for line in [
        "coffer_wear_budget_passed 1",
        "coffer_wear_device_written_bytes_total{device=\"mmcblk0\"} 1050999808",
        "# TYPE coffer_wear_written_bytes_total counter",
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
    let table = verb(&server, &token, &[]);
    for part in [
        "mmcblk0 (SD card, 32.0 GB)",
        "SanDisk, SD32G",
        "PASSED: 51.0 MB of 50.0 MB",
        "######",
    ] {
        assert!(table.contains(part), "{part}: {table}");
    }
    let told: Value = serde_json::from_str(&verb(&server, &token, &["-format=json"])).unwrap();
    assert_eq!(told["data"]["device"]["name"], "mmcblk0");
    let years = verb(&server, &token, &["-field=endurance", "-format=json"]);
    assert!(years.contains("years_left"), "{years}");
}

#[test]
fn wear_takes_a_policy_and_a_sealed_node_gives_it_to_scrapers_only() {
    let machine = Machine::new("");
    let server = machine.start();
    let (_, token) = server.initialize();
    let root = server.client().with_token(&token);
    server.client().get("sys/storage/wear").expect(403);
    let made = root
        .put("auth/token/create", json!({"policies": ["default"]}))
        .expect(200)
        .json();
    let plain = server
        .client()
        .with_token(made["auth"]["client_token"].as_str().unwrap());
    plain.get("sys/storage/wear").expect(403);
    let rule = r#"path "sys/storage/wear" { capabilities = ["read"] }"#;
    root.put("sys/policies/acl/default", json!({"policy": rule}))
        .expect(204);
    plain.get("sys/storage/wear").expect(200);
    plain.put("sys/storage/wear", json!({})).expect(403);
    root.put("sys/seal", json!({})).expect(204);
    root.get("sys/storage/wear").expect(503);
    let metrics = server
        .client()
        .get("sys/metrics?format=prometheus")
        .expect(200)
        .body;
    assert!(
        metrics.contains("coffer_wear_device_written_bytes_total"),
        "{metrics}"
    );
}

/// Asks for the wear again and again, and looks at the kernel's count of this process's writes.
#[test]
fn telling_it_writes_nothing() {
    let machine = Machine::new("write_budget_mb_per_day = 50");
    let server = machine.start();
    let (_, token) = server.initialize();
    let root = server.client().with_token(&token);
    let account = format!("/proc/{}/io", server.id());
    let written = || -> u64 {
        let text = std::fs::read_to_string(&account).unwrap();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("write_bytes: "));
        line.unwrap().parse().unwrap()
    };
    if !Path::new(&account).exists() {
        eprintln!("skipped: this kernel keeps no account of a process's writes");
        return;
    }
    // What the start left to be done may be written meanwhile; telling would write each time.
    let wrote_nothing = (0..10).any(|_| {
        let before = written();
        for _ in 0..50 {
            worn(&root);
        }
        written() == before
    });
    assert!(wrote_nothing);
    let before = written();
    // The control: a write is seen.
    root.put(
        "sys/policies/acl/some",
        json!({"policy": "path \"x\" { capabilities = [\"read\"] }"}),
    )
    .expect(204);
    assert!(written() > before);
}
