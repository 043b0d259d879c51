//! A node that hands leadership over stands back, and leadership does not go to and fro between
//! slow devices.

use super::cluster::{Cluster, eventually};
use super::*;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A time far shorter than a node stands back for, and far longer than an election takes.
const SOON: Duration = Duration::from_secs(7);

/// A device whose next write takes this many milliseconds.
#[derive(Default)]
struct Slow(AtomicU64);

impl Slow {
    fn next_takes(&self, pause: Duration) {
        let millis = u64::try_from(pause.as_millis()).unwrap();
        self.0.store(millis, Ordering::SeqCst);
    }
}

impl Device for Slow {
    fn before_write(&self, _bytes: usize) -> Verdict {
        let pause = self.0.swap(0, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(pause));
        Verdict::Write
    }
}

/// Makes a cluster of voters on such devices, led by the first one.
async fn on_slow_devices(count: usize) -> (Cluster, Vec<Arc<Slow>>) {
    let mut cluster = Cluster::apart(count).await;
    let slow: Vec<Arc<Slow>> = (0..count).map(|_| Arc::default()).collect();
    for (index, slow) in slow.iter().enumerate() {
        cluster.stop(index).await;
        cluster.nodes[index].device = Some(Arc::clone(slow) as _);
        cluster.start(index).await;
        cluster.up(index).set_elect(true);
    }
    cluster.join_all().await;
    (cluster, slow)
}

/// Waits until the leader knows whether `index` is unsealed.
async fn await_known(cluster: &Cluster, leader: usize, index: usize, elects: bool) {
    let name = cluster.nodes[index].name.clone();
    eventually("what the leader knows", || async {
        let members = cluster.up(leader).members();
        let member = members.into_iter().find(|member| member.name == name)?;
        (member.elects == Some(elects)).then_some(())
    })
    .await;
}

async fn seal(cluster: &Cluster, leader: usize, index: usize) {
    cluster.up(index).set_elect(false);
    await_known(cluster, leader, index, false).await;
}

async fn await_leader_besides(cluster: &Cluster, old: usize) -> usize {
    eventually("another leader", || async {
        cluster.leader().filter(|leader| *leader != old)
    })
    .await
}

