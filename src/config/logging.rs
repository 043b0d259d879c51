//! The log: its level, form and files.

use super::section::Section;
use std::path::PathBuf;
use std::time::Duration;

/// Least severity that is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Every line.
    Trace,
    /// Lines for finding faults.
    Debug,
    /// Lines about the normal course.
    #[default]
    Info,
    /// Lines that an operator should look at.
    Warn,
    /// Lines about failures.
    Error,
}

/// The names that Vault takes.
pub(super) const LEVELS: [(&str, LogLevel); 8] = [
    ("trace", LogLevel::Trace),
    ("debug", LogLevel::Debug),
    ("notice", LogLevel::Info),
    ("info", LogLevel::Info),
    ("warn", LogLevel::Warn),
    ("warning", LogLevel::Warn),
    ("error", LogLevel::Error),
    ("err", LogLevel::Error),
];

impl LogLevel {
    /// Returns the name in configurations and in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }

    /// Reads one of Vault's names in any case.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let found = LEVELS
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(text));
        found.map(|(_, level)| *level)
    }
}

/// The form of a log line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// `2024-06-28T06:32:45.761Z [INFO]  core: text: key=value`.
    #[default]
    Standard,
    /// One JSON object a line.
    Json,
}

/// The `log_*` keys.
#[derive(Clone, Debug, Default)]
pub struct Logging {
    /// `log_level`; `None` where none is configured.
    pub level: Option<LogLevel>,
    /// `log_format`.
    pub format: LogFormat,
    /// `log_file`: in addition to the terminal.
    pub file: Option<PathBuf>,
    /// `log_rotate_bytes`: a new file beyond this size.
    pub rotate_bytes: Option<u64>,
    /// `log_rotate_duration`: a new file after this time.
    pub rotate_duration: Option<Duration>,
    /// `log_rotate_max_files`: older ones are removed.
    pub rotate_files_max: Option<u64>,
    /// `log_requests_level`: completed requests at this level.
    pub requests_level: Option<LogLevel>,
}

pub(super) fn read(top: &Section<'_>) -> Logging {
    let off: [(&str, Option<LogLevel>); 1] = [("off", None)];
    let mut request_levels: Vec<(&str, Option<LogLevel>)> = LEVELS
        .iter()
        .map(|(name, level)| (*name, Some(*level)))
        .collect();
    request_levels.extend(off);
    Logging {
        level: top.choice("log_level", &LEVELS),
        format: top
            .choice(
                "log_format",
                &[("standard", LogFormat::Standard), ("json", LogFormat::Json)],
            )
            .unwrap_or_default(),
        file: top
            .text("log_file")
            .filter(|text| !text.is_empty())
            .map(PathBuf::from),
        rotate_bytes: top.integer("log_rotate_bytes"),
        rotate_duration: top.duration("log_rotate_duration"),
        rotate_files_max: top.integer("log_rotate_max_files"),
        requests_level: top.choice("log_requests_level", &request_levels).flatten(),
    }
}
