//! A real server in its own process, and a client that speaks plain HTTP to it.

mod client;
mod process;

pub use client::{Client, hello};
pub use process::{Server, exit_of, read_log, write_config};
