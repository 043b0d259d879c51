//! `sys/loggers`: the process has one log, and its level can be changed while it runs.

use super::run::Run;
use crate::engine::table::{Effect, Endpoint, Field, FieldKind, Matched, Op, Place, Row};
use crate::engine::{Error, Operation, Outcome, Response};
use crate::telemetry::{Level, Log};
use serde_json::{Map, json};
use std::sync::OnceLock;

/// The one logger's name.
const NAME: &str = "core";

/// The level before anyone changed it, to go back to.
static FIRST: OnceLock<Level> = OnceLock::new();

const LEVEL: Field = Field::new(
    "level",
    FieldKind::Text,
    "trace, debug, info, warn or error.",
)
.required();
const OPERATIONS: &[(Op, Run)] = &[
    (Op::READ, Run::Answer(|_, matched| read(matched))),
    (SET, Run::Answer(|_, matched| set(matched))),
    (RESET, Run::Answer(|_, matched| reset(matched))),
];
const SET: Op = Op::new(Operation::Update, Effect::Acts);
const RESET: Op = Op::new(Operation::Delete, Effect::Acts);

/// The log of this node.
pub(super) const ROWS: &[Row<Run>] = &[
    Row {
        endpoint: Endpoint {
            pattern: "loggers",
            place: Place::ThisNode,
            fields: &[LEVEL],
            summary: "How much this node logs.",
            ..Endpoint::USUAL
        },
        operations: OPERATIONS,
    },
    Row {
        endpoint: Endpoint {
            pattern: "loggers/:name",
            place: Place::ThisNode,
            fields: &[LEVEL, Field::path("name", "The logger: core.")],
            summary: "How much this node logs.",
            ..Endpoint::USUAL
        },
        operations: OPERATIONS,
    },
];

fn log() -> Result<&'static Log, Error> {
    Log::installed().ok_or_else(Error::unsupported_path)
}

fn is_known(name: &str) -> bool {
    name.is_empty() || name == NAME
}

fn known(matched: &Matched<'_>) -> Result<(), Error> {
    let name = matched.captured("name");
    match is_known(name) {
        true => Ok(()),
        false => Err(Error::invalid(format!("logger {name:?} not found"))),
    }
}

fn read(matched: &Matched<'_>) -> Result<Outcome, Error> {
    let log = log()?;
    let mut data = Map::new();
    if is_known(matched.captured("name")) {
        data.insert(NAME.into(), json!(log.level().to_string().to_lowercase()));
    }
    Ok(Response::data(data).into())
}

fn set(matched: &Matched<'_>) -> Result<Outcome, Error> {
    let log = log()?;
    known(matched)?;
    let level = parse(matched.fields.text(LEVEL.name).unwrap_or_default())?;
    FIRST.get_or_init(|| log.level());
    log.set_level(level);
    Ok(Outcome::default())
}

fn reset(matched: &Matched<'_>) -> Result<Outcome, Error> {
    let log = log()?;
    known(matched)?;
    log.set_level(*FIRST.get_or_init(|| log.level()));
    Ok(Outcome::default())
}

fn parse(level: &str) -> Result<Level, Error> {
    match level.to_lowercase().as_str() {
        "" => Err(Error::invalid("level is required")),
        "trace" => Ok(Level::TRACE),
        "debug" => Ok(Level::DEBUG),
        "info" | "notice" => Ok(Level::INFO),
        "warn" | "warning" => Ok(Level::WARN),
        "err" | "error" => Ok(Level::ERROR),
        other => {
            let message = format!("invalid level provided: unknown log level: {other}");
            Err(Error::invalid(message))
        }
    }
}
