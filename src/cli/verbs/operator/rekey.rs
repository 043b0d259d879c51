//! `operator rekey`: new unseal keys, or new recovery keys, from the present ones.

use serde_json::{Value, json};

use crate::cli::age_recipients::AGE_RECIPIENTS;
use crate::cli::call::Call;
use crate::cli::client::{Ask, ClientError, Reply};
use crate::cli::envelope::Envelope;
use crate::cli::failure::{During, Failure, Outcome};
use crate::cli::output::{Order, pairs, plain, wrap};
use crate::cli::pgp_keys::pgp_keys;
use crate::cli::share::{ask_share, share_text};
use crate::cli::sheet::SHEET;
use crate::cli::verb::{Arity, Flag, FlagKind, SharedFlags, Verb, flag};
use crate::secret::{Secret, SecretString};

use super::new_keys::{Handing, print_keys, refuse};

/// `operator rekey`.
pub static REKEY: Verb = Verb {
    name: "rekey",
    about: "Generates new unseal keys, or new recovery keys",
    usage: "[KEY | -]",
    arity: Arity::between(0, 1),
    flags: &[
        AGE_RECIPIENTS,
        flag(
            "backup",
            FlagKind::Switch,
            "With -pgp-keys: have the server keep the encrypted keys until -backup-delete.",
        ),
        flag(
            "backup-delete",
            FlagKind::Switch,
            "Delete the encrypted keys that the server keeps.",
        ),
        flag(
            "backup-retrieve",
            FlagKind::Switch,
            "Print the encrypted keys that the server keeps.",
        ),
        flag(
            "cancel",
            FlagKind::Switch,
            "Forget the rekey and the keys entered so far. Needs -nonce until 10 minutes after its \
             start.",
        ),
        flag(
            "emergency-shares",
            FlagKind::Number,
            "How many emergency shares to make of a new key that a provider keeps: they open where \
             the provider is gone. 0 ends those that there are.",
        ),
        flag(
            "emergency-threshold",
            FlagKind::Number,
            "How many emergency shares open.",
        ),
        flag(
            "init",
            FlagKind::Switch,
            "Start a rekey. With -verify the new keys are active only once they were given back.",
        ),
        Flag {
            name: "key-shares",
            alias: Some("n"),
            kind: FlagKind::Number,
            help: "Into how many shares to split the new key. The default is 5.",
        },
        Flag {
            name: "key-threshold",
            alias: Some("t"),
            kind: FlagKind::Number,
            help: "How many shares make up the new key. The default is 3.",
        },
        flag("nonce", FlagKind::Text, "The nonce that -init printed."),
        flag(
            "pgp-keys",
            FlagKind::Texts,
            "Files of public PGP keys, with commas between them: each new key is encrypted to the \
             one at its place.",
        ),
        SHEET,
        flag(
            "status",
            FlagKind::Switch,
            "Only print how the rekey stands.",
        ),
        flag(
            "target",
            FlagKind::Text,
            "The keys to replace: barrier, or recovery where a provider unseals. The default is \
             barrier.",
        ),
        flag(
            "verify",
            FlagKind::Switch,
            "Give, cancel or show the keys that verify the new key.",
        ),
    ],
    shared: SharedFlags::Format,
    run,
};

pub(super) static ORDER: Order = Order::of(&[
    "nonce",
    "complete",
    "started",
    "t",
    "n",
    "progress",
    "required",
    "keys",
    "keys_base64",
    "keys_age",
    "sheets",
    "pgp_fingerprints",
    "backup",
    "verification_required",
    "verification_nonce",
]);

/// The keys that are replaced.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum RekeyTarget {
    Barrier,
    Recovery,
}

impl RekeyTarget {
    fn of(call: &Call) -> Result<Self, Failure> {
        match call.flags.text("target").map(str::trim) {
            None | Some("" | "barrier") => Ok(Self::Barrier),
            Some("recovery" | "hsm") => Ok(Self::Recovery),
            Some(other) => Err(Failure::usage(format!("Unknown target: {other}"))),
        }
    }

    /// Returns Vault's endpoints, which take no token, and OpenBao's, which take one: a server may
    /// have shut the first.
    const fn bases(self) -> [&'static str; 2] {
        match self {
            Self::Barrier => ["sys/rekey", "sys/rotate/root"],
            Self::Recovery => ["sys/rekey-recovery-key", "sys/rotate/recovery"],
        }
    }

