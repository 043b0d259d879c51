//! The `server` verb's entry in the tables; `cli/server.rs` reads its flags and carries it out.

use crate::cli::failure::Failure;
use crate::cli::verb::{Arity, FlagKind, SharedFlags, Verb, flag};

/// `server`.
pub static SERVER: Verb = Verb {
    name: "server",
    about: "Start a server",
    usage: "",
    arity: Arity::exactly(0),
    flags: &[
        flag(
            "config",
            FlagKind::Texts,
            "A configuration file or directory. May be repeated.",
        ),
        flag(
            "dev",
            FlagKind::Switch,
            "Start in memory, initialized and unsealed.",
        ),
        flag(
            "dev-listen-address",
            FlagKind::Text,
            "Where to listen in dev mode.",
        ),
        flag(
            "dev-path",
            FlagKind::Text,
            "Keep the dev server's data in this directory.",
        ),
        flag(
            "dev-root-token-id",
            FlagKind::Text,
            "The root token in dev mode.",
        ),
        flag(
            "log-level",
            FlagKind::Text,
            "trace, debug, info, warn or error.",
        ),
    ],
    shared: SharedFlags::Nothing,
    // `run` calls `server` before it reads the tables.
    run: |_| Err(Failure::usage("server must be the first argument")),
};
