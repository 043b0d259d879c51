//! Strangers, and members that break the rules.

use super::super::frame::{Frame, FrameKind, PAYLOAD_BYTES_MAX};
use super::super::{drive, tls};
use super::*;
use rustls::ClientConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

fn config(identity: &Identity, to: &Member) -> ClientConfig {
    tls::client(identity, &to.public_key, Protocol::Raft)
}

/// Makes a connection by hand, without a hello.
async fn connect(config: ClientConfig, to: &Member) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(&to.address).await?;
    TlsConnector::from(Arc::new(config))
        .connect(tls::server_name(), stream)
        .await
}

/// Makes a member `b`, and the identity of another member whose connections are made by hand.
async fn member_and_hand(limits: Limits) -> (Node, Identity) {
    let b = Node::start_with("b", Identity::ephemeral(), "127.0.0.1:0", limits).await;
    let identity = Identity::ephemeral();
    let hand = Member {
        name: "hand".to_owned(),
        address: String::new(),
        public_key: identity.public_key(),
    };
    b.peers.set_members(vec![hand, b.member.clone()]);
    (b, identity)
}

async fn greeted(identity: &Identity, to: &Member) -> TlsStream<TcpStream> {
    let mut stream = connect(config(identity, to), to).await.unwrap();
    drive::send_hello(&mut stream, 7).await.unwrap();
    let mut buffer = BytesMut::new();
    drive::read_hello(&mut stream, &mut buffer).await.unwrap();
    stream
}

fn frame(kind: FrameKind, more: bool, id: u32, payload: Vec<u8>) -> BytesMut {
    let mut out = BytesMut::new();
    Frame {
        kind,
        more,
        id,
        payload: Bytes::from(payload),
    }
    .encode(&mut out);
    out
}

/// Reads until the other side closes; fails when it does not.
async fn is_closed(stream: &mut TlsStream<TcpStream>) -> bool {
    let mut rest = Vec::new();
    let closed = tokio::time::timeout(WITHIN, stream.read_to_end(&mut rest)).await;
    closed.is_ok()
}

#[tokio::test]
async fn garbage_and_silence_harm_nobody() {
    let limits = Limits {
        handshakes_max: 4,
        ..Limits::default()
    };
    let b = Node::start_with("b", Identity::ephemeral(), "127.0.0.1:0", limits).await;
    let a = Node::start("a").await;
    introduce(&[&a, &b]);
    let mut silent = Vec::new();
    for number in 0..64u8 {
        let mut stream = TcpStream::connect(&b.member.address).await.unwrap();
        match number % 4 {
            0 => stream.write_all(&[number; 1000]).await.unwrap(),
            1 => stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap(),
            // The head of a TLS record that never comes.
            2 => stream.write_all(&[22, 3, 1, 2, 0, 1]).await.unwrap(),
            _ => {}
        }
        silent.push(stream);
    }
    until("they knocked", || b.peers.inner().knocking.len() > 0).await;
    assert!(
        a.call(&b.member, "x").await.is_ok(),
        "it gets in all the same"
    );
    assert!(b.peers.inner().knocking.len() <= 4);
}

#[tokio::test]
async fn a_handshake_has_a_deadline() {
    let limits = Limits {
        handshake_within: Duration::from_millis(50),
        ..Limits::default()
    };
    let (b, identity) = member_and_hand(limits).await;
    let mut silent = TcpStream::connect(&b.member.address).await.unwrap();
    let mut byte = [0; 1];
    let read = tokio::time::timeout(WITHIN, silent.read(&mut byte)).await;
    assert!(matches!(read, Ok(Ok(0) | Err(_))), "{read:?}");
    let mut no_hello = connect(config(&identity, &b.member), &b.member)
        .await
        .unwrap();
    assert!(is_closed(&mut no_hello).await);
    until("nobody knocks", || b.peers.inner().knocking.len() == 0).await;
}

#[tokio::test]
async fn a_listener_that_says_nothing_is_given_up() {
    let limits = Limits {
        handshake_within: Duration::from_millis(50),
        ..Limits::default()
    };
    let a = Node::start_with("a", Identity::ephemeral(), "127.0.0.1:0", limits).await;
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = Member {
        name: "nobody".to_owned(),
        address: silent.local_addr().unwrap().to_string(),
        public_key: Identity::ephemeral().public_key(),
    };
    a.peers.set_members(vec![nobody.clone()]);
    let answer = a.call(&nobody, "x").await;
    let Err(CallError::Unreachable { reason, .. }) = answer else {
        panic!("{answer:?}");
    };
    assert!(reason.contains("said nothing"), "{reason}");
}

