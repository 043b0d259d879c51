//! Bodies that come in pieces, and the cost of sealing.

use super::*;

#[tokio::test]
async fn a_body_arrives_whole_in_pieces_of_any_size() {
    let keys = barrier();
    for length in [
        0,
        1,
        FRAME_BYTES - 1,
        FRAME_BYTES,
        FRAME_BYTES + 1,
        3 * FRAME_BYTES,
    ] {
        let body: Vec<u8> = (0..length).map(|at| at as u8).collect();
        let sealed = frames(&keys, 1, &body).await;
        assert_eq!(sealed.len(), length.div_ceil(FRAME_BYTES).max(1));
        for size in [
            977,
            16_000,
            FRAME_BYTES + MESSAGE_OVERHEAD_BYTES + 1,
            usize::MAX,
        ] {
            let (whole, is_forged) = opened(&keys, &sealed, size).await;
            assert!(whole.as_deref() == Some(&body[..]), "{length} in {size}");
            assert!(!is_forged);
        }
    }
}

#[tokio::test]
async fn a_body_that_was_cut_reordered_repeated_or_exchanged_breaks_off() {
    let keys = barrier();
    let body = BODY.repeat(3 * FRAME_BYTES / BODY.len());
    let good = frames(&keys, 1, &body).await;
    let other = frames(&keys, 2, &body).await;
    let [a, b, c] = &good[..] else {
        panic!("{} frames", good.len())
    };
    let end_only = frames(&keys, 1, BODY).await;
    let marked = |frame: &Bytes, mark| {
        let mut frame = frame.to_vec();
        frame[0] = mark;
        Bytes::from(frame)
    };
    let cases: Vec<(&str, Vec<Bytes>)> = vec![
        ("nothing", vec![]),
        ("cut after a frame", vec![a.clone(), b.clone()]),
        ("cut within a frame", vec![a.clone(), b.slice(..500)]),
        (
            "the end cut",
            vec![a.clone(), b.clone(), c.slice(..c.len() - 1)],
        ),
        ("reordered", vec![b.clone(), a.clone(), c.clone()]),
        ("repeated", vec![a.clone(), a.clone(), b.clone(), c.clone()]),
        ("one left out", vec![a.clone(), c.clone()]),
        (
            "something after the end",
            vec![a.clone(), b.clone(), c.clone(), c.clone()],
        ),
        ("an early end", vec![a.clone(), marked(b, 1)]),
        ("no end", vec![a.clone(), b.clone(), marked(c, 0)]),
        ("an unknown mark", vec![marked(a, 2), b.clone(), c.clone()]),
        (
            "of another request",
            vec![a.clone(), other[1].clone(), c.clone()],
        ),
        ("all of another request", other.clone()),
        (
            "the end of a shorter one",
            vec![a.clone(), end_only[0].clone()],
        ),
    ];
    for (name, frames) in cases {
        for size in [977, usize::MAX] {
            let (whole, is_forged) = opened(&keys, &frames, size).await;
            assert!(whole.is_none() && is_forged, "{name}");
        }
    }
}

/// Most time of sealing, in microseconds: ten times the usual one, for slow builds and machines.
const COST_US_MAX: f64 = 100.0;

/// Prints the cost of sealing a request of 1 KiB and its answer, both sides together.
#[test]
#[ignore = "a measurement: `tests/bench/run cluster` makes it"]
fn what_sealing_costs() {
    let (keys, ends) = (barrier(), ends());
    let counted = AtomicUsize::new(0);
    let inside = vec![7; 1024];
    let once = |number| {
        let head = Head { number, ..HEAD };
        let (message, nonce) = sealed::seal_request(&keys, &ends, head, &inside).unwrap();
        let (_, same, request) = sealed::open_request(&keys, &ends, &message).unwrap();
        let answer = sealed::seal_answer(&keys, &ends, &same, &request).unwrap();
        match sealed::open_answer(&keys, &ends, &nonce, &answer) {
            SealedAnswer::Opened(inside) => counted.fetch_add(inside.len(), Ordering::Relaxed),
            _ => panic!("it does not open"),
        };
    };
    (0..10_000).for_each(once);
    let start = std::time::Instant::now();
    let times = 100_000_u64;
    (0..times).for_each(once);
    let each = start.elapsed().as_secs_f64() * 1e6 / times as f64;
    println!("{each:.2} microseconds for a request and an answer of 1 KiB");
    assert_eq!(counted.into_inner(), 110_000 * inside.len());
    assert!(each < COST_US_MAX, "{each:.2} microseconds");
}
