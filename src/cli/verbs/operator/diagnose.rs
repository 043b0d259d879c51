//! `operator diagnose`: checks a configuration and this machine, without a server or beside one.

use std::cell::RefCell;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::block::Machine;
use crate::cli::call::Call;
use crate::cli::client::Ask;
use crate::cli::environment::variable;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::output::{Order, wrap};
use crate::cli::verb::{Arity, FlagKind, SharedFlags, Verb, flag};
use crate::config;
use crate::diagnose::{self, Diagnosis, Examined, Finding, Grade, World};

/// `operator diagnose`.
pub static DIAGNOSE: Verb = Verb {
    name: "diagnose",
    about: "Checks a server's configuration and its machine, and says what to do",
    usage: "",
    arity: Arity::exactly(0),
    flags: &[
        flag(
            "config",
            FlagKind::Texts,
            "The server's configuration, a file or directory. May be repeated. Also from \
             COFFER_CONFIG_PATH; the default is /etc/coffer.d.",
        ),
        flag(
            "skip",
            FlagKind::Texts,
            "A check to leave out: configuration, data, space, mount, flush, clock, memory, mlock, \
             descriptors, ports, certificates, members, backups; listener or storage for several. \
             May be repeated.",
        ),
    ],
    shared: SharedFlags::Format,
    run,
};

/// The configuration of an installed service.
const CONFIG: &str = "/etc/coffer.d";
/// The exit codes, as OpenBao's: all is well; a failure; a warning; no configuration is named; the
/// configuration cannot be read.
const WELL: u8 = 0;
const FAILED: u8 = 1;
const WARNED: u8 = 2;
const UNNAMED: u8 = 3;
const UNREADABLE: u8 = 4;
/// The name of the whole diagnosis.
const TITLE: &str = "coffer diagnose";
/// The column at which remedies are wrapped.
const INDENT: usize = 4;

static ORDER: Order = Order {
    keys: &[
        "time", "name", "status", "warnings", "message", "Advice", "children",
    ],
    inner: &[("children", &ORDER_OF_CHILD)],
    others: None,
};

static ORDER_OF_CHILD: Order =
    Order::of(&["time", "name", "status", "warnings", "message", "Advice"]);

fn run(call: &mut Call) -> Outcome {
    let skip = call.flags.texts("skip").to_vec();
    if let Some(unknown) = skip
        .iter()
        .find(|name| !diagnose::NAMES.contains(&name.as_str()))
    {
        return Err(Failure::usage(format!(
            "There is no check {unknown:?} to skip. There are: {}",
            diagnose::NAMES.join(", ")
        )));
    }
    let paths = paths(call)?;
    if paths.is_empty() {
        call.err("Must specify a configuration file using -config.");
        return Ok(UNNAMED);
    }
    let loaded = match config::load(&paths) {
        Ok(loaded) => loaded,
        Err(error) => {
            print(call, &diagnose::unreadable(&error))?;
            return Ok(UNREADABLE);
        }
    };
    let root = match &loaded.config.storage {
        Some(config::Storage::Raft(raft)) => raft.system_root.clone(),
        _ => PathBuf::from("/"),
    };
    let diagnosis = {
        let world = ThisWorld(RefCell::new(call));
        let subject = Examined::new(Machine::at(root), loaded.config, loaded.warnings, &world);
        diagnose::diagnose(&subject, &skip)
    };
    print(call, &diagnosis)?;
    Ok(match diagnosis.grade() {
        Grade::Fail => FAILED,
        Grade::Warn => WARNED,
        Grade::Ok | Grade::Skip => WELL,
    })
}

/// Returns the paths of `-config`, of the variable, or the usual one where it exists.
fn paths(call: &Call) -> Result<Vec<PathBuf>, Failure> {
    let given = call.flags.texts("config").iter().map(PathBuf::from);
    let mut paths: Vec<PathBuf> = given.collect();
    if paths.is_empty() {
        paths.extend(variable("CONFIG_PATH")?.map(PathBuf::from));
    }
    if paths.is_empty() && Path::new(CONFIG).exists() {
        paths.push(CONFIG.into());
    }
    Ok(paths)
}

/// The running server behind the command line's client, and this machine's time service.
struct ThisWorld<'a>(RefCell<&'a mut Call>);

