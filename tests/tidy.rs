//! The style of the house, as a test: the imports of rooms, and the sizes of files and lines.
//!
//! To add an edge, add it to [`EDGES`] with its reason; the table is the only place where the
//! structure is decided.

#[path = "tidy/circles.rs"]
mod circles;
#[path = "tidy/memory.rs"]
mod memory;
#[path = "tidy/names.rs"]
mod names;
#[path = "tidy/prose.rs"]
mod prose;

use std::fs;
use std::path::{Path, PathBuf};

/// Tiers from the top; a room may import from every tier below its own.
const TIERS: &[(&str, &[&str])] = &[
    ("TOP", &["cli", "config", "node", "diagnose"]),
    ("EDGE", &["http", "discovery", "hardware"]),
    ("CALL", &["router", "sys"]),
    (
        "VAULT",
        &[
            "engine", "auth", "mount", "policy", "token", "lease", "audit", "identity",
        ],
    ),
    ("CRYPT", &["barrier", "seal", "pgp", "age"]),
    ("STATE", &["raft", "peer", "store", "outbound"]),
    (
        "WORDS",
        &[
            "path",
            "secret",
            "clock",
            "cidr",
            "hcl",
            "file",
            "block",
            "memory",
            "telemetry",
            "stream",
            "task",
        ],
    ),
];

/// Imports allowed inside a tier, with the reason.
const EDGES: &[(&str, &str, &str)] = &[
    ("cli", "node", "the server verb starts one"),
    ("cli", "config", "the server verb reads it"),
    ("node", "config", "a node is built from it"),
    ("cli", "diagnose", "a verb asks for a diagnosis"),
    ("diagnose", "config", "it judges one"),
    (
        "diagnose",
        "node",
        "settings that no node starts with are known there",
    ),
    ("sys", "router", "sys changes what the router routes"),
    ("auth", "engine", "an auth method is an engine"),
    (
        "engine",
        "mount",
        "a kind of engine has the class of its mounts",
    ),
    (
        "engine",
        "policy",
        "no engine can be called without the policies' proof",
    ),
    ("policy", "engine", "policies judge operations"),
    ("audit", "engine", "audit records requests and responses"),
    (
        "auth",
        "token",
        "auth/token makes, renews and revokes tokens",
    ),
    (
        "auth",
        "lease",
        "renewing and revoking a token moves its deadline",
    ),
    (
        "auth",
        "policy",
        "a token's policies are checked when it is made",
    ),
    ("token", "lease", "a token's end is a deadline"),
    ("token", "engine", "a login's result becomes a token"),
    (
        "token",
        "policy",
        "policy names are normalised in one place",
    ),
    (
        "memory",
        "block",
        "the machine's files are read in one place",
    ),
    ("telemetry", "clock", "a log line has a time"),
    (
        "telemetry",
        "file",
        "the log is a file that others may have made",
    ),
    ("seal", "barrier", "the seal key seals the root key"),
    ("age", "pgp", "RSA's public half is in one place"),
    ("raft", "peer", "raft speaks to peers"),
    (
        "raft",
        "store",
        "raft implements Storage and keeps its state there",
    ),
];

/// Imports that only the files below a room's `tests/` may make, with the reason.
const TEST_EDGES: &[(&str, &str, &str)] = &[(
    "sys",
    "node",
    "its endpoints are tested through the router that node assembles",
)];

/// Pairs that must never meet although their tiers would allow it.
const NEVER: &[(&str, &str, &str)] = &[
    (
        "barrier",
        "raft",
        "store::Storage is the seam; node joins them",
    ),
    ("seal", "raft", "a seal knows no replication"),
    (
        "barrier",
        "outbound",
        "the barrier speaks to nobody; a seal may",
    ),
    ("engine", "peer", "an engine knows no other node"),
    ("sys", "peer", "node speaks to the members for it"),
];

/// Only these rooms see `config`.
const CONFIG_READERS: &[&str] = &["cli", "node", "diagnose", "config"];

const FILE_LINES_MAX: usize = 700;
const LINE_CHARS_MAX: usize = 100;
const MAIN_LINES_MAX: usize = 60;

fn sources() -> Vec<(PathBuf, String)> {
    fn walk(folder: &Path, out: &mut Vec<(PathBuf, String)>) {
        for entry in fs::read_dir(folder).expect("src can be listed") {
            let path = entry.expect("a directory entry").path();
            if path.is_dir() {
                walk(&path, out);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = fs::read_to_string(&path).expect("sources are UTF-8");
                out.push((path, text));
            }
        }
    }
    let mut out = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut out);
    out.sort();
    assert!(out.len() > 20, "the sources were not found");
    out
}

