//! Status lights follow the node, go off with it, and never hold it up.

use crate::support::{Server, exit_of, reaches, read_log, write_config};
use coffer::hardware::{Condition, Face, Frame, Member, Members, SIDE, Standing};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);

/// A machine with a Sense HAT at fb1 and an LED, as files.
struct Machine {
    folder: tempfile::TempDir,
    config: PathBuf,
}

impl Machine {
    fn new(indicators: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let graphics = folder.path().join("sys/class/graphics/fb1");
        let led = folder.path().join("sys/class/leds/ACT");
        for made in [&graphics, &led, &folder.path().join("dev")] {
            std::fs::create_dir_all(made).unwrap();
        }
        std::fs::write(graphics.join("name"), "RPi-Sense FB\n").unwrap();
        std::fs::write(folder.path().join("dev/fb1"), [0; 2 * SIDE * SIDE]).unwrap();
        std::fs::write(led.join("trigger"), "none timer [mmc0]\n").unwrap();
        std::fs::write(led.join("brightness"), "0\n").unwrap();
        std::fs::write(led.join("max_brightness"), "1\n").unwrap();
        let config = write_config(folder.path(), "tls_disable = true");
        let root = folder.path().display().to_string();
        let text = std::fs::read_to_string(&config).unwrap() + &indicators.replace("ROOT", &root);
        std::fs::write(&config, text).unwrap();
        Self { folder, config }
    }

    fn with_both() -> Self {
        Self::new(
            "indicator \"sense_hat\" { system_root = \"ROOT\" }\n\
             indicator \"led\" {\n  name = \"ACT\"\n  trigger = \"mmc0\"\n  system_root = \"ROOT\"\n}\n",
        )
    }

    fn start(&self) -> Server {
        Server::start(
            &["-config", self.config.to_str().unwrap()],
            self.folder.path(),
        )
    }

    fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }

    /// Returns which pixels are lit.
    fn matrix(&self) -> Vec<bool> {
        let bytes = std::fs::read(self.path("dev/fb1")).unwrap();
        assert_eq!(bytes.len(), 2 * SIDE * SIDE);
        bytes.chunks(2).map(|pixel| pixel != [0, 0]).collect()
    }

    fn led(&self, attribute: &str) -> String {
        let path = self.path("sys/class/leds/ACT").join(attribute);
        std::fs::read_to_string(path).unwrap().trim().to_owned()
    }

    #[track_caller]
    fn wait_for(&self, condition: &Condition) {
        let pattern = Face::Matrix.pattern(condition);
        let Frame::Picture(picture) = pattern.first() else {
            panic!("not a picture");
        };
        let shape: Vec<bool> = picture.pixels().map(|colour| colour.is_lit()).collect();
        assert!(
            reaches(PATIENCE, || self.matrix() == shape),
            "not reached: {}; lit: {:?}; the log:\n{}",
            condition.name(),
            self.matrix()
                .iter()
                .enumerate()
                .filter(|(_, lit)| **lit)
                .map(|(at, _)| at)
                .collect::<Vec<_>>(),
            read_log(self.folder.path())
        );
    }

    fn indicator(&self, verb: &str, more: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_coffer"));
        let config = format!("-config={}", self.config.display());
        command.args(["indicator", verb, &config]).args(more);
        command.env_clear().output().unwrap()
    }
}

#[track_caller]
fn wait_for(what: &str, holds: impl FnMut() -> bool) {
    crate::support::wait(PATIENCE, what, holds);
}

fn sealed(given: u8) -> Condition {
    Condition::Sealed { given, needed: 3 }
}

fn active() -> Condition {
    Condition::Active(Members::new([Member {
        standing: Standing::Leads,
        is_me: true,
    }]))
}

fn dark() -> Vec<bool> {
    vec![false; SIDE * SIDE]
}

fn text(output: &Output) -> String {
    let both = [output.stdout.as_slice(), &output.stderr].concat();
    String::from_utf8(both).unwrap()
}

