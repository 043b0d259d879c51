//! `sys/key-status` and `sys/rotate`.

use super::field;
use super::system::{System, doubled, expect};
use crate::barrier::{BarrierError, RotationConfig};
use crate::clock::{Timestamp, format_duration};
use crate::engine::{Error, Operation, Outcome, Request, Response};
use crate::store::CommitError;
use serde_json::{Map, json};
use std::time::Duration;

/// How often a rotation is tried again after a conflict.
const CONFLICTS_MAX: usize = 8;

impl System {
    pub(super) fn key_status(&self, request: &Request) -> Result<Outcome, Error> {
        expect(request, Operation::Read)?;
        let status = self.barrier.key_status()?;
        let mut data = Map::new();
        data.insert("term".into(), json!(status.key_term));
        data.insert("install_time".into(), json!(status.installed.rfc3339()));
        data.insert("encryptions".into(), json!(status.encryptions));
        Ok(doubled(data))
    }

    pub(super) fn rotation_config(&self, request: &Request) -> Result<Outcome, Error> {
        expect(request, Operation::Read)?;
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

    pub(super) async fn rotate(&self, now: Timestamp) -> Result<Response, Error> {
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

    pub(super) async fn configure_rotation(&self, request: &Request) -> Result<Response, Error> {
        let data = &request.data;
        let operations = field::integer(data, "max_operations")?;
        let operations = operations.map(|number| u64::try_from(number).unwrap_or_default());
        let interval = field::seconds(data, "interval")?;
        let enabled = field::flag(data, "enabled")?;
        for _ in 0..CONFLICTS_MAX {
            let change = |config: &mut RotationConfig| {
                config.max_operations = operations.unwrap_or(config.max_operations);
                config.interval_s = interval.unwrap_or(config.interval_s);
                config.enabled = enabled.unwrap_or(config.enabled);
            };
            match self.barrier.configure_rotation(change, request.now).await {
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
