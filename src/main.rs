//! The `coffer` binary: hands its arguments to the command line and exits with its code.

use std::process::ExitCode;

/// Static binaries are linked with a libc whose allocator keeps what each thread freed; this one
/// shares it, and gives the system back what it can.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

fn main() -> ExitCode {
    coffer::cli::run(std::env::args_os())
}
