//! Shell completion, written by `clap_complete` from the tables of verbs.

use clap::{Arg, ArgAction, Command, ValueHint};
use clap_complete::Shell;

use super::failure::{Failure, Outcome};
use super::verb::{Arity, FlagKind, SharedFlags, Verb, VerbNode};
use super::{call::Call, verbs};

/// `completion bash|zsh|fish`.
pub static COMPLETION: Verb = Verb {
    name: "completion",
    about: "Print a shell's completion script: source it, or put it where your shell looks",
    usage: "bash|zsh|fish",
    arity: Arity::exactly(1),
    flags: &[],
    shared: SharedFlags::Nothing,
    run: print,
};

fn print(call: &mut Call) -> Outcome {
    let shell: Shell = call.word(0).parse().map_err(|_| {
        let shell = call.word(0);
        Failure::usage(format!(
            "Unknown shell {shell:?} (expected bash, zsh or fish)"
        ))
    })?;
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut program(), call.program.clone(), &mut script);
    call.out(String::from_utf8_lossy(&script).trim_end());
    Ok(0)
}

fn program() -> Command {
    let command = Command::new("coffer").disable_help_subcommand(true);
    command.subcommands(verbs::NODES.iter().map(subcommand))
}

fn subcommand(node: &VerbNode) -> Command {
    let command = Command::new(node.name()).about(node.about());
    match node {
        VerbNode::Group(group) => command.subcommands(group.nodes.iter().map(subcommand)),
        VerbNode::Verb(verb) => {
            let flags = verb.every_flag().into_iter().map(|flag| {
                let arg = Arg::new(flag.name).long(flag.name).help(flag.help);
                match flag.kind {
                    FlagKind::Switch => arg.action(ArgAction::SetTrue),
                    _ => arg.action(ArgAction::Append),
                }
            });
            let words = Arg::new("words")
                .num_args(0..)
                .value_hint(ValueHint::FilePath);
            command.args(flags).arg(words)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verb_and_flag_can_be_completed() {
        program().debug_assert();
        let mut script = Vec::new();
        clap_complete::generate(Shell::Bash, &mut program(), "coffer", &mut script);
        let script = String::from_utf8(script).expect("text");
        for word in ["enable-versioning", "--output-curl-string", "key-status"] {
            assert!(script.contains(word), "{word}");
        }
    }
}
