//! `unwrap`.

use serde_json::{Value, json};

use crate::cli::call::Call;
use crate::cli::client::Ask;
use crate::cli::failure::{During, Failure, Outcome};
use crate::cli::verb::{Arity, SharedFlags, Verb};
use crate::secret::Secret;

/// `unwrap`.
pub static UNWRAP: Verb = Verb {
    name: "unwrap",
    about: "Unwrap a wrapped secret; without a token, the token in use is the wrapping one",
    usage: "[TOKEN]",
    arity: Arity::between(0, 1),
    flags: &[],
    shared: SharedFlags::Field,
    run,
};

fn run(call: &mut Call) -> Outcome {
    let wrapping = match call.word(0) {
        "-" => call
            .secret_from_stdin()
            .map_err(|e| Failure::Local(e.to_string()))?
            .into_inner(),
        word => word.to_owned(),
    };
    let client = call.client()?;
    let is_own = client
        .token()
        .is_some_and(|token| *token.expose() == wrapping);
    let mut body = Value::Null;
    if client.token().is_none() && !wrapping.is_empty() {
        client.set_token(Some(Secret::new(wrapping)));
    } else if !wrapping.is_empty() && !is_own {
        body = json!({"token": wrapping});
    }
    let answer = call.write(&Ask::put("sys/wrapping/unwrap", body).unwrapped());
    match answer.during(|| String::from("Error unwrapping"))? {
        Some(secret) => call.print_secret(&secret),
        None => call.succeed("There was nothing wrapped"),
    }
}
