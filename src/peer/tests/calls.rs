//! Calls and their answers.

use super::*;

#[tokio::test]
async fn three_peers_call_one_another_over_both_protocols() {
    let nodes = [
        Node::start("a").await,
        Node::start("b").await,
        Node::start("c").await,
    ];
    introduce(&[&nodes[0], &nodes[1], &nodes[2]]);
    for from in &nodes {
        for to in nodes.iter().filter(|to| to.member != from.member) {
            for protocol in [Protocol::Raft, Protocol::Forward] {
                let request = Bytes::from(format!("{} {protocol:?}", to.member.name));
                let answer = from
                    .peers
                    .call(&to.member, protocol, request.clone(), WITHIN)
                    .await;
                assert_eq!(answer.unwrap(), request);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_calls_at_once_get_their_own_answers() {
    let (a, b) = two().await;
    let calls = (0..1000).map(|number| {
        let (peers, to) = (a.peers.clone(), b.member.clone());
        tokio::spawn(async move {
            // Some need several frames.
            let size = if number % 50 == 0 { 60_000 } else { 10 };
            let request = Bytes::from(format!("{number:0>size$}"));
            let answer = peers
                .call(&to, Protocol::Forward, request.clone(), WITHIN)
                .await;
            assert_eq!(answer.unwrap(), request);
        })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap();
    }
    assert_eq!(
        b.peers.inner().roster.open_connections(),
        1,
        "all over one connection"
    );
}

#[tokio::test]
async fn answers_overtake_a_call_that_waits() {
    let (a, b) = two().await;
    let waits = a.call(&b.member, "wait");
    let others = async {
        until("it waits", || b.echo.holding() == 1).await;
        for _ in 0..10 {
            assert_eq!(a.call(&b.member, "quick").await.unwrap(), "quick");
        }
        b.echo.gate.add_permits(1);
    };
    let (waited, ()) = tokio::join!(waits, others);
    assert_eq!(waited.unwrap(), "wait");
}

#[tokio::test]
async fn a_refusal_arrives_in_words_and_a_panic_as_a_refusal() {
    let (a, b) = two().await;
    let refused = a.call(&b.member, "refuse").await;
    assert!(matches!(refused, Err(CallError::Refused(words)) if words == "not today"));
    let refused = a.call(&b.member, "panic").await;
    assert!(matches!(refused, Err(CallError::Refused(_))), "{refused:?}");
    b.peers.serve(Protocol::Raft, Weak::<Echo>::new());
    let refused = a.call(&b.member, "x").await;
    assert!(matches!(refused, Err(CallError::Refused(_))), "{refused:?}");
}

#[tokio::test]
async fn a_call_that_is_dropped_or_times_out_frees_its_place() {
    let limits = Limits {
        calls_in_flight_max: 2,
        ..Limits::default()
    };
    let identity = Identity::ephemeral();
    let a = Node::start_with("a", identity, "127.0.0.1:0", limits).await;
    let b = Node::start("b").await;
    introduce(&[&a, &b]);
    {
        let waiting = async { tokio::join!(a.call(&b.member, "wait"), a.call(&b.member, "wait")) };
        tokio::pin!(waiting);
        tokio::select! {
            _ = &mut waiting => panic!("nobody let them go"),
            () = until("both wait", || b.echo.holding() == 2) => {}
        }
        let third = a.call(&b.member, "x").await;
        assert!(matches!(third, Err(CallError::Busy(_))), "{third:?}");
    }
    until("they are dropped there too", || b.echo.holding() == 0).await;
    let short = Duration::from_millis(100);
    let request = Bytes::from_static(b"wait");
    let late = a
        .peers
        .call(&b.member, Protocol::Raft, request, short)
        .await;
    assert!(matches!(late, Err(CallError::TimedOut(_))), "{late:?}");
    assert_eq!(a.call(&b.member, "x").await.unwrap(), "x");
    until("that one too", || b.echo.holding() == 0).await;
}

#[tokio::test]
async fn what_waits_to_be_sent_is_bounded() {
    let limits = Limits {
        queued_bytes_max: 100_000,
        message_bytes_max: 90_000,
        ..Limits::default()
    };
    let a = Node::start_with("a", Identity::ephemeral(), "127.0.0.1:0", limits).await;
    // A listener that never answers: everything queues behind the handshake.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = Member {
        name: "nobody".to_owned(),
        address: silent.local_addr().unwrap().to_string(),
        public_key: Identity::ephemeral().public_key(),
    };
    a.peers.set_members(vec![nobody.clone()]);
    let large = "x".repeat(80_000);
    let first = a.call(&nobody, &large);
    tokio::pin!(first);
    assert!(futures_util::poll!(&mut first).is_pending());
    let second = a.call(&nobody, &large).await;
    assert!(matches!(second, Err(CallError::Busy(_))), "{second:?}");
    let too_large = a.call(&nobody, &"x".repeat(90_001)).await;
    assert!(matches!(too_large, Err(CallError::Refused(_))));
}

#[tokio::test]
async fn a_peer_that_restarts_is_called_again_soon() {
    let a = Node::start("a").await;
    let identity = Identity::ephemeral();
    let b = Node::start_with("b", identity.clone(), "127.0.0.1:0", Limits::default()).await;
    introduce(&[&a, &b]);
    assert!(a.call(&b.member, "x").await.is_ok());
    let Node { peers, member, .. } = b;
    peers.shutdown().await;
    let begun = Instant::now();
    loop {
        match a.call(&member, "x").await {
            Err(CallError::Unreachable { reason, .. }) if reason.contains("refused") => break,
            Err(CallError::Unreachable { .. }) => {}
            other => panic!("{other:?}"),
        }
    }
    // In its pause it fails at once.
    for _ in 0..100 {
        assert!(a.call(&member, "x").await.is_err());
    }
    assert!(begun.elapsed() < Duration::from_secs(5));
    let limits = Limits::default();
    let b = Node::start_with("b", identity, &member.address, limits).await;
    b.peers.set_members(vec![a.member.clone()]);
    let begun = Instant::now();
    while a.call(&member, "x").await.is_err() {
        assert!(begun.elapsed() < Duration::from_secs(3));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_peer_that_is_heard_of_is_dialled_without_a_pause() {
    let limits = Limits {
        backoff_min: Duration::from_secs(3600),
        backoff_max: Duration::from_secs(3600),
        ..Limits::default()
    };
    let a = Node::start_with("a", Identity::ephemeral(), "127.0.0.1:0", limits).await;
    let b = Node::start("b").await;
    // Each knows the other, but b's own address is not there yet.
    introduce(&[&a, &b]);
    let place = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = place.local_addr().unwrap().to_string();
    drop(place);
    let moved = Member {
        address: address.clone(),
        ..b.member.clone()
    };
    assert!(a.call(&moved, "x").await.is_err());
    assert!(a.call(&b.member, "x").await.is_ok(), "another address");
    assert!(a.call(&moved, "x").await.is_ok(), "the line that is there");
    b.peers.listen(&[address]).await.unwrap();
    let c = Member {
        name: "c".to_owned(),
        ..moved
    };
    assert!(a.call(&c, "x").await.is_ok());
    assert!(b.call(&a.member, "x").await.is_ok());
}

#[tokio::test]
async fn listens_on_names_and_on_both_kinds_of_addresses() {
    let b = Node::start("b").await;
    let wanted = ["[::1]:0".to_owned(), "localhost:0".to_owned()];
    let bound = match b.peers.listen(&wanted).await {
        Ok(bound) => bound,
        Err(error) => {
            assert!(
                error.to_string().contains("[::1]:0"),
                "no IPv6 here: {error}"
            );
            return;
        }
    };
    let a = Node::start("a").await;
    introduce(&[&a, &b]);
    for address in bound {
        let a = Node::start("a").await;
        introduce(&[&a, &b]);
        let at = Member {
            address: address.to_string(),
            ..b.member.clone()
        };
        assert_eq!(a.call(&at, "x").await.unwrap(), "x", "{address}");
    }
    let taken = b.member.address.clone();
    let error = a.peers.listen(std::slice::from_ref(&taken)).await;
    assert!(error.unwrap_err().to_string().contains(&taken));
    let error = a.peers.listen(&["no.such.invalid:1".to_owned()]).await;
    assert!(matches!(error, Err(PeerError::Resolve { .. })));
}

#[tokio::test]
async fn without_a_host_it_listens_on_all_addresses() {
    let (a, b) = (Node::start("a").await, Node::start("b").await);
    introduce(&[&a, &b]);
    let bound = b.peers.listen(&[":0".to_owned()]).await.unwrap();
    let port = bound.first().unwrap().port();
    assert!(
        bound
            .iter()
            .all(|at| at.ip().is_unspecified() && at.port() == port)
    );
    for host in ["127.0.0.1", "127.0.0.2"] {
        let a = Node::start("a").await;
        introduce(&[&a, &b]);
        let at = Member {
            address: format!("{host}:{port}"),
            ..b.member.clone()
        };
        assert_eq!(a.call(&at, "x").await.unwrap(), "x", "{host}");
    }
    let taken = format!(":{port}");
    let error = a.peers.listen(std::slice::from_ref(&taken)).await;
    assert!(matches!(error, Err(PeerError::Listen { address, .. }) if address == taken));
}

#[tokio::test]
async fn after_shutdown_nothing_is_heard_and_calls_fail_at_once() {
    let (a, b) = two().await;
    assert!(a.call(&b.member, "x").await.is_ok());
    let waits = a.call(&b.member, "wait");
    let shut = async {
        until("it waits", || b.echo.holding() == 1).await;
        a.peers.shutdown().await;
    };
    let (waited, ()) = tokio::join!(waits, shut);
    assert!(matches!(waited, Err(CallError::Unreachable { .. })));
    let begun = Instant::now();
    assert!(a.call(&b.member, "x").await.is_err());
    assert!(begun.elapsed() < Duration::from_secs(1));
    until("its call is dropped", || b.echo.holding() == 0).await;
    until("its connection is gone", || {
        b.peers.inner().roster.open_connections() == 0
    })
    .await;
    std::net::TcpListener::bind(&a.member.address).expect("the port is free");
}
