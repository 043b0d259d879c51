//! One exchange of a provider with its server, and what its failure means.

use super::ProviderError;
use super::settings::{SettingError, Settings};
use crate::outbound::{Address, Answer, Client, ExchangeError, Limits, Proxies};
use crate::secret::{self, Secret, SecretBytes, SecretString};
use bytes::Bytes;
use hyper::Request;
use serde_json::{Map, Value};
use std::time::Duration;

/// The limits of one exchange. The time is below that of a whole call, which may take two.
pub(super) const LIMITS: Limits = Limits {
    time_max: Duration::from_secs(8),
    answer_bytes_max: 64 << 10,
    redirects_max: 0,
};
/// The most characters of a server's own message that are repeated.
const MESSAGE_CHARS_MAX: usize = 300;

/// Makes one exchange.
pub(super) async fn exchange(
    client: &Client,
    to: &Address,
    request: Request<Bytes>,
) -> Result<Answer, ProviderError> {
    let answer = client.send(to, request, &LIMITS).await;
    answer.map_err(|error| match error {
        ExchangeError::Setup(_) => ProviderError::Refused(error.to_string()),
        error => ProviderError::Away(error.to_string()),
    })
}

/// Returns the error of an answer that is none: `message` is the server's.
pub(super) fn failure(answer: &Answer, message: &str) -> ProviderError {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    let message: String = message.chars().take(MESSAGE_CHARS_MAX).map(plain).collect();
    let why = format!("{}: status {}: {message}", answer.url, answer.status);
    match answer.status {
        // A server that is busy, sealed, a standby, or broken.
        429 | 472 | 473 | 500.. => ProviderError::Away(why),
        _ => ProviderError::Refused(why),
    }
}

/// Returns the proxies that the variables name.
pub(super) fn proxies(settings: &Settings) -> Result<Proxies, SettingError> {
    let read = |name: &str| settings.variables.get(name).map(Into::into);
    Proxies::from_variables(&read).map_err(|error| SettingError(error.to_string()))
}

/// A request's body, which is wiped after it was sent.
pub(super) struct Wiping(pub SecretBytes);

impl AsRef<[u8]> for Wiping {
    fn as_ref(&self) -> &[u8] {
        self.0.expose()
    }
}

/// The fields of an answer, wiped when they are dropped.
pub(super) struct Answered(Map<String, Value>);

impl Answered {
    /// Reads the body of an answer.
    ///
    /// # Errors
    /// [`ProviderError::Refused`] for what is no JSON object: another server answers there.
    pub(super) fn of(answer: &Answer) -> Result<Self, ProviderError> {
        let fields = serde_json::from_slice(&answer.body);
        fields.map(Self).map_err(|_| {
            ProviderError::Refused(format!(
                "{}: the answer is not what such a server gives: check the address",
                answer.url
            ))
        })
    }

    /// Returns a field, also one inside another.
    pub(super) fn at(&self, path: &[&str]) -> Option<&Value> {
        let (first, rest) = path.split_first()?;
        rest.iter()
            .try_fold(self.0.get(*first)?, |value, name| value.get(name))
    }

    /// Returns a text.
    pub(super) fn text(&self, path: &[&str]) -> Option<&str> {
        self.at(path)?.as_str()
    }

    /// Returns a text that is secret.
    pub(super) fn secret(&self, path: &[&str]) -> Option<SecretString> {
        Some(Secret::new(self.text(path)?.to_owned()))
    }
}

impl Drop for Answered {
    fn drop(&mut self) {
        secret::wipe(std::mem::take(&mut self.0));
    }
}
