//! The `coffer` binary: hands its arguments to the command line and exits with its code.

use std::process::ExitCode;

fn main() -> ExitCode {
    coffer::cli::run(std::env::args_os())
}
