//! Streams: whole or cut, and never more in memory than there is credit for.

use super::super::window::WINDOW_BYTES;
use super::*;

#[tokio::test]
async fn a_stream_arrives_whole_and_in_order() {
    let (a, b) = two().await;
    for (count, size) in [(0, 0), (1, 1), (3, 0), (1000, 1000), (3, 700_000)] {
        let answer = a.stream(&b.member, "echo", pieces(count, size)).await;
        let answer = answer.unwrap();
        assert_eq!(answer.len(), count * size);
        let wanted = (0..count).flat_map(|number| std::iter::repeat_n(number as u8, size));
        assert!(answer.iter().copied().eq(wanted), "{count} of {size}");
    }
}

#[tokio::test]
async fn a_slow_reader_holds_its_sender_back_and_nobody_else() {
    let (a, b) = two().await;
    let given = Arc::new(AtomicUsize::new(0));
    let counted = given.clone();
    let size = 10_000;
    let body = pieces(10_000, size).inspect(move |_| {
        counted.fetch_add(size, Ordering::SeqCst);
    });
    let streams = a.stream(&b.member, "slow", Box::pin(body));
    let others = async {
        until("its credit is used up", || {
            given.load(Ordering::SeqCst) > WINDOW_BYTES - size
        })
        .await;
        for _ in 0..100 {
            let request = Bytes::from_static(b"x");
            let answer = a
                .peers
                .call(&b.member, Protocol::Forward, request, WITHIN)
                .await;
            assert_eq!(answer.unwrap(), "x");
        }
        assert_eq!(
            a.stream(&b.member, "echo", pieces(100, 10_000))
                .await
                .unwrap()
                .len(),
            1_000_000,
            "another stream overtakes it"
        );
        let most = WINDOW_BYTES + 2 * size;
        assert!(given.load(Ordering::SeqCst) <= most, "no more was taken");
        b.echo.gate.add_permits(20_000);
    };
    let (streamed, ()) = tokio::join!(streams, others);
    assert!(streamed.is_ok(), "{streamed:?}");
    assert_eq!(given.load(Ordering::SeqCst), 10_000 * size);
}

#[tokio::test]
async fn a_body_that_breaks_off_looks_cut_on_both_sides() {
    let (a, b) = two().await;
    let broken = futures_util::stream::iter([
        Ok(Bytes::from_static(b"some")),
        Err(std::io::Error::other("the disk is gone")),
    ]);
    let answer = a.stream(&b.member, "x", Box::pin(broken)).await;
    assert!(
        matches!(&answer, Err(CallError::Unreachable { reason, .. }) if reason.contains("disk")),
        "{answer:?}"
    );
    let end = b.echo.stream_end.lock().unwrap().clone();
    assert!(matches!(end, Some(Err(_))), "{end:?}");
}

#[tokio::test]
async fn an_early_answer_ends_a_stream() {
    let (a, b) = two().await;
    for _ in 0..100 {
        let answer = a.stream(&b.member, "early", pieces(1000, 10_000)).await;
        assert!(matches!(answer, Err(CallError::Refused(words)) if words == "enough"));
    }
    assert_eq!(b.peers.inner().roster.open_connections(), 1, "it lives on");
}

#[tokio::test]
async fn a_stream_that_stalls_fails_and_is_dropped_there() {
    let (a, b) = two().await;
    let stalled = Duration::from_millis(100);
    let head = Bytes::from_static(b"slow");
    let body = pieces(1000, 10_000);
    let answer = a
        .peers
        .stream(&b.member, Protocol::Forward, head, body, stalled)
        .await;
    assert!(matches!(answer, Err(CallError::TimedOut(_))), "{answer:?}");
    until("it is dropped", || b.echo.holding() == 0).await;
}

#[tokio::test]
async fn more_streams_than_may_be_are_busy() {
    let limits = Limits {
        streams_in_flight_max: 2,
        ..Limits::default()
    };
    let a = Node::start_with("a", Identity::ephemeral(), "127.0.0.1:0", limits).await;
    let b = Node::start("b").await;
    introduce(&[&a, &b]);
    let two = async {
        tokio::join!(
            a.stream(&b.member, "slow", pieces(1, 1)),
            a.stream(&b.member, "slow", pieces(1, 1))
        )
    };
    let third = async {
        until("both wait", || b.echo.holding() == 2).await;
        let third = a.stream(&b.member, "x", pieces(1, 1)).await;
        assert!(matches!(third, Err(CallError::Busy(_))), "{third:?}");
        b.echo.gate.add_permits(10);
    };
    let ((one, other), ()) = tokio::join!(two, third);
    assert!(one.is_ok() && other.is_ok());
}

#[tokio::test]
async fn a_service_that_breaks_the_connection_off_leaves_no_whole_stream() {
    let (a, b) = two().await;
    let streams = a.stream(&b.member, "slow", pieces(100, 1000));
    let gone = async {
        b.echo.gate.add_permits(1);
        until("a piece arrived", || {
            b.echo.taken.load(Ordering::SeqCst) > 0
        })
        .await;
        b.peers.shutdown().await;
    };
    let (streamed, ()) = tokio::join!(streams, gone);
    assert!(
        matches!(streamed, Err(CallError::Unreachable { .. })),
        "{streamed:?}"
    );
    assert!(b.echo.stream_end.lock().unwrap().is_none());
}
