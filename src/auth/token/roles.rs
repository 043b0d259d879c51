//! `roles/`: write, read, delete, list.

use super::field;
use super::role::{FIELDS, Role, record_path};
use crate::barrier::{Batch, View};
use crate::engine::{Error, Outcome, Request, Response};

pub(super) fn exists(view: &View, name: &str) -> Result<bool, Error> {
    Ok(Role::load(view, name)?.is_some())
}

pub(super) fn write(request: &Request, view: &View, name: &str) -> Result<Outcome, Error> {
    if record_path(name).is_none() {
        return Err(Error::unsupported_path());
    }
    let mut role = Role::load(view, name)?.unwrap_or_default();
    role.update(request)?;
    let mut batch = Batch::new();
    role.store(view, &mut batch, name)?;
    let response = field::warn_ignored(Response::no_content(), request, &FIELDS);
    Ok(Outcome { response, batch })
}

pub(super) fn read(view: &View, name: &str) -> Result<Outcome, Error> {
    let role = Role::load(view, name)?.ok_or_else(Error::not_found)?;
    Ok(Response::data(role.describe(&name.to_lowercase())).into())
}

pub(super) fn delete(view: &View, name: &str) -> Result<Outcome, Error> {
    let mut outcome = Outcome::default();
    if let Some(path) = record_path(name) {
        view.delete(&mut outcome.batch, &path);
    }
    Ok(outcome)
}

pub(super) fn list(view: &View) -> Result<Outcome, Error> {
    let names = view.list("role/")?;
    if names.is_empty() {
        return Err(Error::not_found());
    }
    Ok(Response::list(names).into())
}
