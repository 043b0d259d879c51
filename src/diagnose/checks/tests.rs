//! The checks together, on a made-up machine.

use crate::block::Machine;
use crate::config;
use crate::diagnose::{Diagnosis, Examined, Finding, Grade, World, diagnose};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::time::SystemTime;

struct Pretended {
    answer: Result<Value, String>,
    synchronised: Option<bool>,
    now: SystemTime,
}

impl Default for Pretended {
    fn default() -> Self {
        Self {
            answer: Err("permission denied".into()),
            synchronised: Some(true),
            now: SystemTime::now(),
        }
    }
}

impl World for Pretended {
    fn ask(&self, _: &str) -> Result<Value, String> {
        self.answer.clone()
    }

    fn now(&self) -> SystemTime {
        self.now
    }

    fn is_synchronised(&self) -> Option<bool> {
        self.synchronised
    }
}

/// Makes a machine in `folder` on which all is well.
fn machine(folder: &Path) -> Machine {
    for made in ["proc/self", "sys/fs/cgroup", "data"] {
        fs::create_dir_all(folder.join(made)).unwrap();
    }
    for (file, text) in [
        (
            "proc/meminfo",
            "MemTotal: 500000 kB\nMemAvailable: 300000 kB\nSwapTotal: 0 kB\n",
        ),
        (
            "proc/self/limits",
            "Max open files  1024  524288  files\nMax locked memory 8 unlimited bytes\n",
        ),
        ("proc/self/status", "CapEff:\t0000000000000000\n"),
        (
            "proc/self/mountinfo",
            "22 1 179:2 / / rw,noatime - ext4 /dev/mmcblk0p2 rw,commit=300\n",
        ),
        ("proc/locks", ""),
    ] {
        fs::write(folder.join(file), text).unwrap();
    }
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(folder.join("data"), fs::Permissions::from_mode(0o700)).unwrap();
    Machine::at(folder)
}

fn config(folder: &Path, more: &str) -> String {
    format!(
        "storage \"raft\" {{\n path = \"{}/data\"\n node_id = \"n1\"\n {more}\n}}\n\
         listener \"tcp\" {{\n address = \"127.0.0.1:0\"\n tls_disable = true\n}}\n\
         cluster_addr = \"https://127.0.0.1:8201\"\n",
        folder.display()
    )
}

fn of(machine: Machine, text: &str, world: &Pretended, skip: &[&str]) -> Diagnosis {
    let loaded = config::from_text(&[("t.hcl".into(), text.into())], &[]).unwrap();
    let subject = Examined::new(machine, loaded.config, loaded.warnings, world);
    let skip: Vec<String> = skip.iter().map(|name| (*name).to_owned()).collect();
    diagnose(&subject, &skip)
}

fn found<'a>(diagnosis: &'a Diagnosis, name: &str) -> &'a Finding {
    let mut named = diagnosis
        .findings
        .iter()
        .filter(|finding| finding.name == name);
    named
        .next()
        .unwrap_or_else(|| panic!("no {name} in {diagnosis:#?}"))
}

#[test]
fn a_machine_on_which_all_is_well_has_nothing_to_say() {
    let folder = tempfile::tempdir().unwrap();
    let machine = machine(folder.path());
    let text = config(folder.path(), "");
    // How fast this machine flushes is not this test's business.
    let diagnosis = of(machine, &text, &Pretended::default(), &["flush", "space"]);
    let bad: Vec<&Finding> = diagnosis
        .findings
        .iter()
        .filter(|finding| finding.grade > Grade::Ok)
        .collect();
    assert!(bad.is_empty(), "{bad:#?}");
    assert_eq!(diagnosis.grade(), Grade::Ok);
    assert_eq!(
        found(&diagnosis, "Backups").grade,
        Grade::Skip,
        "no server runs"
    );
}

