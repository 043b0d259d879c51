//! `sys/storage/raft/autopilot/configuration` and `state`.

use crate::barrier::{BarrierError, Batch};
use crate::clock::Timestamp;
use crate::engine::table::Matched;
use crate::engine::{Error, Outcome, Response};
use crate::store::CommitError;
use crate::sys::duties::autopilot::{Config, report};
use crate::sys::endpoints::system::System;
use tokio::time::Instant;

/// Most attempts at a change of the settings that conflict.
const CONFLICTS_MAX: usize = 8;

impl System {
    pub(super) fn autopilot_config(&self) -> Result<Outcome, Error> {
        self.cluster()?;
        let (_, config) = Config::read(&self.barrier)?;
        Ok(Response::data(config.data()).into())
    }

    pub(super) fn autopilot_state(&self, now: Timestamp) -> Result<Outcome, Error> {
        let cluster = self.cluster()?;
        let (_, config) = Config::read(&self.barrier)?;
        let seen = cluster.membership();
        let look = self.options.autopilot.look(&config, &seen, Instant::now());
        Ok(Response::data(report(&config, &look, now)).into())
    }

    /// Changes the settings. Commits here and not with the request's batch, because autopilot must
    /// look after that.
    pub(super) async fn configure_autopilot(
        &self,
        matched: Matched<'_>,
    ) -> Result<Response, Error> {
        self.cluster()?;
        for _ in 0..CONFLICTS_MAX {
            let (slot, mut config) = Config::read(&self.barrier)?;
            config.update(&matched.fields)?;
            let mut batch = Batch::new();
            config.put(&mut batch, &slot)?;
            match self.barrier.commit(batch, matched.request.now).await {
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