/// Returns the lines of a file that ship: all but the items that are for tests only.
fn shipped(text: &str) -> Vec<(usize, &str)> {
    enum At {
        Shipped,
        /// The line is behind `#[cfg(test)]`, before its item or in the item's head.
        Head,
        /// The line is in the item's body, which a brace at the margin ends.
        Body,
    }
    let mut at = At::Shipped;
    let mut lines = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let end = line.trim_end().chars().last();
        at = match at {
            At::Shipped if line.starts_with("#[cfg(test)]") => At::Head,
            At::Shipped => {
                lines.push((number, line));
                At::Shipped
            }
            At::Head if line.starts_with("#[") || line.starts_with("//") => At::Head,
            At::Head if end == Some('{') => At::Body,
            At::Head if matches!(end, Some(';' | '}')) => At::Shipped,
            At::Head => At::Head,
            At::Body if line.starts_with('}') => At::Shipped,
            At::Body => At::Body,
        };
    }
    lines
}

#[test]
fn what_stands_behind_a_test_module_ships() {
    let text = "a\n#[cfg(test)]\nmod tests;\nb\n#[cfg(test)]\n#[path = \"x\"]\nmod more {\n    \
                fn c() {\n    }\n}\nd\n#[cfg(test)]\nuse x::{\n    y,\n};\ne\n";
    let lines: Vec<&str> = shipped(text).into_iter().map(|(_, line)| line).collect();
    assert_eq!(lines, ["a", "b", "d", "e"]);
}

fn room_of(path: &Path) -> Option<String> {
    let below = path
        .strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src"))
        .ok()?;
    let first = below.components().next()?.as_os_str().to_str()?;
    (below.components().count() > 1).then(|| first.to_owned())
}

fn tier_of(room: &str) -> Option<usize> {
    TIERS.iter().position(|(_, rooms)| rooms.contains(&room))
}

/// Returns the rooms that a line names through `crate::`, also inside `use crate::{a, b::c}`.
fn rooms_named(line: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in line.match_indices("crate::") {
        let rest = &line[at + "crate::".len()..];
        let heads: Vec<&str> = match rest.strip_prefix('{') {
            Some(group) => group.split(',').collect(),
            None => vec![rest],
        };
        for head in heads {
            let name: String = head
                .trim()
                .chars()
                .take_while(|c| c.is_ascii_lowercase())
                .collect();
            if tier_of(&name).is_some() {
                found.push(name);
            }
        }
    }
    found
}

fn verdict(from: &str, to: &str) -> Result<(), String> {
    if from == to {
        return Ok(());
    }
    if let Some((_, _, why)) = NEVER.iter().find(|(a, b, _)| (*a, *b) == (from, to)) {
        return Err(format!("{from} must never import {to}: {why}"));
    }
    if to == "config" && !CONFIG_READERS.contains(&from) {
        return Err(format!("{from} must not see config"));
    }
    let (Some(above), Some(below)) = (tier_of(from), tier_of(to)) else {
        return Err(format!("{from} or {to} has no tier"));
    };
    if above < below || EDGES.iter().any(|(a, b, _)| (*a, *b) == (from, to)) {
        return Ok(());
    }
    Err(format!(
        "{from} imports {to}: not below it and not in EDGES"
    ))
}

