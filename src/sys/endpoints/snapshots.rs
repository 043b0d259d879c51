//! The endpoints `sys/storage/raft/snapshot-auto`: the settings of snapshots by the clock, with the
//! outcome of the last attempts.

use super::run::Run;
use super::system::System;
use crate::barrier::Slot;
use crate::engine::table::{
    Access, Endpoint, Field, FieldKind, Matched, OnFullDisk, Op, Place, Row,
};
use crate::engine::{Error, Outcome, Response};
use crate::sys::duties::snapshots::{self as auto, Config, Configs, is_name};
use crate::sys::snapshot::NO_RAFT;

const NAME: Field = Field::path("name", "Name of the settings.");

/// The endpoints of snapshots by the clock.
pub(in crate::sys) const ROWS: &[Row<Run>] = &[
    Row {
        endpoint: Endpoint {
            pattern: "storage/raft/snapshot-auto/config",
            access: Access::Sudo,
            place: Place::Active,
            summary: "Lists the settings for snapshots by the clock.",
            ..Endpoint::USUAL
        },
        operations: &[(Op::LIST, Run::Answer(list))],
    },
    Row {
        endpoint: Endpoint {
            pattern: "storage/raft/snapshot-auto/config/:name",
            on_full_disk: OnFullDisk::Repairs,
            access: Access::Sudo,
            place: Place::Active,
            fields: &[
                NAME,
                Field::new("file_prefix", FieldKind::Text, "What files begin with.")
                    .default("vault-snapshot"),
                Field::new("interval", FieldKind::Seconds, "Between snapshots.").required(),
                Field::new("local_max_space", FieldKind::Integer, "Bytes of all files.").required(),
                Field::new("path_prefix", FieldKind::Text, "The directory.").required(),
                Field::new("retain", FieldKind::Integer, "How many are kept.").default("1"),
                Field::new("storage_type", FieldKind::Text, "local.").required(),
            ],
            summary: "Settings for snapshots by the clock.",
            ..Endpoint::USUAL
        },
        operations: &[
            (Op::READ, Run::Answer(read)),
            (Op::WRITE, Run::Answer(write)),
            (Op::DELETE, Run::Answer(delete)),
        ],
    },
    Row {
        endpoint: Endpoint {
            pattern: "storage/raft/snapshot-auto/status/:name",
            place: Place::Active,
            fields: &[NAME],
            summary: "Shows how the last snapshots went.",
            ..Endpoint::USUAL
        },
        operations: &[(Op::READ, Run::Answer(status))],
    },
];

fn configs(system: &System) -> Result<(Slot, Configs), Error> {
    match system.barrier.storage().whole() {
        None => Err(Error::invalid(NO_RAFT)),
        Some(_) => Ok(auto::read(&system.barrier)?),
    }
}

fn put(slot: &Slot, configs: Configs) -> Result<Outcome, Error> {
    let mut outcome = Outcome::from(Response::no_content());
    auto::put(&mut outcome.batch, slot, configs)?;
    Ok(outcome)
}

fn list(system: &System, _: &Matched<'_>) -> Result<Outcome, Error> {
    let (_, configs) = configs(system)?;
    match configs.is_empty() {
        true => Err(Error::not_found()),
        false => Ok(Response::list(configs.into_keys().collect()).into()),
    }
}

fn read(system: &System, matched: &Matched<'_>) -> Result<Outcome, Error> {
    let (_, configs) = configs(system)?;
    let config = configs.get(matched.captured("name"));
    let config = config.ok_or_else(Error::not_found)?;
    Ok(Response::data(config.data()).into())
}

fn write(system: &System, matched: &Matched<'_>) -> Result<Outcome, Error> {
    let (slot, mut configs) = configs(system)?;
    let name = matched.captured("name");
    if !is_name(name) {
        return Err(Error::invalid(
            "the name may have letters, digits, '-', '_', '.'",
        ));
    }
    let config = Config::parse(&matched.fields, configs.get(name))?;
    configs.insert(name.to_owned(), config);
    put(&slot, configs)
}

fn delete(system: &System, matched: &Matched<'_>) -> Result<Outcome, Error> {
    let (slot, mut configs) = configs(system)?;
    match configs.remove(matched.captured("name")) {
        None => Ok(Response::no_content().into()),
        Some(_) => put(&slot, configs),
    }
}

fn status(system: &System, matched: &Matched<'_>) -> Result<Outcome, Error> {
    let name = matched.captured("name");
    let (_, configs) = configs(system)?;
    match configs.contains_key(name) {
        true => Ok(Response::data(system.options.snapshots.status(name).data()).into()),
        false => Err(Error::not_found()),
    }
}
