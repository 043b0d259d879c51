//! HCL, the language of configurations and policies, read into a tree of plain values.
//!
//! Owns the one walk over the parser's tree, and the definition of a value: literals, never
//! variables, functions or interpolation.
//!
//! Callers first rewrite what their files may leave out (`config/normalise.rs`,
//! `policy/source.rs`), and know their own keys. Positions are the caller's, too: it turns an
//! offset in its text into one.

mod tree;
mod walk;

pub use tree::{Entry, Form, Node, Value};
pub use walk::{ReadError, check, read};
