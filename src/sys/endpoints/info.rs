//! The endpoints that tell about the node: host, versions, requests in flight, numbers.

use super::run::Run;
use super::system::System;
use crate::engine::table::{Answers, Endpoint, Op, Place, Row};
use crate::engine::{Body, Request, Response};
use serde_json::{Map, Value, json};

const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Largest file of `/proc` that is read.
const PROC_BYTES_MAX: u64 = 256 * 1024;

/// The endpoints about the node.
pub(super) const ROWS: &[Row<Run>] = &[
    Row {
        endpoint: Endpoint {
            pattern: "host-info",
            place: Place::ThisNode,
            summary: "Shows this node's host.",
            ..Endpoint::USUAL
        },
        operations: &[(
            Op::READ,
            Run::Answer(|_, matched| Ok(Response::data(host(matched.request)).into())),
        )],
    },
    Row {
        endpoint: Endpoint {
            pattern: "version-history",
            summary: "Lists the versions that have run.",
            ..Endpoint::USUAL
        },
        operations: &[(
            Op::LIST,
            Run::Answer(|system, _| Ok(system.versions().into())),
        )],
    },
    Row {
        endpoint: Endpoint {
            pattern: "in-flight-req",
            answers: Answers::Object,
            place: Place::ThisNode,
            summary: "Shows the requests that this node is answering.",
            ..Endpoint::USUAL
        },
        operations: &[(
            Op::READ,
            Run::Answer(|system, _| Ok(system.in_flight().into())),
        )],
    },
];

impl System {
    fn versions(&self) -> Response {
        let mut response = Response::list(vec![VERSION.to_owned()]);
        if let Some(data) = &mut response.data {
            let info = json!({
                VERSION: {
                    "previous_version": Value::Null,
                    "timestamp_installed": self.started.rfc3339(),
                }
            });
            data.insert("key_info".into(), info);
        }
        response
    }

    fn in_flight(&self) -> Response {
        let mut rows = Map::new();
        for (id, flight) in self.flights.list() {
            let row = json!({
                "start_time": flight.start.rfc3339(),
                "client_remote_address": flight.address.map(|a| a.to_string()).unwrap_or_default(),
                "request_path": format!("/v1/{}", flight.path),
                "request_method": flight.operation.name(),
                "client_id": "",
            });
            rows.insert(id, row);
        }
        raw_json(&Value::Object(rows))
    }
}

fn raw_json(value: &Value) -> Response {
    Response {
        body: Some(Body {
            content_type: "application/json",
            bytes: value.to_string().into_bytes(),
        }),
        ..Response::default()
    }
}

/// Describes the host from `/proc`, and leaves out what cannot be read.
fn host(request: &Request) -> Map<String, Value> {
    let mut data = Map::new();
    data.insert("timestamp".into(), json!(request.now.rfc3339()));
    let uptime = proc("uptime")
        .split('.')
        .next()
        .and_then(|seconds| seconds.parse::<u64>().ok());
    let host = json!({
        "hostname": proc("sys/kernel/hostname").trim(),
        "os": std::env::consts::OS,
        "kernelVersion": proc("sys/kernel/osrelease").trim(),
        "kernelArch": std::env::consts::ARCH,
        "uptime": uptime,
    });
    data.insert("host".into(), host);
    data.insert("memory".into(), memory());
    data.insert("cpu".into(), processors());
    data
}

fn memory() -> Value {
    let text = proc("meminfo");
    let field = |name: &str| -> Option<u64> {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
        Some(kib * 1024)
    };
    let (total, available) = (field("MemTotal"), field("MemAvailable"));
    json!({
        "total": total,
        "available": available,
        "free": field("MemFree"),
        "buffers": field("Buffers"),
        "cached": field("Cached"),
        "swapTotal": field("SwapTotal"),
        "swapFree": field("SwapFree"),
        "used": total.zip(available).map(|(total, available)| total.saturating_sub(available)),
    })
}

fn processors() -> Value {
    let text = proc("cpuinfo");
    let value = |line: &str| {
        line.split_once(':')
            .map(|(_, value)| value.trim().to_owned())
    };
    let model = text
        .lines()
        .find(|line| line.starts_with("model name") || line.starts_with("Model"))
        .and_then(value)
        .unwrap_or_default();
    let count = text
        .lines()
        .filter(|line| line.starts_with("processor"))
        .count();
    let rows = (0..count).map(|cpu| json!({"cpu": cpu, "modelName": model, "cores": 1}));
    Value::Array(rows.collect())
}

fn proc(name: &str) -> String {
    use std::io::Read;
    let mut text = String::new();
    if let Ok(file) = std::fs::File::open(format!("/proc/{name}")) {
        // A file that is no text, or too long, is as good as absent.
        let _ = file.take(PROC_BYTES_MAX).read_to_string(&mut text);
    }
    text
}