#[test]
fn the_memory_profile_is_named_with_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    let machine = machine(folder.path());
    let said = |text: &str| {
        let diagnosis = of(machine.clone(), text, &Pretended::default(), &["flush"]);
        found(&diagnosis, "Memory").message.clone()
    };
    let text = config(folder.path(), "");
    let small = "; memory profile small (the machine has 488 MiB)";
    assert!(said(&text).ends_with(small), "{}", said(&text));
    let set = format!("memory_profile = \"default\"\n{text}");
    let default = "; memory profile default (memory_profile is set)";
    assert!(said(&set).ends_with(default), "{}", said(&set));
    fs::write(folder.path().join("proc/self/cgroup"), "4:memory:/coffer\n").unwrap();
    let group = folder.path().join("sys/fs/cgroup/memory/coffer");
    fs::create_dir_all(&group).unwrap();
    fs::write(group.join("memory.limit_in_bytes"), "67108864\n").unwrap();
    let group = "the control group allows 64 MiB; memory profile small (the control group allows \
                 64 MiB)";
    assert!(said(&text).ends_with(group), "{}", said(&text));
}

#[test]
fn each_fault_of_the_machine_is_named_with_its_remedy() {
    let faults: &[(&str, &str, &str, Grade, &str)] = &[
        (
            "proc/meminfo",
            "MemAvailable: 9000 kB\n",
            "Memory",
            Grade::Fail,
            "MemoryMax=",
        ),
        (
            "proc/self/mountinfo",
            "22 1 179:2 / / ro - ext4 /dev/mmcblk0p2 ro\n",
            "Mount",
            Grade::Fail,
            "remount,rw",
        ),
        (
            "proc/self/limits",
            "Max open files  64  64  files\nMax locked memory 8 unlimited bytes\n",
            "File descriptors",
            Grade::Fail,
            "LimitNOFILE=",
        ),
        (
            "proc/self/limits",
            "Max open files  9999 9999  files\nMax locked memory 8 8 bytes\n",
            "Locked memory",
            Grade::Warn,
            "LimitMEMLOCK=infinity",
        ),
    ];
    for (file, text, name, grade, advice) in faults {
        let folder = tempfile::tempdir().unwrap();
        let machine = machine(folder.path());
        fs::write(folder.path().join(file), text).unwrap();
        let text = config(folder.path(), "");
        let diagnosis = of(machine, &text, &Pretended::default(), &["flush"]);
        let found = found(&diagnosis, name);
        assert_eq!(found.grade, *grade, "{found:?}");
        assert!(found.advice.contains(advice), "{found:?}");
        assert!(diagnosis.grade() >= *grade);
    }
}

#[test]
fn each_fault_of_the_configuration_is_named_with_its_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let whole = config(folder.path(), "");
    let cases: &[(String, &str, Grade, &str)] = &[
        (
            config(
                folder.path(),
                "retry_join { leader_api_addr = \"http://127.0.0.1:1\" }",
            ),
            "Own address",
            Grade::Fail,
            "cluster_addr",
        ),
        (
            whole.replace("127.0.0.1:0", "192.0.2.1:8200"),
            "Ports",
            Grade::Fail,
            "0.0.0.0",
        ),
        (
            whole.replace(
                "tls_disable = true",
                "tls_cert_file = \"/no/c\"\n tls_key_file = \"/no/k\"",
            ),
            "Certificate",
            Grade::Fail,
            "both files",
        ),
        (
            format!("{whole}colour = \"red\"\n"),
            "Configuration",
            Grade::Warn,
            "no effect",
        ),
        (
            whole.replace("storage \"raft\"", "storage \"consul\""),
            "Configuration",
            Grade::Fail,
            "storage \"raft\"",
        ),
        (
            whole.replace("cluster_addr = \"https://127.0.0.1:8201\"\n", ""),
            "Configuration",
            Grade::Fail,
            "cluster_addr",
        ),
        (
            whole.replace("127.0.0.1:8201", "no-such-host.invalid:8201"),
            "Own address",
            Grade::Fail,
            "other nodes reach",
        ),
    ];
    for (text, name, grade, advice) in cases {
        let machine = machine(folder.path());
        let diagnosis = of(machine, text, &Pretended::default(), &["flush"]);
        let found = found(&diagnosis, name);
        assert_eq!(found.grade, *grade, "{text}: {found:?}");
        assert!(found.advice.contains(advice), "{found:?}");
    }
}