impl World for ThisWorld<'_> {
    fn ask(&self, path: &str) -> Result<Value, String> {
        let ask = match path.strip_suffix("?list=true") {
            Some(path) => Ask::list(path),
            None => Ask::get(path),
        };
        let mut call = self.0.borrow_mut();
        let reply = call
            .client()
            .and_then(|client| client.exchange(&ask.unwrapped()));
        let reply = reply.map_err(|error| first_line(&error.to_string()))?;
        match reply.status {
            // An empty list.
            404 => Ok(Value::Null),
            _ => {
                let reply = reply
                    .accepted()
                    .map_err(|error| last_line(&error.to_string()))?;
                reply.json().map_err(|error| first_line(&error.to_string()))
            }
        }
    }

    fn is_synchronised(&self) -> Option<bool> {
        let mut command = Command::new("timedatectl");
        command.args(["show", "--property=NTPSynchronized", "--value"]);
        let output = command
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output()
            .ok()?;
        match String::from_utf8_lossy(&output.stdout).trim() {
            "yes" => Some(true),
            "no" => Some(false),
            _ => None,
        }
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

/// Returns the last line of an error of the API, which is the server's own word.
fn last_line(text: &str) -> String {
    let last = text.lines().rev().find(|line| !line.trim().is_empty());
    last.unwrap_or_default().trim_start_matches("* ").to_owned()
}

fn print(call: &Call, diagnosis: &Diagnosis) -> Result<(), Failure> {
    if !call.is_table() {
        return call.print_value(&value(diagnosis), &ORDER).map(drop);
    }
    call.out(&text(diagnosis, std::io::stdout().is_terminal()));
    Ok(())
}

/// Returns the diagnosis for people, in OpenBao's form.
fn text(diagnosis: &Diagnosis, is_terminal: bool) -> String {
    let mark = |grade: Grade| {
        let colour = match grade {
            Grade::Ok => "32",
            Grade::Warn => "33",
            Grade::Fail => "31",
            Grade::Skip => "90",
        };
        match is_terminal {
            true => format!("\u{1b}[{colour}m[ {} ]\u{1b}[0m", grade.label()),
            false => format!("[ {} ]", grade.label()),
        }
    };
    let mut lines = vec![
        format!("coffer {}", env!("CARGO_PKG_VERSION")),
        String::new(),
        "Results:".to_owned(),
        format!("{} {TITLE}", mark(diagnosis.grade())),
    ];
    for finding in &diagnosis.findings {
        lines.push(format!(
            "  {} {}: {}",
            mark(finding.grade),
            finding.name,
            finding.message
        ));
        if !finding.advice.is_empty() {
            lines.push(wrap(
                &format!("{}{}", " ".repeat(INDENT), finding.advice),
                INDENT,
            ));
        }
    }
    lines.join("\n")
}

/// Returns the diagnosis as JSON, with OpenBao's names.
fn value(diagnosis: &Diagnosis) -> Value {
    let time = crate::clock::wall_clock().rfc3339();
    let child = |finding: &Finding| {
        let mut shown = json!({
            "time": time, "name": finding.name, "status": finding.grade.word(),
            "message": finding.message, "Advice": finding.advice,
        });
        if let (Grade::Warn, Value::Object(fields)) = (finding.grade, &mut shown) {
            fields.insert("warnings".into(), json!([finding.message]));
        }
        shown
    };
    json!({
        "time": time, "name": TITLE, "status": diagnosis.grade().word(), "Advice": "",
        "children": diagnosis.findings.iter().map(child).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> Diagnosis {
        Diagnosis {
            findings: vec![
                Finding::ok("Ports", "127.0.0.1:8200 is free"),
                Finding::warn("Clock", "no time service", "ask timedatectl"),
                Finding::skip("Backups", "not read", "log in"),
            ],
        }
    }

    #[test]
    fn it_reads_as_openbaos() {
        let shown = text(&some(), false);
        let (_, below) = shown.split_once("\n\n").unwrap();
        let expected = "\
Results:
[ warning ] coffer diagnose
  [ success ] Ports: 127.0.0.1:8200 is free
  [ warning ] Clock: no time service
    ask timedatectl
  [ skipped ] Backups: not read
    log in";
        assert_eq!(below, expected);
        assert!(text(&some(), true).contains("\u{1b}[33m[ warning ]\u{1b}[0m Clock"));
    }

    #[test]
    fn json_has_openbaos_names() {
        let value = value(&some());
        assert_eq!(value["status"], "warn");
        assert_eq!(value["children"][0]["status"], "ok");
        assert_eq!(value["children"][1]["warnings"][0], "no time service");
        assert_eq!(value["children"][1]["Advice"], "ask timedatectl");
        assert_eq!(value["children"][2]["status"], "skip");
    }
}
