//! Descriptors: connections leave enough of them for the store.

use crate::support::Server;
use serde_json::json;
use std::io::Write;
use std::net::TcpStream;

const HARD: u64 = 420;
/// More connections than the limit of descriptors allows.
const CONNECTIONS: usize = 500;

#[test]
fn the_soft_limit_is_raised_and_connections_leave_the_store_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let limits = ["ulimit -Sn 64".to_owned(), format!("ulimit -Hn {HARD}")];
    let limits = limits.each_ref().map(String::as_str);
    let server = Server::raft_after(&limits, folder.path());
    assert_eq!(server.limit("Max open files"), (HARD, HARD));
    let (_, token) = server.initialize();
    let client = server.client().with_token(&token);
    client
        .put("sys/mounts/kv", json!({"type": "kv"}))
        .expect(204);
    let mut held = Vec::new();
    for n in 0..CONNECTIONS {
        let mut stream = TcpStream::connect(&server.address).unwrap();
        // Some wait with a head, some with half of one, some with nothing.
        let head = [
            "GET /v1/sys/health HTTP/1.1\r\nHost: x\r\n\r\n",
            "GET /v1/",
            "",
        ];
        stream.write_all(head[n % 3].as_bytes()).unwrap();
        held.push(stream);
        if n % 20 == 19 {
            let path = format!("kv/{n}");
            client.put(&path, json!({"n": n})).expect(204);
            assert_eq!(client.get(&path).expect(200).json()["data"]["n"], n);
        }
    }
    // Work that opens a file succeeds as well.
    let log = folder.path().join("audit.log");
    let device = json!({"type": "file", "options": {"file_path": log}});
    client.put("sys/audit/file", device).expect(204);
    client.put("kv/last", json!({"n": 1})).expect(204);
    assert_eq!(server.stop(), Some(0));
}