#[test]
fn imports_point_down() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let Some(room) = room_of(&path) else { continue };
        assert!(
            tier_of(&room).is_some(),
            "src/{room} has no tier: add it to TIERS"
        );
        let below = path.strip_prefix(env!("CARGO_MANIFEST_DIR"));
        let is_test = below.is_ok_and(|below| below.iter().any(|part| part == "tests"));
        for (number, line) in shipped(&text) {
            for named in rooms_named(line.split("//").next().unwrap_or(line)) {
                let edge = |(a, b, _): &(&str, &str, &str)| (*a, *b) == (&*room, &*named);
                if is_test && TEST_EDGES.iter().any(edge) {
                    continue;
                }
                if let Err(why) = verdict(&room, &named) {
                    wrong.push(format!("{}:{}: {why}", path.display(), number + 1));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn the_table_refuses_what_it_should() {
    assert!(verdict("http", "router").is_ok());
    assert!(verdict("router", "http").is_err());
    assert!(verdict("barrier", "raft").is_err());
    assert!(verdict("http", "config").is_err());
    assert!(verdict("mount", "engine").is_err());
    assert_eq!(
        rooms_named("use crate::{store::Key, path};"),
        ["store", "path"]
    );
    assert_eq!(rooms_named("fn f() -> crate::barrier::View"), ["barrier"]);
}

#[test]
fn nothing_grows_past_its_limit() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let count = shipped(&text).len();
        let main = path.ends_with("src/main.rs");
        let most = if main { MAIN_LINES_MAX } else { FILE_LINES_MAX };
        if count > most {
            wrong.push(format!("{}: {count} lines, at most {most}", path.display()));
        }
        for (number, line) in text.lines().enumerate() {
            if line.contains("clippy::too_many_lines") {
                let place = format!("{}:{}", path.display(), number + 1);
                wrong.push(format!("{place}: a function is excused from its size"));
            }
            let chars = line.chars().count();
            if chars > LINE_CHARS_MAX && !line.trim_start().starts_with("//! |") {
                wrong.push(format!(
                    "{}:{}: {chars} characters",
                    path.display(),
                    number + 1
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_room_opens_with_what_it_is() {
    for (path, text) in sources() {
        if path.ends_with("mod.rs") || path.ends_with("lib.rs") {
            assert!(
                text.starts_with("//! "),
                "{}: no opening doc",
                path.display()
            );
        }
    }
}

#[test]
fn no_vague_rooms_and_nothing_unfinished() {
    for (path, text) in sources() {
        let below = path.strip_prefix(env!("CARGO_MANIFEST_DIR"));
        let below = below.expect("the sources are below the manifest");
        for part in below
            .components()
            .filter_map(|part| part.as_os_str().to_str())
        {
            let stem = part.trim_end_matches(".rs");
            assert!(
                ![
                    "core", "utils", "util", "common", "helpers", "helper", "manager", "misc"
                ]
                .contains(&stem),
                "{}: name it for what it does",
                path.display()
            );
        }
        for (number, line) in shipped(&text) {
            for mark in ["FIXME", "XXX", "TODO", "unimplemented!(", "todo!("] {
                assert!(
                    !line.contains(mark),
                    "{}:{}: {mark}",
                    path.display(),
                    number + 1
                );
            }
        }
    }
}

/// Rooms that answer requests: their paths stand in their tables.
const ANSWERING: &[&str] = &["http", "router", "sys", "engine", "auth"];

/// Texts that look like paths of endpoints and may stand elsewhere, with the reason.
const NO_ENDPOINTS: &[(&str, &str, &str)] = &[
    ("info.rs", "sys/kernel/", "files of /proc"),
    (
        "policies.rs",
        "policies/acl/",
        "the folder whose names have one spelling",
    ),
];

/// Returns the texts between quotes in a line.
fn texts(line: &str) -> Vec<&str> {
    line.split('"').skip(1).step_by(2).collect()
}

/// Returns the beginnings of patterns of endpoints, where those are two words or more:
/// `leases/lookup`.
fn beginnings(sources: &[(PathBuf, String)]) -> Vec<String> {
    let mut found = Vec::new();
    for (_, text) in sources {
        for (_, line) in shipped(text) {
            let Some(pattern) = line.trim_start().strip_prefix("pattern: ") else {
                continue;
            };
            let words = texts(pattern).into_iter().flat_map(|text| text.split('/'));
            let plain = |word: &&str| word.starts_with(|c: char| c.is_ascii_lowercase());
            let words: Vec<&str> = words.take_while(plain).take(2).collect();
            if words.len() == 2 {
                found.push(words.join("/"));
            }
        }
    }
    found
}

fn is_endpoint(text: &str, beginnings: &[String]) -> bool {
    let is_path = |text: &str| text.chars().all(|c| !c.is_whitespace() && c != '`');
    let below = ["sys/", "auth/token/"].iter().any(|mount| {
        let rest = text.strip_prefix(mount);
        rest.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase()))
    });
    is_path(text) && (below || beginnings.iter().any(|begin| text.starts_with(begin)))
}

#[test]
fn endpoints_stand_in_their_tables() {
    let sources = sources();
    let beginnings = beginnings(&sources);
    assert!(beginnings.len() > 40, "{beginnings:?}");
    assert!(is_endpoint("leases/lookup/", &beginnings));
    assert!(is_endpoint("sys/seal", &beginnings));
    assert!(!is_endpoint("sys/", &beginnings) && !is_endpoint("application/json", &beginnings));
    let mut wrong = Vec::new();
    for (path, text) in &sources {
        let room = room_of(path).unwrap_or_default();
        let shown = path.display().to_string();
        let is_test = shown.contains("/tests") || shown.ends_with("harness.rs");
        if !ANSWERING.contains(&room.as_str()) || is_test {
            continue;
        }
        for (number, line) in shipped(text) {
            let line = line.trim_start();
            if line.starts_with("//") || line.starts_with("pattern: ") {
                continue;
            }
            for text in texts(line) {
                let excused = |(file, start, _): &(&str, &str, &str)| {
                    shown.ends_with(file) && text.starts_with(start)
                };
                if is_endpoint(text, &beginnings) && !NO_ENDPOINTS.iter().any(excused) {
                    wrong.push(format!("{shown}:{}: {text:?}", number + 1));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
