//! A server's reply.

use serde_json::Value;
use zeroize::Zeroizing;

use super::error::{ClientError, Refusal};

/// A server's reply, of any status. The body is wiped on drop: it may be a secret.
pub struct Reply {
    /// The request's method.
    pub method: String,
    /// The request's URL.
    pub url: String,
    /// The status.
    pub status: u16,
    /// The body.
    pub body: Zeroizing<Vec<u8>>,
}

impl Reply {
    /// Returns the reply if its status is below 400, else an error.
    pub fn accepted(self) -> Result<Self, ClientError> {
        if self.status < 400 {
            return Ok(self);
        }
        Err(ClientError::Refused(Box::new(Refusal {
            method: self.method,
            url: self.url,
            status: self.status,
            body: self.body.to_vec(),
        })))
    }

    /// Returns the body as JSON; `null` when there is none.
    pub fn json(&self) -> Result<Value, ClientError> {
        if self.body.is_empty() {
            return Ok(Value::Null);
        }
        Ok(serde_json::from_slice(&self.body)?)
    }
}
