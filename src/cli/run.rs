//! Finds the verb of the typed words, and turns its outcome into the exit code.

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use super::call::Call;
use super::client::ClientError;
use super::environment;
use super::failure::{Failure, Outcome};
use super::flags::{FlagError, Flags};
use super::output::Format;
use super::verb::{Arity, SharedFlags, Verb, VerbNode};
use super::{help, server, unknown, verbs};

/// The exit code for a command that does not exist.
const UNKNOWN_COMMAND: u8 = 127;

/// Runs one command line (the program's own name first) and returns the process's exit code.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let words = args.into_iter().map(OsString::into_string);
    let mut text = Vec::new();
    for (at, word) in words.enumerate() {
        match word {
            Ok(word) => text.push(word),
            // The word may be a secret, so it is not repeated.
            Err(_) => {
                say(&format!(
                    "Argument {at} is not UTF-8 text and would be altered; encode it, for example \
                     with base64"
                ));
                return ExitCode::from(1);
            }
        }
    }
    let words = text;
    let (first, rest) = words
        .split_first()
        .map_or(("coffer", [].as_slice()), |(first, rest)| {
            (first.as_str(), rest)
        });
    let program = Path::new(first).file_name().and_then(|name| name.to_str());
    let program = program.unwrap_or("coffer");
    match rest.first().map(String::as_str) {
        Some("server") => server::run(rest.get(1..).unwrap_or_default()),
        _ => ExitCode::from(dispatch(program, rest)),
    }
}

fn dispatch(program: &str, words: &[String]) -> u8 {
    let leading = words
        .iter()
        .take_while(|word| word.starts_with('-'))
        .count();
    let (leading, words) = words.split_at(leading);
    let asked = |names: &[&str]| {
        let bare = leading.iter().map(|word| word.trim_start_matches('-'));
        bare.clone().any(|word| names.contains(&word))
    };
    if asked(&["v", "version"]) {
        return run_verb(program, String::new(), &verbs::VERSION, &[]);
    }
    if words.is_empty() {
        let asked = asked(&["h", "help"]);
        return show(
            asked,
            &help::program(program, verbs::NODES),
            UNKNOWN_COMMAND,
        );
    }
    if !leading.is_empty() && !asked(&["h", "help"]) {
        say("Invalid flags before the subcommand. If these flags are for");
        say("the subcommand, please put them after the subcommand.");
        return 1;
    }
    descend(program, words)
}

/// Follows the words down the tables to a verb.
fn descend(program: &str, words: &[String]) -> u8 {
    let mut path = String::from(program);
    let mut nodes = verbs::NODES;
    let mut group = None;
    let mut rest = words.iter();
    loop {
        let word = rest.next().map(String::as_str).unwrap_or_default();
        match nodes.iter().find(|node| node.name() == word) {
            Some(VerbNode::Verb(verb)) => {
                path.push_str(&format!(" {word}"));
                return run_verb(program, path, verb, rest.as_slice());
            }
            Some(VerbNode::Group(found)) => {
                path.push_str(&format!(" {word}"));
                nodes = found.nodes;
                group = Some(found);
            }
            None => {
                let asked = matches!(word, "-h" | "-help" | "--help");
                let (mut usage, code) = match group {
                    Some(group) => (help::group(&path, group), 1),
                    None => (help::program(program, verbs::NODES), UNKNOWN_COMMAND),
                };
                usage.push_str(&unknown::question(&path, word, nodes));
                return show(asked, &usage, code);
            }
        }
    }
}

fn run_verb(program: &str, path: String, verb: &'static Verb, typed: &[String]) -> u8 {
    let outcome = Flags::parse(&verb.every_flag(), typed)
        .map_err(Failure::from)
        .and_then(|flags| carry_out(program, verb, flags));
    match outcome {
        Ok(code) => code,
        Err(Failure::Flags(FlagError::Help)) => show(true, &help::verb(&path, verb), 0),
        Err(failure) => report(program, &failure),
    }
}

