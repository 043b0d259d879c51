//! `docs/memory.md` names every cache, queue and buffer, with the bounds that the code has.

use super::{shipped, sources};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The beginnings of types and calls that hold memory for later.
const HOLDERS: &[&str] = &[
    "mpsc::channel(",
    "mpsc::sync_channel(",
    "mpsc::unbounded_channel(",
    "VecDeque<",
    "quick_cache::",
    "Semaphore::new(",
    "Semaphore::const_new(",
    "AlignedBuffer::new(",
    ".stack_size(",
];

/// Files with such a holder that no server fills, with the reason.
const HELD_ELSEWHERE: &[(&str, &str)] = &[];

/// A row of a table: its place and its two figures.
struct Row<'a> {
    places: Vec<&'a str>,
    small: &'a str,
    default: &'a str,
}

fn document() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/memory.md");
    fs::read_to_string(path).expect("docs/memory.md is there")
}

/// Returns the texts between backquotes.
fn code(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

fn rows(text: &str) -> Vec<Row<'_>> {
    let rows = text.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| ")?.split(" | ");
        let place = cells.nth(1)?;
        let row = Row {
            places: code(place),
            small: cells.next()?.trim(),
            default: cells.next()?.trim(),
        };
        (place != "where").then_some(row)
    });
    rows.collect()
}

/// Returns the number that a figure of the table (`64 KiB`) stands for.
fn figure(text: &str) -> Option<u128> {
    let (number, unit) = text.split_once(' ').unwrap_or((text, ""));
    let unit = match unit {
        "" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        _ => return None,
    };
    Some(number.parse::<u128>().ok()? * unit)
}

type Operator = fn(u128, u128) -> Option<u128>;

/// Returns the value of a constant's text: numbers, `<<`, `+`, `-`, `*`, `/`, and other constants
/// of its file.
fn value(expression: &str, lines: &[(usize, &str)]) -> Option<u128> {
    let operators: [(&str, Operator); 5] = [
        ("<<", |a, b| a.checked_shl(b.try_into().ok()?)),
        (" + ", u128::checked_add),
        (" - ", u128::checked_sub),
        (" * ", u128::checked_mul),
        (" / ", u128::checked_div),
    ];
    let expression = expression.trim();
    for (sign, apply) in operators {
        if let Some((left, right)) = expression.rsplit_once(sign) {
            return apply(value(left, lines)?, value(right, lines)?);
        }
    }
    match expression.starts_with(|c: char| c.is_ascii_digit()) {
        true => expression.replace('_', "").parse().ok(),
        false => constant(expression, lines),
    }
}

/// Returns the value of `name`: a constant, a field in a literal (`name: 7,`), or the argument of a
/// call (`.name(7)`).
fn constant(name: &str, lines: &[(usize, &str)]) -> Option<u128> {
    let begins = [
        format!("const {name}: "),
        format!("{name}: "),
        format!(".{name}("),
    ];
    lines.iter().find_map(|(_, line)| {
        let line = line.trim();
        let at = begins.iter().find_map(|begin| {
            let at = line.find(begin.as_str())?;
            let is_whole = begin.starts_with('.') || at == 0 || line[..at].ends_with([' ', ')']);
            is_whole.then(|| &line[at + begin.len()..])
        })?;
        let text = at.rsplit_once(" = ").map_or(at, |(_, text)| text);
        let text = text.trim_end_matches([',', ';', ')']);
        let text = text.strip_prefix("Some(").unwrap_or(text);
        value(text, lines)
    })
}

#[test]
fn every_bound_is_the_one_in_the_code() {
    let files: BTreeMap<PathBuf, String> = sources().into_iter().collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (text, mut wrong, mut compared) = (document(), Vec::new(), 0);
    for row in rows(&text) {
        let mut file = None;
        for place in &row.places {
            if place.ends_with(".rs") {
                file = files.get(&root.join(place)).map(|text| shipped(text));
                if file.is_none() {
                    wrong.push(format!("{place}: there is no such file"));
                }
                continue;
            }
            let Some(lines) = &file else { continue };
            for (profile, told) in [("SMALL", row.small), ("DEFAULT", row.default)] {
                let begin = format!("pub const {profile}: ");
                let from = lines.iter().position(|(_, line)| line.starts_with(&begin));
                let lines = &lines[from.unwrap_or(0)..];
                let found = constant(place, lines);
                compared += 1;
                if found.is_none() || found != figure(told) {
                    wrong.push(format!(
                        "{place} ({profile}): {told} in the table, {found:?} here"
                    ));
                }
            }
        }
    }
    assert!(compared > 120, "the table was not read: {compared}");
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn everything_that_holds_memory_is_named() {
    let text = document();
    let mut named: Vec<&str> = rows(&text)
        .iter()
        .flat_map(|row| row.places.clone())
        .collect();
    named.extend(code(&text));
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut missing, mut found) = (Vec::new(), 0);
    for (path, text) in sources() {
        let shown = path
            .strip_prefix(&root)
            .expect("below src")
            .display()
            .to_string();
        let is_test = shown.contains("tests") || shown.ends_with("bench.rs");
        let holds = shipped(&text).iter().any(|(_, line)| {
            let line = line.split("//").next().unwrap_or(line);
            HOLDERS.iter().any(|holder| line.contains(holder))
        });
        let excused = HELD_ELSEWHERE.iter().any(|(file, _)| *file == shown);
        if !holds || is_test || excused {
            continue;
        }
        found += 1;
        if !named.contains(&shown.as_str()) {
            missing.push(shown);
        }
    }
    assert!(found > 15, "the holders were not found: {found}");
    assert!(missing.is_empty(), "docs/memory.md lacks {missing:#?}");
    // Each size that scales has a row.
    let sizes = fs::read_to_string(root.join("memory/sizes.rs")).expect("the sizes are there");
    for line in sizes
        .lines()
        .filter_map(|line| line.trim().strip_prefix("pub "))
    {
        if let Some((field, kind)) = line.split_once(": ")
            && ["usize,", "u64,"].contains(&kind)
        {
            assert!(named.contains(&field), "docs/memory.md lacks {field}");
        }
    }
}

#[test]
fn values_are_read_as_the_compiler_reads_them() {
    let text = "const A: usize = 3 << 10;\n    b: 32 * 1024 * 1024 + 512 * 1024,\n\
                pub const C_MAX: u64 = A / 2;\n  .size(256 << 10)\n c: Some(1_024),\n";
    let lines: Vec<(usize, &str)> = text.lines().enumerate().collect();
    for (name, expected) in [
        ("A", Some(3 << 10)),
        ("b", Some((32 << 20) + (512 << 10))),
        ("C_MAX", Some(3 << 9)),
        ("size", Some(256 << 10)),
        ("c", Some(1024)),
        ("MAX", None),
    ] {
        assert_eq!(constant(name, &lines), expected, "{name}");
    }
    assert_eq!(figure("3 KiB"), Some(3 << 10));
    assert_eq!(figure("many"), None);
}
