//! Clusters whose nodes, wires and devices fail.

use super::cluster::{Cluster, eventually};
use super::*;
use std::time::{Duration, Instant};

/// Puts until a leader acknowledges it, at whichever node leads.
async fn put_somewhere(cluster: &Cluster, name: &str, value: &[u8]) -> usize {
    eventually("an acknowledged write", || async {
        let leader = cluster.leader()?;
        let committed = cluster.up(leader).commit(put(name, value));
        let committed = tokio::time::timeout(Duration::from_secs(2), committed).await;
        committed.ok()?.ok().map(|_| leader)
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_node_leads_soon_after_the_leader_is_gone() {
    let mut cluster = Cluster::of(3).await;
    let mut times = Vec::new();
    let rounds: u32 = std::env::var("ROUNDS").map_or(3, |text| text.parse().unwrap());
    for round in 0..rounds {
        let leader = cluster.await_leader().await;
        let value = round.to_le_bytes();
        put_somewhere(&cluster, "before", &value).await;
        tokio::time::sleep(Duration::from_millis(u64::from(round) * 37 % 250)).await;
        let gone = Instant::now();
        // Unplugged first: the others hear nothing from here on.
        cluster.wires.unplug(&cluster.nodes[leader].key);
        cluster.isolate(leader);
        let (old, others) = (leader, [0, 1, 2].into_iter().filter(|n| *n != leader));
        let others: Vec<usize> = others.collect();
        eventually("an acknowledged write", || async {
            for other in &others {
                let done = cluster.up(*other).commit(put("after", &value)).await;
                if done.is_ok() {
                    return Some(());
                }
            }
            None
        })
        .await;
        times.push(gone.elapsed());
        cluster.stop(old).await;
        cluster.wires.heal();
        cluster.start(old).await;
        cluster.up(old).set_elect(true);
        cluster.await_value(old, "after", &value).await;
        cluster.await_value(old, "before", &value).await;
    }
    times.sort();
    let median = times[times.len() / 2];
    println!("failover: median {median:?}, all {times:?}");
    // Twice the limits of the issue: this machine has other work.
    assert!(median < Duration::from_secs(3), "{times:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_whose_process_is_gone_is_succeeded_at_the_end_of_its_lease() {
    let mut cluster = Cluster::of(3).await;
    let (lease, silence) = (cluster.timing.election_max, cluster.timing.silence());
    let mut times = Vec::new();
    for round in 0..5_u32 {
        let leader = cluster.await_leader().await;
        put_somewhere(&cluster, "before", &round.to_le_bytes()).await;
        let term = cluster.up(leader).status().term;
        let heard = Instant::now();
        let key = &cluster.nodes[leader].key;
        cluster.isolate(leader);
        if round % 2 == 0 {
            cluster.wires.crash(key);
        } else {
            // A process that ends may still take connections for a moment.
            cluster.wires.part(key);
            tokio::time::sleep(lease / 10).await;
            cluster.wires.unplug(key);
        }
        eventually("another leader", || async {
            // The old one calls itself leader for longer.
            let mut others = (0..3).filter(|node| *node != leader);
            let leads = |leadership: &Leadership| matches!(leadership, Leadership::Leader { .. });
            let next = others.find(|other| leads(&cluster.up(*other).leadership().borrow()))?;
            (cluster.up(next).status().term > term).then_some(())
        })
        .await;
        times.push(heard.elapsed());
        cluster.stop(leader).await;
        cluster.wires.heal();
        cluster.start(leader).await;
        cluster.up(leader).set_elect(true);
        cluster
            .await_value(leader, "before", &round.to_le_bytes())
            .await;
    }
    times.sort();
    println!("succeeded: median {:?}, all {times:?}", times[2]);
    assert!(times[0] > lease / 2, "the lease holds: {times:?}");
    // All but one, so that neither way of ending may fail each time.
    assert!(times[3] < silence, "raft's own timers are later: {times:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_lost_only_its_connections_leads_on() {
    let cluster = Cluster::of(3).await;
    let leader = cluster.await_leader().await;
    let term = cluster.up(leader).status().term;
    for round in 0..10_u32 {
        cluster.wires.part(&cluster.nodes[leader].key);
        put_somewhere(&cluster, "a", &round.to_le_bytes()).await;
        tokio::time::sleep(cluster.timing.heartbeat).await;
    }
    assert_eq!(cluster.leader(), Some(leader));
    assert_eq!(cluster.up(leader).status().term, term);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leadership_is_handed_over_at_once() {
    let cluster = Cluster::of(3).await;
    put_somewhere(&cluster, "a", b"1").await;
    cluster.up(2).set_elect(false);
    eventually("n2 is known to be sealed", || async {
        let members = cluster.up(0).members();
        let sealed = members.iter().find(|member| member.elects == Some(false));
        sealed.map(|member| assert_eq!(member.name, "n2"))
    })
    .await;
    let begun = Instant::now();
    cluster
        .up(0)
        .hand_over(Duration::from_secs(5))
        .await
        .unwrap();
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(1), "{took:?}");
    eventually("n1 leads", || async {
        (cluster.leader() == Some(1)).then_some(())
    })
    .await;
    let led = begun.elapsed();
    println!("handed over in {took:?}, ready in {led:?}");
    put_somewhere(&cluster, "b", b"2").await;
    cluster.await_value(0, "b", b"2").await;
    let refused = cluster.up(0).hand_over(Duration::from_secs(1)).await;
    assert!(matches!(refused, Err(ChangeError::NotLeader)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_is_cut_off_serves_nobody_and_comes_back_quietly() {
    let cluster = Cluster::of(3).await;
    put_somewhere(&cluster, "a", b"1").await;
    cluster.isolate(0);
    eventually("n0 notices", || async {
        let leadership = cluster.up(0).leadership();
        let leads = matches!(*leadership.borrow(), Leadership::Leader { .. });
        (!leads).then_some(())
    })
    .await;
    let read = cluster.up(0).read_barrier().await;
    assert!(matches!(read, Err(crate::store::ReadError::Unavailable(_))));
    let write = cluster.up(0).commit(put("lost", b"1")).await.unwrap_err();
    assert!(matches!(write, CommitError::NotLeader), "{write}");
    let leader = put_somewhere(&cluster, "b", b"2").await;
    assert_ne!(leader, 0);
    let term = cluster.up(leader).status().term;
    cluster.wires.heal();
    cluster.await_value(0, "b", b"2").await;
    cluster.up(0).read_barrier().await.unwrap();
    put_somewhere(&cluster, "c", b"3").await;
    assert_eq!(
        cluster.up(leader).status().term,
        term,
        "it disturbed the others"
    );
    assert_eq!(cluster.up(0).get(b"lost").unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_that_only_hears_or_only_speaks_disturbs_nobody() {
    let cluster = Cluster::of(3).await;
    put_somewhere(&cluster, "a", b"1").await;
    let term = cluster.up(0).status().term;
    let key = |index: usize| cluster.nodes[index].key.clone();
    // n2 hears no other node, but is heard.
    cluster.wires.cut(&key(0), &key(2));
    cluster.wires.cut(&key(1), &key(2));
    tokio::time::sleep(3 * cluster.timing.silence()).await;
    put_somewhere(&cluster, "b", b"2").await;
    cluster.wires.heal();
    cluster.await_value(2, "b", b"2").await;
    // n2 hears, but no other node hears it.
    cluster.wires.cut(&key(2), &key(0));
    cluster.wires.cut(&key(2), &key(1));
    tokio::time::sleep(3 * cluster.timing.silence()).await;
    put_somewhere(&cluster, "c", b"3").await;
    cluster.wires.heal();
    cluster.await_value(2, "c", b"3").await;
    assert_eq!(cluster.leader(), Some(0));
    assert_eq!(cluster.up(0).status().term, term);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_under_way_at_a_leader_that_is_cut_off_ends() {
    let cluster = Cluster::of(3).await;
    put_somewhere(&cluster, "a", b"1").await;
    cluster.isolate(0);
    // The lease has not run out yet, so it is proposed, and no node confirms it.
    let write = cluster.up(0).commit(put("fate unknown", b"1"));
    let write = tokio::time::timeout(Duration::from_secs(20), write).await;
    let error = write.expect("it ends").unwrap_err();
    assert!(matches!(error, CommitError::Unavailable(_)), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_round_trip_of_200_ms_causes_no_election() {
    let cluster = Cluster::of(3).await;
    put_somewhere(&cluster, "a", b"1").await;
    let term = cluster.up(0).status().term;
    cluster.wires.set_delay(Duration::from_millis(100));
    let mut leadership = cluster.up(0).leadership();
    leadership.mark_unchanged();
    let begun = Instant::now();
    let mut n = 0u32;
    while begun.elapsed() < Duration::from_secs(6) {
        cluster
            .up(0)
            .commit(put("k", &n.to_le_bytes()))
            .await
            .unwrap();
        cluster.up(1).read_barrier().await.unwrap();
        n += 1;
        if n > 4 {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }
    assert!(!leadership.has_changed().unwrap());
    assert_eq!(cluster.up(0).status().term, term);
}

/// A device whose writes are slow when it is told so.
#[derive(Default)]
struct Slow(std::sync::atomic::AtomicU64);

impl Device for Slow {
    fn before_write(&self, _bytes: usize) -> Verdict {
        let pause = self.0.swap(0, std::sync::atomic::Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(pause));
        Verdict::Write
    }

    fn has_room(&self) -> bool {
        true
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_that_stalls_for_a_second_costs_nothing_and_for_longer_costs_leadership() {
    let mut cluster = Cluster::apart(3).await;
    let slow: Vec<Arc<Slow>> = (0..3).map(|_| Arc::default()).collect();
    for (index, slow) in slow.iter().enumerate() {
        cluster.stop(index).await;
        cluster.nodes[index].device = Some(Arc::clone(slow) as _);
        cluster.start(index).await;
        cluster.up(index).set_elect(true);
    }
    cluster.join_all().await;
    put_somewhere(&cluster, "a", b"1").await;
    let term = cluster.up(0).status().term;
    let mut leadership = cluster.up(0).leadership();
    leadership.mark_unchanged();
    for index in [0, 1, 2, 0] {
        slow[index]
            .0
            .store(1000, std::sync::atomic::Ordering::SeqCst);
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(1300) {
            cluster.up(0).commit(put("k", b"v")).await.unwrap();
        }
    }
    assert!(!leadership.has_changed().unwrap());
    assert_eq!(cluster.up(0).status().term, term);
    slow[0].0.store(6000, std::sync::atomic::Ordering::SeqCst);
    let begun = Instant::now();
    put_somewhere(&cluster, "b", b"2").await;
    eventually("another node leads", || async {
        cluster.leader().filter(|leader| *leader != 0)
    })
    .await;
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(5), "{took:?}");
    put_somewhere(&cluster, "c", b"3").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_on_a_leader_that_lost_the_others_ends() {
    let cluster = Cluster::of(3).await;
    let leader = cluster.await_leader().await;
    put_somewhere(&cluster, "before", b"1").await;
    cluster.isolate(leader);
    let whole = cluster.up(leader).whole().unwrap();
    let none = Box::new(std::iter::empty());
    let restored = whole.restore(none, crate::clock::Timestamp::default());
    let restored = tokio::time::timeout(Duration::from_secs(20), restored).await;
    assert!(restored.expect("an answer").is_err());
    assert_eq!(
        cluster.up(leader).get(b"before").unwrap().unwrap().value,
        &b"1"[..]
    );
}
