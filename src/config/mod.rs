//! Configuration: HCL or JSON files become one typed [`Config`], once, at start.
//!
//! Owns the files' syntax (HCL as Vault reads it, which is older and laxer than HCL 2), their
//! merging, the environment's overrides, and every message about them.
//!
//! Invariants
//! - An unknown key is a warning, a wrong value is an error; both name file, line and column, and
//!   all problems are reported at once.
//! - No message and no `Debug` output carries the value of a key that may hold a secret.
//!
//! It never opens the files that a configuration names (certificates, data directories); `node`
//! does.

mod address;
mod environment;
mod error;
mod files;
mod hcl;
mod indicator;
mod json;
mod listener;
mod load;
mod logging;
mod normalise;
mod section;
mod server;
mod stanza;
mod storage;
mod telemetry;
mod tree;

pub use address::expand_template;
pub use error::{ConfigError, Notice};
pub use listener::{JsonLimits, Listener, ListenerTls, MinimumTls, SocketMode};
pub use load::{Loaded, from_text, load};
pub use logging::{LogFormat, LogLevel, Logging};
pub use server::Config;
pub use stanza::{AuditDevice, Seal, ServiceRegistration};
pub use storage::{Raft, RetryJoin, Storage};
pub use telemetry::Telemetry;
pub use tree::Position;

#[cfg(test)]
mod tests;
