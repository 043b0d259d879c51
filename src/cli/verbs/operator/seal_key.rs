//! `operator seal-key`: makes the key of a `seal "file"` stanza.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;

use crate::cli::call::Call;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::verb::{Arity, SharedFlags, Verb};
use crate::seal;
use crate::secret::SecretString;

/// `operator seal-key`.
pub static SEAL_KEY: Verb = Verb {
    name: "seal-key",
    about: "Makes a key for a seal \"file\" in a new file, on a stick or wherever it is to be",
    usage: "FILE",
    arity: Arity::exactly(1),
    flags: &[],
    shared: SharedFlags::Nothing,
    run,
};

fn run(call: &mut Call) -> Outcome {
    let path = call.word(0).to_owned();
    let (id, text) = seal::new_stick_key();
    let made = write(&path, &text);
    made.map_err(|error| Failure::Local(format!("{path}: {error}")))?;
    call.out(&format!(
        "Success! Wrote the key {id} to: {path}\nKeep a second copy of it: without the key a \
         cluster that has no other seal never opens again."
    ));
    Ok(0)
}

/// Writes a file that is not there yet.
fn write(path: &str, text: &SecretString) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.expose().as_bytes())?;
    file.sync_all()
}
