//! The vulnerabilities of other servers of this kind, as tests against a whole node.
//!
//! Each file is one subject; each test names the advisory that it is about, and `README.md` lists
//! all. Some are tested nearer to their cause: path rules in `http::target`, JSON limits in
//! `http::json` and `tests/edge`, policy names in `policy::name`.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

mod audit;
mod files;
mod joining;
mod memory;
mod paths;
mod policies;
mod server;
mod start;
#[path = "../support/mod.rs"]
#[allow(
    dead_code,
    unused_imports,
    reason = "shared; not all of it is needed here"
)]
mod support;
mod tokens;
mod wrapping;
