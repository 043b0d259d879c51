//! The state of one verb: its flags, its client and its output.

use std::cell::Cell;
use std::io::{self, IsTerminal, Read, Write};

use serde_json::{Map, Value};

use crate::secret::{Secret, SecretString};

use super::client::{Ask, Client, ClientError, Reply};
use super::envelope::{ENVELOPE, Envelope};
use super::failure::{Failure, Outcome};
use super::flags::Flags;
use super::output::{self, Format, Order};
use super::{connection, data};

/// The longest line or key that is read from standard input, in bytes.
const LINE_BYTES_MAX: u64 = 64 << 10;

/// The state of one verb: its flags, its client and its output.
pub struct Call {
    /// The program's name as it was called: `coffer`, `vault`, `bao`.
    pub program: String,
    /// The flags, and the words behind them.
    pub flags: Flags,
    /// The format of the output.
    pub format: Format,
    client: Option<Client>,
    /// The first error that lost output.
    lost: Cell<Option<io::Error>>,
}

impl Call {
    /// Starts a call; no request is made yet.
    pub fn new(program: String, flags: Flags, format: Format) -> Self {
        Self {
            program,
            flags,
            format,
            client: None,
            lost: Cell::new(None),
        }
    }

    /// Returns the word at this place behind the flags, or the empty text.
    pub fn word(&self, at: usize) -> &str {
        self.flags
            .words
            .get(at)
            .map(String::as_str)
            .unwrap_or_default()
    }

    /// Returns the words from this place on.
    pub fn words_from(&self, at: usize) -> &[String] {
        self.flags.words.get(at..).unwrap_or_default()
    }

    /// Reads the words from this place on as data; `-` reads standard input.
    pub fn data_from(&self, at: usize) -> Result<Map<String, Value>, Failure> {
        Ok(data::parse_data(self.words_from(at), io::stdin())?)
    }

    /// Returns the client, which is made at first use.
    pub fn client(&mut self) -> Result<&mut Client, ClientError> {
        let client = match self.client.take() {
            Some(client) => client,
            None => Client::new(connection::options(&self.program, &self.flags)?)?,
        };
        Ok(self.client.insert(client))
    }

    /// Makes a request; an error status is an error.
    pub fn send(&mut self, ask: &Ask) -> Result<Reply, ClientError> {
        self.client()?.send(ask)
    }

    /// Makes a request and reads its answer, if it has one.
    pub fn write(&mut self, ask: &Ask) -> Result<Option<Envelope>, ClientError> {
        Ok(Envelope::read(&self.send(ask)?.json()?))
    }

    /// Makes a request as [`Call::write`] does, but takes 404 for an empty or partial answer.
    pub fn read(&mut self, ask: &Ask) -> Result<Option<Envelope>, ClientError> {
        let reply = self.client()?.exchange(ask)?;
        if reply.status != 404 {
            return Ok(Envelope::read(&reply.accepted()?.json()?));
        }
        Ok(reply.json().ok().as_ref().and_then(Envelope::read))
    }

    /// Returns true if the output is for people.
    pub fn is_table(&self) -> bool {
        self.format == Format::Table
    }

    /// Prints a line.
    pub fn out(&self, text: &str) {
        self.put(&[text.as_bytes(), b"\n"]);
    }

    /// Prints bytes, which need not be text, and a newline.
    pub fn out_bytes(&self, bytes: &[u8]) {
        self.put(&[bytes, b"\n"]);
    }

