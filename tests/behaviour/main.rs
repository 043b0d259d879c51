//! The promises to operators and clients, one a file, against the real binary.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

mod at_rest;
mod descriptors;
mod dev_mode;
mod diagnose;
mod emergency_shares;
mod generate_root;
mod join;
mod kv_over_http;
mod lifecycle;
mod lights;
mod memory;
mod metrics;
mod non_secret;
mod pgp_keys;
mod recovery;
mod recovery_keys;
mod rekey;
mod reload;
mod restart;
mod rewrap;
mod roles;
mod snapshots;
mod start_refused;
mod supervised;
#[path = "../support/mod.rs"]
mod support;
mod wear;
