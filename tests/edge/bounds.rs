//! Limits on size, time and number, before anyone is authenticated.

use crate::fake::{Edge, PATIENCE, Reply};
use coffer::http::limits;
use coffer::http::{Address, JsonLimits, Listener, Options};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A timeout short enough to wait for; without it each of these tests would hang, not merely be
/// late.
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
    let small = JsonLimits {
        depth: 5,
        string_bytes: 200,
        entries: 5,
        elements: 6,
        tokens: 24,
        strings: 9,
        ..JsonLimits::default()
    };
    let edge = Edge::sealed(|listener| listener.json = small).await;
    let key = "k".repeat(2000);
    let nested = "[{},[{},[{}]]]";
    for (body, limit) in [
        ("{\"a\":[[[[[1]]]]]}", "max_json_depth"),
        ("{\"a\":[0,0,0,0,0,0,0]}", "max_json_array_element_count"),
        (
            "{\"a\":0,\"b\":0,\"c\":0,\"d\":0,\"e\":0,\"f\":0}",
            "max_json_object_entry_count",
        ),
        (
            "{\"a\":[\"\",\"\",\"\",\"\",\"\"],\"b\":[\"\",\"\",\"\"]}",
            "max_request_json_strings",
        ),
        (
            &format!("{{\"a\":{nested},\"b\":{nested}}}"),
            "max_json_token",
        ),
        (
            &format!("{{\"a\":\"{key}\"}}"),
            "max_json_string_value_length",
        ),
    ] {
        let reply = edge.call("PUT", "/v1/sys/unseal", body).await;
        assert_eq!(reply.status, 400, "{body}");
        let error = reply.errors().remove(0);
        assert!(error.starts_with("failed to decode JSON input:"), "{error}");
        assert!(error.contains(limit), "{error}: {limit}");
    }
    let fits = "{\"reset\":true,\"a\":[[[1]],0,0,0,0,0],\"b\":[\"\",\"\",\"\"]}";
    assert_eq!(edge.call("PUT", "/v1/sys/unseal", fits).await.status, 200);
}

