//! One attempt to make a token with the unseal shares.
//!
//! The client that starts it gives a one-time password, or is given one. Holders of shares then
//! bring them under the attempt's nonce, from wherever they are. The answer to the last of them
//! carries the token, XORed with the password: only the client that started it can read it.

use crate::barrier::SealConfig;
use crate::engine::Error;
use crate::engine::table::Fields;
use crate::seal::{Collected, SealError, UnsealProgress};
use crate::secret::{Key256, Secret, SecretString, random_text};
use crate::sys::open::decode_key;
use crate::token::{RANDOM_CHARS, SERVICE_PREFIX};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde_json::{Map, Value, json};
use tokio::sync::Mutex;

/// At most one attempt, in memory only; dropping it wipes the shares.
pub(in crate::sys) struct Generation {
    token_chars: usize,
    attempt: Option<Attempt>,
}

struct Attempt {
    nonce: String,
    otp: SecretString,
    progress: UnsealProgress,
}

/// The attempts of both doors. They end when this node seals or steps down.
pub struct RootGenerations {
    pub(super) open: Mutex<Generation>,
    pub(super) authenticated: Mutex<Generation>,
}

impl Default for RootGenerations {
    fn default() -> Self {
        let one = || Mutex::new(Generation::new(SERVICE_PREFIX.len() + RANDOM_CHARS));
        Self {
            open: one(),
            authenticated: one(),
        }
    }
}

/// The outcome of a share.
pub(in crate::sys) enum Given {
    /// More shares are needed; the answer says how many.
    Waiting(Map<String, Value>),
    /// There were enough shares: the key that they make, to be checked. Collecting has started
    /// over.
    Key(Key256),
}

impl Generation {
    /// Creates the state in which no attempt is under way. Tokens have `token_chars` characters,
    /// and so have passwords.
    pub fn new(token_chars: usize) -> Self {
        Self {
            token_chars,
            attempt: None,
        }
    }

    /// Returns the state of the attempt as the API answers it.
    pub fn status(&self, config: SealConfig) -> Map<String, Value> {
        let mut status = self.answer(config);
        status.insert("otp_length".into(), self.token_chars.into());
        status
    }

    /// Begins an attempt. The answer holds the password when the caller brought none.
    pub fn start(
        &mut self,
        config: SealConfig,
        fields: &Fields<'_>,
    ) -> Result<Map<String, Value>, Error> {
        if !text(fields, "pgp_key").expose().is_empty() {
            return Err(Error::invalid(
                "pgp_key is not supported by this server: give an otp, or nothing and one is made",
            ));
        }
        let otp = text(fields, "otp");
        let is_made = otp.expose().is_empty();
        if !is_made && otp.expose().len() != self.token_chars {
            return Err(Error::invalid("OTP string has incorrect length"));
        }
        if self.attempt.is_some() {
            return Err(Error::invalid("root generation already in progress"));
        }
        let otp = match is_made {
            true => random_text(self.token_chars),
            false => otp,
        };
        let shown = is_made.then(|| json!(otp.expose()));
        self.attempt = Some(Attempt {
            nonce: uuid::Uuid::new_v4().to_string(),
            otp,
            progress: UnsealProgress::new(),
        });
        let mut status = self.status(config);
        if let Some(shown) = shown {
            status.insert("otp".into(), shown);
        }
        Ok(status)
    }

    /// Forgets the attempt and its shares, if there is one.
    pub fn cancel(&mut self) {
        self.attempt = None;
    }

    /// Takes one share. When the last of a set does not fit the others, collecting starts over with
    /// the same nonce and password.
    pub fn submit(&mut self, config: SealConfig, fields: &Fields<'_>) -> Result<Given, Error> {
        let key = text(fields, "key");
        if key.expose().is_empty() {
            let message = "'key' must be specified in request body as JSON";
            return Err(Error::invalid(message));
        }
        let share = decode_key(key.expose())
            .ok_or_else(|| Error::invalid("'key' must be a valid hex or base64 string"))?;
        let nonce = text(fields, "nonce");
        let Some(attempt) = &mut self.attempt else {
            return Err(Error::invalid("no root generation in progress"));
        };
        if *nonce.expose() != attempt.nonce {
            return Err(Error::invalid(format!(
                "incorrect nonce supplied; nonce for this root generation operation is {:?}",
                attempt.nonce
            )));
        }
        if attempt.progress.holds(&share) {
            let message = "given key has already been provided during this generation operation";
            return Err(Error::invalid(message));
        }
        let collected = attempt.progress.submit(config, share);
        match collected {
            Ok(Collected::Waiting) => Ok(Given::Waiting(self.answer(config))),
            Ok(Collected::Key(key)) => Ok(Given::Key(key)),
            Err(error @ (SealError::TooShort | SealError::TooLong)) => {
                Err(Error::invalid(error.to_string()))
            }
            Err(error) => Err(Error::invalid(aborted(&error))),
        }
    }

    /// Ends the attempt, and answers with `token` XORed with the password.
    pub fn finish(&mut self, config: SealConfig, token: &SecretString) -> Map<String, Value> {
        let mut answer = self.answer(config);
        let Some(attempt) = self.attempt.take() else {
            return answer;
        };
        let pairs = token.expose().bytes().zip(attempt.otp.expose().bytes());
        let encoded: Vec<u8> = pairs.map(|(token, otp)| token ^ otp).collect();
        let encoded = json!(STANDARD_NO_PAD.encode(encoded));
        answer.insert("progress".into(), config.threshold.into());
        answer.insert("complete".into(), true.into());
        answer.insert("encoded_token".into(), encoded.clone());
        answer.insert("encoded_root_token".into(), encoded);
        answer
    }

    fn answer(&self, config: SealConfig) -> Map<String, Value> {
        let attempt = self.attempt.as_ref();
        let fields = [
            ("nonce", json!(attempt.map_or("", |attempt| &attempt.nonce))),
            ("started", attempt.is_some().into()),
            (
                "progress",
                attempt.map_or(0, |attempt| attempt.progress.count()).into(),
            ),
            ("required", config.threshold.into()),
            ("complete", false.into()),
            ("encoded_token", "".into()),
            ("encoded_root_token", "".into()),
            ("pgp_fingerprint", "".into()),
            ("otp", "".into()),
            ("otp_length", 0.into()),
        ];
        Map::from_iter(fields.map(|(name, value)| (name.to_owned(), value)))
    }
}

/// Returns the message of a failed attempt in Vault's words, so that scripts that look for them
/// find them.
pub(in crate::sys) fn aborted(why: &dyn std::fmt::Display) -> String {
    format!("root generation aborted: unable to authenticate: {why}")
}

fn text(fields: &Fields<'_>, name: &str) -> SecretString {
    fields
        .secret(name)
        .unwrap_or_else(|| Secret::new(String::new()))
}
