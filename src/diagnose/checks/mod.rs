//! The checks, a file for each family. Each returns lines, at least one where it applies.

pub mod backups;
pub mod certificates;
pub mod clock;
pub mod configuration;
pub mod data;
pub mod flush;
pub mod limits;
pub mod members;
pub mod memory;
pub mod mount;
pub mod ports;
pub mod space;
#[cfg(test)]
mod tests;
mod validity;
