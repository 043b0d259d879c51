//! `operator generate-root`: a root or recovery token from the unseal shares.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::cli::call::Call;
use crate::cli::client::{Ask, ClientError};
use crate::cli::failure::{During, Failure, Outcome};
use crate::cli::output::{Order, columns, plain};
use crate::cli::pgp_keys::pgp_keys;
use crate::cli::share::{ask_share, share_text};
use crate::cli::verb::{Arity, FlagKind, SharedFlags, Verb, flag};
use crate::secret::{Secret, SecretString, random_text};

/// `operator generate-root`.
pub static GENERATE_ROOT: Verb = Verb {
    name: "generate-root",
    about: "Generates a new root token from the unseal keys",
    usage: "[KEY | -]",
    arity: Arity::between(0, 1),
    flags: &[
        flag(
            "cancel",
            FlagKind::Switch,
            "Forget the attempt and the keys entered so far.",
        ),
        flag(
            "decode",
            FlagKind::Text,
            "Print the token inside this encoded token; needs -otp. With - it is read from \
             standard input.",
        ),
        flag(
            "dr-token",
            FlagKind::Switch,
            "A disaster recovery operation token, on servers that have them.",
        ),
        flag(
            "generate-otp",
            FlagKind::Switch,
            "Print a one-time password for -init.",
        ),
        flag(
            "init",
            FlagKind::Switch,
            "Start an attempt. Without -otp the server makes a one-time password and tells it.",
        ),
        flag("nonce", FlagKind::Text, "The nonce that -init printed."),
        flag(
            "otp",
            FlagKind::Text,
            "The one-time password, for -init and -decode.",
        ),
        flag(
            "pgp-key",
            FlagKind::Text,
            "File of a public PGP key to which the token is encrypted, in place of -otp.",
        ),
        flag(
            "recovery-token",
            FlagKind::Switch,
            "A recovery operation token, on a server in recovery mode.",
        ),
        flag(
            "status",
            FlagKind::Switch,
            "Only print how the attempt stands.",
        ),
    ],
    shared: SharedFlags::Format,
    run,
};

/// Vault's endpoints, which take no token.
const ROOT: &str = "sys/generate-root";
/// OpenBao's endpoints, which take a token, for servers that have shut Vault's.
const ROOT_TWIN: &str = "sys/generate-root-token";
const RECOVERY: &str = "sys/generate-recovery-token";
const DR: &str = "sys/replication/dr/secondary/generate-operation-token";

static ORDER: Order = Order::of(&[
    "nonce",
    "started",
    "progress",
    "required",
    "complete",
    "encoded_token",
    "encoded_root_token",
    "pgp_fingerprint",
    "otp",
    "otp_length",
]);

const OTP_MADE: &str = "\
A One-Time-Password has been generated for you and is shown in the OTP field.
You will need this value to decode the resulting root token, so keep it safe.";

fn run(call: &mut Call) -> Outcome {
    if call.flags.switch("recovery-token") && call.flags.switch("dr-token") {
        return Err(Failure::usage(
            "Give one of -recovery-token and -dr-token, not both",
        ));
    }
    match () {
        () if call.flags.switch("generate-otp") => generate_otp(call),
        () if call
            .flags
            .text("decode")
            .is_some_and(|text| !text.is_empty()) =>
        {
            decode(call)
        }
        () if call.flags.switch("cancel") => cancel(call),
        () if call.flags.switch("init") => start(call),
        () if call.flags.switch("status") => {
            let status = status(call)?;
            print(call, &status)
        }
        () => give(call),
    }
}

fn generate_otp(call: &mut Call) -> Outcome {
    let status = status(call)?;
    let chars = number(&status, "otp_length");
    let otp = random_text(usize::try_from(chars).unwrap_or_default());
    print_secret(call, "otp", &otp)
}

