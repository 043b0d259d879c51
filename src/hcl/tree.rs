//! Values with positions, each a `P`.

/// A value and where it stands.
#[derive(Debug)]
pub struct Node<P> {
    /// Position of its first character.
    pub position: P,
    /// The value.
    pub value: Value<P>,
}

/// A value.
#[derive(Debug)]
pub enum Value<P> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, as a text.
    Number(String),
    /// A string.
    Text(String),
    /// `[...]`.
    List(Vec<Node<P>>),
    /// `{...}`, or what stands in a block. A key may appear more than once.
    Object(Vec<Entry<P>>),
}

/// One key of an object or of a block.
#[derive(Debug)]
pub struct Entry<P> {
    /// Its name.
    pub key: String,
    /// Where the name stands.
    pub position: P,
    /// How it is written.
    pub form: Form,
    /// What it holds.
    pub node: Node<P>,
}

/// How a key is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// `key = value`.
    Attribute,
    /// `key "label" ... { ... }`, with its labels.
    Block(Vec<String>),
}

impl<P> Value<P> {
    /// What it is, for messages.
    pub const fn kind(&self) -> &'static str {
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