#[test]
fn they_show_every_step_to_active_and_go_off_at_the_end() {
    let machine = Machine::with_both();
    let server = machine.start();
    machine.wait_for(&Condition::Uninitialised);
    assert_eq!(machine.led("trigger"), "none");
    let request = json!({"secret_shares": 5, "secret_threshold": 3});
    let made = server.client().put("sys/init", request).expect(200).json();
    machine.wait_for(&sealed(0));
    let give = |at: usize| {
        let key = json!({"key": made["keys_base64"][at]});
        server.client().put("sys/unseal", key).expect(200);
    };
    give(0);
    machine.wait_for(&sealed(1));
    give(1);
    machine.wait_for(&sealed(2));
    let reset = json!({"reset": true});
    server.client().put("sys/unseal", reset).expect(200);
    machine.wait_for(&sealed(0));
    (0..3).for_each(give);
    machine.wait_for(&active());
    wait_for("the LED", || machine.led("brightness") == "1");
    let root = server
        .client()
        .with_token(made["root_token"].as_str().unwrap());
    root.put("sys/seal", json!({})).expect(204);
    machine.wait_for(&sealed(0));
    assert_eq!(server.stop(), Some(0));
    assert_eq!(machine.matrix(), dark());
    assert_eq!(machine.led("brightness"), "0");
    assert_eq!(machine.led("trigger"), "mmc0");
}

#[test]
fn who_founds_a_cluster_while_looking_for_one_shows_its_seal() {
    let machine = Machine::with_both();
    let text = std::fs::read_to_string(&machine.config).unwrap();
    let nobody = "storage \"raft\" {\n  retry_join { leader_api_addr = \"http://127.0.0.1:9\" }";
    assert!(text.contains("storage \"raft\" {"));
    std::fs::write(
        &machine.config,
        text.replacen("storage \"raft\" {", nobody, 1),
    )
    .unwrap();
    let server = machine.start();
    machine.wait_for(&Condition::Joining);
    let request = json!({"secret_shares": 5, "secret_threshold": 3});
    server.client().put("sys/init", request).expect(200);
    machine.wait_for(&sealed(0));
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn after_a_kill_indicator_off_clears_them() {
    let machine = Machine::with_both();
    let server = machine.start();
    machine.wait_for(&Condition::Uninitialised);
    let busy = machine.indicator("off", &[]);
    assert_eq!(busy.status.code(), Some(0));
    assert!(
        text(&busy).contains("in use by another program"),
        "{}",
        text(&busy)
    );
    machine.wait_for(&Condition::Uninitialised);
    let busy = machine.indicator("test", &["-each=100ms"]);
    assert_eq!(busy.status.code(), Some(2), "{}", text(&busy));
    server.kill();
    assert_ne!(machine.matrix(), dark(), "nobody switched it off");
    let off = machine.indicator("off", &[]);
    assert_eq!((off.status.code(), text(&off)), (Some(0), String::new()));
    assert_eq!(machine.matrix(), dark());
    assert_eq!(machine.led("brightness"), "0");
    assert_eq!(machine.led("trigger"), "mmc0");
}

#[test]
fn indicator_test_names_every_pattern_and_leaves_the_lights_off() {
    let machine = Machine::with_both();
    let tested = machine.indicator("test", &["-each=100ms"]);
    assert_eq!(tested.status.code(), Some(0), "{}", text(&tested));
    let expected = Condition::examples().into_iter().map(|shown| shown.name());
    let mut lines = vec!["sense_hat: ready".to_owned(), "led ACT: ready".to_owned()];
    lines.extend(expected);
    assert_eq!(text(&tested).lines().collect::<Vec<_>>(), lines);
    assert_eq!(machine.matrix(), dark());
    assert_eq!(machine.led("trigger"), "mmc0");
}

#[test]
fn what_is_absent_is_one_line_and_no_failure() {
    let machine = Machine::new(
        "indicator \"gpio\" {\n  chip = \"gpiochip99\"\n  led = 17\n}\n\
         indicator \"led\" { name = \"ACT\", system_root = \"ROOT\" }\n",
    );
    let server = machine.start();
    server.initialize();
    wait_for("the LED", || machine.led("brightness") == "1");
    assert_eq!(server.stop(), Some(0));
    let log = read_log(machine.folder.path());
    let lines: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("gpiochip99"))
        .collect();
    assert_eq!(lines.len(), 1, "{log}");
    assert!(lines[0].contains("[WARN]") && lines[0].contains("goes on without it"));
    assert_eq!(machine.led("trigger"), "mmc0");
    let off = machine.indicator("off", &[]);
    assert_eq!(off.status.code(), Some(0));
    assert!(text(&off).contains("is not there"), "{}", text(&off));
}