#[test]
fn a_directory_of_something_else_and_a_taken_port_fail() {
    let folder = tempfile::tempdir().unwrap();
    let machine = machine(folder.path());
    fs::write(folder.path().join("data/vault.db"), "x").unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let text = config(folder.path(), "").replace("127.0.0.1:0", &address);
    let diagnosis = of(machine.clone(), &text, &Pretended::default(), &["flush"]);
    assert_eq!(found(&diagnosis, "Data directory").grade, Grade::Fail);
    let port = diagnosis
        .findings
        .iter()
        .find(|found| found.message.starts_with(&address));
    assert_eq!(port.unwrap().grade, Grade::Fail, "{diagnosis:#?}");
    let skipped = of(
        machine,
        &text,
        &Pretended::default(),
        &["storage", "listener"],
    );
    assert!(!skipped.findings.iter().any(|found| found.name == "Ports"));
    assert!(
        !skipped
            .findings
            .iter()
            .any(|found| found.name == "Data directory")
    );
}

#[test]
fn a_clock_that_nothing_set_or_that_went_back_is_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let machine = machine(folder.path());
    let text = config(folder.path(), "");
    let of = |world: Pretended| {
        let diagnosis = of(machine.clone(), &text, &world, &["flush"]);
        found(&diagnosis, "Clock").clone()
    };
    let good = of(Pretended::default());
    assert_eq!(good.grade, Grade::Ok);
    let unset = of(Pretended {
        synchronised: Some(false),
        ..Pretended::default()
    });
    assert_eq!(unset.grade, Grade::Warn);
    assert!(unset.advice.contains("timedatectl"));
    let before = of(Pretended {
        now: SystemTime::UNIX_EPOCH,
        ..Pretended::default()
    });
    assert!(
        before.grade == Grade::Warn && before.message.contains("1970"),
        "{before:?}"
    );
    fs::create_dir_all(folder.path().join("data/raft")).unwrap();
    fs::write(folder.path().join("data/raft/a"), "").unwrap();
    let back = of(Pretended {
        now: SystemTime::now() - std::time::Duration::from_secs(3 * 86_400 + 600),
        ..Pretended::default()
    });
    assert!(back.message.contains("3 days behind"), "{back:?}");
    fs::create_dir_all(folder.path().join("sys/class/rtc/rtc0")).unwrap();
    let battery = of(Pretended {
        synchronised: Some(false),
        ..Pretended::default()
    });
    assert_eq!(battery.grade, Grade::Ok);
}

/// A user without rights to the data cannot see whether a server runs, and must not be told that
/// another program has its ports.
#[test]
fn a_server_that_cannot_be_seen_is_not_taken_for_another_program() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let machine = machine(folder.path());
    let data = folder.path().join("data");
    fs::write(data.join("coffer.lock"), "").unwrap();
    fs::set_permissions(&data, fs::Permissions::from_mode(0o000)).unwrap();
    if fs::metadata(data.join("coffer.lock")).is_ok() {
        eprintln!("skipped: root may look into every folder");
        return;
    }
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let text = config(folder.path(), "").replace("127.0.0.1:0", &address);
    let diagnosis = of(machine, &text, &Pretended::default(), &["flush"]);
    fs::set_permissions(&data, fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(found(&diagnosis, "Data directory").grade, Grade::Skip);
    let mut ports = diagnosis.findings.iter();
    let port = ports.find(|found| found.message.starts_with(&address));
    assert_eq!(port.unwrap().grade, Grade::Skip, "{diagnosis:#?}");
}
