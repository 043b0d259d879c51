//! coffer: one small secrets node that speaks the Vault HTTP API and command line.
//!
//! The rooms, from the outside in. Imports point down this list, never up (`tests/tidy.rs`
//! holds the table).
//!
//! | tier  | rooms | what they do |
//! |-------|-------|--------------|
//! | TOP   | [`cli`], [`config`], [`diagnose`], [`node`] | verbs, configuration, checks of a machine, composition |
//! | EDGE  | [`http`], [`discovery`], [`hardware`] | hyper, TLS, limits; multicast DNS; status lights |
//! | CALL  | [`router`], [`sys`] | mount match, authorization gate; the `sys/` API |
//! | VAULT | [`engine`], [`auth`], [`mount`], [`policy`], [`token`], [`lease`], [`audit`] | what Vault is made of |
//! | CRYPT | [`barrier`], [`seal`], [`pgp`], [`age`] | keyring, records, names; shares and providers of the seal key; OpenPGP; age |
//! | STATE | [`raft`], [`peer`], [`store`], [`outbound`] | the replicated log, the network between members, the store beneath, the client of other servers |
//! | WORDS | [`path`], [`secret`], [`clock`], [`cidr`], [`hcl`], [`mod@file`], [`block`], [`memory`], [`telemetry`], [`stream`], [`task`] | words that every room uses |
//!
//! A write's way through them is told in `ARCHITECTURE.md`.

pub mod age;
pub mod audit;
pub mod auth;
pub mod barrier;
pub mod block;
pub mod cidr;
pub mod cli;
pub mod clock;
pub mod config;
pub mod diagnose;
pub mod discovery;
pub mod engine;
pub mod file;
pub mod hardware;
pub mod hcl;
pub mod http;
pub mod lease;
pub mod memory;
pub mod mount;
pub mod node;
pub mod outbound;
pub mod path;
pub mod peer;
pub mod pgp;
pub mod policy;
pub mod raft;
pub mod router;
pub mod seal;
pub mod secret;
pub mod store;
pub mod stream;
pub mod sys;
pub mod task;
pub mod telemetry;
pub mod token;
