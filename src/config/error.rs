//! What is wrong with a configuration, and where.

use super::Position;
use std::fmt;
use std::path::PathBuf;

/// One remark about one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Where.
    pub position: Position,
    /// What; never a secret.
    pub message: String,
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.position, self.message)
    }
}

/// Why there is no configuration. Always for the operator to mend.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file or directory given with `-config` cannot be read: check path and permissions.
    #[error("error loading configuration from {}: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file is larger than any configuration: is it the right file?
    #[error("error loading configuration from {}: larger than {limit} bytes", path.display())]
    TooLarge {
        /// Which.
        path: PathBuf,
        /// The limit.
        limit: u64,
    },
    /// The directory holds no `.hcl` or `.json` file.
    #[error("error loading configuration from {}: no .hcl or .json file in it", .0.display())]
    EmptyDirectory(PathBuf),
    /// What the files say is wrong: one line for each problem.
    #[error("{}", lines(.0))]
    Invalid(Vec<Notice>),
}

fn lines(notices: &[Notice]) -> String {
    let lines: Vec<String> = notices.iter().map(Notice::to_string).collect();
    lines.join("\n")
}
