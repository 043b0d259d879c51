//! `sys/storage/raft/autopilot/configuration` and `state`.

use crate::barrier::{BarrierError, Batch};
use crate::clock::Timestamp;
use crate::engine::{Error, Request, Response};
use crate::store::CommitError;
use crate::sys::autopilot::{Config, report};
use crate::sys::cluster::Cluster;
use crate::sys::system::System;
use serde_json::{Map, Value};
use tokio::time::Instant;

/// How often a change of the settings is tried again after a conflict.
const CONFLICTS_MAX: usize = 8;

impl System {
    pub(super) fn autopilot_config(&self) -> Result<Map<String, Value>, Error> {
        let (_, config) = Config::read(&self.barrier)?;
        Ok(config.data())
    }

    pub(super) fn autopilot_state(
        &self,
        cluster: &dyn Cluster,
        now: Timestamp,
    ) -> Result<Map<String, Value>, Error> {
        let (_, config) = Config::read(&self.barrier)?;
        let seen = cluster.membership();
        let look = self.options.autopilot.look(&config, &seen, Instant::now());
        Ok(report(&config, &look, now))
    }

    /// Committed here and not as the request's batch, because autopilot must look after that.
    pub(super) async fn configure_autopilot(&self, request: &Request) -> Result<Response, Error> {
        for _ in 0..CONFLICTS_MAX {
            let (revision, mut config) = Config::read(&self.barrier)?;
            config.update(&request.data)?;
            let mut batch = Batch::new();
            config.put(&self.barrier, &mut batch, revision)?;
            match self.barrier.commit(batch, request.now).await {
                Err(BarrierError::Commit(CommitError::Conflict)) => {}
                done => {
                    done?;
                    self.options.autopilot.wake();
                    return Ok(Response::no_content());
                }
            }
        }
        Err(BarrierError::Commit(CommitError::Conflict).into())
    }
}