#[tokio::test]
async fn only_our_protocols_and_only_tls_13_with_raw_keys_are_spoken() {
    let (b, identity) = member_and_hand(Limits::default()).await;
    let ok = connect(config(&identity, &b.member), &b.member).await;
    assert!(ok.is_ok());
    for names in [
        vec![b"coffer-raft/2".to_vec()],
        vec![b"h2".to_vec()],
        vec![],
    ] {
        let mut config = config(&identity, &b.member);
        config.alpn_protocols = names.clone();
        match connect(config, &b.member).await {
            Err(_) => {}
            // Without any name the handshake ends well, and the connection with it.
            Ok(mut stream) => {
                let _ = drive::send_hello(&mut stream, 7).await;
                let mut buffer = BytesMut::new();
                let hello = drive::read_hello(&mut stream, &mut buffer).await;
                assert!(hello.is_err(), "{names:?}");
            }
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let ordinary = |versions: &[&'static rustls::SupportedProtocolVersion]| {
        let mut config = ClientConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        config.alpn_protocols = vec![b"coffer-raft/1".to_vec()];
        config
    };
    for versions in [&[&rustls::version::TLS12], &[&rustls::version::TLS13]] {
        assert!(connect(ordinary(versions), &b.member).await.is_err());
    }
    assert_eq!(b.peers.inner().roster.open_connections(), 0);
}

#[tokio::test]
async fn a_member_that_breaks_the_rules_is_cut() {
    let limits = Limits {
        message_bytes_max: 2 * PAYLOAD_BYTES_MAX,
        ..Limits::default()
    };
    let (b, identity) = member_and_hand(limits).await;
    let part = |id| frame(FrameKind::Call, true, id, vec![0; PAYLOAD_BYTES_MAX]);
    let wrong: [(&str, Vec<BytesMut>); 9] = [
        ("a large frame", vec![BytesMut::from(&[0, 0, 1, 0, 1][..])]),
        ("a short frame", vec![BytesMut::from(&[0, 0, 0, 0, 1][..])]),
        ("a large message", vec![part(1), part(1), part(1)]),
        ("much unfinished", (1..=5).map(part).collect()),
        (
            "an answer unasked",
            vec![frame(FrameKind::Answer, false, 1, vec![])],
        ),
        (
            "a second hello",
            vec![frame(FrameKind::Hello, false, 0, vec![1, 1])],
        ),
        (
            "a number twice",
            vec![
                frame(FrameKind::Call, false, 1, b"wait".to_vec()),
                frame(FrameKind::Call, false, 1, b"wait".to_vec()),
            ],
        ),
        (
            "a chunk for a call",
            vec![
                frame(FrameKind::Call, false, 1, b"wait".to_vec()),
                frame(FrameKind::Chunk, false, 1, b"x".to_vec()),
            ],
        ),
        ("chunks without credit", {
            let chunk = |_| frame(FrameKind::Chunk, false, 1, vec![0; PAYLOAD_BYTES_MAX]);
            let open = frame(FrameKind::Open, false, 1, b"slow".to_vec());
            std::iter::once(open).chain((0..20).map(chunk)).collect()
        }),
    ];
    for (what, frames) in wrong {
        let mut stream = greeted(&identity, &b.member).await;
        for bytes in frames {
            // It may be cut before all is written.
            let _ = stream.write_all(&bytes).await;
        }
        let _ = stream.flush().await;
        assert!(is_closed(&mut stream).await, "{what}");
        until(what, || b.peers.inner().roster.open_connections() == 0).await;
        until(what, || b.echo.holding() == 0).await;
    }
}

#[tokio::test]
async fn a_hello_of_another_version_is_told_so() {
    let (b, identity) = member_and_hand(Limits::default()).await;
    let mut stream = connect(config(&identity, &b.member), &b.member)
        .await
        .unwrap();
    stream
        .write_all(&frame(FrameKind::Hello, false, 0, vec![7, 9]))
        .await
        .unwrap();
    let mut buffer = BytesMut::new();
    let (hello, process) = drive::read_hello(&mut stream, &mut buffer).await.unwrap();
    assert_eq!(hello.newest, 1);
    assert!(process.is_some_and(|process| process != 0));
    assert!(is_closed(&mut stream).await);
    // A later version may say more, and speak ours too.
    let mut stream = connect(config(&identity, &b.member), &b.member)
        .await
        .unwrap();
    let mut later = frame(FrameKind::Hello, false, 0, vec![1, 9, 42, 42]);
    later.extend_from_slice(&frame(FrameKind::Call, false, 1, b"x".to_vec()));
    stream.write_all(&later).await.unwrap();
    drive::read_hello(&mut stream, &mut buffer).await.unwrap();
    // The answer may have come with the hello.
    while buffer.len() < 10 {
        assert!(stream.read_buf(&mut buffer).await.unwrap() > 0);
    }
    assert_eq!(buffer[..], [6, 0, 0, 0, 8, 1, 0, 0, 0, b'x']);
}

#[tokio::test]
async fn a_peer_has_only_so_many_connections() {
    let limits = Limits {
        connections_per_peer_max: 3,
        ..Limits::default()
    };
    let (b, identity) = member_and_hand(limits).await;
    let mut first = greeted(&identity, &b.member).await;
    let mut others = Vec::new();
    for _ in 0..3 {
        others.push(greeted(&identity, &b.member).await);
    }
    assert!(is_closed(&mut first).await, "the oldest goes");
    until("three stay", || {
        b.peers.inner().roster.open_connections() == 3
    })
    .await;
}

#[tokio::test]
async fn more_than_may_be_served_is_refused_and_not_kept() {
    let limits = Limits {
        calls_in_flight_max: 10,
        ..Limits::default()
    };
    let (b, identity) = member_and_hand(limits).await;
    let mut stream = greeted(&identity, &b.member).await;
    for id in 1..=11 {
        let call = frame(FrameKind::Call, false, id, b"wait".to_vec());
        stream.write_all(&call).await.unwrap();
    }
    let mut busy = [0; 9];
    stream.read_exact(&mut busy).await.unwrap();
    assert_eq!(busy, [5, 0, 0, 0, 10, 11, 0, 0, 0], "the eleventh is told");
    assert_eq!(b.echo.holding(), 10);
    stream
        .write_all(&frame(FrameKind::Cancel, false, 3, vec![]))
        .await
        .unwrap();
    until("one is dropped", || b.echo.holding() == 9).await;
}

#[tokio::test]
async fn unfinished_messages_of_all_connections_of_a_member_count_together() {
    let limits = Limits {
        message_bytes_max: 20_000,
        ..Limits::default()
    };
    let (b, identity) = member_and_hand(limits).await;
    let part = frame(FrameKind::Call, true, 1, vec![7; PAYLOAD_BYTES_MAX]);
    let mut streams = Vec::new();
    for _ in 0..3 {
        let mut stream = greeted(&identity, &b.member).await;
        stream.write_all(&part).await.unwrap();
        streams.push(stream);
    }
    // Two are within the limit, whichever came first.
    until("one is cut off", || {
        b.peers.inner().roster.open_connections() == 2
    })
    .await;
    drop(streams);
    until("all is given back", || {
        b.peers.inner().roster.open_connections() == 0
    })
    .await;
    let mut again = greeted(&identity, &b.member).await;
    again.write_all(&part).await.unwrap();
    let call = frame(FrameKind::Call, false, 2, b"x".to_vec());
    again.write_all(&call).await.unwrap();
    let mut answer = [0; 10];
    again.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, [6, 0, 0, 0, 8, 2, 0, 0, 0, b'x']);
}

#[tokio::test]
async fn who_asks_on_and_on_without_reading_is_cut_off() {
    let limits = Limits {
        calls_in_flight_max: 1,
        served_bytes_max: 10_000,
        ..Limits::default()
    };
    let (b, identity) = member_and_hand(limits).await;
    let mut stream = greeted(&identity, &b.member).await;
    let calls: Vec<u8> = (0..1000)
        .flat_map(|id| frame(FrameKind::Call, false, id, b"wait".to_vec()))
        .collect();
    let asking = async { while stream.write_all(&calls).await.is_ok() {} };
    let cut = tokio::time::timeout(WITHIN, asking).await;
    assert!(cut.is_ok(), "it asks on for ever");
}

#[tokio::test]
async fn an_idle_connection_wakes_nobody() {
    let (a, b) = two().await;
    assert!(a.call(&b.member, "x").await.is_ok());
    let metrics = tokio::runtime::Handle::current().metrics();
    // All that comes before the answer has been done.
    tokio::time::sleep(Duration::from_millis(50)).await;
    let before = metrics.worker_park_count(0);
    tokio::time::sleep(Duration::from_millis(300)).await;
    let woken = metrics.worker_park_count(0) - before;
    assert!(woken < 4, "{woken} times");
}

/// Most time of a small call on both sides together, in microseconds: ten times the usual one, for
/// slow builds and machines.
const COST_US_MAX: f64 = 200.0;

/// Measures; run it by hand: `cargo test --release peer::tests::hostile::cost -- --ignored
/// --nocapture`.
#[tokio::test]
#[ignore = "a measurement; `tests/bench/run cluster` runs it"]
async fn cost_of_a_small_call() {
    let (a, b) = two().await;
    let spent = || {
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split(' ').collect();
        // In hundredths of a second: user, system.
        let at = |field: usize| fields[field].parse::<u64>().unwrap() * 10_000;
        (at(12), at(13))
    };
    let request = "x".repeat(100);
    assert!(a.call(&b.member, &request).await.is_ok());
    let (before, begun) = (spent(), Instant::now());
    let count = 20_000;
    for _ in 0..count {
        a.call(&b.member, &request).await.unwrap();
    }
    let (after, took) = (spent(), begun.elapsed());
    let each = |us: u64| us as f64 / f64::from(count);
    println!(
        "both sides together, each call: {:.1} us user, {:.1} us system, {:.1} us in all",
        each(after.0 - before.0),
        each(after.1 - before.1),
        took.as_micros() as f64 / f64::from(count),
    );
    let cost = each(after.0 - before.0) + each(after.1 - before.1);
    assert!(cost < COST_US_MAX, "{cost:.1} us");
}
