//! Access to a node: members are heard, and for as long as they are members.

use super::super::assembly::Assembly;
use super::*;

fn is_unreachable(answer: &Result<Bytes, CallError>, words: &str) -> bool {
    matches!(answer, Err(CallError::Unreachable { reason, .. }) if reason.contains(words))
}

#[tokio::test]
async fn a_key_that_is_no_members_is_refused() {
    let (a, b) = two().await;
    let stranger = Node::start("stranger").await;
    stranger.peers.set_members(vec![b.member.clone()]);
    let answer = stranger.call(&b.member, "x").await;
    assert!(is_unreachable(&answer, "member"), "{answer:?}");
    assert!(a.call(&b.member, "x").await.is_ok());
    assert_eq!(b.peers.inner().roster.open_connections(), 1, "a's");
}

#[tokio::test]
async fn another_key_than_the_pin_is_refused() {
    let (a, b) = two().await;
    let wrong = Member {
        public_key: Identity::ephemeral().public_key(),
        ..b.member.clone()
    };
    a.peers.set_members(vec![wrong.clone(), b.member.clone()]);
    let answer = a.call(&wrong, "x").await;
    assert!(is_unreachable(&answer, "another key"), "{answer:?}");
    assert!(a.call(&b.member, "x").await.is_ok(), "with its own key");
}

#[tokio::test]
async fn who_is_not_a_member_is_not_called_until_it_is_one() {
    let (a, b) = (Node::start("a").await, Node::start("b").await);
    b.peers.set_members(vec![a.member.clone()]);
    let answer = a.call(&b.member, "x").await;
    assert!(matches!(answer, Err(CallError::NotMember(name)) if name == "b"));
    let answer = a.stream(&b.member, "x", pieces(1, 1)).await;
    assert!(matches!(answer, Err(CallError::NotMember(_))));
    a.peers.set_members(vec![b.member.clone()]);
    assert!(a.call(&b.member, "x").await.is_ok());
}

#[tokio::test]
async fn a_peer_that_is_added_later_gets_in() {
    let (a, b) = (Node::start("a").await, Node::start("b").await);
    a.peers.set_members(vec![b.member.clone()]);
    assert!(a.call(&b.member, "x").await.is_err());
    b.peers.set_members(vec![a.member.clone()]);
    let begun = Instant::now();
    while a.call(&b.member, "x").await.is_err() {
        assert!(begun.elapsed() < Duration::from_secs(3));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_key_that_two_processes_use_is_seen_and_a_restart_is_not() {
    let limits = || Limits {
        late_max: Duration::from_millis(20),
        ..Limits::default()
    };
    let identity = Identity::ephemeral();
    let same = || identity.clone();
    let address = "127.0.0.1:0";
    let b = Node::start_with("b", Identity::ephemeral(), address, limits()).await;
    let first = Node::start_with("a", same(), address, Limits::default()).await;
    introduce(&[&first, &b]);
    let seen = b.peers.seen_twice();
    let call = async |from: &Node| {
        from.peers.set_members(vec![b.member.clone()]);
        from.call(&b.member, "x").await.unwrap();
        tokio::time::sleep(Duration::from_millis(30)).await;
        from.call(&b.member, "x").await.unwrap();
    };
    call(&first).await;
    first.peers.shutdown().await;
    let second = Node::start_with("a", same(), address, Limits::default()).await;
    call(&second).await;
    assert!(seen.borrow().is_empty(), "a restart");
    let copy = Node::start_with("a", same(), address, Limits::default()).await;
    call(&copy).await;
    call(&second).await;
    assert!(seen.borrow().contains_key(&first.member.public_key));
    b.peers.set_members(Vec::new());
    assert!(seen.borrow().is_empty(), "it is no member any more");
}

#[tokio::test]
async fn a_removed_peer_is_cut_in_mid_call_on_both_sides() {
    let (a, b) = two().await;
    // The one that answers removes the one that called.
    let waits = a.call(&b.member, "wait");
    let removed = async {
        until("it waits", || b.echo.holding() == 1).await;
        b.peers.set_members(vec![b.member.clone()]);
        assert_eq!(b.peers.inner().roster.open_connections(), 0);
    };
    let (waited, ()) = tokio::join!(waits, removed);
    assert!(is_unreachable(&waited, ""), "{waited:?}");
    until("what it asked for is dropped", || b.echo.holding() == 0).await;
    let answer = a.call(&b.member, "x").await;
    assert!(is_unreachable(&answer, "member"), "{answer:?}");
    // And the one that called removes the one that answers.
    introduce(&[&a, &b]);
    assert!(b.call(&a.member, "x").await.is_ok());
    let waits = b.call(&a.member, "wait");
    let removed = async {
        until("it waits", || a.echo.holding() == 1).await;
        b.peers.set_members(vec![b.member.clone()]);
    };
    let (waited, ()) = tokio::join!(waits, removed);
    assert!(matches!(waited, Err(CallError::NotMember(_))), "{waited:?}");
}

#[tokio::test]
async fn a_removed_peer_is_cut_in_mid_stream() {
    let (a, b) = two().await;
    let streams = a.stream(&b.member, "slow", pieces(1000, 10_000));
    let removed = async {
        b.echo.gate.add_permits(3);
        until("some of it arrived", || {
            b.echo.taken.load(Ordering::SeqCst) > 0
        })
        .await;
        b.peers.set_members(vec![b.member.clone()]);
        b.echo.gate.add_permits(10_000);
    };
    let (streamed, ()) = tokio::join!(streams, removed);
    assert!(is_unreachable(&streamed, ""), "{streamed:?}");
    until("nobody reads on", || b.echo.holding() == 0).await;
    assert!(b.echo.taken.load(Ordering::SeqCst) < 10_000_000);
    let end = b.echo.stream_end.lock().unwrap().clone();
    assert!(
        !matches!(end, Some(Ok(_))),
        "it does not look whole: {end:?}"
    );
}

#[tokio::test]
async fn what_a_removed_peer_sent_before_is_not_dispatched() {
    use super::super::drive::{Receiver, drive};
    use super::super::frame::{Frame, FrameKind};
    struct Never;
    impl Receiver for Never {
        fn receive(
            &mut self,
            message: super::super::assembly::Message,
        ) -> Result<(), super::super::frame::FrameError> {
            panic!("{message:?}");
        }
    }
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let socket = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let cut = super::super::roster::Cut::new(socket);
    let mut arrived = BytesMut::new();
    let frame = Frame {
        kind: FrameKind::Call,
        more: false,
        id: 1,
        payload: Bytes::new(),
    };
    frame.encode(&mut arrived);
    let (_other, stream) = tokio::io::duplex(64);
    cut.now();
    let outbox = super::super::outbox::Outbox::default();
    let assembly = Assembly::new(100, Assembly::gauge(100));
    let ended = drive(stream, arrived, &outbox, &cut, assembly, &mut Never).await;
    assert!(matches!(ended, super::super::drive::Ended::Cut));
}
