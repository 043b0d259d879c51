//! Acts of the node itself: seal, step-down, numbers, wear, and snapshots of the whole state.
//!
//! The router has authorized such a call and written its first audit line before one of these
//! functions runs; the second line is written after the act, and says how it ended.

use super::metrics;
use super::run::Run;
use super::system::System;
use crate::engine::table::{Access, Answers, Endpoint, Matched, OnFullDisk, Op, Place, Row};
use crate::engine::{Error, Response, Streamed};
use crate::store::BoxFuture;
use crate::sys::open::failed;
use crate::sys::ports::{HaStatus, Lifecycle};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// The outcome of an act of the node: the answer, or the error.
type Done<'a> = BoxFuture<'a, Result<Response, Error>>;

const SEAL: &str = "seal";
const METRICS: &str = "metrics";
/// The content type of a snapshot, in Vault's words.
const SNAPSHOT_TYPE: &str = "application/gzip";

/// The endpoints that the node itself answers.
pub(in crate::sys) const ROWS: &[Row<Run>] = &[
    Row {
        endpoint: Endpoint {
            pattern: SEAL,
            on_full_disk: OnFullDisk::Rescues,
            access: Access::Sudo,
            place: Place::ThisNode,
            summary: "Seals this node.",
            ..Endpoint::USUAL
        },
        operations: &[(Op::ACT, Run::Act(seal))],
    },
    Row {
        endpoint: Endpoint {
            pattern: "step-down",
            on_full_disk: OnFullDisk::Rescues,
            access: Access::Sudo,
            place: Place::ThisNode,
            summary: "Lets another node become active.",
            ..Endpoint::USUAL
        },
        operations: &[(Op::ACT, Run::Act(step_down))],
    },
    Row {
        endpoint: Endpoint {
            pattern: "ha-status",
            place: Place::Active,
            summary: "Shows the nodes that are known.",
            ..Endpoint::USUAL
        },
        operations: &[(Op::READ, Run::Act(ha_status))],
    },
    Row {
        endpoint: Endpoint {
            pattern: METRICS,
            answers: Answers::Bytes,
            place: Place::ThisNode,
            fields: &[metrics::FORMAT],
            summary: "Shows this node's numbers.",
            ..Endpoint::USUAL
        },
        operations: &[(Op::READ, Run::Act(numbers))],
    },
    Row {
        endpoint: Endpoint {
            pattern: "storage/wear",
            place: Place::ThisNode,
            summary: "Shows what this node's device was given to write, and the life it has left.",
            about: "Counts since the start, and since the machine's start where the kernel keeps \
                    them; the hours and days before now are kept in memory only. The rate and the \
                    years left are of all programs that use the device.",
            ..Endpoint::USUAL
        },
        operations: &[(Op::READ, Run::Act(wear))],
    },
    Row {
        endpoint: Endpoint {
            pattern: "storage/raft/snapshot",
            on_full_disk: OnFullDisk::Repairs,
            place: Place::ActiveItself,
            takes_anything: true,
            uploads: true,
            answers: Answers::Bytes,
            summary: "Saves a snapshot when it is read, restores one when it is written.",
            ..Endpoint::USUAL
        },
        operations: &[
            (Op::READ, Run::Act(save)),
            (
                Op::ACT,
                Run::Act(|system, matched| restore(system, matched, false)),
            ),
        ],
    },
    Row {
        endpoint: Endpoint {
            pattern: "storage/raft/snapshot-force",
            place: Place::ActiveItself,
            takes_anything: true,
            uploads: true,
            answers: Answers::Bytes,
            summary: "Restores a snapshot, whoever made it.",
            ..Endpoint::USUAL
        },
        operations: &[(
            Op::ACT,
            Run::Act(|system, matched| restore(system, matched, true)),
        )],
    },
];

/// Returns whether `endpoint` seals the node.
pub(super) fn is_seal(endpoint: &Endpoint) -> bool {
    endpoint.pattern == SEAL
}

/// Returns whether `endpoint` shows the node's numbers.
pub(super) fn is_metrics(endpoint: &Endpoint) -> bool {
    endpoint.pattern == METRICS
}

fn node(system: &System) -> Result<Arc<dyn Lifecycle>, Error> {
    (system.node)().ok_or_else(|| Error::internal("the node has gone"))
}

fn seal<'a>(system: &'a System, _: Matched<'a>) -> Done<'a> {
    Box::pin(async {
        node(system)?.seal().await.map_err(failed)?;
        Ok(Response::no_content())
    })
}

fn step_down<'a>(system: &'a System, _: Matched<'a>) -> Done<'a> {
    Box::pin(async {
        node(system)?.step_down().await.map_err(failed)?;
        Ok(Response::no_content())
    })
}

fn numbers<'a>(system: &'a System, matched: Matched<'a>) -> Done<'a> {
    Box::pin(async move { metrics::show(&matched.fields, &*node(system)?).await })
}

fn wear<'a>(system: &'a System, _: Matched<'a>) -> Done<'a> {
    Box::pin(async { Ok(Response::data(node(system)?.wear().await)) })
}

fn save<'a>(system: &'a System, _: Matched<'a>) -> Done<'a> {
    Box::pin(async {
        let chunks = node(system)?.save_snapshot().await.map_err(failed)?;
        let disposition = ("Content-Disposition".to_owned(), "attachment".to_owned());
        let mut response = Response::no_content();
        response.headers.push(disposition);
        response.stream = Some(Streamed {
            content_type: SNAPSHOT_TYPE,
            chunks,
        });
        Ok(response)
    })
}

fn restore<'a>(system: &'a System, matched: Matched<'a>, force: bool) -> Done<'a> {
    Box::pin(async move {
        let archive = matched.request.upload.take();
        let archive = archive.ok_or_else(|| Error::invalid("the snapshot is missing"))?;
        let restored = node(system)?.restore_snapshot(archive, force).await;
        restored.map_err(failed)?;
        Ok(Response::no_content())
    })
}

fn ha_status<'a>(system: &'a System, _: Matched<'a>) -> Done<'a> {
    Box::pin(async {
        let mut response = Response::data(nodes(&node(system)?.ha_status()));
        response.duplicate_data = true;
        Ok(response)
    })
}

fn nodes(nodes: &[HaStatus]) -> Map<String, Value> {
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
