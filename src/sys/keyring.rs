//! `sys/key-status` and `sys/rotate`.

use super::field;
use super::system::{System, doubled, expect};
use crate::barrier::BarrierError;
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
                // Someone else rotated at the same moment; both asked for a new key.
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
        let mut config = self.barrier.rotation_config()?;
        let data = &request.data;
        if let Some(operations) = field::integer(data, "max_operations")? {
            config.max_operations = u64::try_from(operations).unwrap_or_default();
        }
        if let Some(seconds) = field::seconds(data, "interval")? {
            config.interval_s = seconds;
        }
        if let Some(enabled) = field::flag(data, "enabled")? {
            config.enabled = enabled;
        }
        self.barrier.configure_rotation(config, request.now).await?;
        Ok(Response::no_content())
    }
}
