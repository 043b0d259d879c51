//! Values with positions, each a `P`.

/// A value with its position.
#[derive(Debug)]
pub struct Node<P> {
    /// The position of its first character.
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
    /// `{...}`, or the body of a block. A key may appear more than once.
    Object(Vec<Entry<P>>),
}

/// One key of an object or of a block.
#[derive(Debug)]
pub struct Entry<P> {
    /// The name.
    pub key: String,
    /// The position of the name.
    pub position: P,
    /// The form in which it is written.
    pub form: Form,
    /// The value, with its position.
    pub node: Node<P>,
}

/// The form in which a key is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// `key = value`.
    Attribute,
    /// `key "label" ... { ... }`, with its labels.
    Block(Vec<String>),
}

impl<P> Value<P> {
    /// Returns the kind of the value, for messages.
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
