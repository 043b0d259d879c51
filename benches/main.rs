//! Benchmarks of the paths that decide what a card and a small processor feel: the log, the state,
//! the barrier, and requests from end to end. `README.md` says how to run and compare them.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a benchmark that cannot go on has failed"
)]

mod barrier;
mod commit;
mod ground;
mod hcl;
mod list;
mod log;
mod policy;
mod recovery;
mod request;
mod router;
mod snapshot;
mod state;

use criterion::Criterion;
use std::time::Duration;

/// The longest that one benchmark is measured with `--quick`, which is to see that it works.
const QUICK: Duration = Duration::from_millis(100);

fn main() {
    let is_quick = std::env::args().any(|argument| argument == "--quick");
    let measured = if is_quick {
        QUICK
    } else {
        Duration::from_secs(3)
    };
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(measured)
        .sample_size(50)
        .without_plots()
        .configure_from_args();
    for part in [
        log::append,
        commit::writers,
        recovery::replay,
        state::apply,
        state::checkpoint,
        state::read,
        snapshot::stream_and_install,
        list::names,
        barrier::seal_and_open,
        barrier::names,
        policy::evaluate,
        hcl::parse,
        router::tokens,
        router::requests,
        request::over_a_socket,
    ] {
        part(&mut criterion);
    }
    criterion.final_summary();
}
