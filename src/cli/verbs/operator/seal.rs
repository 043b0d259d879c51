//! `operator unseal`, `operator seal`, `operator step-down`.

use serde_json::json;

use crate::cli::call::Call;
use crate::cli::client::Ask;
use crate::cli::failure::{During, Failure, Outcome};
use crate::cli::share::{ask_share, share_text};
use crate::cli::verb::{Arity, FlagKind, SharedFlags, Verb, flag};

use super::super::status::{print_status, with_leader};

/// `operator unseal`.
pub static UNSEAL: Verb = Verb {
    name: "unseal",
    about: "Unseals the server: one key share at a time, asked for unseen unless given",
    usage: "[KEY | -]",
    arity: Arity::between(0, 1),
    flags: &[
        flag(
            "migrate",
            FlagKind::Switch,
            "Allow by the share that the seal is migrated to the one that the server is configured \
             with.",
        ),
        flag(
            "reset",
            FlagKind::Switch,
            "Forget the shares entered so far.",
        ),
    ],
    shared: SharedFlags::Format,
    run: unseal,
};

/// `operator seal`.
pub static SEAL: Verb = Verb {
    name: "seal",
    about: "Seals the server",
    usage: "",
    arity: Arity::exactly(0),
    flags: &[],
    shared: SharedFlags::Http,
    run: seal,
};

/// `operator step-down`.
pub static STEP_DOWN: Verb = Verb {
    name: "step-down",
    about: "Forces the server to resign active duty",
    usage: "",
    arity: Arity::exactly(0),
    flags: &[],
    shared: SharedFlags::Http,
    run: step_down,
};

fn unseal(call: &mut Call) -> Outcome {
    let body = if call.flags.switch("reset") {
        json!({"reset": true})
    } else {
        let key = match call.word(0) {
            "" => ask_share(call, "Unseal Key (will be hidden): ")
                .map_err(|error| no_prompt(&error))?,
            "-" => call
                .secret_from_stdin()
                .map_err(|e| Failure::Local(e.to_string()))?,
            word => crate::secret::Secret::new(word.trim().to_owned()),
        };
        let key = share_text(key)?;
        json!({"key": key.expose(), "reset": false, "migrate": call.flags.switch("migrate")})
    };
    let reply = call.send(&Ask::put("sys/unseal", body).unwrapped());
    let status = reply.and_then(|reply| reply.json());
    let status = status.during(|| String::from("Error unsealing"))?;
    let status = with_leader(call, status)?;
    print_status(call, &status)
}

fn no_prompt(error: &std::io::Error) -> Failure {
    Failure::usage(format!(
        "An error occurred attempting to ask for an unseal key. The raw error message
is shown below, but usually this is because you attempted to pipe a value
into the unseal command or you are executing outside of a terminal (tty). You
should run the unseal command from a terminal for maximum security. If this
is not an option, the unseal key can be provided as the first argument to the
unseal command. The raw error was: {error}"
    ))
}

fn seal(call: &mut Call) -> Outcome {
    let reply = call.send(&Ask::new("PUT", "sys/seal").unwrapped());
    reply.during(|| String::from("Error sealing"))?;
    call.succeed("Vault is sealed.")
}

fn step_down(call: &mut Call) -> Outcome {
    let reply = call.send(&Ask::new("PUT", "sys/step-down").unwrapped());
    reply.during(|| String::from("Error stepping down"))?;
    let address = call.client()?.address().to_owned();
    call.succeed(&format!("Stepped down: {address}"))
}