/// The leader learns by heartbeats which nodes are unsealed, but must not count on having learnt
/// it: an Ansible role that unseals one host and goes on with the next at once is faster.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leadership_goes_to_a_node_that_was_unsealed_a_moment_ago() {
    let mut cluster = Cluster::apart(3).await;
    cluster.timing = Timing::multiplied(10);
    for index in 0..3 {
        cluster.stop(index).await;
        cluster.start(index).await;
        cluster.up(index).set_elect(true);
    }
    cluster.up(0).found().await.unwrap();
    cluster.up(0).become_leader().await.unwrap();
    cluster.require(0);
    // The third has no vote.
    cluster.join(1, 0).await;
    cluster.promote(1, 0).await;
    cluster.join(2, 0).await;
    seal(&cluster, 0, 1).await;
    let refused = cluster.up(0).hand_over(Duration::from_secs(5)).await;
    assert!(
        matches!(refused, Err(ChangeError::Refused(_))),
        "{refused:?}"
    );
    assert_eq!(cluster.leader(), Some(0), "with no other node it leads on");
    cluster.up(1).set_elect(true);
    let handed = cluster.up(0).hand_over(Duration::from_secs(5)).await;
    handed.unwrap();
    assert_eq!(await_leader_besides(&cluster, 0).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_stepped_down_leaves_the_next_election_to_others() {
    for _ in 0..2 {
        let mut cluster = Cluster::of(3).await;
        cluster
            .up(0)
            .hand_over(Duration::from_secs(5))
            .await
            .unwrap();
        let next = await_leader_besides(&cluster, 0).await;
        cluster.isolate(next);
        cluster.stop(next).await;
        let third = eventually("the third leads", || async { cluster.leader() }).await;
        assert_eq!(third, 3 - next);
        // It votes all the same.
        cluster.up(third).commit(put("a", b"1")).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handover_that_is_lost_does_not_bring_the_old_leader_back() {
    let cluster = Cluster::of(3).await;
    seal(&cluster, 0, 2).await;
    let (old, heir) = (&cluster.nodes[0].key, &cluster.nodes[1].key);
    cluster.wires.cut(old, heir);
    let refused = cluster.up(0).hand_over(Duration::from_millis(400)).await;
    cluster.wires.heal();
    // The heir, which hears nothing, may campaign by itself before the handover is given up.
    let late = matches!(refused, Ok(()) | Err(ChangeError::Unavailable(_)));
    assert!(late, "{refused:?}");
    let leader = eventually("a leader", || async {
        let leader = cluster.leader()?;
        cluster.up(leader).status().leads.then_some(leader)
    })
    .await;
    assert_eq!(leader, 1);
    cluster.up(1).commit(put("a", b"1")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_stands_back_leads_at_once_when_nobody_else_can() {
    let mut cluster = Cluster::of(3).await;
    seal(&cluster, 0, 2).await;
    cluster
        .up(0)
        .hand_over(Duration::from_secs(5))
        .await
        .unwrap();
    assert_eq!(await_leader_besides(&cluster, 0).await, 1);
    let begun = Instant::now();
    cluster.isolate(1);
    cluster.stop(1).await;
    assert_eq!(cluster.await_leader().await, 0, "the third is sealed");
    let took = begun.elapsed();
    assert!(took < SOON, "{took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_that_step_down_in_turn_take_over_from_each_other() {
    let cluster = Cluster::of(2).await;
    let begun = Instant::now();
    for leader in [0, 1, 0, 1] {
        let handed = cluster.up(leader).hand_over(Duration::from_secs(5)).await;
        handed.unwrap();
        assert_eq!(await_leader_besides(&cluster, leader).await, 1 - leader);
    }
    let took = begun.elapsed();
    assert!(took < SOON, "{took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_does_not_stand_back_goes_before_one_that_does() {
    for _ in 0..2 {
        let cluster = Cluster::of(3).await;
        cluster
            .up(0)
            .hand_over(Duration::from_secs(5))
            .await
            .unwrap();
        let second = await_leader_besides(&cluster, 0).await;
        let handed = cluster.up(second).hand_over(Duration::from_secs(5)).await;
        handed.unwrap();
        let third = await_leader_besides(&cluster, second).await;
        assert_eq!(third, 3 - second, "the first stands back");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_heir_whose_device_fails_it_gets_no_ten_seconds() {
    let (cluster, slow) = on_slow_devices(3).await;
    seal(&cluster, 0, 2).await;
    slow[1].next_takes(Duration::from_secs(9));
    let begun = Instant::now();
    let handed = cluster.up(0).hand_over(Duration::from_millis(600)).await;
    assert!(
        matches!(handed, Err(ChangeError::Unavailable(_))),
        "{handed:?}"
    );
    let again = eventually("a leader", || async {
        let committed = cluster.up(0).commit(put("a", b"1"));
        let committed = tokio::time::timeout(Duration::from_secs(1), committed).await;
        committed.ok()?.ok()
    });
    again.await;
    let took = begun.elapsed();
    assert!(took < SOON, "{took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leadership_does_not_go_to_and_fro_between_two_slow_devices() {
    let (cluster, slow) = on_slow_devices(2).await;
    let stall = Duration::from_millis(2500);
    slow[0].next_takes(stall);
    // The outcome of the write is for its caller.
    drop(cluster.up(0).commit(put("a", b"1")).await);
    assert_eq!(await_leader_besides(&cluster, 0).await, 1, "a control");
    eventually("the new leader serves", || async {
        cluster.up(1).commit(put("b", b"2")).await.ok()
    })
    .await;
    let term = cluster.up(1).status().term;
    for _ in 0..3 {
        slow[1].next_takes(stall);
        cluster.up(1).commit(put("c", b"3")).await.unwrap();
        assert_eq!(cluster.leader(), Some(1));
    }
    assert_eq!(cluster.up(1).status().term, term, "nobody else led");
    // The operator's word goes before the record of slow devices.
    cluster
        .up(1)
        .hand_over(Duration::from_secs(5))
        .await
        .unwrap();
    assert_eq!(await_leader_besides(&cluster, 1).await, 0);
}
