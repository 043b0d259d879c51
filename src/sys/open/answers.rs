//! The form of answers without an envelope, and of a node's errors.

use crate::barrier::BarrierError;
use crate::engine::{Body, Error, ErrorKind, Response};
use crate::sys::ports::LifecycleError;
use serde_json::Value;

/// Returns `value` and a line feed, as JSON.
pub(in crate::sys) fn bare(value: &Value) -> Response {
    let mut bytes = value.to_string().into_bytes();
    bytes.push(b'\n');
    Response {
        body: Some(Body {
            content_type: "application/json",
            bytes,
        }),
        ..Response::default()
    }
}

/// Returns the answer to a step of the node that failed.
pub(in crate::sys) fn failed(error: LifecycleError) -> Error {
    match error {
        LifecycleError::Invalid(message) => Error::invalid(message),
        LifecycleError::AlreadyInitialized | LifecycleError::NotInitialized => {
            Error::invalid(error.to_string())
        }
        LifecycleError::Sealed => Error::new(ErrorKind::Unavailable, error.to_string()),
        LifecycleError::Unavailable(message) => Error::new(ErrorKind::Unavailable, message),
        LifecycleError::Commit(error) => BarrierError::Commit(error).into(),
        LifecycleError::Elsewhere(message) => Error::new(ErrorKind::Internal, message),
        LifecycleError::Internal(inside) => Error::internal(inside),
    }
}
