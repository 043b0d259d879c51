//! `operator drill`: proves that a key is good, without unsealing.

use serde_json::{Value, json};

use crate::cli::call::Call;
use crate::cli::client::Ask;
use crate::cli::failure::{During, Failure, Outcome};
use crate::cli::output::{Order, wrap};
use crate::cli::share::{ask_share, share_text};
use crate::cli::verb::{Arity, SharedFlags, Verb};
use crate::secret::Secret;

/// The exit code for a key that is not in force.
const NOT_IN_FORCE: u8 = 2;

/// `operator drill`.
pub static DRILL: Verb = Verb {
    name: "drill",
    about: "Proves that a key share is good, without unsealing",
    usage: "[KEY | -]",
    arity: Arity::between(0, 1),
    flags: &[],
    shared: SharedFlags::Format,
    run,
};

static ORDER: Order = Order::of(&[
    "known",
    "in_force",
    "opens",
    "number",
    "shares",
    "threshold",
    "generation",
    "made",
    "replaced",
]);

const STRANGE: &str = "This is no key of this cluster, or one from before it remembered them, or \
                       one of a rekey that was given up. Compare it with the sheet, and the \
                       sheet's cluster with this one.";

fn run(call: &mut Call) -> Outcome {
    let key = match call.word(0) {
        "" => ask_share(call, "Key (will be hidden): ").map_err(|error| no_prompt(&error))?,
        "-" => {
            let read = call.secret_from_stdin();
            read.map_err(|error| Failure::Local(error.to_string()))?
        }
        word => Secret::new(word.trim().to_owned()),
    };
    let key = share_text(key)?;
    let body = json!({"key": key.expose()});
    let reply = call.send(&Ask::put("sys/drill", body).unwrapped());
    let answer = reply.and_then(|reply| reply.json());
    let answer = answer.during(|| String::from("Error trying the key"))?;
    let is_in_force = answer.get("in_force") == Some(&Value::Bool(true));
    match call.is_table() {
        true => call.out(&wrap(&said(&answer), 0)),
        false => {
            call.print_value(&answer, &ORDER)?;
        }
    }
    Ok(if is_in_force { 0 } else { NOT_IN_FORCE })
}

fn said(answer: &Value) -> String {
    let text = |name| answer.get(name).and_then(Value::as_str).unwrap_or_default();
    let number = |name| answer.get(name).and_then(Value::as_u64).unwrap_or_default();
    if answer.get("known") != Some(&Value::Bool(true)) {
        return STRANGE.into();
    }
    let (at, shares, generation) = (number("number"), number("shares"), number("generation"));
    let day = |name| text(name).get(..10).unwrap_or_default().to_owned();
    if answer.get("in_force") == Some(&Value::Bool(true)) {
        return format!(
            "Good: this is {} key {at} of {shares}, of generation {generation} (made {}), which is \
             in force. {} of them are needed.",
            text("opens"),
            day("made"),
            number("threshold"),
        );
    }
    let before = match day("replaced").as_str() {
        "" => String::new(),
        day => format!(", from before the rekey of {day}"),
    };
    format!(
        "Old: this is key {at} of {shares}, of generation {generation} (made {}){before}. It opens \
         nothing any more.",
        day("made"),
    )
}

fn no_prompt(error: &std::io::Error) -> Failure {
    Failure::usage(format!(
        "An error occurred attempting to ask for the key: {error}. Away from a terminal, pass \
         \"-\" as the argument to read it from stdin."
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_said_in_a_sentence() {
        let mut answer = json!({
            "known": true, "in_force": true, "opens": "unseal", "number": 2, "shares": 5,
            "threshold": 3, "generation": 1, "made": "2026-01-02T03:04:05Z", "replaced": "",
        });
        assert_eq!(
            said(&answer),
            "Good: this is unseal key 2 of 5, of generation 1 (made 2026-01-02), which is in \
             force. 3 of them are needed."
        );
        answer["in_force"] = false.into();
        assert!(said(&answer).ends_with("(made 2026-01-02). It opens nothing any more."));
        answer["replaced"] = "2026-03-04T05:06:07Z".into();
        assert!(said(&answer).contains(", from before the rekey of 2026-03-04. It opens"));
        assert_eq!(said(&json!({"known": false})), STRANGE);
    }
}
