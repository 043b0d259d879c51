//! `operator key-status`, `operator rotate`.

use serde_json::{Value, json};

use crate::cli::call::Call;
use crate::cli::client::{Ask, ClientError};
use crate::cli::failure::{During, Failure, Outcome};
use crate::cli::output::{Order, columns, plain};
use crate::cli::verb::{Arity, FlagKind, SharedFlags, Verb, flag};

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// `operator key-status`.
pub static KEY_STATUS: Verb = Verb {
    name: "key-status",
    about: "Provides information about the active encryption key",
    usage: "",
    arity: Arity::exactly(0),
    flags: &[],
    shared: SharedFlags::Format,
    run: key_status,
};

/// `operator rotate`.
pub static ROTATE: Verb = Verb {
    name: "rotate",
    about: "Rotates the underlying encryption key",
    usage: "",
    arity: Arity::exactly(0),
    flags: &[
        flag(
            "cancel",
            FlagKind::Switch,
            "Stop the re-encryption; what is done stays done.",
        ),
        flag(
            "end-batch-tokens",
            FlagKind::Switch,
            "With -rewrap: drop the older keys at once, with the batch tokens under them.",
        ),
        flag(
            "rewrap",
            FlagKind::Switch,
            "Also encrypt anew, in the background, what older keys encrypted, and drop those.",
        ),
        flag(
            "status",
            FlagKind::Switch,
            "Only print how the re-encryption stands.",
        ),
    ],
    shared: SharedFlags::Format,
    run: rotate,
};

/// The endpoint of re-encryption, which is ours.
const REWRAP: &str = "sys/rotate/rewrap";

static ORDER: Order = Order::of(&["term", "install_time", "encryptions"]);

fn key_status(call: &mut Call) -> Outcome {
    let status = fetch(call).during(|| String::from("Error reading key status"))?;
    print(call, &status)
}

fn rotate(call: &mut Call) -> Outcome {
    let [cancel, end_batch_tokens, rewrap, status] =
        ["cancel", "end-batch-tokens", "rewrap", "status"].map(|flag| call.flags.switch(flag));
    if [cancel, rewrap, status]
        .iter()
        .filter(|given| **given)
        .count()
        > 1
    {
        return Err(Failure::usage("Give one of -cancel, -rewrap and -status"));
    }
    if end_batch_tokens && !rewrap {
        return Err(Failure::usage("-end-batch-tokens goes with -rewrap"));
    }
    match () {
        () if cancel => {
            let reply = call.send(&Ask::delete(REWRAP).unwrapped());
            reply.during(|| String::from("Error stopping the re-encryption"))?;
            call.succeed("The re-encryption is stopped")
        }
        () if status => {
            let progress = call.read(&Ask::get(REWRAP));
            let progress = progress.during(|| String::from("Error reading the re-encryption"))?;
            progress.map_or(Ok(0), |progress| call.print_secret(&progress))
        }
        () if rewrap => {
            rotate_key(call)?;
            let ask = Ask::post(REWRAP, json!({ "end_batch_tokens": end_batch_tokens }));
            let reply = call.send(&ask);
            reply.during(|| String::from("Error starting the re-encryption"))?;
            call.succeed(
                "What older keys encrypted is encrypted anew in the background; \
                 \"operator rotate -status\" tells how far it is",
            )
        }
        () => rotate_key(call),
    }
}

fn rotate_key(call: &mut Call) -> Outcome {
    let reply = call.send(&Ask::new("POST", "sys/rotate").unwrapped());
    reply.during(|| String::from("Error rotating key"))?;
    let status = fetch(call).during(|| String::from("Error reading key status"))?;
    call.succeed("Rotated key\n")?;
    print(call, &status)
}

fn fetch(call: &mut Call) -> Result<Value, ClientError> {
    let answer = call.send(&Ask::get("sys/key-status"))?.json()?;
    let field = |name: &str| {
        let value = answer.get("data").and_then(|data| data.get(name));
        value
            .or_else(|| answer.get(name))
            .cloned()
            .unwrap_or_default()
    };
    Ok(json!({
        "term": field("term"),
        "install_time": field("install_time"),
        "encryptions": field("encryptions"),
    }))
}

fn print(call: &Call, status: &Value) -> Outcome {
    if !call.is_table() {
        return call.print_value(status, &ORDER);
    }
    let field = |name: &str| status.get(name).map(plain).unwrap_or_default();
    let rows = [
        ("Key Term", field("term")),
        ("Install Time", rfc822(&field("install_time"))),
        ("Encryption Count", field("encryptions")),
    ];
    let rows = rows.map(|(key, value)| vec![String::from(key), value]);
    call.out(&columns(&rows, "    "));
    Ok(0)
}

/// Formats an RFC 3339 time in UTC as `22 Nov 26 05:18 UTC`; any other text stays as it is.
fn rfc822(text: &str) -> String {
    let parts = || {
        let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
        let mut date = date.split('-');
        let (year, month, day) = (date.next()?.get(2..)?, date.next()?, date.next()?);
        let month = MONTHS.get(month.parse::<usize>().ok()?.checked_sub(1)?)?;
        Some(format!("{day} {month} {year} {} UTC", time.get(..5)?))
    };
    parts().unwrap_or_else(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_as_vault_prints_them() {
        assert_eq!(
            rfc822("2026-11-22T05:18:50.484458186Z"),
            "22 Nov 26 05:18 UTC"
        );
        for odd in [
            "",
            "2026",
            "2026-13-01T00:00:00Z",
            "2026-11-22T05:18:50+01:00",
        ] {
            assert_eq!(rfc822(odd), odd);
        }
    }
}