fn decode(call: &mut Call) -> Outcome {
    let wrong = |why: String| Failure::usage(format!("Error decoding root token: {why}"));
    let encoded = match call.flags.text("decode").unwrap_or_default() {
        "-" => from_stdin(call)?,
        text => Secret::new(text.trim().to_owned()),
    };
    let otp = call.flags.text("otp").unwrap_or_default();
    if otp.is_empty() {
        return Err(Failure::usage("Missing otp: use -otp to supply it"));
    }
    let encoded = STANDARD_NO_PAD.decode(encoded.expose().trim_end_matches('='));
    let encoded = Zeroizing::new(
        encoded.map_err(|error| wrong(format!("error decoding base64'd token: {error}")))?,
    );
    if encoded.len() != otp.len() {
        return Err(wrong(format!(
            "error xoring token: length of byte slices is not equivalent: {} != {}",
            encoded.len(),
            otp.len()
        )));
    }
    let pairs = encoded.iter().zip(otp.bytes());
    let token = String::from_utf8(pairs.map(|(one, other)| one ^ other).collect())
        .map_err(|_| wrong("this one-time password does not belong to it".into()))?;
    print_secret(call, "token", &Secret::new(token))
}

fn cancel(call: &mut Call) -> Outcome {
    let reply = ask(call, "DELETE", "attempt", None);
    reply.during(|| String::from("Error canceling root token generation"))?;
    call.succeed("Root token generation canceled (if it was started)")
}

fn start(call: &mut Call) -> Outcome {
    let otp = call.flags.text("otp").unwrap_or_default();
    let key = pgp_keys(&call.flags, "pgp-key")?.pop().unwrap_or_default();
    if !otp.is_empty() && !key.is_empty() {
        let message = "Error initializing: cannot specify both -otp and -pgp-key";
        return Err(Failure::usage(message));
    }
    let body = json!({"otp": otp, "pgp_key": key});
    let status = ask(call, "PUT", "attempt", Some(body));
    let status = status.during(|| String::from("Error initializing root generation"))?;
    if call.is_table() && !text(&status, "otp").is_empty() {
        call.out(OTP_MADE);
    }
    print(call, &status)
}

fn give(call: &mut Call) -> Outcome {
    let status = status(call)?;
    if status.get("started") != Some(&Value::Bool(true)) {
        return Err(Failure::usage(format!(
            "No root generation is in progress. Start a root generation by running \"{}
operator generate-root -init\".
If starting root generation using the OTP method and generating your own OTP,
the length of the OTP string needs to be {} characters in length.",
            call.program,
            number(&status, "otp_length")
        )));
    }
    let mut nonce = call.flags.text("nonce").unwrap_or_default().to_owned();
    let key = match call.word(0) {
        "" => {
            nonce = text(&status, "nonce").to_owned();
            call.out(&format!("Operation nonce: {nonce}"));
            let key = ask_share(call, "Unseal Key (will be hidden): ");
            key.map_err(|error| no_prompt(&error))?
        }
        _ if nonce.is_empty() => {
            return Err(Failure::usage(
                "Missing nonce value: specify it via the -nonce flag",
            ));
        }
        "-" => from_stdin(call)?,
        word => Secret::new(word.trim().to_owned()),
    };
    let key = share_text(key)?;
    let body = json!({"key": key.expose(), "nonce": nonce});
    let status = ask(call, "PUT", "update", Some(body));
    let status = status.during(|| String::from("Error posting unseal key"))?;
    print(call, &status)
}

fn no_prompt(error: &std::io::Error) -> Failure {
    Failure::usage(format!(
        "An error occurred attempting to ask for the unseal key. The raw error message
is shown below, but usually this is because you attempted to pipe a value into
the command or you are executing outside of a terminal (tty). If you want to
pipe the value, pass \"-\" as the argument to read from stdin. The raw error
was: {error}"
    ))
}

fn from_stdin(call: &Call) -> Result<SecretString, Failure> {
    let read = call.secret_from_stdin();
    read.map_err(|error| Failure::Local(error.to_string()))
}

