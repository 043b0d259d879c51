//! A request with the row that it fits.

use super::Fields;
use super::pattern::Captures;
use crate::barrier::View;
use crate::engine::Request;

/// The argument of a handler: a request, read by its row.
#[derive(Clone)]
pub struct Matched<'a> {
    /// The request.
    pub request: &'a Request,
    /// The mount's subtree.
    pub view: &'a View,
    /// Its fields, read.
    pub fields: Fields<'a>,
    pub(super) captures: Captures<'a>,
}

impl<'a> Matched<'a> {
    /// Returns the part of the path that the row's pattern calls `name`; empty where it has none.
    pub fn captured(&self, name: &str) -> &'a str {
        self.captures.named(name)
    }
}
