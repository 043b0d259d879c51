//! A real server in its own process, and a client that speaks plain HTTP to it.

mod client;
mod process;
mod wait;

pub use client::{Client, hello};
pub use process::{Server, exit_of, read_log, write_config};
#[allow(unused_imports, reason = "each test binary waits in its own way")]
pub use wait::{reaches, reaches_async, wait};
