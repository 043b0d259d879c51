//! What HCL and JSON have in common: values with positions.

use std::fmt;
use std::sync::Arc;

/// A place in a file. Environment variables have line zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// The file as given, or the variable's name.
    pub file: Arc<str>,
    /// From one.
    pub line: usize,
    /// From one, in characters.
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

/// A value and where it stands.
pub(super) struct Node {
    pub(super) position: Position,
    pub(super) value: Value,
}

/// A block `listener "tcp" {...}` is the entry `listener` with an object that has the entry `tcp`,
/// as in Vault's JSON form; a key may appear more than once.
pub(super) enum Value {
    Null,
    Bool(bool),
    /// As written.
    Number(String),
    Text(String),
    List(Vec<Node>),
    Object(Vec<Entry>),
}

/// One key of an object.
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) position: Position,
    pub(super) node: Node,
}

impl Value {
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) => "a string",
            Self::List(_) => "a list",
            Self::Object(_) => "a block",
        }
    }
}
