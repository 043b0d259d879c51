//! The command line: Vault's verbs, flags, output and exit codes. Client verbs speak HTTP only.

mod server;

use std::ffi::OsString;
use std::process::ExitCode;

/// Runs one command line (the program's own name first) and returns the process's exit code.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let words: Vec<String> = args
        .into_iter()
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    match words.get(1).map(String::as_str) {
        Some("server") => server::run(words.get(2..).unwrap_or_default()),
        _ => ExitCode::from(1),
    }
}
