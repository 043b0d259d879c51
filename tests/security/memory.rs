//! Floods: memory and the audit log stay small, and the node keeps serving while they last.

use crate::server::{PATIENCE, ROOT, Server, until};
use coffer::audit;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

/// Returns this process's memory that is not shared with files, in KiB.
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

/// Tests floods one after the other: memory is measured for the whole process. An audit device is
/// on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cve_2025_6203_2023_6337_floods_leave_memory_flat() {
    const GROWTH_KIB_MAX: u64 = 160 * 1024;
    many_descriptors();
    let (server, log) = audited().await;
    let objects = format!("{{\"a\":[{}{{}}]}}", "{},".repeat(1_000_000));
    let nested = format!("{{\"a\":[{}{{}}]}}", "{\"b\":[[[]]]},".repeat(15_000));
    let large = format!("{{\"data\":{{\"a\":\"{}\"}}}}", "x".repeat(1024 * 1024));
    let strings = format!("{{\"a\":[{}\"\"]}}", "\"\",".repeat(99_000));
    let denied = br#"{"data":{"a":1}}"#;
    let floods = [
        request("made-up", "secret/data/x", objects.as_bytes()),
        request("made-up", "secret/data/x", nested.as_bytes()),
        request("made-up", "secret/data/x", large.as_bytes()),
        request("made-up", "secret/data/x", strings.as_bytes()),
        request("", "secret/data/x", strings.as_bytes()),
        request(ROOT, "secret/data/x", strings.as_bytes()),
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
    small_requests_write_little(&server, &log).await;
    for budget in BUDGETS {
        let held = exhaust(&server, budget).await;
        others_are_served(&server, budget).await;
        let grown = resident_kib().saturating_sub(before);
        assert!(grown < GROWTH_KIB_MAX, "{budget:?}: {grown} KiB more");
        drop(held);
        until(|| async { server.node.connections() == 0 }).await;
    }
}

/// The resource that a flood exhausts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Budget {
    /// None: bodies are only announced.
    Declared,
    /// The memory for bodies without a token.
    Strangers,
    /// The memory for bodies to unseal with.
    Unseal,
    /// The memory for large bodies with a token.
    Large,
    /// The places for connections.
    Connections,
}

const BUDGETS: [Budget; 5] = [
    Budget::Declared,
    Budget::Strangers,
    Budget::Unseal,
    Budget::Large,
    Budget::Connections,
];

/// Raises the limit of descriptors: both sides of all connections are in this process.
fn many_descriptors() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();
}

async fn audited() -> (Arc<Server>, PathBuf) {
    let server = Arc::new(Server::start().await);
    let folder = tempfile::tempdir().unwrap().keep();
    let log = folder.join("audit.log");
    let device = serde_json::json!({"type": "file", "options": {"file_path": log}});
    server
        .root("PUT", "sys/audit/file", &device.to_string())
        .await;
    (server, log)
}

/// Checks that many small requests without a token do not fill the disk with lines about them,
/// neither where they are refused nor at open paths.
async fn small_requests_write_little(server: &Arc<Server>, log: &Path) {
    const AT_ONCE: usize = 100;
    const ROUNDS: usize = 60;
    let size = || std::fs::metadata(log).unwrap().len();
    let paths = [
        ("secret/data/x", "permission denied"),
        ("sys/generate-root/attempt", "too many requests"),
        ("sys/internal/ui/mounts", "too many requests"),
    ];
    for (path, refusal) in paths {
        let before = size();
        let head = format!("GET /v1/{path} HTTP/1.1\r\nHost: x\r\n");
        let mut all = format!("{head}\r\n").repeat(AT_ONCE - 1);
        all.push_str(&format!("{head}Connection: close\r\n\r\n"));
        let mut refused = 0;
        for _ in 0..ROUNDS {
            let reply = server.raw(all.as_bytes()).await;
            refused += reply.body.matches(refusal).count();
        }
        assert!(refused > AT_ONCE * ROUNDS / 2, "{path}: {refused}");
        let sum = || std::fs::read_to_string(log).unwrap();
        until(|| async { sum().contains("\"refusals\":{\"count\":") }).await;
        let sent = (all.len() * ROUNDS) as u64;
        let most = audit::FACTOR * sent + audit::BURST_BYTES;
        let wrote = size() - before;
        // The allowance of the time is included, and a line that sums up.
        assert!(wrote <= most + 65_536, "{path}: {wrote} for {sent}");
    }
}

