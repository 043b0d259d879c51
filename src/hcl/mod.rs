//! HCL, the language of configurations and policies, read into a tree of plain values.
//!
//! Owns the one walk over what the parser makes of a text, and what counts as a value: literals,
//! never variables, functions or interpolation.
//!
//! Readers settle beforehand what their files may leave out (`config/normalise.rs`,
//! `policy/source.rs`), and know their own keys. Positions are the reader's, too: it says what an
//! offset in its text is.

mod tree;
mod walk;

pub use tree::{Entry, Form, Node, Value};
pub use walk::{ReadError, check, read};
