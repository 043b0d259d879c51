//! Listeners, keep-alive, forwarding headers, unix sockets, and the stop.

use crate::fake::{Edge, PATIENCE, Reply, until};
use crate::wait::reaches_async;
use coffer::http::{
    Address, Bound, ForwardedFor, Gate, HeaderSelector, Listener, Options, ResponseHeaders,
    ServeError,
};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

const HEALTH: &[u8] = b"GET /v1/sys/health HTTP/1.1\r\nHost: x\r\n\r\n";

#[tokio::test]
async fn a_connection_serves_many_requests_and_http_1_0_one() {
    let edge = Edge::sealed(|_| ()).await;
    let mut stream = edge.connect().await;
    for _ in 0..3 {
        stream.write_all(HEALTH).await.unwrap();
        assert_eq!(Reply::read(&mut stream).await.status, 503);
    }
    stream.write_all(&HEALTH.repeat(2)).await.unwrap();
    assert_eq!(Reply::read(&mut stream).await.status, 503);
    let mut old = edge.connect().await;
    old.write_all(b"GET /v1/sys/health HTTP/1.0\r\n\r\n")
        .await
        .unwrap();
    let mut all = String::new();
    old.read_to_string(&mut all).await.unwrap();
    assert!(all.starts_with("HTTP/1.0 503"), "{all}");
}

#[tokio::test]
async fn chunked_bodies_and_expectations_are_understood() {
    let edge = Edge::sealed(|_| ()).await;
    let chunked = "PUT /v1/sys/unseal HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n\
                   7\r\n{\"reset\r\n7\r\n\":true}\r\n0\r\n\r\n";
    assert_eq!(edge.send(chunked).await.status, 200);
    let mut stream = edge.connect().await;
    let head = "PUT /v1/sys/unseal HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n\
                Content-Length: 14\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut go_on = [0; 25];
    stream.read_exact(&mut go_on).await.unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"{\"reset\":true}").await.unwrap();
    assert_eq!(Reply::read(&mut stream).await.status, 200);
}

#[tokio::test]
async fn garbage_is_refused_and_the_next_client_served() {
    let edge = Edge::sealed(|_| ()).await;
    for (garbage, status) in [
        ("garbage\r\n\r\n", 400),
        ("GET /v1/sys/health HTTP/1.1\r\n\r\n", 400),
        ("GET /v1/sys/health HTTP/9.9\r\nHost: x\r\n\r\n", 400),
        ("\u{0}\u{1}\u{2}\r\n\r\n", 400),
        ("FOO /v1/secret/x HTTP/1.1\r\nHost: x\r\n\r\n", 503),
    ] {
        assert_eq!(edge.send(garbage).await.status, status, "{garbage:?}");
    }
    assert_eq!(
        edge.call("GET", "/v1/sys/seal-status", "").await.status,
        200
    );
}

#[tokio::test]
async fn unix_sockets_have_their_mode_and_are_removed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("api.sock");
    let options = || Options {
        listeners: vec![Listener::new(Address::Unix {
            path: path.clone(),
            mode: Some(0o660),
            user: None,
            group: None,
        })],
        ..Options::default()
    };
    let edge = Edge::start_with(options()).await;
    assert_eq!(edge.server.addresses(), [Bound::Unix(path.clone())]);
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
    let mut stream = UnixStream::connect(&path).await.unwrap();
    stream.write_all(HEALTH).await.unwrap();
    assert_eq!(Reply::read(&mut stream).await.status, 501);
    let gate = Gate {
        role: edge.role.subscribe(),
        lifecycle: edge.node.clone(),
        forwarder: None,
        recovery: None,
    };
    let taken = coffer::http::serve(options(), gate.clone()).await;
    assert!(matches!(taken, Err(ServeError::Bind { .. })), "in use");
    drop(stream);
    assert!(edge.server.shutdown(PATIENCE).await);
    assert!(!path.exists());
    std::fs::write(&path, "precious").unwrap();
    let refused = coffer::http::serve(options(), gate).await;
    assert!(matches!(refused, Err(ServeError::NotASocket(_))));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
}

#[tokio::test]
async fn an_address_in_use_is_named() {
    let edge = Edge::sealed(|_| ()).await;
    let address = edge.address().to_string();
    let options = Options {
        listeners: vec![Listener::new(Address::Tcp(address.clone()))],
        ..Options::default()
    };
    let gate = Gate {
        role: edge.role.subscribe(),
        lifecycle: edge.node.clone(),
        forwarder: None,
        recovery: None,
    };
    let Err(error) = coffer::http::serve(options, gate).await else {
        panic!("bound twice");
    };
    assert!(error.to_string().contains(&address), "{error}");
}