fn carry_out(program: &str, verb: &'static Verb, flags: Flags) -> Outcome {
    let format = format(verb, &flags)?;
    let trailing = flags.trailing();
    if !trailing.is_empty() && format == Format::Table {
        say(&format!(
            "Command flags must be provided before positional arguments. The following arguments \
             will not be parsed as flags: [{}]",
            trailing.join(" ")
        ));
    }
    let mut call = Call::new(program.to_owned(), flags, format);
    check_arity(verb.arity, call.flags.words.len())?;
    let code = (verb.run)(&mut call)?;
    match call.lost_output() {
        None => Ok(code),
        Some(error) => Err(Failure::Local(format!("Error writing the output: {error}"))),
    }
}

fn format(verb: &Verb, flags: &Flags) -> Result<Format, Failure> {
    if matches!(verb.shared, SharedFlags::Nothing | SharedFlags::Http) {
        return Ok(Format::Table);
    }
    let parse =
        |text: &str| Format::parse(text).ok_or_else(|| format!("Invalid output format: {text}"));
    let variable = environment::parsed("FORMAT", parse)?;
    let format = match flags.text("format") {
        Some(text) => parse(text).map_err(Failure::Usage)?,
        None => variable.unwrap_or_else(|| parse("").unwrap_or(Format::Table)),
    };
    if format == Format::Raw && verb.name != "read" {
        let refusal = "This command does not support the -format=raw option.";
        return Err(Failure::usage(refusal));
    }
    Ok(format)
}

fn check_arity(arity: Arity, count: usize) -> Result<(), Failure> {
    let expected = arity.describe();
    if count < arity.min {
        let message = format!("Not enough arguments (expected {expected}, got {count})");
        return Err(Failure::Usage(message));
    }
    if arity.max.is_some_and(|max| count > max) {
        let message = format!("Too many arguments (expected {expected}, got {count})");
        return Err(Failure::Usage(message));
    }
    Ok(())
}

fn report(program: &str, failure: &Failure) -> u8 {
    if let Failure::Request { source, .. } = failure {
        if let ClientError::Preview(text) = source {
            return show(true, text, 0);
        }
        say(&failure.to_string());
        if let ClientError::Refused(refusal) = source {
            let call = Call::new(program.to_owned(), Flags::default(), Format::Table);
            call.warn(&refusal.warnings());
        }
        return failure.exit_code();
    }
    say(&failure.to_string());
    failure.exit_code()
}

/// Prints `text`: on standard output if it was asked for, else on standard error.
fn show(asked: bool, text: &str, code: u8) -> u8 {
    if !asked {
        say(text);
        return code;
    }
    // A reader that went away is no failure of this program.
    let _ = writeln!(std::io::stdout().lock(), "{text}");
    0
}

fn say(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(nodes: &[VerbNode]) -> bool {
        let below = nodes.iter().all(|node| match node {
            VerbNode::Group(group) => sorted(group.nodes),
            VerbNode::Verb(_) => true,
        });
        below && nodes.is_sorted_by_key(VerbNode::name)
    }

    #[test]
    fn the_tables_are_sorted_for_the_reader() {
        assert!(sorted(verbs::NODES));
    }

    #[test]
    fn arguments_are_counted_in_vaults_words() {
        let message = |arity, count| match check_arity(arity, count) {
            Ok(()) => String::new(),
            Err(failure) => failure.to_string(),
        };
        let one = Arity::exactly(1);
        assert_eq!(message(one, 1), "");
        assert_eq!(message(one, 0), "Not enough arguments (expected 1, got 0)");
        assert_eq!(message(one, 2), "Too many arguments (expected 1, got 2)");
        let optional = Arity::between(0, 1);
        assert_eq!(
            message(optional, 2),
            "Too many arguments (expected 0-1, got 2)"
        );
        let some = Arity::at_least(1);
        assert_eq!(
            message(some, 0),
            "Not enough arguments (expected at least 1, got 0)"
        );
    }
}
