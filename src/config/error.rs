//! Faults of a configuration, with their places.

use super::Position;
use std::fmt;
use std::path::PathBuf;

/// One remark about one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The place.
    pub position: Position,
    /// The remark; never holds a secret.
    pub message: String,
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.position, self.message)
    }
}

/// Reasons why there is no configuration; always the operator's to mend.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file or directory given with `-config` cannot be read: check path and permissions.
    #[error("error loading configuration from {}: {source}", path.display())]
    Read {
        /// The path.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// A file is larger than any configuration: is it the right file?
    #[error("error loading configuration from {}: larger than {limit} bytes", path.display())]
    TooLarge {
        /// The path.
        path: PathBuf,
        /// The limit, in bytes.
        limit: u64,
    },
    /// The directory holds no `.hcl` or `.json` file.
    #[error("error loading configuration from {}: no .hcl or .json file in it", .0.display())]
    EmptyDirectory(PathBuf),
    /// The files' faults: one line for each.
    #[error("{}", lines(.0))]
    Invalid(Vec<Notice>),
}

fn lines(notices: &[Notice]) -> String {
    let lines: Vec<String> = notices.iter().map(Notice::to_string).collect();
    lines.join("\n")
}