    /// Returns the endpoints of the backup, in the same order.
    const fn backups(self) -> [&'static str; 2] {
        match self {
            Self::Barrier => ["sys/rekey/backup", "sys/rotate/root/backup"],
            Self::Recovery => [
                "sys/rekey/recovery-key-backup",
                "sys/rotate/recovery/backup",
            ],
        }
    }

    pub(super) const fn key(self) -> &'static str {
        match self {
            Self::Barrier => "unseal",
            Self::Recovery => "recovery",
        }
    }
}

fn run(call: &mut Call) -> Outcome {
    let target = RekeyTarget::of(call)?;
    let others = [
        "backup-delete",
        "backup-retrieve",
        "cancel",
        "init",
        "status",
    ];
    if others.iter().any(|name| call.flags.switch(name)) {
        refuse(call)?;
    }
    match () {
        () if call.flags.switch("backup-delete") => delete_backup(call, target),
        () if call.flags.switch("backup-retrieve") => show_backup(call, target),
        () if call.flags.switch("cancel") => cancel(call, target),
        () if call.flags.switch("init") => start(call, target),
        () if call.flags.switch("status") => {
            let status = status(call, target, "Error reading rekey status")?;
            print_status(call, &status)
        }
        () => give(call, target),
    }
}

/// Returns the endpoint that tells of what the caller asks about: the rekey, or its verification.
fn about(call: &Call) -> &'static str {
    match call.flags.switch("verify") {
        true => "verify",
        false => "init",
    }
}

fn cancel(call: &mut Call, target: RekeyTarget) -> Outcome {
    let what = about(call);
    let nonce = call.flags.text("nonce").unwrap_or_default();
    let body = (!nonce.is_empty()).then(|| json!({"nonce": nonce}));
    let reply = ask(call, target, "DELETE", what, body);
    reply.during(|| String::from("Error canceling rekey"))?;
    call.succeed("Canceled rekeying (if it was started)")
}

fn start(call: &mut Call, target: RekeyTarget) -> Outcome {
    let keys = pgp_keys(&call.flags, "pgp-keys")?;
    let (is_covered, backup) = (!keys.is_empty(), call.flags.switch("backup"));
    let mut body = json!({
        "pgp_keys": keys,
        "backup": backup,
        "secret_shares": call.flags.number("key-shares").unwrap_or(5),
        "secret_threshold": call.flags.number("key-threshold").unwrap_or(3),
        "require_verification": call.flags.switch("verify"),
    });
    for (flag, field) in [
        ("emergency-shares", "emergency_shares"),
        ("emergency-threshold", "emergency_threshold"),
    ] {
        if let (Some(number), Some(body)) = (call.flags.number(flag), body.as_object_mut()) {
            body.insert(field.into(), number.into());
        }
    }
    let status = ask(call, target, "PUT", "init", Some(body));
    let status = status.during(|| String::from("Error initializing rekey"))?;
    if !call.is_table() {
        return call.print_value(&status, &ORDER);
    }
    let has_shares = number(&status, "n") > 0;
    match (is_covered, backup) {
        (false, _) if has_shares => call.err(&no_cover(target)),
        (true, false) => call.err(&no_backup(target)),
        _ => {}
    }
    if !has_shares {
        call.out("\nRotating barrier root key using recovery shares.");
    }
    call.out("");
    print_rekey(call, &status)
}

fn no_cover(target: RekeyTarget) -> String {
    let text = format!(
        "WARNING! If you lose the keys after they are returned, there is no recovery. Consider \
         canceling this operation and re-initializing with the -pgp-keys flag to protect the \
         returned {} keys along with -backup to allow recovery of the encrypted keys in case of \
         emergency. You can delete the stored keys later using the -backup-delete flag.",
        target.key()
    );
    wrap(&text, 0)
}

fn no_backup(target: RekeyTarget) -> String {
    let key = target.key();
    let text = format!(
        "WARNING! You are using PGP keys for encryption of resulting {key} keys, but you did not \
         enable the option to backup the keys to Vault's core. If you lose the encrypted keys \
         after they are returned, you will not be able to recover them. Consider canceling this \
         operation and re-running with -backup to allow recovery of the encrypted {key} keys in \
         case of emergency. You can delete the backed up keys later using the -backup-delete flag."
    );
    wrap(&text, 0)
}

fn show_backup(call: &mut Call, target: RekeyTarget) -> Outcome {
    let reply = ask_twins(call, target.backups(), "GET", None).and_then(|reply| reply.json());
    let answer = reply.during(|| String::from("Error retrieving rekey backed up keys"))?;
    let envelope = Envelope::read(&answer).ok_or(Failure::Answer("keys"))?;
    call.print_secret(&envelope)
}

