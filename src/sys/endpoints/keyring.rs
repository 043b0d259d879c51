//! `sys/key-status` and `sys/rotate`.

use super::run::Run;
use super::system::{System, doubled};
use crate::barrier::{BarrierError, RotationConfig};
use crate::clock::{Timestamp, format_duration};
use crate::engine::table::{Access, Endpoint, Field, FieldKind, Matched, Op, Row};
use crate::engine::{Error, Outcome, Response};
use crate::store::CommitError;
use serde_json::{Map, json};
use std::time::Duration;

/// Most attempts at a rotation that conflicts.
const CONFLICTS_MAX: usize = 8;

const ROTATE: Endpoint = Endpoint {
    access: Access::Sudo,
    summary: "Makes a new key for what is written from now on.",
    ..Endpoint::USUAL
};
const ROTATES: Run = Run::Act(|system, matched| Box::pin(system.rotate(matched.request.now)));

const CONFIG: Endpoint = Endpoint {
    fields: &[
        Field::new("enabled", FieldKind::Flag, "Is the key changed by itself?"),
        Field::new("interval", FieldKind::Seconds, "After so long."),
        Field::new("max_operations", FieldKind::Integer, "After so many uses."),
    ],
    summary: "When the key is changed by itself.",
    ..Endpoint::USUAL
};
const CONFIGURES: &[(Op, Run)] = &[
    (Op::READ, Run::Answer(|system, _| system.rotation_config())),
    (
        Op::ACT,
        Run::Act(|system, matched| Box::pin(system.configure_rotation(matched))),
    ),
];

/// The keys of the keyring.
pub(super) const ROWS: &[Row<Run>] = &[
    Row {
        endpoint: Endpoint {
            pattern: "key-status",
            summary: "Shows the key that is in use.",
            ..Endpoint::USUAL
        },
        operations: &[(Op::READ, Run::Answer(|system, _| system.key_status()))],
    },
    Row {
        endpoint: Endpoint {
            pattern: "rotate",
            ..ROTATE
        },
        operations: &[(Op::ACT, ROTATES)],
    },
    Row {
        endpoint: Endpoint {
            pattern: "rotate/keyring",
            ..ROTATE
        },
        operations: &[(Op::ACT, ROTATES)],
    },
    Row {
        endpoint: Endpoint {
            pattern: "rotate/config",
            ..CONFIG
        },
        operations: CONFIGURES,
    },
    Row {
        endpoint: Endpoint {
            pattern: "rotate/keyring/config",
            ..CONFIG
        },
        operations: CONFIGURES,
    },
];

impl System {
    fn key_status(&self) -> Result<Outcome, Error> {
        let status = self.barrier.key_status()?;
        let mut data = Map::new();
        data.insert("term".into(), json!(status.key_term));
        data.insert("install_time".into(), json!(status.installed.rfc3339()));
        data.insert("encryptions".into(), json!(status.encryptions));
        data.insert("older_terms".into(), self.older_terms()?);
        Ok(doubled(data))
    }

    fn rotation_config(&self) -> Result<Outcome, Error> {
        let config = self.barrier.rotation_config()?;
        let interval = match config.interval_s {
            0 => json!(0),
            seconds => json!(format_duration(Duration::from_secs(seconds))),
        };
        let mut data = Map::new();
        data.insert("enabled".into(), json!(config.enabled));
        data.insert("interval".into(), interval);
        data.insert("max_operations".into(), json!(config.max_operations));
        Ok(Response::data(data).into())
    }

    async fn rotate(&self, now: Timestamp) -> Result<Response, Error> {
        for _ in 0..CONFLICTS_MAX {
            match self.barrier.rotate(now).await {
                // Someone changed the settings at the same moment.
                Err(BarrierError::Commit(CommitError::Conflict)) => {}
                done => {
                    let key_term = done?;
                    crate::telemetry::info!(key_term, "installed new encryption key");
                    return Ok(Response::no_content());
                }
            }
        }
        Err(BarrierError::Commit(CommitError::Conflict).into())
    }

    async fn configure_rotation(&self, matched: Matched<'_>) -> Result<Response, Error> {
        let fields = &matched.fields;
        let operations = fields.integer("max_operations");
        let operations = operations.map(|number| u64::try_from(number).unwrap_or_default());
        let interval = fields.seconds("interval");
        let enabled = fields.flag("enabled");
        for _ in 0..CONFLICTS_MAX {
            let change = |config: &mut RotationConfig| {
                config.max_operations = operations.unwrap_or(config.max_operations);
                config.interval_s = interval.unwrap_or(config.interval_s);
                config.enabled = enabled.unwrap_or(config.enabled);
            };
            match self
                .barrier
                .configure_rotation(change, matched.request.now)
                .await
            {
                Err(BarrierError::Commit(CommitError::Conflict)) => {}
                done => {
                    done?;
                    return Ok(Response::no_content());
                }
            }
        }
        Err(BarrierError::Commit(CommitError::Conflict).into())
    }
}