#[test]
fn hardware_that_hangs_holds_nobody_up() {
    let machine = Machine::new("indicator \"sense_hat\" { device = \"ROOT/pipe\" }\n");
    // Opening the pipe waits for a reader, which never comes.
    let made = Command::new("mkfifo").arg(machine.path("pipe")).status();
    assert!(made.unwrap().success());
    let server = machine.start();
    server.initialize();
    server.client().get("sys/health").expect(200);
    let begun = Instant::now();
    assert_eq!(server.stop(), Some(0));
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );
    let log = read_log(machine.folder.path());
    assert!(log.contains("did not go off in time"), "{log}");
}

#[test]
fn a_start_that_fails_leaves_no_light_on() {
    let machine = Machine::with_both();
    let held = machine.start();
    let config = std::fs::read_to_string(&machine.config).unwrap();
    let other = machine.path("other.hcl");
    // Another light, the same data directory.
    let config = config.split("indicator").next().unwrap().to_owned();
    let device = machine.path("dev/fb2");
    std::fs::write(&device, [0xFF; 2 * SIDE * SIDE]).unwrap();
    let indicator = format!("indicator \"sense_hat\" {{ device = {device:?} }}\n");
    std::fs::write(&other, config + &indicator).unwrap();
    let (code, said) = exit_of(&["-config", other.to_str().unwrap()], machine.folder.path());
    assert_eq!(code, 1, "{said}");
    assert_eq!(std::fs::read(&device).unwrap(), [0; 2 * SIDE * SIDE]);
    assert_eq!(held.stop(), Some(0));
}

#[test]
fn a_cluster_is_joined_shown_and_lost() {
    let hat = "indicator \"sense_hat\" { system_root = \"ROOT\" }\n";
    let (first, second) = (Machine::new(hat), Machine::new(hat));
    // A machine that stands still for a second costs no leadership here.
    for machine in [&first, &second] {
        let config = std::fs::read_to_string(&machine.config).unwrap();
        let patient = "performance_multiplier = 3\n  node_id = \"n1\"";
        let config = config.replace("node_id = \"n1\"", patient);
        assert!(config.contains(patient));
        std::fs::write(&machine.config, config).unwrap();
    }
    let config = std::fs::read_to_string(&second.config).unwrap();
    let join = "node_id = \"n2\"\n  retry_join { leader_api_addr = \"http://127.0.0.1:1\" }";
    let config = config.replace("node_id = \"n1\"", join);
    std::fs::write(&second.config, config).unwrap();
    let (one, two) = (first.start(), second.start());
    let (key, token) = one.initialize();
    second.wait_for(&Condition::Joining);
    let leader = json!({"leader_api_addr": format!("http://{}", one.address)});
    two.client()
        .put("sys/storage/raft/join", leader)
        .expect(200);
    second.wait_for(&Condition::Sealed {
        given: 0,
        needed: 1,
    });
    let key = json!({"key": key});
    two.client().put("sys/unseal", key.clone()).expect(200);
    let members = |standings: [Standing; 2], me: usize| {
        let all = standings.into_iter().enumerate();
        Members::new(all.map(|(at, standing)| Member {
            standing,
            is_me: at == me,
        }))
    };
    use Standing::{Follows, Leads, Sealed};
    second.wait_for(&Condition::Standby(members([Leads, Follows], 1)));
    first.wait_for(&Condition::Active(members([Leads, Follows], 0)));

    let root = two.client().with_token(&token);
    root.put("sys/seal", json!({})).expect(204);
    second.wait_for(&Condition::Sealed {
        given: 0,
        needed: 1,
    });
    first.wait_for(&Condition::Active(members([Leads, Sealed], 0)));
    two.client().put("sys/unseal", key).expect(200);
    first.wait_for(&Condition::Active(members([Leads, Follows], 0)));
    second.wait_for(&Condition::Standby(members([Leads, Follows], 1)));
    one.kill();
    second.wait_for(&Condition::NoQuorum(Members::default()));
    assert_eq!(two.stop(), Some(0));
    assert_eq!(second.matrix(), dark());
}

#[test]
fn nothing_configured_is_quiet() {
    let machine = Machine::new("");
    let off = machine.indicator("off", &[]);
    assert_eq!((off.status.code(), text(&off)), (Some(0), String::new()));
    let test = machine.indicator("test", &[]);
    assert_eq!(test.status.code(), Some(1));
    assert!(text(&test).contains("No status light is configured"));
    let nowhere = Path::new("/nowhere/coffer.hcl");
    let nowhere = format!("-config={}", nowhere.display());
    let off = Command::new(env!("CARGO_BIN_EXE_coffer"))
        .args(["indicator", "off", &nowhere])
        .output();
    assert_eq!(off.unwrap().status.code(), Some(0));
}