/// Takes all of `budget` from other addresses, for as long as the value lives.
async fn exhaust(server: &Server, budget: Budget) -> Vec<TcpStream> {
    let put = |token: &str, path: &str, length: usize| {
        format!(
            "PUT /v1/{path} HTTP/1.1\r\nHost: x\r\nX-Vault-Token: {token}\r\n\
             Content-Length: {length}\r\n\r\n"
        )
    };
    let mib = 1024 * 1024;
    let (head, bytes, count) = match budget {
        Budget::Declared => (put(ROOT, "secret/data/x", 32 * mib), 1, 8),
        Budget::Strangers => (put("", "auth/token/create", 65_000), 64_000, 400),
        Budget::Unseal => (put("", "sys/unseal", 4000), 3900, 900),
        Budget::Large => (put(ROOT, "secret/data/x", 32 * mib), 900 * 1024, 80),
        Budget::Connections => (
            "GET /v1/sys/health HTTP/1.1\r\nHost: x\r\n\r\n".into(),
            0,
            1300,
        ),
    };
    let body = vec![b' '; mib];
    let mut held = Vec::new();
    for n in 0..count {
        let host = u8::try_from(2 + n / 200).unwrap();
        let mut stream = server.connect_from(host).await;
        // The server may refuse the rest before everything is sent.
        let _sent_or_refused = async {
            stream.write_all(head.as_bytes()).await?;
            for start in (0..bytes).step_by(mib) {
                let piece = body.get(..(bytes - start).min(mib)).unwrap();
                stream.write_all(piece).await?;
            }
            Ok::<_, std::io::Error>(())
        }
        .await;
        held.push(stream);
    }
    let large = format!("{{\"data\":{{\"a\":\"{}\"}}}}", "x".repeat(600 * 1024));
    let own = "x".repeat(60_000);
    match budget {
        // Where an exhausted budget cannot be observed, none is: all are served below.
        Budget::Declared | Budget::Unseal | Budget::Connections => {
            let reply = server.call(ROOT, "PUT", "secret/data/z", &large).await;
            assert_eq!(reply.status, 200, "{budget:?}: {reply:?}");
        }
        Budget::Strangers => {
            until(|| async { server.call("", "PUT", "secret/data/z", &own).await.status == 503 })
                .await;
        }
        Budget::Large => {
            let full = || async { server.call(ROOT, "PUT", "secret/data/z", &large).await };
            until(|| async { full().await.status == 503 }).await;
        }
    }
    held
}

/// Checks that an operator can unseal and read the node's state, and that a client with a token is
/// served.
async fn others_are_served(server: &Server, budget: Budget) {
    let share = format!("{{\"key\":\"{}\"}}", "ab".repeat(33));
    let value = format!("{{\"data\":{{\"a\":\"{}\"}}}}", "y".repeat(30_000));
    for _ in 0..5 {
        let begun = std::time::Instant::now();
        for (token, method, path, body) in [
            ("", "GET", "sys/health", ""),
            ("", "GET", "sys/seal-status", ""),
            ("", "PUT", "sys/unseal", share.as_str()),
            (ROOT, "PUT", "secret/data/y", &value),
            (ROOT, "GET", "secret/data/y", ""),
        ] {
            let reply = server.call(token, method, path, body).await;
            assert_eq!(reply.status, 200, "{budget:?}: {method} {path}: {reply:?}");
        }
        assert!(begun.elapsed() < PATIENCE / 4, "{budget:?}: it took long");
    }
}
