//! The client of the verbs: one request at a time, by the client of [`crate::outbound`].
//!
//! It follows one redirect, retries when told to, and can print a request instead of sending it. It
//! does not know verbs.

mod ask;
mod error;
mod options;
mod pace;
mod preview;
mod reply;
mod send;
mod transfer;

pub use ask::Ask;
pub use error::ClientError;
pub use options::{Options, Preview};
pub use pace::Pace;
pub use reply::Reply;
pub use send::Client;
