//! Limits on size, time and number, before anyone is authenticated.

use crate::fake::{Edge, Reply};
use coffer::http::limits;
use coffer::http::{Address, Listener, Options};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A timeout short enough to wait for; without it each of these would hang, not merely be late.
const SHORT: Duration = Duration::from_millis(80);

#[tokio::test]
async fn a_body_beyond_the_limit_is_413_declared_or_not() {
    let edge = Edge::sealed(|listener| listener.request_bytes_max = 1000).await;
    let declared = "PUT /v1/sys/unseal HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n";
    let reply = edge.send(declared).await;
    assert_eq!(reply.status, 413);
    assert_eq!(reply.errors(), ["http: request body too large"]);
    assert_eq!(reply.header("connection"), Some("close"));
    let chunk = format!("3e8\r\n{}\r\n", "a".repeat(1000));
    let chunked = format!(
        "PUT /v1/sys/unseal HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}{chunk}"
    );
    let reply = edge.send(&chunked).await;
    assert_eq!(reply.status, 413);
    let fits = format!("{{\"reset\":true,\"x\":\"{}\"}}", "a".repeat(900));
    assert_eq!(edge.call("PUT", "/v1/sys/unseal", &fits).await.status, 200);
}

#[tokio::test]
async fn a_client_that_keeps_sending_still_reads_its_413() {
    let edge = Edge::sealed(|listener| listener.request_bytes_max = 1000).await;
    let stream = edge.connect().await;
    let (mut read, mut write) = stream.into_split();
    let sender = tokio::spawn(async move {
        let length = 8 * 1024 * 1024;
        let head =
            format!("PUT /v1/sys/unseal HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n");
        write.write_all(head.as_bytes()).await.unwrap();
        write.write_all(&vec![b' '; length]).await.unwrap();
        write
    });
    sender.await.unwrap();
    let mut all = String::new();
    read.read_to_string(&mut all).await.unwrap();
    assert!(all.starts_with("HTTP/1.1 413"), "{all}");
}

#[tokio::test]
async fn a_head_beyond_the_limit_is_431() {
    let edge = Edge::sealed(|_| ()).await;
    let long = "a".repeat(limits::HEADER_BYTES_MAX + 1);
    let request = format!("GET /v1/sys/health HTTP/1.1\r\nHost: x\r\nA: {long}\r\n\r\n");
    assert_eq!(edge.send(&request).await.status, 431);
    let many = "A: b\r\n".repeat(200);
    let request = format!("GET /v1/sys/health HTTP/1.1\r\nHost: x\r\n{many}\r\n");
    assert_eq!(edge.send(&request).await.status, 431);
}

#[tokio::test]
async fn cve_2025_6203_json_is_bounded_in_every_direction() {
    let edge = Edge::sealed(|_| ()).await;
    let deep = format!("{{\"a\":{}", "[".repeat(limits::JSON_DEPTH_MAX + 1));
    let objects = format!("{{\"a\":[{}{{}}]}}", "{},".repeat(limits::JSON_OBJECTS_MAX));
    let values = format!("{{\"a\":[{}0]}}", "0,".repeat(limits::JSON_VALUES_MAX));
    let key = format!("{{\"{}\":1}}", "k".repeat(limits::JSON_KEY_BYTES_MAX + 1));
    for body in [deep, objects, values, key] {
        let reply = edge.call("PUT", "/v1/sys/unseal", &body).await;
        assert_eq!(reply.status, 400, "{}", body.get(..20).unwrap());
        assert!(reply.errors()[0].starts_with("failed to decode JSON input:"));
    }
}

#[tokio::test]
async fn cve_2025_4166_malformed_bodies_are_not_quoted() {
    let edge = Edge::start(|_| ()).await;
    for body in [
        "hunter2",
        "{\"key\":\"hunter2",
        "{\"key\":hunter2}",
        "[\"hunter2\"]",
        "\"hunter2\"",
        "{\"key\":\"hunter2\"}hunter2",
        "{\"key\":{\"hunter2\":\"hunter2\"}}",
        "{\"secret_shares\":\"hunter2\",\"key\":[\"hunter2\"]}",
    ] {
        for path in ["/v1/sys/unseal", "/v1/sys/init"] {
            let reply = edge.call("PUT", path, body).await;
            assert_eq!(reply.status, 400, "{body}");
            assert!(!reply.body.contains("hunter2"), "{reply:?}");
            assert!(!reply.head.contains("hunter2"), "{reply:?}");
        }
    }
}

#[tokio::test]
async fn a_slow_head_is_cut() {
    let edge = Edge::sealed(|listener| listener.header_read_timeout = SHORT).await;
    let start = Instant::now();
    let mut stream = edge.connect().await;
    stream.write_all(b"GET /v1/sys/health HT").await.unwrap();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    assert!(rest.is_empty());
    assert!(start.elapsed() >= SHORT);
}

#[tokio::test]
async fn a_stalled_body_is_408() {
    let edge = Edge::sealed(|listener| listener.body_read_timeout = SHORT).await;
    let start = Instant::now();
    let reply = edge
        .send("PUT /v1/sys/unseal HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{")
        .await;
    assert_eq!(reply.status, 408);
    assert!(start.elapsed() >= SHORT);
}

#[tokio::test]
async fn an_idle_connection_is_closed_after_the_idle_timeout() {
    let edge = Edge::sealed(|listener| listener.idle_timeout = SHORT).await;
    let start = Instant::now();
    let mut stream = edge.connect().await;
    stream
        .write_all(b"GET /v1/sys/health HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    let mut all = Vec::new();
    stream.read_to_end(&mut all).await.unwrap();
    assert!(all.starts_with(b"HTTP/1.1 503"));
    assert!(start.elapsed() >= SHORT);
}

#[tokio::test]
async fn a_trickled_body_meets_the_request_duration() {
    let edge = Edge::sealed(|listener| listener.request_duration_max = SHORT).await;
    let mut stream = edge.connect().await;
    stream
        .write_all(b"PUT /v1/sys/unseal HTTP/1.1\r\nHost: x\r\nContent-Length: 9999\r\n\r\n")
        .await
        .unwrap();
    let (mut read, mut write) = stream.into_split();
    let trickle = tokio::spawn(async move {
        while write.write_all(b" ").await.is_ok() {
            tokio::time::sleep(SHORT / 4).await;
        }
    });
    let mut all = Vec::new();
    let _reset_or_end = read.read_to_end(&mut all).await;
    let text = String::from_utf8_lossy(&all);
    assert!(text.starts_with("HTTP/1.1 503"), "{text}");
    assert!(text.contains("max_request_duration"), "{text}");
    trickle.abort();
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_for_a_place() {
    let edge = Edge::start_with(Options {
        listeners: vec![Listener::new(Address::Tcp("127.0.0.1:0".into()))],
        connections_max: 2,
    })
    .await;
    let (first, second) = (edge.connect().await, edge.connect().await);
    let mut third = edge.connect().await;
    let request = b"GET /v1/sys/health HTTP/1.1\r\nHost: x\r\n\r\n";
    third.write_all(request).await.unwrap();
    let mut byte = [0; 1];
    let early = tokio::time::timeout(Duration::from_millis(100), third.peek(&mut byte)).await;
    // One more than the limit may be open: the accept loop holds a permit for the next.
    let served_early = early.is_ok();
    drop((first, second));
    let reply = Reply::read(&mut third).await;
    assert_eq!(reply.status, 501);
    assert!(!served_early || edge.server.connections() <= 3);
}
