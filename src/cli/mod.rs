//! The command line: Vault's verbs, flags, output and exit codes. Client verbs speak HTTP only.
//!
//! - `verb` is the shape of the tables in `verbs/`; `flags`, `help` and `completion` read them.
//! - `call` is one verb being carried out; `client` makes its requests; `output` prints.
//! - `connection` reads flags and variables for the client; `suggest` knows the nearest words.
//! - `server` hands its arguments to the node and is not a client verb.
//!
//! Exit codes: 0, 1 for faults of the command line, 2 for all others (`status`: 2 is sealed, 1 an
//! error), 127 for an unknown command. It never prints a token that was not asked for.

mod age_recipients;
mod call;
mod client;
mod completion;
mod connection;
mod data;
mod envelope;
mod environment;
mod failure;
mod flag;
mod flags;
mod help;
mod made_keys;
mod output;
mod pgp_keys;
mod run;
mod server;
mod share;
mod sheet;
mod suggest;
mod token_file;
mod unknown;
mod verb;
mod verbs;

pub use run::run;
