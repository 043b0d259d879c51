//! `version`, `version-history`.

use serde_json::Value;

use crate::cli::call::Call;
use crate::cli::client::Ask;
use crate::cli::envelope::ENVELOPE;
use crate::cli::failure::{During, Failure, Outcome};
use crate::cli::output::{plain, table};
use crate::cli::verb::{Arity, SharedFlags, Verb};

/// `version`.
pub static VERSION: Verb = Verb {
    name: "version",
    about: "Prints the version of this program, not of a server",
    usage: "",
    arity: Arity::at_least(0),
    flags: &[],
    shared: SharedFlags::Nothing,
    run: version,
};

/// `version-history`.
pub static VERSION_HISTORY: Verb = Verb {
    name: "version-history",
    about: "Prints which versions the server has been, and since when",
    usage: "",
    arity: Arity::exactly(0),
    flags: &[],
    shared: SharedFlags::Format,
    run: history,
};

fn version(call: &mut Call) -> Outcome {
    call.out(concat!("Coffer v", env!("CARGO_PKG_VERSION")));
    Ok(0)
}

fn history(call: &mut Call) -> Outcome {
    let answer = call.read(&Ask::list("sys/version-history"));
    let answer = answer.during(|| String::from("Error reading version history"))?;
    let answer = answer.ok_or(Failure::Answer("version history"))?;
    if !call.is_table() {
        return call.print_value(&answer.to_value(), &ENVELOPE);
    }
    let info = answer.data.get("key_info");
    let keys = answer.data.get("keys").and_then(Value::as_array);
    let row = |version: &Value| {
        let version = version.as_str()?;
        let field = |name: &str| {
            let value = info.and_then(|info| info.get(version)?.get(name));
            value
                .filter(|value| !value.is_null())
                .map(plain)
                .unwrap_or_default()
        };
        let built = match field("commit_date") {
            text if text.is_empty() => field("build_date"),
            text => text,
        };
        Some(vec![
            version.to_owned(),
            field("timestamp_installed"),
            built,
        ])
    };
    let rows = keys.into_iter().flatten().filter_map(row).collect();
    call.out(&table(
        &["Version", "Installation Time", "Commit Date"],
        rows,
        "  ",
    ));
    Ok(0)
}
