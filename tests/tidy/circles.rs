//! The imports between files of a room: no circle of more than two, and no circle of rooms in a
//! room.
//!
//! Files are found by the paths that they name, through `crate::`, `super::` and `self::`; an item
//! that a `mod.rs` passes on counts as an import of its own file.

use super::{shipped, sources};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Rooms that consist of rooms, each below the next.
const PARTED: &[&str] = &["raft", "sys"];

type Module = Vec<String>;
type Graph = BTreeMap<Module, BTreeSet<Module>>;

/// A file: its module, and its text without comments and tests.
struct Source {
    module: Module,
    is_folder: bool,
    text: String,
}

fn modules() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut all = Vec::new();
    for (path, text) in sources() {
        let below = path
            .strip_prefix(&root)
            .expect("below src")
            .with_extension("");
        let mut module: Module = below
            .iter()
            .map(|part| part.to_str().expect("UTF-8").to_owned())
            .collect();
        let is_folder = module.last().is_some_and(|last| last == "mod");
        if is_folder {
            module.pop();
        }
        if module.iter().any(|part| part == "tests") {
            continue;
        }
        let lines = shipped(&text)
            .into_iter()
            .map(|(_, line)| line.split("//").next().unwrap_or(""));
        let text = lines.collect::<Vec<_>>().join("\n");
        all.push(Source {
            module,
            is_folder,
            text,
        });
    }
    all
}

/// Returns the paths of `a::{b, c::{d, e}}`: `a::b`, `a::c::d`, `a::c::e`.
fn unfolded(path: &str) -> Vec<String> {
    let Some((head, inside)) = path.split_once('{') else {
        let path = path.split(" as ").next().unwrap_or(path);
        return vec![path.split_whitespace().collect()];
    };
    let inside = inside.rsplit_once('}').map_or(inside, |(inside, _)| inside);
    let (mut depth, mut part, mut parts) = (0, String::new(), Vec::new());
    for letter in inside.chars() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        match letter {
            ',' if depth == 0 => parts.push(std::mem::take(&mut part)),
            letter => part.push(letter),
        }
    }
    parts.push(part);
    let parts = parts.iter().filter(|part| !part.trim().is_empty());
    parts
        .flat_map(|part| unfolded(&format!("{}{}", head.trim(), part.trim())))
        .collect()
}

/// Returns the statements of `text` that begin with `keyword`, without it.
fn statements<'a>(text: &'a str, keyword: &'a str) -> impl Iterator<Item = (bool, &'a str)> {
    text.match_indices(keyword).filter_map(move |(at, _)| {
        let before = text[..at].rsplit('\n').next().unwrap_or("").trim();
        let is_start = before.is_empty() || before.starts_with("pub");
        let rest = &text[at + keyword.len()..];
        let end = rest.find(';')?;
        is_start.then(|| (before.starts_with("pub"), &rest[..end]))
    })
}

/// Returns all paths that a file names: those of its imports, and those inside its code.
fn named(source: &Source) -> Vec<String> {
    let mut paths = Vec::new();
    for (passes_on, path) in statements(&source.text, "use ") {
        if !(passes_on && source.is_folder) {
            paths.extend(unfolded(path));
        }
    }
    for head in ["crate::", "super::"] {
        for (at, _) in source.text.match_indices(head) {
            let path: String = source.text[at..]
                .chars()
                .take_while(|c| c.is_alphanumeric() || matches!(c, '_' | ':'))
                .collect();
            paths.push(path);
        }
    }
    paths
}

/// Returns `path`, as `module` names it, from the root, without `crate`, `super` and `self`.
fn absolute(module: &Module, path: &str) -> Option<Module> {
    let mut parts = path.split("::").peekable();
    let mut base = match *parts.peek()? {
        "crate" => Vec::new(),
        "super" | "self" => module.clone(),
        _ => return None,
    };
    while let Some(head) = parts.next_if(|part| matches!(*part, "crate" | "super" | "self")) {
        if head == "super" {
            base.pop();
        }
    }
    base.extend(parts.filter(|part| !part.is_empty()).map(str::to_owned));
    Some(base)
}

/// Returns the file to which `path` leads, through the items that folders pass on.
fn file_of(path: &Module, all: &BTreeMap<Module, &Source>) -> Option<Module> {
    let mut path = path.clone();
    for _ in 0..8 {
        let mut file = path.clone();
        while !file.is_empty() && !all.contains_key(&file) {
            file.pop();
        }
        let source = all.get(&file)?;
        let Some(name) = path.get(file.len()).filter(|_| source.is_folder) else {
            return Some(file);
        };
        let passed = statements(&source.text, "use ").filter(|(passes_on, _)| *passes_on);
        let from = passed
            .flat_map(|(_, inside)| unfolded(inside))
            .find(|inside| inside.rsplit("::").next() == Some(name));
        let Some(from) = from else {
            return Some(file);
        };
        let from = match from.split("::").next() {
            Some("crate" | "super" | "self") => from,
            _ => format!("self::{from}"),
        };
        path = absolute(&file, &from)?;
    }
    None
}

