//! `path-help`.

use serde_json::Value;

use crate::cli::call::Call;
use crate::cli::client::Ask;
use crate::cli::failure::{During, Failure, Outcome};
use crate::cli::output::Order;
use crate::cli::verb::{Arity, SharedFlags, Verb};

/// `path-help`.
pub static PATH_HELP: Verb = Verb {
    name: "path-help",
    about: "Retrieve API help for paths",
    usage: "PATH",
    arity: Arity::exactly(1),
    flags: &[],
    shared: SharedFlags::Format,
    run,
};

fn run(call: &mut Call) -> Outcome {
    let ask = Ask::get(call.word(0)).with_query("help", "1");
    let reply = call.send(&ask).and_then(|reply| reply.json());
    let answer = reply.during(|| String::from("Error retrieving help"))?;
    let field = |name: &str| answer.get(name).or_else(|| answer.get("data")?.get(name));
    if !call.is_table() {
        let value = field("openapi").unwrap_or(&answer);
        return call.print_value(value, &Order::BY_NAME);
    }
    let help = field("help").and_then(Value::as_str);
    call.out(help.ok_or(Failure::Answer("help"))?.trim_end());
    Ok(0)
}
