//! Steps of the node's life that the router authorizes and audits but cannot take.
//!
//! Such a call goes through the router as any other. The engine behind `sys/` answers it with an
//! empty success, and only then the node acts.

use super::table::{self, Run};
use crate::engine::table::Matched;
use crate::engine::{Error, Operation, Outcome, Response, Streamed};
use crate::router::Reply;
use crate::stream::Chunks;
use crate::sys::open::failed;
use crate::sys::ports::{HaStatus, Lifecycle, LifecycleError};
use serde_json::{Map, Value, json};

/// A call that the router authorizes and audits, and the node then carries out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// `sys/seal`.
    Seal,
    /// `sys/step-down`.
    StepDown,
    /// `sys/ha-status`.
    HaStatus,
    /// `sys/metrics`.
    Metrics,
    /// `sys/storage/raft/snapshot`: saved when it is read, restored when it is written.
    Snapshot,
    /// `sys/storage/raft/snapshot-force`: restored, whoever made it.
    SnapshotForce,
}

impl Step {
    /// The step at `path` (without `/v1/`), if it is one.
    pub fn of(path: &str) -> Option<Self> {
        let row = table::row(path)?;
        row.operations.iter().find_map(|(_, run)| match run {
            Run::Node(step) => Some(*step),
            _ => None,
        })
    }

    /// Does `path`, where a step is, know this operation?
    pub fn takes(path: &str, operation: Operation) -> bool {
        let row = table::row(path);
        row.is_some_and(|row| row.handler(operation).is_some())
    }

    /// Answers that the caller may.
    pub(in crate::sys) fn allowed(self, matched: &Matched<'_>) -> Result<Outcome, Error> {
        Ok(match self {
            Self::HaStatus => Response::data(Map::new()),
            Self::Metrics => super::metrics::empty(&matched.fields)?,
            _ => Response::no_content(),
        }
        .into())
    }

    /// Is it about a whole snapshot, in the body of the request or of the answer? Such bodies are
    /// streams: no limit of time or size of other requests is theirs, and no standby passes them
    /// on.
    pub const fn streams(self) -> bool {
        matches!(self, Self::Snapshot | Self::SnapshotForce)
    }

    /// Acts when the router allowed it, and completes the reply.
    /// `body` is what the client sent with it, where it [`Step::streams`] and was written.
    pub async fn take(
        self,
        mut reply: Reply,
        lifecycle: &dyn Lifecycle,
        body: Option<Chunks>,
    ) -> Reply {
        let Ok(response) = &mut reply.result else {
            return reply;
        };
        let done = match self {
            Self::Seal => lifecycle.seal().await,
            Self::StepDown => lifecycle.step_down().await,
            Self::HaStatus => {
                if response.wrap_info.is_none() {
                    response.data = Some(ha_status(&lifecycle.ha_status()));
                    response.duplicate_data = true;
                }
                Ok(())
            }
            Self::Metrics => {
                if let Err(error) = super::metrics::fill(response, lifecycle).await {
                    reply.result = Err(error);
                }
                return reply;
            }
            Self::Snapshot | Self::SnapshotForce => match body {
                Some(body) => {
                    let force = self == Self::SnapshotForce;
                    lifecycle.restore_snapshot(body, force).await
                }
                None => save(response, lifecycle).await,
            },
        };
        if let Err(error) = done {
            reply.result = Err(failed(error));
        }
        reply
    }
}

/// In Vault's words.
const SNAPSHOT_TYPE: &str = "application/gzip";

async fn save(response: &mut Response, lifecycle: &dyn Lifecycle) -> Result<(), LifecycleError> {
    let chunks = lifecycle.save_snapshot().await?;
    let disposition = ("Content-Disposition".to_owned(), "attachment".to_owned());
    response.headers.push(disposition);
    response.stream = Some(Streamed {
        content_type: SNAPSHOT_TYPE,
        chunks,
    });
    Ok(())
}

fn ha_status(nodes: &[HaStatus]) -> Map<String, Value> {
    let nodes = nodes.iter().map(|node| {
        let last_echo = (!node.last_echo.is_zero()).then(|| node.last_echo.rfc3339());
        json!({
            "hostname": node.hostname,
            "api_address": node.api_address,
            "cluster_address": node.cluster_address,
            "active_node": node.active_node,
            "last_echo": last_echo,
            "version": node.version,
        })
    });
    let mut data = Map::new();
    data.insert("nodes".into(), Value::Array(nodes.collect()));
    data
}
