//! The settings by name, and how they went.

use super::config::{self, Config, Configs, is_name};
use crate::engine::table::Matched;
use crate::engine::{Error, Outcome, Response};
use crate::store::Revision;
use crate::sys::snapshot::NO_RAFT;
use crate::sys::system::System;

type Answer = Result<Outcome, Error>;

fn configs(system: &System) -> Result<(Revision, Configs), Error> {
    match system.barrier.storage().whole() {
        None => Err(Error::invalid(NO_RAFT)),
        Some(_) => Ok(config::read(&system.barrier)?),
    }
}

fn put(system: &System, revision: Revision, configs: Configs) -> Answer {
    let mut outcome = Outcome::from(Response::no_content());
    config::put(&system.barrier, &mut outcome.batch, revision, configs)?;
    Ok(outcome)
}

pub(in crate::sys) fn list(system: &System, _: &Matched<'_>) -> Answer {
    let (_, configs) = configs(system)?;
    match configs.is_empty() {
        true => Err(Error::not_found()),
        false => Ok(Response::list(configs.into_keys().collect()).into()),
    }
}

pub(in crate::sys) fn read(system: &System, matched: &Matched<'_>) -> Answer {
    let (_, configs) = configs(system)?;
    let config = configs.get(matched.captured("name"));
    let config = config.ok_or_else(Error::not_found)?;
    Ok(Response::data(config.data()).into())
}

pub(in crate::sys) fn write(system: &System, matched: &Matched<'_>) -> Answer {
    let (revision, mut configs) = configs(system)?;
    let name = matched.captured("name");
    if !is_name(name) {
        return Err(Error::invalid(
            "the name may have letters, digits, '-', '_', '.'",
        ));
    }
    let config = Config::parse(&matched.fields, configs.get(name))?;
    configs.insert(name.to_owned(), config);
    put(system, revision, configs)
}

pub(in crate::sys) fn delete(system: &System, matched: &Matched<'_>) -> Answer {
    let (revision, mut configs) = configs(system)?;
    match configs.remove(matched.captured("name")) {
        None => Ok(Response::no_content().into()),
        Some(_) => put(system, revision, configs),
    }
}

pub(in crate::sys) fn status(system: &System, matched: &Matched<'_>) -> Answer {
    let name = matched.captured("name");
    let (_, configs) = configs(system)?;
    match configs.contains_key(name) {
        true => Ok(Response::data(system.options.snapshots.status(name).data()).into()),
        false => Err(Error::not_found()),
    }
}
