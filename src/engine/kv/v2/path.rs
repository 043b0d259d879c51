//! The secret that a request is about, by the row's pattern.

use crate::engine::Error;
use crate::engine::table::{Field, Matched};

/// The part of the path that names the secret.
pub(super) const PATH: Field = Field::path("path", "Location of the secret.");

/// Returns the path of the secret that a request is about; `None` for a folder.
pub(super) fn secret<'a>(matched: &Matched<'a>) -> Option<&'a str> {
    let path = matched.captured(PATH.name);
    (!path.is_empty() && !path.ends_with('/')).then_some(path)
}

/// Returns the path as [`secret`] does, for reads: a folder is 404.
pub(super) fn known_secret<'a>(matched: &Matched<'a>) -> Result<&'a str, Error> {
    secret(matched).ok_or_else(Error::not_found)
}
