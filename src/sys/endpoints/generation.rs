//! One attempt to make a token with the unseal or recovery shares.
//!
//! The client that starts it gives a one-time password or a PGP key, or is given a password.
//! Holders of shares then bring them under the attempt's nonce, from wherever they are. The answer
//! to the last of them carries the token, XORed with the password or encrypted to the key: only the
//! client that started it can read it.

use super::ceremony::is_wrong_key;
use crate::barrier::{BarrierError, SealConfig};
use crate::clock::Timestamp;
use crate::engine::Error;
use crate::engine::table::Fields;
use crate::pgp::PublicKey;
use crate::seal::{Collected, SealError, UnsealProgress};
use crate::secret::{Key256, Secret, SecretString, random_text};
use crate::sys::open::{decode_key, key_texts, public_keys, token_text};
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
    cover: Cover,
    progress: UnsealProgress,
}

/// The protection of the token on its way to the client that began the attempt.
enum Cover {
    /// It is XORed with a password.
    Otp(SecretString),
    /// It is encrypted to a key.
    Holder(Box<PublicKey>),
}

impl Cover {
    fn fingerprint(&self) -> String {
        match self {
            Self::Otp(_) => String::new(),
            Self::Holder(key) => key.fingerprint(),
        }
    }

    fn over(&self, token: &SecretString) -> Result<String, Error> {
        let otp = match self {
            Self::Otp(otp) => otp,
            Self::Holder(key) => return token_text(token.expose(), key),
        };
        let pairs = token.expose().bytes().zip(otp.expose().bytes());
        let encoded: Vec<u8> = pairs.map(|(token, otp)| token ^ otp).collect();
        Ok(STANDARD_NO_PAD.encode(encoded))
    }
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

    /// Begins an attempt. The answer holds the password when the caller brought none, and no key.
    pub async fn start(
        &mut self,
        config: SealConfig,
        fields: &Fields<'_>,
        now: Timestamp,
    ) -> Result<Map<String, Value>, Error> {
        let otp = text(fields, "otp");
        let is_given = !otp.expose().is_empty();
        if is_given && otp.expose().len() != self.token_chars {
            return Err(Error::invalid("OTP string has incorrect length"));
        }
        let key = key_texts(fields, "pgp_key");
        if is_given && !key.is_empty() {
            return Err(Error::invalid("give one of otp and pgp_key, not both"));
        }
        if self.attempt.is_some() {
            return Err(Error::invalid("root generation already in progress"));
        }
        let holders = public_keys(key, now).await?;
        let holders =
            holders.map_err(|error| Error::invalid(format!("error parsing PGP key: {error}")))?;
        let mut shown = None;
        let cover = match holders.into_iter().next() {
            Some(holder) => Cover::Holder(Box::new(holder)),
            None if is_given => Cover::Otp(otp),
            None => {
                let made = random_text(self.token_chars);
                shown = Some(json!(made.expose()));
                Cover::Otp(made)
            }
        };
        self.attempt = Some(Attempt {
            nonce: uuid::Uuid::new_v4().to_string(),
            cover,
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

    /// Ends the attempt, and answers with the covered token.
    pub fn finish(
        &mut self,
        config: SealConfig,
        token: &SecretString,
    ) -> Result<Map<String, Value>, Error> {
        let mut answer = self.answer(config);
        let Some(attempt) = self.attempt.take() else {
            return Ok(answer);
        };
        let encoded = json!(attempt.cover.over(token)?);
        answer.insert("progress".into(), config.threshold.into());
        answer.insert("complete".into(), true.into());
        answer.insert("encoded_token".into(), encoded.clone());
        answer.insert("encoded_root_token".into(), encoded);
        Ok(answer)
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
            (
                "pgp_fingerprint",
                attempt
                    .map_or_else(String::new, |attempt| attempt.cover.fingerprint())
                    .into(),
            ),
            ("otp", "".into()),
            ("otp_length", 0.into()),
        ];
        Map::from_iter(fields.map(|(name, value)| (name.to_owned(), value)))
    }
}

/// Returns the message of a failed attempt in Vault's words, so that scripts that look for them
/// find them.
fn aborted(why: &dyn std::fmt::Display) -> String {
    format!("root generation aborted: unable to authenticate: {why}")
}

/// Returns the answer to shares whose key did not pass the check.
pub(in crate::sys) fn refused(error: BarrierError) -> Error {
    match is_wrong_key(&error) {
        true => Error::invalid(aborted(&error)),
        false => error.into(),
    }
}

fn text(fields: &Fields<'_>, name: &str) -> SecretString {
    fields
        .secret(name)
        .unwrap_or_else(|| Secret::new(String::new()))
}