    fn put(&self, parts: &[&[u8]]) {
        let mut stdout = io::stdout().lock();
        let mut parts = parts.iter();
        let written = parts.try_for_each(|part| stdout.write_all(part));
        match written.and_then(|()| stdout.flush()) {
            Ok(()) => {}
            // A reader that went away is no failure of this program.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            Err(error) => {
                let first = self.lost.take().unwrap_or(error);
                self.lost.set(Some(first));
            }
        }
    }

    /// Returns the error that lost output, if any did; the verb then failed.
    pub fn lost_output(&self) -> Option<io::Error> {
        self.lost.take()
    }

    /// Prints without a newline, but with one on a terminal.
    pub fn out_bare(&self, text: &str) {
        if io::stdout().is_terminal() {
            return self.out(text);
        }
        self.put(&[text.as_bytes()]);
    }

    /// Prints a line on standard error.
    pub fn err(&self, text: &str) {
        let _ = writeln!(io::stderr().lock(), "{text}");
    }

    /// Prints a value as YAML if that was asked for, else as JSON.
    pub fn print_value(&self, value: &Value, order: &Order) -> Outcome {
        match self.format {
            Format::Yaml => self.out(output::to_yaml(value).trim_end_matches('\n')),
            _ => self.out(&output::to_json(value, order)),
        }
        Ok(0)
    }

    /// Prints one field's value.
    pub fn print_field(&self, value: &Value) -> Outcome {
        match self.format {
            Format::Yaml => self.out_bare(&output::to_yaml(value)),
            Format::Json => self.out_bare(&output::to_json(value, &Order::BY_NAME)),
            Format::Table | Format::Raw => self.out_bare(&output::plain(value)),
        }
        Ok(0)
    }

    /// Prints an answer, or the one field of it that `-field` names.
    pub fn print_secret(&self, secret: &Envelope) -> Outcome {
        if let Some(name) = self.flags.text("field") {
            self.warn(&secret.warnings);
            let value = secret.field(name);
            return self.print_field(&value.ok_or_else(|| no_field(name))?);
        }
        if !self.is_table() {
            return self.print_value(&secret.to_value(), &ENVELOPE);
        }
        self.warn(&secret.warnings);
        let rows = output::secret_rows(secret);
        if !rows.is_empty() {
            self.out(&output::pairs(rows));
        }
        Ok(0)
    }

    /// Prints the answer of a write, or a success if there is none.
    pub fn print_written(&self, secret: Option<&Envelope>, path: &str) -> Outcome {
        match secret {
            Some(secret) => self.print_secret(secret),
            None => self.succeed(&format!("Data written to: {path}")),
        }
    }

    /// Prints a success, to people only.
    pub fn succeed(&self, what: &str) -> Outcome {
        if self.is_table() {
            self.out(&format!("Success! {what}"));
        }
        Ok(0)
    }

    /// Prints the server's warnings.
    pub fn warn(&self, warnings: &[String]) {
        if warnings.is_empty() {
            return;
        }
        self.err("WARNING! The following warnings were returned from Vault:\n");
        for warning in warnings {
            self.err(&output::wrap(&format!("* {warning}"), 2));
            self.err("");
        }
    }

    /// Asks for a key or a token on the terminal, without echo; drops blanks around it.
    pub fn prompt(&self, question: &str) -> io::Result<SecretString> {
        let typed = self.prompt_password(question)?;
        Ok(Secret::new(typed.expose().trim().to_owned()))
    }

    /// Asks as [`Call::prompt`] does, but keeps every blank: it may be part of a password.
    pub fn prompt_password(&self, question: &str) -> io::Result<SecretString> {
        if self.flags.switch("non-interactive") {
            return Err(io::Error::other("-non-interactive is set"));
        }
        if !io::stdin().is_terminal() {
            // Scripts look for these words of Vault's client.
            return Err(io::Error::other("file descriptor 0 is not a terminal"));
        }
        rpassword::prompt_password(question).map(Secret::new)
    }

    /// Reads a secret from standard input; drops blanks around it.
    pub fn secret_from_stdin(&self) -> io::Result<SecretString> {
        let mut text = zeroize::Zeroizing::new(String::new());
        let mut stdin = io::stdin().lock().take(LINE_BYTES_MAX);
        stdin.read_to_string(&mut text)?;
        Ok(Secret::new(text.trim().to_owned()))
    }
}

/// Returns the failure of `-field` with an unknown name.
pub fn no_field(name: &str) -> Failure {
    Failure::usage(format!("Field {name:?} not present in secret"))
}