fn imports() -> Graph {
    let sources = modules();
    let all: BTreeMap<Module, &Source> = sources
        .iter()
        .map(|source| (source.module.clone(), source))
        .collect();
    let mut graph = Graph::new();
    for source in &sources {
        let edges = graph.entry(source.module.clone()).or_default();
        for path in named(source) {
            let target = absolute(&source.module, &path).and_then(|path| file_of(&path, &all));
            let is_inside = |target: &Module| {
                *target != source.module && target.first() == source.module.first()
            };
            edges.extend(target.filter(is_inside));
        }
    }
    graph
}

fn reachable(graph: &Graph, from: &Module) -> BTreeSet<Module> {
    let (mut found, mut queue) = (BTreeSet::new(), vec![from.clone()]);
    while let Some(next) = queue.pop() {
        for to in graph.get(&next).into_iter().flatten() {
            if found.insert(to.clone()) {
                queue.push(to.clone());
            }
        }
    }
    found
}

/// Returns the circles of more than one file, each as its files.
fn circles(graph: &Graph) -> BTreeSet<BTreeSet<Module>> {
    let reached: BTreeMap<&Module, BTreeSet<Module>> = graph
        .keys()
        .map(|from| (from, reachable(graph, from)))
        .collect();
    let back = |from: &Module, to: &Module| reached.get(to).is_some_and(|set| set.contains(from));
    let circle = |from: &&Module| {
        let own = reached.get(from).into_iter().flatten();
        let circle: BTreeSet<Module> = own.filter(|to| back(from, to)).cloned().collect();
        (circle.len() > 1).then_some(circle)
    };
    graph
        .keys()
        .collect::<Vec<_>>()
        .iter()
        .filter_map(circle)
        .collect()
}

fn shown(circle: &BTreeSet<Module>) -> String {
    let names: Vec<String> = circle.iter().map(|module| module.join("/")).collect();
    names.join(", ")
}

#[test]
fn files_of_a_room_stand_in_no_circle_of_more_than_two() {
    let circles = circles(&imports());
    let mut wrong = Vec::new();
    for circle in &circles {
        if circle.len() > 2 {
            wrong.push(format!("{} files: {}", circle.len(), shown(circle)));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn rooms_inside_a_room_stand_one_above_the_other() {
    let mut graph = Graph::new();
    for (from, edges) in imports() {
        let Some(room) = from.first().filter(|room| PARTED.contains(&room.as_str())) else {
            continue;
        };
        let inner =
            |module: &Module| vec![room.clone(), module.get(1).cloned().unwrap_or_default()];
        let own = inner(&from);
        let others = edges.iter().map(inner).filter(|other| *other != own);
        graph.entry(own.clone()).or_default().extend(others);
    }
    // The `mod.rs` of the room passes all on, and so is above all.
    graph.retain(|room, _| room.get(1).is_some_and(|name| !name.is_empty()));
    let wrong: Vec<String> = circles(&graph).iter().map(shown).collect();
    assert!(graph.len() > 5, "the rooms were not found");
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn circles_are_found() {
    let path = |text: &str| -> Module { text.split('/').map(str::to_owned).collect() };
    let edges = |to: &[&str]| to.iter().map(|to| path(to)).collect::<BTreeSet<_>>();
    let graph = Graph::from([
        (path("a/x"), edges(&["a/y"])),
        (path("a/y"), edges(&["a/z", "a/w"])),
        (path("a/z"), edges(&["a/x"])),
        (path("a/w"), edges(&[])),
    ]);
    let found = circles(&graph);
    assert_eq!(found, BTreeSet::from([edges(&["a/x", "a/y", "a/z"])]));
    let inside = unfolded("super::a::{self, b, c::{d, e as f}}");
    let expected = [
        "super::a::self",
        "super::a::b",
        "super::a::c::d",
        "super::a::c::e",
    ];
    assert_eq!(inside, expected);
    assert!(circles(&imports()).len() > 2, "the imports are read");
    let uses = "use a::b;\npub use c;\nfn f() {\n    reuse d;\n    use e;\n}\n";
    let found: Vec<(bool, &str)> = statements(uses, "use ").collect();
    assert_eq!(found, [(false, "a::b"), (true, "c"), (false, "e")]);
}
