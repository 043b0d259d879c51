//! Steps of the node's life that the router authorizes and audits but cannot take.
//!
//! Such a call goes through the router as any other. The engine behind `sys/` answers it with an
//! empty success, and only then the node acts.

use super::lifecycle::{HaStatus, Lifecycle};
use super::open::failed;
use crate::engine::Operation;
use crate::router::Reply;
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
}

impl Step {
    /// The step at `path`, if it is one, with or without a trailing slash.
    pub fn of(path: &str) -> Option<Self> {
        match path.trim_end_matches('/') {
            "sys/seal" => Some(Self::Seal),
            "sys/step-down" => Some(Self::StepDown),
            "sys/ha-status" => Some(Self::HaStatus),
            _ => None,
        }
    }

    /// The only operation it knows.
    pub const fn operation(self) -> Operation {
        match self {
            Self::Seal | Self::StepDown => Operation::Update,
            Self::HaStatus => Operation::Read,
        }
    }

    /// Acts when the router allowed it, and completes the reply.
    pub async fn take(self, mut reply: Reply, lifecycle: &dyn Lifecycle) -> Reply {
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
        };
        if let Err(error) = done {
            reply.result = Err(failed(error));
        }
        reply
    }
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
