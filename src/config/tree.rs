//! The common form of HCL and JSON: values with positions.

use crate::hcl;
use std::fmt;
use std::sync::Arc;

/// A place in a file. Environment variables have line zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// The file as given, or the variable's name.
    pub file: Arc<str>,
    /// The line, from one.
    pub line: usize,
    /// The column, from one, in characters.
    pub column: usize,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.file),
            line => write!(f, "{}:{line}:{}", self.file, self.column),
        }
    }
}

/// A file's text, to turn offsets into positions.
pub(super) struct Source<'a> {
    pub(super) file: Arc<str>,
    pub(super) text: &'a str,
}

impl Source<'_> {
    pub(super) fn position(&self, offset: usize) -> Position {
        let mut end = offset.min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        let before = self.text.get(..end).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
        Position {
            file: Arc::clone(&self.file),
            line: before.matches('\n').count() + 1,
            column,
        }
    }
}

/// A value with its position.
pub(super) type Node = hcl::Node<Position>;

/// A value. Blocks are objects here: see [`super::hcl`].
pub(super) type Value = hcl::Value<Position>;

/// One key of an object.
pub(super) type Entry = hcl::Entry<Position>;
