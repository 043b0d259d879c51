//! `print token`.

use crate::cli::call::Call;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::token_file;
use crate::cli::verb::{Arity, Group, SharedFlags, Verb, VerbNode};

/// `print`.
pub static PRINT: Group = Group {
    name: "print",
    about: "Prints what the commands use",
    nodes: &[VerbNode::Verb(&TOKEN)],
};

static TOKEN: Verb = Verb {
    name: "token",
    about: "Prints the token in use, from the environment or from ~/.vault-token",
    usage: "",
    arity: Arity::at_least(0),
    flags: &[],
    shared: SharedFlags::Nothing,
    run: token,
};

fn token(call: &mut Call) -> Outcome {
    let token = token_file::current().map_err(|error| Failure::Local(error.to_string()))?;
    call.out(token.as_ref().map_or("", |token| token.expose()));
    Ok(0)
}
