//! `sys/loggers`: the process has one log, and its level can be changed while it runs.

use super::field;
use super::system::is_update;
use crate::engine::{Error, Operation, Outcome, Request, Response};
use crate::telemetry::{Level, Log};
use serde_json::{Map, json};
use std::sync::OnceLock;

/// The one logger's name.
const NAME: &str = "core";

/// The level before anyone changed it, to go back to.
static FIRST: OnceLock<Level> = OnceLock::new();

pub(super) fn handle(request: &Request, name: &str) -> Result<Outcome, Error> {
    let Some(log) = Log::installed() else {
        return Err(Error::unsupported_path());
    };
    let known = name.is_empty() || name == NAME;
    match request.operation {
        Operation::Read => {
            let mut data = Map::new();
            if known {
                data.insert(NAME.into(), json!(log.level().to_string().to_lowercase()));
            }
            return Ok(Response::data(data).into());
        }
        _ if !known => return Err(Error::invalid(format!("logger {name:?} not found"))),
        Operation::Delete => log.set_level(*FIRST.get_or_init(|| log.level())),
        _ if is_update(request) => {
            let wanted = field::text(&request.data, "level")?.unwrap_or_default();
            let level = parse(&wanted)?;
            FIRST.get_or_init(|| log.level());
            log.set_level(level);
        }
        _ => return Err(Error::unsupported_operation()),
    }
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
