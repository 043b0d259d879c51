//! The process's log lines and numbers.
//!
//! Owns the log's formats, its level, its file, and the registry of metrics. Rooms log with
//! `tracing`'s `error!` and `warn!` and with `info!` and `debug!` of this room; they count with an
//! [`Counter`], [`Gauge`] or [`Summary`] that they took from [`metrics`] once, by its name and with
//! a sentence of help.
//!
//! Invariants
//! - A line is written whole or not at all, and never blocks on more than its sink.
//! - Counting takes no lock.
//! - No line and no number holds a secret; `secret::Secret` cannot be printed.

mod exposition;
mod histogram;
mod line;
mod log_file;
mod logger;
mod metrics;
mod seldom;
mod tally;
mod writes;

pub use exposition::{Reading, ReadingKind};
pub use histogram::{Histogram, Percentiles};
pub use line::Format;
pub use log_file::{LogFile, Rotation};
pub use logger::{Level, Log, install};
pub(crate) use logger::{debug, info};
pub use metrics::{Counter, Gauge, Metrics, Summary, metrics};
pub use seldom::Seldom;
pub use tally::Tally;
pub use writes::{Writes, Written, writes};
