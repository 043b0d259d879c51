//! `sys/storage/raft/`: the members and autopilot. Without a cluster below there is nothing here.
//!
//! Changes of the members wait for the log, so they are answered directly and not as a batch.

mod autopilot;
mod members;

use super::cluster::{Cluster, MemberError};
use super::system::{System, expect};
use crate::engine::{Error, ErrorKind, Operation, Outcome, Request, Response};
use crate::store::BoxFuture;
use std::sync::Arc;

impl System {
    /// Reads; and refuses what [`System::raft_change`] did not take.
    pub(super) fn raft(&self, request: &Request, rest: &str) -> Result<Outcome, Error> {
        let cluster = self.cluster().ok_or_else(Error::unsupported_path)?;
        let data = match rest {
            "configuration" => {
                expect(request, Operation::Read)?;
                return Ok(members::configuration(&cluster.membership()).into());
            }
            "autopilot/configuration" => {
                expect(request, Operation::Read)?;
                self.autopilot_config()?
            }
            "autopilot/state" => {
                expect(request, Operation::Read)?;
                self.autopilot_state(cluster.as_ref(), request.now)?
            }
            "remove-peer" | "promote" | "demote" => return Err(Error::unsupported_operation()),
            _ => return Err(Error::unsupported_path()),
        };
        Ok(Response::data(data).into())
    }

    /// Updates that change the members or how they are judged.
    pub(super) fn raft_change<'a>(
        &'a self,
        rest: &str,
        request: &'a Request,
    ) -> Option<BoxFuture<'a, Result<Response, Error>>> {
        let cluster = self.cluster()?;
        Some(match rest {
            "remove-peer" => Box::pin(self.remove_member(cluster, request)),
            "promote" => Box::pin(self.promote_member(cluster, request)),
            "demote" => Box::pin(self.demote_member(cluster, request)),
            "autopilot/configuration" => Box::pin(self.configure_autopilot(request)),
            _ => return None,
        })
    }

    fn cluster(&self) -> Option<&Arc<dyn Cluster>> {
        self.options.cluster.as_ref()
    }
}

impl From<MemberError> for Error {
    fn from(error: MemberError) -> Self {
        match error {
            MemberError::Refused(message) => Self::invalid(message),
            MemberError::Unavailable(message) => Self::new(ErrorKind::Unavailable, message),
        }
    }
}
