//! The process's one subscriber: level, format, sinks.

use super::line::{Format, Parts};
use super::log_file::LogFile;
use crate::clock::wall_clock;
use std::io::Write;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};

/// Least severity that is logged.
pub use tracing::Level;

/// Most bytes of lines that are kept back before the banner.
const HELD_BYTES_MAX: usize = 64 * 1024;
/// The target of lines that consensus was stopped while calls were under way, as errors and with
/// the whole request. The callers get the same as a result, and decide whether that is an error.
const RETURNED: &str = "openraft::raft::raft_inner";

/// The beginning of the target of a [`debug!`] line.
const DEBUG_MARK: &str = "debug:";
/// The beginning of the target of an [`info!`] line.
const INFO_MARK: &str = "info:";

static LOG: OnceLock<Log> = OnceLock::new();

/// Logs at level debug, with the fields and the message of tracing's macro of this name.
///
/// Release builds drop all of tracing's lines below a warning when they are compiled, and its
/// spans: those of the dependencies are hardly ever logged, and are a good part of the binary. So
/// coffer's own lines travel as warnings, with a mark that the log reads.
macro_rules! debug {
    ($($field:tt)*) => {
        tracing::warn!(target: concat!("debug:", module_path!()), $($field)*)
    };
}
pub(crate) use debug;

/// Logs at level info, as [`debug!`] does at its own.
macro_rules! info {
    ($($field:tt)*) => {
        tracing::warn!(target: concat!("info:", module_path!()), $($field)*)
    };
}
pub(crate) use info;

/// The log of this process, once [`install`] ran.
pub struct Log {
    level: AtomicU8,
    format: Format,
    file: Mutex<Option<LogFile>>,
    held: Mutex<Option<String>>,
}

/// Sends every event from here on to standard error and to `file`. The first call wins: a
/// process has one log.
pub fn install(level: Level, format: Format, file: Option<LogFile>) -> &'static Log {
    let mut fresh = false;
    let log = LOG.get_or_init(|| {
        fresh = true;
        Log {
            level: AtomicU8::new(rank(&level)),
            format,
            file: Mutex::new(file),
            held: Mutex::new(None),
        }
    });
    if fresh {
        // Fails only when a test installed a subscriber of its own first; then that one stays.
        let _ = tracing::subscriber::set_global_default(Sink);
    }
    log
}

impl Log {
    /// Returns the installed log; `None` in tests that need none.
    pub fn installed() -> Option<&'static Self> {
        LOG.get()
    }

    /// Changes the level at once.
    pub fn set_level(&self, level: Level) {
        self.level.store(rank(&level), Ordering::Relaxed);
        tracing::callsite::rebuild_interest_cache();
    }

    /// Returns the level in force.
    pub fn level(&self) -> Level {
        unrank(self.level.load(Ordering::Relaxed))
    }

    /// Opens the log file again, if there is one.
    ///
    /// # Errors
    /// The system's error; lines go on into the old file then.
    pub fn reopen(&self) -> std::io::Result<()> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.as_mut().map_or(Ok(()), LogFile::reopen)
    }

    /// Keeps lines back until [`Log::release`], so that the server's banner comes first.
    pub fn hold(&self) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.get_or_insert_default();
    }

    /// Writes the lines that were kept back, and everything from here on at once.
    pub fn release(&self) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lines) = held.take() {
            self.write_through(&lines);
        }
    }

    /// Returns true if a line is logged. Lines of dependencies, which are many, need a level two
    /// steps higher than those of coffer's own rooms.
    fn hears(&self, metadata: &Metadata<'_>) -> bool {
        let limit = self.level.load(Ordering::Relaxed);
        let (level, target) = meant(metadata);
        let own = target.starts_with("coffer") || !target.contains("::");
        let limit = if own {
            limit
        } else {
            limit.saturating_sub(2).max(rank(&Level::ERROR))
        };
        let is_told = target == RETURNED;
        metadata.is_event() && rank(&level) <= limit && !is_told
    }

    fn write(&self, line: &str) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        match held.as_mut() {
            Some(lines) if lines.len() < HELD_BYTES_MAX => lines.push_str(line),
            _ => self.write_through(line),
        }
    }

    fn write_through(&self, line: &str) {
        // A closed terminal must not stop the node.
        let _ = std::io::stderr().lock().write_all(line.as_bytes());
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = file.as_mut() {
            file.write(line);
        }
    }
}

