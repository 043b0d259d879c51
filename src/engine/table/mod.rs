//! Endpoints as data: one static table for each engine, the only place that knows its paths.
//!
//! A [`Row`] is an [`Endpoint`] (pattern, access, place, fields, help) and the handlers of its
//! operations. From the table follow dispatch with its 404 and 405, the paths that need no token or
//! `sudo`, which node answers, which fields a request may have and how they are read, the warnings
//! about others, help and OpenAPI.
//!
//! Invariants
//! - A handler sees only fields of its row, and each has the type that the row says.
//! - Of rows that fit a path the most literal one counts, in whatever order they stand.

mod endpoint;
mod field;
mod fields;
mod help;
mod matched;
mod openapi;
mod pattern;
mod rows;
mod warn;

pub use endpoint::{Access, Answers, Effect, Endpoint, OnFullDisk, Op, Place, Wrapping};
pub use field::{Field, FieldKind, Meaning, On};
pub use fields::Fields;
pub(crate) use fields::{VALIDATION, expected, int};
pub use help::help;
pub use matched::Matched;
pub use openapi::{Document, Mounted};
pub use pattern::Captures;
pub use rows::{Found, Row, Sheet, Table};
pub use warn::warn_unread;
