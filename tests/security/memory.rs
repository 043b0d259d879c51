//! Floods: memory stays flat, and the node keeps serving.

use crate::server::{ROOT, Server};
use std::sync::Arc;

/// Memory of this process that is not shared with files, in KiB.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("RssAnon:"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

async fn flood(server: &Arc<Server>, request: Arc<Vec<u8>>, rounds: usize) -> Vec<u16> {
    let mut statuses = Vec::new();
    for _ in 0..rounds {
        let tasks: Vec<_> = (0..16)
            .map(|_| {
                let (server, request) = (server.clone(), request.clone());
                tokio::spawn(async move { server.raw(&request).await.status })
            })
            .collect();
        for task in tasks {
            statuses.push(task.await.unwrap());
        }
    }
    statuses
}

fn request(token: &str, path: &str, body: &[u8]) -> Arc<Vec<u8>> {
    let length = body.len();
    let head = format!(
        "PUT /v1/{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Vault-Token: {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    );
    Arc::new([head.as_bytes(), body].concat())
}

/// One test, because memory is measured for the whole process.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cve_2025_6203_2023_6337_floods_leave_memory_flat() {
    const GROWTH_KIB_MAX: u64 = 160 * 1024;
    let server = Arc::new(Server::start().await);
    let objects = format!("{{\"a\":[{}{{}}]}}", "{},".repeat(1_000_000));
    let nested = format!("{{\"a\":[{}{{}}]}}", "{\"b\":[[[]]]},".repeat(15_000));
    let large = format!("{{\"data\":{{\"a\":\"{}\"}}}}", "x".repeat(1024 * 1024));
    let denied = br#"{"data":{"a":1}}"#;
    let floods = [
        request("made-up", "secret/data/x", objects.as_bytes()),
        request("made-up", "secret/data/x", nested.as_bytes()),
        request("made-up", "secret/data/x", large.as_bytes()),
        request("", "sys/unseal", objects.as_bytes()),
        request("", "auth/token/create", large.as_bytes()),
        request("made-up", "secret/data/x", denied),
    ];
    for warm in &floods {
        server.raw(warm).await;
    }
    let before = resident_kib();
    for flooding in floods {
        let statuses = flood(&server, flooding, 2).await;
        let refused = |status: &u16| matches!(status, 400 | 403 | 413 | 503);
        assert!(statuses.iter().all(refused), "{statuses:?}");
        let grown = resident_kib().saturating_sub(before);
        assert!(grown < GROWTH_KIB_MAX, "{grown} KiB more after the flood");
    }
    server
        .root("PUT", "secret/data/x", r#"{"data":{"a":1}}"#)
        .await;
    assert_eq!(
        server.call(ROOT, "GET", "secret/data/x", "").await.status,
        200
    );
}