fn delete_backup(call: &mut Call, target: RekeyTarget) -> Outcome {
    let reply = ask_twins(call, target.backups(), "DELETE", None);
    reply.during(|| String::from("Error deleting rekey backed up keys"))?;
    call.succeed("Deleted backed up keys (if they existed)")
}

fn give(call: &mut Call, target: RekeyTarget) -> Outcome {
    let status = status(call, target, "Error getting rekey status")?;
    if status.get("started") != Some(&Value::Bool(true)) {
        return Err(Failure::usage(wrap(
            &format!(
                "No rekey is in progress. Start a rekey process by running \"{} operator rekey \
                 -init\".",
                call.program
            ),
            0,
        )));
    }
    let handing = Handing::prepare(call, target, &status)?;
    let (key, nonce) = key(call, target, &status)?;
    let what = match call.flags.switch("verify") {
        true => "verify",
        false => "update",
    };
    let body = json!({"key": key.expose(), "nonce": nonce});
    let answer = ask(call, target, "PUT", what, Some(body));
    let answer = answer.during(|| String::from("Error posting unseal key"))?;
    if let Some(warnings) = answer.get("warnings").and_then(Value::as_array) {
        let warnings = warnings.iter().filter_map(Value::as_str).map(str::to_owned);
        call.warn(&warnings.collect::<Vec<_>>());
    }
    match (answer.get("complete"), what) {
        (Some(Value::Bool(true)), "verify") if call.is_table() => {
            call.out(
                "Rekey verification successful. The rekey operation is complete and the new\n\
                 keys are now active.",
            );
            Ok(0)
        }
        (Some(Value::Bool(true)), "update") => print_keys(call, target, &status, answer, handing),
        _ => print_status(call, &answer),
    }
}

/// Returns the key to be given, from the command line, standard input or the terminal, and its
/// nonce.
fn key(
    call: &mut Call,
    target: RekeyTarget,
    status: &Value,
) -> Result<(SecretString, String), Failure> {
    let nonce = call.flags.text("nonce").unwrap_or_default().to_owned();
    match call.word(0) {
        "" => {
            let nonce = text(status, "nonce").to_owned();
            call.out(&format!("Rekey operation nonce: {nonce}"));
            let (first, rest) = target.key().split_at(1);
            let question = format!("{}{rest} Key (will be hidden): ", first.to_uppercase());
            let key = ask_share(call, &question);
            let key = key.map_err(|error| no_prompt(target, &error))?;
            Ok((share_text(key)?, nonce))
        }
        _ if nonce.is_empty() => Err(Failure::usage(
            "Missing nonce value: specify it via the -nonce flag",
        )),
        "-" => {
            let read = call.secret_from_stdin();
            let key = read.map_err(|error| Failure::Local(error.to_string()))?;
            Ok((share_text(key)?, nonce))
        }
        word => Ok((share_text(Secret::new(word.trim().to_owned()))?, nonce)),
    }
}

fn no_prompt(target: RekeyTarget, error: &std::io::Error) -> Failure {
    let text = format!(
        "An error occurred attempting to ask for the {} key. The raw error message is shown below, \
         but usually this is because you attempted to pipe a value into the command or you are \
         executing outside of a terminal (tty). If you want to pipe the value, pass \"-\" as the \
         argument to read from stdin. The raw error was: {error}",
        target.key()
    );
    Failure::usage(wrap(&text, 0))
}

fn status(call: &mut Call, target: RekeyTarget, during: &str) -> Result<Value, Failure> {
    let what = about(call);
    let status = ask(call, target, "GET", what, None);
    status.during(|| during.to_owned())
}

/// Asks the first path, and the second where there is no such endpoint or it is shut: then the
/// first has changed nothing.
fn ask_twins(
    call: &mut Call,
    [path, twin]: [&str; 2],
    method: &'static str,
    body: Option<Value>,
) -> Result<Reply, ClientError> {
    let at = |path: &str| Ask {
        body: body.clone(),
        ..Ask::new(method, path).unwrapped()
    };
    let mut reply = call.client()?.exchange(&at(path))?;
    if matches!(reply.status, 404 | 405) {
        reply = call.client()?.exchange(&at(twin))?;
    }
    reply.accepted()
}

