//! The reasons why a request of a verb fails.

use serde_json::Value;

use crate::cli::environment::VariableError;
use crate::cli::token_file::TokenError;
use crate::outbound::SetupError;

/// The reasons why a request of a verb fails.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The caller's address or TLS files are wrong.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// A header of the caller cannot be sent.
    #[error("failed to setup Headers[{name}]: {reason}")]
    Header {
        /// Its name.
        name: String,
        /// The reason.
        reason: &'static str,
    },
    /// The caller's token cannot be sent.
    #[error("{0}")]
    Token(String),
    /// A variable of the caller cannot be used.
    #[error(transparent)]
    Variable(#[from] VariableError),
    /// The server cannot be reached, or went away; is it running, is the address right?
    #[error("{method} {url:?}: {reason}")]
    Transport {
        /// The request's method, as Go's client prints it.
        method: String,
        /// The request's URL.
        url: String,
        /// The message of the network or of TLS.
        reason: String,
        /// True if another try may help.
        retry: bool,
    },
    /// The server answered with an error status.
    #[error(transparent)]
    Refused(#[from] Box<Refusal>),
    /// The server's answer is not JSON; is it a server of this kind?
    #[error("error parsing the server's answer: {0}")]
    NotJson(#[from] serde_json::Error),
    /// A file of the caller that was to be sent cannot be read.
    #[error("error reading the file: {0}")]
    File(std::io::Error),
    /// A file of the caller cannot take the answer; it now holds a part of it.
    #[error("error writing the file: {0}")]
    Output(std::io::Error),
    /// The caller asked to see the request instead of sending it: not an error, print it.
    #[error("{0}")]
    Preview(String),
    /// The system gives no runtime to make requests with.
    #[error("cannot start: {0}")]
    Runtime(std::io::Error),
}

impl From<&TokenError> for ClientError {
    fn from(error: &TokenError) -> Self {
        match error {
            TokenError::Variable(error) => Self::Variable(error.clone()),
            error => Self::Token(error.to_string()),
        }
    }
}

/// An answer of 400 or more.
#[derive(Debug)]
pub struct Refusal {
    /// The request's method.
    pub method: String,
    /// The request's URL.
    pub url: String,
    /// The status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

impl Refusal {
    /// Returns the body's `errors`, if it is an error of the API.
    pub fn errors(&self) -> Option<Vec<String>> {
        let body: Value = serde_json::from_slice(&self.body).ok()?;
        let body = body.as_object()?;
        let errors = body.get("errors").and_then(Value::as_array);
        let texts = errors.into_iter().flatten();
        Some(
            texts
                .map(|text| {
                    text.as_str()
                        .map_or_else(|| text.to_string(), str::to_owned)
                })
                .collect(),
        )
    }

    /// Returns the body's `warnings`.
    pub fn warnings(&self) -> Vec<String> {
        let body: Option<Value> = serde_json::from_slice(&self.body).ok();
        let warnings = body
            .as_ref()
            .and_then(|body| body.get("warnings")?.as_array());
        let texts = warnings.into_iter().flatten().filter_map(Value::as_str);
        texts.map(str::to_owned).collect()
    }
}

impl std::error::Error for Refusal {}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (method, url, status) = (&self.method, &self.url, self.status);
        write!(
            f,
            "Error making API request.\n\nURL: {method} {url}\nCode: {status}. "
        )?;
        match self.errors() {
            Some(errors) => {
                f.write_str("Errors:\n\n")?;
                errors.iter().try_for_each(|error| write!(f, "* {error}"))
            }
            None => write!(f, "Raw Message:\n\n{}", String::from_utf8_lossy(&self.body)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(body: &str) -> Refusal {
        Refusal {
            method: String::from("GET"),
            url: String::from("http://a/v1/b"),
            status: 403,
            body: body.as_bytes().to_vec(),
        }
    }

    #[test]
    fn refusals_read_as_vaults() {
        let head = "Error making API request.\n\nURL: GET http://a/v1/b\nCode: 403. ";
        for (body, tail) in [
            (
                r#"{"errors":["permission denied"]}"#,
                "Errors:\n\n* permission denied",
            ),
            (r#"{"errors":[]}"#, "Errors:\n\n"),
            ("", "Raw Message:\n\n"),
            ("not json", "Raw Message:\n\nnot json"),
        ] {
            assert_eq!(refusal(body).to_string(), format!("{head}{tail}"));
        }
    }

    #[test]
    fn warnings_come_with_a_refusal_too() {
        assert_eq!(refusal(r#"{"warnings":["a","b"]}"#).warnings(), ["a", "b"]);
        assert!(refusal(r#"{"warnings":null}"#).warnings().is_empty());
    }
}
