//! Usage texts, made from the tables of verbs.

use super::output::{columns, wrap};
use super::verb::{Flag, Group, Verb, VerbNode};

/// The commands that most callers look for, in the order in which they are listed.
const COMMON: [&str; 8] = [
    "read", "write", "delete", "list", "login", "server", "status", "unwrap",
];

/// Returns the usage of the whole program.
pub fn program(name: &str, nodes: &[VerbNode]) -> String {
    let common = COMMON.iter();
    let common = common.filter_map(|word| nodes.iter().find(|node| node.name() == *word));
    let rest = nodes.iter().filter(|node| !COMMON.contains(&node.name()));
    format!(
        "Usage: {name} <command> [args]\n\nCommon commands:\n{}\n\nOther commands:\n{}",
        list(common),
        list(rest)
    )
}

/// Returns the usage of a group; `path` is the words up to and including it.
pub fn group(path: &str, group: &Group) -> String {
    format!(
        "Usage: {path} <subcommand> [options] [args]\n\n{}\n\nSubcommands:\n{}",
        wrap(group.about, 2),
        list(group.nodes.iter())
    )
}

/// Returns the usage of a verb; `path` is the words up to and including it.
pub fn verb(path: &str, verb: &Verb) -> String {
    let mut sections = verb.shared.sections();
    if !verb.flags.is_empty() {
        sections.push(("Command Options", verb.flags));
    }
    let options = if sections.is_empty() {
        ""
    } else {
        " [options]"
    };
    let usage = if verb.usage.is_empty() {
        String::new()
    } else {
        format!(" {}", verb.usage)
    };
    let mut text = format!("Usage: {path}{options}{usage}\n\n{}", wrap(verb.about, 2));
    for (heading, flags) in sections {
        text.push_str(&format!("\n\n{heading}:"));
        for flag in flags {
            text.push_str(&describe(flag));
        }
    }
    text
}

fn describe(flag: &Flag) -> String {
    let alias = match flag.alias {
        Some(alias) => format!(", -{alias}"),
        None => String::new(),
    };
    let help = wrap(flag.help, 6);
    let placeholder = flag.kind.placeholder();
    format!("\n\n  -{}{placeholder}{alias}\n{help}", flag.name)
}

fn list<'a>(nodes: impl Iterator<Item = &'a VerbNode>) -> String {
    let rows = nodes.map(|node| vec![node.name().to_owned(), node.about().to_owned()]);
    let text = columns(&rows.collect::<Vec<_>>(), "    ");
    let lines: Vec<String> = text.lines().map(|line| format!("    {line}")).collect();
    lines.join("\n")
}
