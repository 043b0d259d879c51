//! Clusters that lost more nodes than they can spare, and go on with `peers.json`.

use super::cluster::{Cluster, eventually};
use super::membership::offline;
use super::*;

const ALONE: &str = r#"[{"id": "n0", "address": "n0:8201", "non_voter": false}]"#;

/// Stops a node and waits until its files are free.
async fn stop(cluster: &mut Cluster, index: usize) {
    cluster.stop(index).await;
    let dir = cluster.nodes[index].dir.clone();
    tokio::task::spawn_blocking(move || offline(&dir, |_| ()))
        .await
        .unwrap();
}

fn write_peers(cluster: &Cluster, index: usize, text: &str) {
    let file = cluster.nodes[index].dir.join("raft/peers.json");
    std::fs::write(file, text).unwrap();
}

/// Empties a node's directory, and starts it: it comes back as a new node, under the same name.
async fn wipe_and_start(cluster: &mut Cluster, index: usize) {
    std::fs::remove_dir_all(&cluster.nodes[index].dir).unwrap();
    cluster.start(index).await;
    cluster.up(index).set_elect(true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_three_goes_on_and_the_others_join_again() {
    let mut cluster = Cluster::of(3).await;
    cluster.up(0).commit(put("a", b"1")).await.unwrap();
    for index in [1, 2, 0] {
        stop(&mut cluster, index).await;
    }
    write_peers(&cluster, 0, ALONE);
    cluster.start(0).await;
    cluster.up(0).become_leader().await.unwrap();
    assert_eq!(cluster.up(0).members().len(), 1);
    cluster.up(0).commit(put("a", b"2")).await.unwrap();
    cluster.up(0).read_barrier().await.unwrap();

    for index in [1, 2] {
        wipe_and_start(&mut cluster, index).await;
        cluster.join(index, 0).await;
        cluster.promote(index, 0).await;
        cluster.await_value(index, "a", b"2").await;
    }
    cluster.up(0).commit(put("b", b"3")).await.unwrap();
    stop(&mut cluster, 0).await;
    let leader = cluster.await_leader().await;
    cluster.up(leader).commit(put("c", b"4")).await.unwrap();
    let record = cluster.up(leader).get(b"b").unwrap().unwrap();
    assert_eq!(record.value, &b"3"[..]);
    assert_eq!(cluster.up(leader).members().len(), 3);
}

/// The files are as after a crash between the installation of a snapshot and the purge of the log.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_whose_state_is_ahead_of_its_log_goes_on() {
    let mut cluster = Cluster::of(3).await;
    cluster.up(0).commit(put("a", b"1")).await.unwrap();
    stop(&mut cluster, 0).await;
    let log = cluster.nodes[0].dir.join("raft");
    let shorter = tempfile::tempdir().unwrap();
    copy_as_killed(&log, shorter.path());
    cluster.start(0).await;
    let leader = cluster.await_leader().await;
    cluster.up(leader).commit(put("a", b"2")).await.unwrap();
    cluster.await_value(0, "a", b"2").await;
    for index in 0..3 {
        stop(&mut cluster, index).await;
    }
    std::fs::remove_dir_all(&log).unwrap();
    std::fs::create_dir(&log).unwrap();
    copy_as_killed(shorter.path(), &log);
    write_peers(&cluster, 0, ALONE);
    for value in [b"3", b"4"] {
        cluster.start(0).await;
        cluster.up(0).become_leader().await.unwrap();
        let before = cluster.up(0).get(b"a").unwrap().unwrap();
        assert_eq!(before.value[0] + 1, value[0]);
        cluster.up(0).commit(put("a", value)).await.unwrap();
        stop(&mut cluster, 0).await;
    }
}

/// n0 has the longer log, with entries that no quorum acknowledged; n1 has the acknowledged ones.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_that_are_left_what_was_acknowledged_wins() {
    let mut cluster = Cluster::of(5).await;
    cluster.up(0).commit(put("a", b"1")).await.unwrap();
    cluster.await_value(1, "a", b"1").await;
    cluster.isolate(0);
    let mut lost = Vec::new();
    for n in 0..20u32 {
        let storage = Arc::clone(cluster.up(0));
        lost.push(tokio::spawn(async move {
            storage.commit(put("lost", &n.to_le_bytes())).await
        }));
    }
    let leader = eventually("another leader", || async {
        (1..5).find(|index| {
            let leadership = cluster.up(*index).leadership();
            let leadership = leadership.borrow();
            matches!(*leadership, Leadership::Leader { .. })
        })
    })
    .await;
    cluster.up(leader).commit(put("a", b"2")).await.unwrap();
    cluster.await_value(1, "a", b"2").await;
    for index in 0..5 {
        stop(&mut cluster, index).await;
    }
    for attempt in lost {
        assert!(attempt.await.unwrap().is_err());
    }
    cluster.wires.heal();
    let two = r#"[{"id": "n0", "address": "n0:8201"}, {"id": "n1", "address": "n1:8201"}]"#;
    for index in [0, 1] {
        write_peers(&cluster, index, two);
        cluster.start(index).await;
        cluster.up(index).set_elect(true);
    }
    let leader = cluster.await_leader().await;
    assert_eq!(leader, 1, "its log goes further");
    cluster.up(1).commit(put("b", b"3")).await.unwrap();
    for index in [0, 1] {
        cluster.await_value(index, "a", b"2").await;
        cluster.await_value(index, "b", b"3").await;
        assert!(cluster.up(index).get(b"lost").unwrap().is_none());
        assert_eq!(cluster.up(index).members().len(), 2);
    }
}