/// Tests that bodies without a token, and at paths that need none, are small.
#[tokio::test]
async fn what_is_open_takes_small_bodies_only() {
    let edge = Edge::sealed(|_| ()).await;
    for (path, bytes_max) in [
        ("sys/unseal", limits::SHARE_BYTES_MAX),
        (
            "sys/storage/raft/bootstrap/challenge",
            limits::SHARE_BYTES_MAX,
        ),
        ("sys/init", limits::STRANGER_BYTES_MAX),
        ("sys/storage/raft/join", limits::STRANGER_BYTES_MAX),
        (
            "sys/storage/raft/bootstrap/answer",
            limits::STRANGER_BYTES_MAX,
        ),
    ] {
        let path = format!("/v1/{path}");
        let body = |bytes: u64| {
            let text = "x".repeat(usize::try_from(bytes).unwrap() - 8);
            format!("{{\"x\":\"{text}\"}}")
        };
        let fits = edge.call("PUT", &path, &body(bytes_max)).await;
        assert_ne!(fits.status, 413, "{path}");
        let refused = edge.call("PUT", &path, &body(bytes_max + 1)).await;
        assert_eq!(refused.status, 413, "{path}");
        let head = format!("PUT {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
        let body = body(bytes_max + 1);
        let chunked = format!("{head}{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
        assert_eq!(edge.send(&chunked).await.status, 413, "{path}, chunked");
    }
}

/// Tests that an announced length takes no memory, and so keeps no other request out.
#[tokio::test]
async fn a_declared_length_is_no_memory() {
    let edge = Edge::sealed(|_| ()).await;
    let length = limits::STRANGER_BYTES_MAX;
    let head = format!("PUT /v1/sys/init HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n");
    let announced =
        coffer::memory::DEFAULT.requests.strangers_bytes / usize::try_from(length).unwrap() + 8;
    let mut held = Vec::new();
    for n in 0..announced {
        let mut stream = edge.connect_from(u8::try_from(2 + n / 200).unwrap()).await;
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(b"{").await.unwrap();
        held.push(stream);
    }
    let reply = edge.call("PUT", "/v1/sys/init", "{}").await;
    assert_eq!(reply.status, 400, "{reply:?}");
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
        .write_all(b"PUT /v1/sys/unseal HTTP/1.1\r\nHost: x\r\nContent-Length: 999\r\n\r\n")
        .await
        .unwrap();
    let (mut read, mut write) = stream.into_split();
    let trickle = tokio::spawn(async move {
        while write.write_all(b" ").await.is_ok() {
            // The test is about a byte now and then.
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

const HEALTH: &str = "GET /v1/sys/health HTTP/1.1\r\nHost: x\r\n\r\n";

/// Asks on `stream`; returns the status.
async fn ask(stream: &mut TcpStream) -> u16 {
    stream.write_all(HEALTH.as_bytes()).await.unwrap();
    Reply::read(stream).await.status
}

/// Returns true once the other side has closed the stream.
async fn is_closed(stream: &mut TcpStream) -> bool {
    let mut rest = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest));
    read.await.is_ok()
}

/// Returns an edge with `most` connections, and some for this machine, from which all of these
/// come.
async fn crowded(most: usize, per_client: Option<usize>) -> Edge {
    let mut listener = Listener::new(Address::Tcp("127.0.0.1:0".into()));
    listener.connections_per_client_max = per_client;
    Edge::start_with(Options {
        listeners: vec![listener],
        connections_max: most,
        ..Options::default()
    })
    .await
}

#[tokio::test]
async fn at_the_limit_the_connection_that_is_idle_longest_gives_way() {
    const PLACES: usize = 5;
    let edge = crowded(4, None).await;
    let mut held = Vec::new();
    for _ in 0..3 * PLACES {
        let mut stream = edge.connect().await;
        assert_eq!(ask(&mut stream).await, 501);
        held.push(stream);
    }
    let open = held.split_off(2 * PLACES);
    for mut stream in held {
        assert!(is_closed(&mut stream).await, "it was idle for longer");
    }
    for mut stream in open {
        assert_eq!(ask(&mut stream).await, 501, "it stays open");
    }
}

/// Tests that a slow body that anyone may send waits like an idle connection.
#[tokio::test]
async fn slow_bodies_and_heads_of_strangers_give_way_too() {
    let edge = crowded(4, None).await;
    let starts = [
        "PUT /v1/sys/unseal HTTP/1.1\r\nHost: x\r\nContent-Length: 4000\r\n\r\n{",
        "PUT /v1/sys/init HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n{",
        "GET /v1/sys/hea",
        "",
    ];
    let mut held = Vec::new();
    for n in 0..40 {
        let mut stream = edge.connect().await;
        stream.write_all(starts[n % 4].as_bytes()).await.unwrap();
        held.push(stream);
        let reply = edge.call("GET", "/v1/sys/health", "").await;
        assert_eq!(reply.status, 501, "the next one is served");
    }
    assert!(is_closed(&mut held[0]).await);
}

#[tokio::test]
async fn an_address_takes_its_own_places_only() {
    let edge = crowded(100, Some(3)).await;
    let mut first = edge.connect_from(1).await;
    assert_eq!(ask(&mut first).await, 501);
    let mut held = Vec::new();
    for _ in 0..6 {
        let mut stream = edge.connect_from(2).await;
        assert_eq!(ask(&mut stream).await, 501);
        held.push(stream);
    }
    for stream in &mut held[..3] {
        assert!(is_closed(stream).await, "its address has newer ones");
    }
    for stream in &mut held[3..] {
        assert_eq!(ask(stream).await, 501);
    }
    assert_eq!(ask(&mut first).await, 501, "another address keeps its own");
    let any = crowded(100, None).await;
    for _ in 0..6 {
        let mut stream = any.connect_from(2).await;
        assert_eq!(ask(&mut stream).await, 501);
        held.push(stream);
    }
    assert_eq!(any.server.connections(), 6);
}
