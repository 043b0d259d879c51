//! Whole requests: a node in this process, and a client that keeps its connection.

use crate::ground::{folder, runtime};
use coffer::config;
use coffer::http::Bound;
use coffer::node::{Dev, Node};
use coffer::secret::Secret;
use criterion::Criterion;
use std::cell::{OnceCell, RefCell};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const ROOT: &str = "root-token-for-benches";

/// Where the node keeps its data.
#[derive(Clone, Copy)]
enum Kept {
    Raft,
    Memory,
}

/// A node, and an open connection to it.
struct Served {
    node: Node,
    stream: TcpStream,
    answer: Vec<u8>,
    _folder: TempDir,
}

impl Served {
    async fn start(kept: Kept) -> Self {
        let folder = folder();
        let storage = match kept {
            Kept::Raft => format!(
                "storage \"raft\" {{ path = {:?} node_id = \"a\" }}",
                folder.path().join("data")
            ),
            Kept::Memory => "storage \"inmem\" {}".to_owned(),
        };
        let listener = "listener \"tcp\" { address = \"127.0.0.1:0\" tls_disable = true }";
        let text = format!("{storage}\n{listener}\n");
        let loaded = config::from_text(&[("bench.hcl".to_owned(), text)], &[]).unwrap();
        let dev = Dev {
            root_token: Some(Secret::new(ROOT.to_owned())),
            mount_kv: true,
            keys: None,
        };
        let node = Node::start(loaded.config, Some(dev)).await.unwrap();
        let Some(Bound::Tcp(address)) = node.bound().first() else {
            panic!("the listener is TCP");
        };
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let mut served = Self {
            stream,
            node,
            answer: vec![0; 1 << 20],
            _folder: folder,
        };
        for number in 0..100 {
            let put = request("POST", &format!("secret/data/list/{number}"), ROOT, &body());
            served.ask(put.as_bytes(), 200).await;
        }
        served
    }

    /// Sends a request, and reads its answer to the end.
    async fn ask(&mut self, request: &[u8], status: u16) {
        self.stream.write_all(request).await.unwrap();
        let mut read = 0;
        let whole = loop {
            let count = self.stream.read(&mut self.answer[read..]).await.unwrap();
            assert!(count > 0, "the node closed the connection");
            read += count;
            if let Some(whole) = length(&self.answer[..read]) {
                break whole;
            }
        };
        while read < whole {
            read += self.stream.read(&mut self.answer[read..]).await.unwrap();
        }
        let head = String::from_utf8_lossy(&self.answer[..read.min(400)]);
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
    }
}

/// Returns the length of an answer whose head is complete.
fn length(answer: &[u8]) -> Option<usize> {
    let head = answer.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&answer[..head]).unwrap();
    let value = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse::<usize>().unwrap())
    });
    Some(head + value.unwrap_or(0))
}

fn request(method: &str, path: &str, token: &str, body: &str) -> String {
    format!(
        "{method} /v1/{path} HTTP/1.1\r\nHost: bench\r\nX-Vault-Token: {token}\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn body() -> String {
    format!("{{\"data\":{{\"value\":\"{}\"}}}}", "v".repeat(1024))
}

/// Asks a node with its data on the disk, and one with it in memory.
pub fn over_a_socket(criterion: &mut Criterion) {
    for (kept, name) in [(Kept::Memory, "memory"), (Kept::Raft, "raft")] {
        let runtime = runtime();
        let started = OnceCell::new();
        let mut group = criterion.benchmark_group(format!("request/{name}"));
        for (id, request, status) in [
            ("get", request("GET", "secret/data/list/1", ROOT, ""), 200),
            (
                "put",
                request("POST", "secret/data/put", ROOT, &body()),
                200,
            ),
            (
                "list-100",
                request("LIST", "secret/metadata/list", ROOT, ""),
                200,
            ),
            ("health", request("GET", "sys/health", ROOT, ""), 200),
            (
                "stranger",
                request("GET", "secret/data/list/1", "s.none", ""),
                403,
            ),
        ] {
            group.bench_function(id, |bencher| {
                let start = || RefCell::new(runtime.block_on(Served::start(kept)));
                let mut served = started.get_or_init(start).borrow_mut();
                bencher.iter(|| runtime.block_on(served.ask(request.as_bytes(), status)));
            });
        }
        group.finish();
        if let Some(served) = started.into_inner() {
            runtime.block_on(served.into_inner().node.shutdown());
        }
    }
}
