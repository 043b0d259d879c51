//! The openings of doc comments: none is a riddle, and that of a function is a verb.
//!
//! A doc comment names its item plainly, and so do its further paragraphs; a function's begins with
//! what the function does: "Returns …", "Refuses …". That of a test may be the sentence that the test shows.

use super::{room_of, sources};

/// Words that open a riddle or a question instead of a description.
const OPENINGS: &[&str] = &[
    "What", "Who", "Whoever", "Whom", "Whose", "Why", "How", "When", "Where", "Whether", "Which",
    "That", "Those", "Is", "Are", "Was", "Did", "And",
];
/// Words that end like verbs of the third person and are none.
const NO_VERBS: &[&str] = &["As", "Its", "This", "Always"];
/// Rooms whose doc comments are still to be rewritten. It shrinks only.
const TO_DO: &[&str] = &[];

/// Returns true for the line that begins a function.
fn is_function(line: &str) -> bool {
    let Some((before, _)) = line.split_once("fn ") else {
        return false;
    };
    let is_qualifier = |word: &str| {
        word.starts_with("pub")
            || word.ends_with(')')
            || ["async", "const", "unsafe"].contains(&word)
    };
    before.split_whitespace().all(is_qualifier)
}

/// Returns the fault of a doc comment that opens with `opening` and is about a function or not.
fn fault(opening: &str, is_about_function: bool) -> Option<&'static str> {
    let first = opening.split_whitespace().next().unwrap_or("");
    let word = first.trim_end_matches([',', '.', ':', ';', '?']);
    let is_verb = word.starts_with(|first: char| first.is_ascii_uppercase())
        && word.ends_with('s')
        && word.chars().all(|letter| letter.is_ascii_alphabetic())
        && !NO_VERBS.contains(&word);
    match (OPENINGS.contains(&word), is_about_function && !is_verb) {
        (true, _) => Some("opens with a banned word: name the thing, or say what it does"),
        (false, true) => Some("does not open with a verb in the third person"),
        (false, false) => None,
    }
}

/// Returns the faulty openings of a file, with their lines and faults.
fn faults(text: &str) -> Vec<(usize, String, &'static str)> {
    let lines: Vec<&str> = text.lines().map(str::trim_start).collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some(mark) = ["///", "//!"]
            .into_iter()
            .find(|mark| line.starts_with(mark))
        else {
            continue;
        };
        let opening = line[mark.len()..].trim();
        let before = at.checked_sub(1).and_then(|at| lines.get(at));
        if let Some(before) = before.and_then(|line| line.strip_prefix(mark)) {
            let is_paragraph = before.is_empty() || before.starts_with(" #");
            if let Some(fault) = fault(opening, false).filter(|_| is_paragraph) {
                found.push((at + 1, opening.to_owned(), fault));
            }
            continue;
        }
        let mut item = lines
            .iter()
            .skip(at)
            .skip_while(|line| line.starts_with(mark));
        let mut next = item.next().unwrap_or(&"");
        let mut is_test = false;
        while next.starts_with("#[") {
            is_test |= next.starts_with("#[test") || next.contains("::test");
            while !next.ends_with(']') {
                next = item.next().unwrap_or(&"]");
            }
            next = item.next().unwrap_or(&"");
        }
        let is_about_function = mark == "///" && is_function(next) && !is_test;
        if let Some(fault) = fault(opening, is_about_function) {
            found.push((at + 1, opening.to_owned(), fault));
        }
    }
    found
}

#[test]
fn doc_comments_open_with_what_an_item_is_or_does() {
    let mut wrong = Vec::new();
    let mut still: Vec<&str> = Vec::new();
    for (path, text) in sources() {
        let room = room_of(&path).unwrap_or_default();
        let to_do = TO_DO.iter().find(|name| **name == room);
        for (line, opening, fault) in faults(&text) {
            match to_do {
                Some(room) => still.push(room),
                None => wrong.push(format!("{}:{line}: {opening:?} {fault}", path.display())),
            }
        }
    }
    for room in TO_DO.iter().filter(|room| !still.contains(room)) {
        wrong.push(format!("src/{room} is done: take it off TO_DO"));
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn riddles_are_found() {
    let text = "//! What a node is.\n\n/// Whoever leads.\nstruct A {\n/// The leader.\na: u8,\n}\n\
                /// The answer.\n#[must_use]\npub(in super::super) const fn b() {}\n\
                /// Returns the\n/// What of it.\n#[cfg(all(\n    unix,\n))]\nasync fn c() {}\n\
                /// Its name.\nfn d() {}\n/// Its name.\nd: u8,\n/// Is it lit?\nfn e() {}\n\
                /// Returns a `fn (u8)`.\ntype F = fn(u8);\n/// A call.\ntype G = fn(u8);\n\
                /// A node leads.\n#[test]\nfn f() {}\n/// Who leads.\n#[tokio::test]\nfn g() {}\n\
                /// Opens it.\n///\n/// # Errors\n/// When it is shut.\nfn h() {}\n";
    let found: Vec<usize> = faults(text).into_iter().map(|(line, ..)| line).collect();
    assert_eq!(found, [1, 3, 8, 17, 21, 30, 36]);
    for good in ["Returns a text.", "Starts, then waits.", "Asks:"] {
        assert_eq!(fault(good, true), None, "{good}");
    }
    for bad in [
        "How long it lasts.",
        "That of the token.",
        "Whether it leads.",
    ] {
        assert!(fault(bad, false).is_some(), "{bad}");
    }
    assert!(fault("`core` in the log.", true).is_some());
}
