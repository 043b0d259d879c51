//! Lists of secrets: names, or names with their metadata.

use super::stored::{self, metadata_path};
use crate::barrier::View;
use crate::engine::kv::field::{Fields, VALIDATION, warn_ignored};
use crate::engine::kv::list::{self, folder, page};
use crate::engine::{Error, Outcome, Request, Response};
use serde_json::{Map, Value};

const FIELDS: &[&str] = &["after", "limit", "list", "scan"];

/// LIST: one level.
pub(super) fn list(request: &Request, view: &View, path: &str) -> Result<Outcome, Error> {
    let keys = one_page(request, view, &folder(path))?;
    Ok(warn_ignored(Response::list(keys), request, FIELDS).into())
}

/// SCAN: everything below; pages do not apply.
pub(super) fn scan(request: &Request, view: &View, path: &str) -> Result<Outcome, Error> {
    let keys = list::scan(view, &metadata_path(&folder(path)))?;
    let response = if keys.is_empty() {
        Response::data(Map::new())
    } else {
        Response::list(keys)
    };
    Ok(warn_ignored(response, request, FIELDS).into())
}

/// LIST with the metadata of each secret; folders have none.
pub(super) fn list_detailed(request: &Request, view: &View, path: &str) -> Result<Outcome, Error> {
    let folder = folder(path);
    let keys = one_page(request, view, &folder)?;
    detailed(request, view, &folder, keys)
}

/// SCAN with the metadata of each secret.
pub(super) fn scan_detailed(request: &Request, view: &View, path: &str) -> Result<Outcome, Error> {
    let folder = folder(path);
    let keys = list::scan(view, &metadata_path(&folder))?;
    detailed(request, view, &folder, keys)
}

fn one_page(request: &Request, view: &View, folder: &str) -> Result<Vec<String>, Error> {
    let fields = Fields::of(request, VALIDATION);
    let limit = fields.int("limit")?.unwrap_or(0);
    let keys = page(
        view.list(&metadata_path(folder))?,
        fields.text("after"),
        limit,
    );
    if keys.is_empty() {
        return Err(Error::not_found());
    }
    Ok(keys)
}

fn detailed(
    request: &Request,
    view: &View,
    folder: &str,
    keys: Vec<String>,
) -> Result<Outcome, Error> {
    let mut info = Map::new();
    for key in &keys {
        let fields = if key.ends_with('/') {
            Map::new()
        } else {
            stored::metadata(view, &format!("{folder}{key}"))?
                .map(|(_, metadata)| metadata.fields())
                .unwrap_or_default()
        };
        info.insert(key.clone(), Value::Object(fields));
    }
    let mut response = Response::list(keys);
    if let Some(data) = &mut response.data {
        data.insert("key_info".into(), Value::Object(info));
    }
    Ok(warn_ignored(response, request, FIELDS).into())
}