fn status(call: &mut Call) -> Result<Value, Failure> {
    let status = ask(call, "GET", "attempt", None);
    status.during(|| String::from("Error getting root generation status"))
}

/// Asks the endpoints of the kind of token that is wanted. A server that has shut Vault's endpoints
/// for root tokens may have OpenBao's: an answer of 404 or 405 has changed nothing.
fn ask(
    call: &mut Call,
    method: &'static str,
    what: &str,
    body: Option<Value>,
) -> Result<Value, ClientError> {
    let base = match () {
        () if call.flags.switch("recovery-token") => RECOVERY,
        () if call.flags.switch("dr-token") => DR,
        () => ROOT,
    };
    let at = |base: &str| Ask {
        body: body.clone(),
        ..Ask::new(method, &format!("{base}/{what}")).unwrapped()
    };
    let mut reply = call.client()?.exchange(&at(base))?;
    if base == ROOT && matches!(reply.status, 404 | 405) {
        reply = call.client()?.exchange(&at(ROOT_TWIN))?;
    }
    let answer = reply.accepted()?.json()?;
    Ok(complete(answer.get("data").unwrap_or(&answer)))
}

/// Returns the answer with the fields that OpenBao's endpoints leave out.
fn complete(answer: &Value) -> Value {
    let or = |name: &str, default: Value| answer.get(name).cloned().unwrap_or(default);
    let token = or("encoded_token", or("encoded_root_token", json!("")));
    json!({
        "nonce": or("nonce", json!("")),
        "started": or("started", json!(false)),
        "progress": or("progress", json!(0)),
        "required": or("required", json!(0)),
        "complete": or("complete", json!(false)),
        "encoded_token": token.clone(),
        "encoded_root_token": or("encoded_root_token", token),
        "pgp_fingerprint": or("pgp_fingerprint", json!("")),
        "otp": or("otp", json!("")),
        "otp_length": or("otp_length", json!(0)),
    })
}

fn print(call: &Call, status: &Value) -> Outcome {
    if !call.is_table() {
        return call.print_value(status, &ORDER);
    }
    let field = |name: &str| status.get(name).map(plain).unwrap_or_default();
    let progress = format!("{}/{}", field("progress"), field("required"));
    let rows = [
        ("Nonce", field("nonce"), true),
        ("Started", field("started"), true),
        ("Progress", progress, true),
        ("Complete", field("complete"), true),
        ("PGP Fingerprint", field("pgp_fingerprint"), false),
        ("OTP", field("otp"), false),
        (
            "OTP Length",
            field("otp_length").trim_start_matches('0').to_owned(),
            false,
        ),
        ("Encoded Token", field("encoded_token"), false),
    ];
    let shown = rows.into_iter().filter(|row| row.2 || !row.1.is_empty());
    let shown: Vec<Vec<String>> = shown.map(|row| vec![row.0.to_owned(), row.1]).collect();
    call.out(&columns(&shown, "    "));
    Ok(0)
}

/// Prints a secret for a pipe: bare, or in an object of one field.
fn print_secret(call: &Call, name: &str, secret: &SecretString) -> Outcome {
    if call.is_table() {
        call.out_bare(secret.expose());
        return Ok(0);
    }
    call.print_value(&json!({name: secret.expose()}), &Order::BY_NAME)
}

fn text<'a>(status: &'a Value, name: &str) -> &'a str {
    status.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn number(status: &Value, name: &str) -> u64 {
    status.get(name).and_then(Value::as_u64).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_openbaos_endpoints_leave_out_is_filled_in() {
        let status = complete(&json!({"started": true, "encoded_token": "abc", "progress": 2}));
        assert_eq!(status["encoded_root_token"], "abc");
        assert_eq!(
            (text(&status, "nonce"), number(&status, "progress")),
            ("", 2)
        );
        assert_eq!(complete(&json!(null))["started"], false);
    }
}
