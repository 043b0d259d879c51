//! Lists of secrets: names, or names with their metadata.

use super::stored::{self, metadata_path};
use crate::barrier::View;
use crate::engine::kv::list::{self, folder, page};
use crate::engine::table::Matched;
use crate::engine::{Error, Outcome, Response};
use serde_json::{Map, Value};

/// Answers LIST: one level.
pub(super) fn list(matched: &Matched<'_>) -> Result<Outcome, Error> {
    let keys = one_page(matched, &asked(matched))?;
    Ok(Response::list(keys).into())
}

/// Answers SCAN: everything below; pages do not apply.
pub(super) fn scan(matched: &Matched<'_>) -> Result<Outcome, Error> {
    let keys = list::scan(matched.view, &metadata_path(&asked(matched)))?;
    let response = if keys.is_empty() {
        Response::data(Map::new())
    } else {
        Response::list(keys)
    };
    Ok(response.into())
}

/// Answers LIST with the metadata of each secret; folders have none.
pub(super) fn list_detailed(matched: &Matched<'_>) -> Result<Outcome, Error> {
    let folder = asked(matched);
    let keys = one_page(matched, &folder)?;
    detailed(matched.view, &folder, keys)
}

/// Answers SCAN with the metadata of each secret.
pub(super) fn scan_detailed(matched: &Matched<'_>) -> Result<Outcome, Error> {
    let folder = asked(matched);
    let keys = list::scan(matched.view, &metadata_path(&folder))?;
    detailed(matched.view, &folder, keys)
}

/// Returns the folder that is listed.
fn asked(matched: &Matched<'_>) -> String {
    folder(matched.captured("path"))
}

fn one_page(matched: &Matched<'_>, folder: &str) -> Result<Vec<String>, Error> {
    let fields = &matched.fields;
    let limit = fields.integer("limit").unwrap_or(0);
    let keys = matched.view.list(&metadata_path(folder))?;
    let keys = page(keys, fields.text("after"), limit);
    if keys.is_empty() {
        return Err(Error::not_found());
    }
    Ok(keys)
}

fn detailed(view: &View, folder: &str, keys: Vec<String>) -> Result<Outcome, Error> {
    let mut info = Map::new();
    for key in &keys {
        let fields = if key.ends_with('/') {
            Map::new()
        } else {
            stored::metadata(view, &format!("{folder}{key}"))?
                .map(|metadata| metadata.fields())
                .unwrap_or_default()
        };
        info.insert(key.clone(), Value::Object(fields));
    }
    let mut response = Response::list(keys);
    if let Some(data) = &mut response.data {
        data.insert("key_info".into(), Value::Object(info));
    }
    Ok(response.into())
}