#[tokio::test]
async fn forwarding_headers_follow_the_rules() {
    let edge = Edge::sealed(|listener| {
        listener.forwarded_for = Some(ForwardedFor {
            authorized_addrs: vec!["127.0.0.0/8".into()],
            hop_skips: 0,
            reject_not_present: true,
            reject_not_authorized: true,
        });
    })
    .await;
    let missing = edge.call("GET", "/v1/sys/seal-status", "").await;
    assert_eq!(missing.status, 400);
    assert!(missing.errors()[0].contains("missing x-forwarded-for"));
    let request = "GET /v1/sys/seal-status HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n";
    assert_eq!(edge.send(request).await.status, 200);
}

#[tokio::test]
async fn custom_headers_are_added_where_they_apply() {
    let group = |selector, name: &str| ResponseHeaders {
        selector,
        headers: vec![(name.to_owned(), "v".to_owned())],
    };
    let edge = Edge::sealed(|listener| {
        listener.response_headers = vec![
            group(HeaderSelector::Always, "X-All"),
            group(HeaderSelector::Class(4), "X-Four"),
            group(HeaderSelector::Status(200), "X-Ok"),
        ];
    })
    .await;
    let ok = edge.call("GET", "/v1/sys/seal-status", "").await;
    assert_eq!(ok.header("x-all"), Some("v"));
    assert_eq!(ok.header("x-ok"), Some("v"));
    assert_eq!(ok.header("x-four"), None);
    let bad = edge.call("DELETE", "/v1/sys/init", "").await;
    assert_eq!((bad.status, bad.header("x-four")), (405, Some("v")));
}

/// Tests the case of header names: people's scripts look for `^Location:` in the output of `curl
/// -i`.
#[tokio::test]
async fn header_names_are_in_title_case_whatever_the_answer() {
    let edge = Edge::sealed(|listener| {
        listener.response_headers = vec![ResponseHeaders {
            selector: HeaderSelector::Always,
            headers: vec![("x-fRAME-options".to_owned(), "deny".to_owned())],
        }];
    })
    .await;
    let host = "HTTP/1.1\r\nHost: x\r\n";
    for (request, status, name) in [
        (format!("GET / {host}\r\n"), 307, "Location"),
        (format!("GET /v1/a//b {host}\r\n"), 307, "X-Frame-Options"),
        (
            format!("GET /v1/sys/seal-status {host}\r\n"),
            200,
            "Content-Type",
        ),
        (format!("GET /v1/kv/a {host}\r\n"), 503, "Cache-Control"),
        (
            format!("GET /nowhere {host}\r\n"),
            404,
            "Strict-Transport-Security",
        ),
        (
            format!("GET /v1/sys/health {host}X-Vault-Namespace: a\r\n\r\n"),
            400,
            "X-Vault-Namespace",
        ),
        (
            "GET /v1/sys/health HTTP/1.1\r\n\r\n".into(),
            400,
            "Connection",
        ),
        ("GET /v1/sys/health HTTP/1.0\r\n\r\n".into(), 503, "Date"),
        ("nonsense\r\n\r\n".into(), 400, "Content-Length"),
    ] {
        let reply = edge.send(&request).await;
        assert_eq!(reply.status, status, "{request:?}: {reply:?}");
        reply.expect_title_case();
        assert!(reply.head.contains(&format!("\r\n{name}: ")), "{reply:?}");
    }
}

#[tokio::test]
async fn a_stop_lets_requests_finish_and_accepts_no_more() {
    let edge = Edge::sealed(|_| ()).await;
    let address = edge.address();
    let mut idle = edge.connect().await;
    idle.write_all(HEALTH).await.unwrap();
    Reply::read(&mut idle).await;
    let mut busy = edge.connect().await;
    let head = "PUT /v1/sys/unseal HTTP/1.1\r\nHost: x\r\nContent-Length: 14\r\n\r\n{\"reset";
    busy.write_all(head.as_bytes()).await.unwrap();
    until(|| edge.server.connections() == 2).await;
    let stop = tokio::spawn(edge.server.shutdown(PATIENCE));
    let mut rest = Vec::new();
    idle.read_to_end(&mut rest).await.unwrap();
    assert!(rest.is_empty(), "an idle connection is closed");
    let is_closed = async || TcpStream::connect(address).await.is_err();
    assert!(reaches_async(PATIENCE, is_closed).await, "it is closed");
    busy.write_all(b"\":true}").await.unwrap();
    assert_eq!(Reply::read(&mut busy).await.status, 200);
    assert!(stop.await.unwrap(), "nothing was cut");
}

#[tokio::test]
async fn a_stop_cuts_what_outlasts_the_grace() {
    let edge = Edge::sealed(|_| ()).await;
    let mut stuck = edge.connect().await;
    stuck
        .write_all(b"PUT /v1/sys/unseal HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n")
        .await
        .unwrap();
    until(|| edge.server.connections() == 1).await;
    assert!(!edge.server.shutdown(Duration::from_millis(50)).await);
    let mut rest = Vec::new();
    let _reset_or_end = stuck.read_to_end(&mut rest).await;
    assert!(rest.is_empty());
}