const fn rank(level: &Level) -> u8 {
    match *level {
        Level::ERROR => 1,
        Level::WARN => 2,
        Level::INFO => 3,
        Level::DEBUG => 4,
        Level::TRACE => 5,
    }
}

const fn unrank(rank: u8) -> Level {
    match rank {
        0 | 1 => Level::ERROR,
        2 => Level::WARN,
        3 => Level::INFO,
        4 => Level::DEBUG,
        _ => Level::TRACE,
    }
}

/// Returns the level and the target that the author of a line gave.
fn meant<'a>(metadata: &Metadata<'a>) -> (Level, &'a str) {
    let target = metadata.target();
    if let Some(target) = target.strip_prefix(DEBUG_MARK) {
        return (Level::DEBUG, target);
    }
    match target.strip_prefix(INFO_MARK) {
        Some(target) => (Level::INFO, target),
        None => (*metadata.level(), target),
    }
}

/// Returns a room's name in the log: `node` and `sys` are Vault's `core`; `raft` is below
/// `storage`.
fn module(target: &str) -> &str {
    let Some(path) = target.strip_prefix("coffer") else {
        return target.split("::").next().unwrap_or(target);
    };
    match path.trim_start_matches("::").split("::").next() {
        None | Some("" | "node" | "sys" | "seal" | "barrier" | "cli") => "core",
        Some("raft") => "storage.raft",
        Some(room) => room,
    }
}

struct Sink;

impl Subscriber for Sink {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.enabled(metadata) {
            Interest::always()
        } else {
            Interest::never()
        }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        LOG.get().is_some_and(|log| log.hears(metadata))
    }

    fn max_level_hint(&self) -> Option<tracing::level_filters::LevelFilter> {
        LOG.get().map(|log| log.level().into())
    }

    fn event(&self, event: &Event<'_>) {
        let Some(log) = LOG.get() else {
            return;
        };
        let mut parts = Parts::default();
        event.record(&mut parts);
        let metadata = event.metadata();
        let (level, target) = meant(metadata);
        log.write(&parts.line(log.format, wall_clock(), &level, module(target)));
    }

    // Spans are never enabled, so the answers of these methods do not matter.
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rooms_have_vaults_names() {
        for (target, name) in [
            ("coffer", "core"),
            ("coffer::node::start", "core"),
            ("coffer::raft::log_store", "storage.raft"),
            ("coffer::http::tls", "http"),
            ("openraft::engine", "openraft"),
            ("core", "core"),
        ] {
            assert_eq!(module(target), name, "{target}");
        }
    }

    /// Records the level and the target of every line.
    #[derive(Clone, Default)]
    struct Heard(std::sync::Arc<Mutex<Vec<(Level, String)>>>);

    impl Subscriber for Heard {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }
        fn event(&self, event: &Event<'_>) {
            let (level, target) = meant(event.metadata());
            self.0.lock().unwrap().push((level, target.to_owned()));
        }
        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }
        fn record(&self, _: &Id, _: &Record<'_>) {}
        fn record_follows_from(&self, _: &Id, _: &Id) {}
        fn enter(&self, _: &Id) {}
        fn exit(&self, _: &Id) {}
    }

    #[test]
    fn a_line_has_its_own_level_though_it_travels_as_a_warning() {
        let heard = Heard::default();
        tracing::subscriber::with_default(heard.clone(), || {
            crate::telemetry::debug!(n = 1, "left out of no build");
            crate::telemetry::info!(n = 2, "nor is this");
            tracing::warn!("as it is");
        });
        let own = "coffer::telemetry::logger::tests".to_owned();
        let lines = heard.0.lock().unwrap().clone();
        let levels = [Level::DEBUG, Level::INFO, Level::WARN];
        assert_eq!(lines, levels.map(|level| (level, own.clone())));
    }

    #[test]
    fn levels_keep_their_order() {
        for level in [
            Level::ERROR,
            Level::WARN,
            Level::INFO,
            Level::DEBUG,
            Level::TRACE,
        ] {
            assert_eq!(unrank(rank(&level)), level);
        }
        assert!(rank(&Level::ERROR) < rank(&Level::TRACE));
    }
}