/// Asks the endpoints of the target.
fn ask(
    call: &mut Call,
    target: RekeyTarget,
    method: &'static str,
    what: &str,
    body: Option<Value>,
) -> Result<Value, ClientError> {
    let paths = target.bases().map(|base| format!("{base}/{what}"));
    let reply = ask_twins(call, paths.each_ref().map(String::as_str), method, body)?;
    if method == "DELETE" {
        return Ok(Value::Null);
    }
    let answer = reply.json()?;
    let mut fields = answer.get("data").unwrap_or(&answer).clone();
    let warnings = answer.get("warnings").filter(|it| it.is_array());
    if let (Some(warnings), Some(fields)) = (warnings, fields.as_object_mut()) {
        fields.insert("warnings".into(), warnings.clone());
    }
    match what {
        "verify" => {}
        "init" => fill(&mut fields, STATUS),
        _ if fields.get("complete").is_some() => fill(&mut fields, MADE),
        _ => fill(&mut fields, STATUS),
    }
    Ok(fields)
}

/// The fields that OpenBao's endpoints leave out, or all where they are nothing, as Vault's client
/// prints them.
const STATUS: &str = r#"{"nonce":"","progress":0,"pgp_fingerprints":null,"backup":false,
    "verification_required":false,"verification_nonce":""}"#;
const MADE: &str = r#"{"pgp_fingerprints":null,"backup":false,"verification_required":false}"#;

fn fill(fields: &mut Value, defaults: &str) {
    let defaults: Value = serde_json::from_str(defaults).unwrap_or_default();
    let (Some(fields), Value::Object(defaults)) = (fields.as_object_mut(), defaults) else {
        return;
    };
    for (name, value) in defaults {
        fields.entry(name).or_insert(value);
    }
}

fn print_status(call: &Call, status: &Value) -> Outcome {
    match (call.is_table(), call.flags.switch("verify")) {
        (false, _) => call.print_value(status, &ORDER),
        (true, false) => print_rekey(call, status),
        (true, true) => {
            let progress = (number(status, "progress"), number(status, "t"));
            print_verification(call, status, text(status, "nonce"), progress)
        }
    }
}

fn print_rekey(call: &Call, status: &Value) -> Outcome {
    let field = |name: &str| status.get(name).map(plain).unwrap_or_default();
    let mut rows = vec![("Nonce", field("nonce")), ("Started", field("started"))];
    if status.get("started") == Some(&Value::Bool(true)) {
        let progress = format!("{}/{}", field("progress"), field("required"));
        rows.push(("Progress", progress));
        if number(status, "n") > 0 {
            rows.push(("New Shares", field("n")));
            rows.push(("New Threshold", field("t")));
        }
        rows.push(("Verification Required", field("verification_required")));
        let fingerprints = fingerprints(status);
        if !fingerprints.is_empty() {
            rows.push(("PGP Fingerprints", format!("[{}]", fingerprints.join(" "))));
            rows.push(("Backup", field("backup")));
        }
        if !field("verification_nonce").is_empty() {
            rows.push(("Verification Nonce", field("verification_nonce")));
        }
    }
    table(call, rows)
}

pub(super) fn print_verification(
    call: &Call,
    status: &Value,
    nonce: &str,
    (progress, required): (u64, u64),
) -> Outcome {
    let field = |name: &str| status.get(name).map(plain).unwrap_or_default();
    table(
        call,
        vec![
            ("Started", field("started")),
            ("New Shares", field("n")),
            ("New Threshold", field("t")),
            ("Verification Nonce", nonce.to_owned()),
            ("Verification Progress", format!("{progress}/{required}")),
        ],
    )
}

fn table(call: &Call, rows: Vec<(&str, String)>) -> Outcome {
    let rows = rows
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value));
    call.out(&pairs(rows.collect()));
    Ok(0)
}

pub(super) fn fingerprints(status: &Value) -> Vec<&str> {
    let list = status.get("pgp_fingerprints").and_then(Value::as_array);
    let list = list.map(Vec::as_slice).unwrap_or_default();
    list.iter().filter_map(Value::as_str).collect()
}

pub(super) fn text<'a>(status: &'a Value, name: &str) -> &'a str {
    status.get(name).and_then(Value::as_str).unwrap_or_default()
}

pub(super) fn number(status: &Value, name: &str) -> u64 {
    status.get(name).and_then(Value::as_u64).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_openbaos_endpoints_leave_out_is_filled_in() {
        let mut status = json!({"started": false, "n": 0, "t": 0, "required": 2});
        fill(&mut status, STATUS);
        assert_eq!(
            (text(&status, "nonce"), number(&status, "progress")),
            ("", 0)
        );
        assert_eq!(status["verification_nonce"], "");
        let mut made = json!({"complete": true, "verification_nonce": "x"});
        fill(&mut made, MADE);
        assert_eq!(made["verification_nonce"], "x");
        assert_eq!(made["backup"], false);
    }
}
