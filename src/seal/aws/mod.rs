//! Asks AWS: credentials, and requests that are signed with them.

mod credentials;
mod kms;
mod signature;

pub(super) use kms::{AwsKms, KIND};
