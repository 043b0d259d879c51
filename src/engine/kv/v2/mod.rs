//! kv v2: versions of secrets, settings for each secret and for the mount.

mod config;
mod custom;
mod data;
mod keys;
mod merge;
mod metadata;
mod path;
mod settings;
mod stored;
mod subkeys;
mod table;
mod upgrade;
mod versions;

pub(super) use config::CODEC as CONFIG_CODEC;
pub use merge::merge_patch;
pub(super) use stored::METADATA_CODEC;
pub(super) use table::{TABLE, existing};
pub use upgrade::{UPGRADE_SECRETS_MAX, upgrade};

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
