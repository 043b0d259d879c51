//! The network that other rooms' tests run on: it must be unkind in the way that a test asked for.

use super::*;

struct Pair {
    hub: Arc<Memory>,
    nodes: [Arc<MemoryNode>; 2],
    members: [Member; 2],
    echoes: [Arc<Echo>; 2],
}

fn pair(seed: u64) -> Pair {
    let hub = Memory::new(seed);
    let members = ["a", "b"].map(|name| Member {
        name: name.to_owned(),
        address: String::new(),
        public_key: PublicKey(Bytes::from_static(name.as_bytes())),
    });
    let echoes = [Echo::new(), Echo::new()];
    let nodes = [0, 1].map(|number| {
        let node = hub.node(members[number].public_key.clone());
        let service: Arc<dyn Service> = echoes[number].clone();
        node.serve(Protocol::Raft, Arc::downgrade(&service));
        node.set_members(members.to_vec());
        node
    });
    Pair {
        hub,
        nodes,
        members,
        echoes,
    }
}

impl Pair {
    async fn call(&self, request: &'static str) -> Result<Bytes, CallError> {
        let request = Bytes::from_static(request.as_bytes());
        self.nodes[0]
            .call(&self.members[1], Protocol::Raft, request, WITHIN)
            .await
    }

    async fn stream(&self, head: &'static str, body: Chunks) -> Result<Bytes, CallError> {
        let head = Bytes::from_static(head.as_bytes());
        self.nodes[0]
            .stream(&self.members[1], Protocol::Raft, head, body, WITHIN)
            .await
    }

    fn keys(&self) -> (&PublicKey, &PublicKey) {
        (&self.members[0].public_key, &self.members[1].public_key)
    }
}

#[tokio::test(start_paused = true)]
async fn carries_calls_and_streams_with_the_delays_of_both_ways() {
    let pair = pair(1);
    let (a, b) = pair.keys();
    let begun = tokio::time::Instant::now();
    assert_eq!(pair.call("x").await.unwrap(), "x");
    assert_eq!(begun.elapsed(), Duration::ZERO);
    let exactly = |ms| Duration::from_millis(ms)..=Duration::from_millis(ms);
    pair.hub.change_way(a, b, |way| way.delay = exactly(30));
    pair.hub.change_way(b, a, |way| way.delay = exactly(100));
    assert_eq!(pair.call("x").await.unwrap(), "x");
    // Paused time moves by whole milliseconds, upwards.
    assert!(begun.elapsed() >= Duration::from_millis(130));
    assert!(begun.elapsed() < Duration::from_millis(140));
    let all = pair.stream("echo", pieces(3, 2)).await.unwrap();
    assert_eq!(&all[..], [0, 0, 1, 1, 2, 2]);
    assert!(matches!(
        pair.call("refuse").await,
        Err(CallError::Refused(_))
    ));
}

#[tokio::test(start_paused = true)]
async fn one_way_may_be_cut() {
    let pair = pair(2);
    let (a, b) = pair.keys();
    pair.hub.change_way(b, a, |way| way.is_cut = true);
    pair.echoes[1].gate.add_permits(1);
    let answer = pair.call("wait").await;
    assert!(matches!(answer, Err(CallError::TimedOut(_))), "{answer:?}");
    assert_eq!(pair.echoes[1].gate.available_permits(), 0, "it arrived");
    pair.hub.heal();
    assert!(pair.call("x").await.is_ok());
    pair.hub.part(a, b, true);
    let answer = pair.stream("x", pieces(2, 2)).await;
    assert!(matches!(answer, Err(CallError::TimedOut(_))), "{answer:?}");
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_loses_and_repeats_the_same() {
    async fn history(seed: u64) -> (Vec<bool>, usize) {
        let pair = pair(seed);
        let (a, b) = pair.keys();
        let way = Way {
            lost_ppm: 300_000,
            repeated_ppm: 300_000,
            ..Way::default()
        };
        pair.hub.set_way(a, b, way);
        pair.echoes[1].gate.add_permits(1000);
        let mut arrived = Vec::new();
        for _ in 0..100 {
            arrived.push(pair.call("wait").await.is_ok());
        }
        let served = 1000 - pair.echoes[1].gate.available_permits();
        (arrived, served)
    }
    let first = history(7).await;
    let count = first.0.iter().filter(|is_ok| **is_ok).count();
    assert!((50..90).contains(&count), "{count} of 100 arrived");
    assert!(first.1 > count, "some arrived twice");
    assert_eq!(first, history(7).await);
    assert_ne!(first, history(8).await);
}

#[tokio::test(start_paused = true)]
async fn removal_and_a_crash_cut_what_is_under_way() {
    let mut pair = pair(3);
    let remove = async {
        while pair.echoes[1].holding() == 0 {
            tokio::task::yield_now().await;
        }
        pair.nodes[1].set_members(vec![pair.members[1].clone()]);
    };
    let (answer, ()) = tokio::join!(pair.call("wait"), remove);
    assert!(
        matches!(answer, Err(CallError::Unreachable { .. })),
        "{answer:?}"
    );
    assert!(pair.call("x").await.is_err(), "no member there any more");
    assert_eq!(pair.echoes[1].holding(), 0);
    // The node crashes, and comes back.
    let key = pair.members[1].public_key.clone();
    pair.nodes[1] = pair.hub.node(key);
    assert!(
        pair.call("x").await.is_err(),
        "it does not know the caller yet"
    );
    pair.nodes[1].set_members(pair.members.to_vec());
    let answer = pair.call("x").await;
    assert!(
        matches!(answer, Err(CallError::Refused(_))),
        "nothing serves yet"
    );
    pair.nodes[0].set_members(Vec::new());
    let answer = pair.call("x").await;
    assert!(matches!(answer, Err(CallError::NotMember(_))), "{answer:?}");
}
