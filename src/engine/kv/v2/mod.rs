//! kv v2: versions of secrets, settings for each secret and for the mount.

mod config;
mod custom;
mod data;
mod handle;
mod keys;
mod merge;
mod metadata;
mod route;
mod settings;
mod stored;
mod subkeys;
mod upgrade;
mod versions;

pub(super) use config::CODEC as CONFIG_CODEC;
pub(super) use handle::{exists, fields, handle};
pub use merge::merge_patch;
pub(super) use stored::METADATA_CODEC;
pub use upgrade::{UPGRADE_SECRETS_MAX, upgrade};

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
