//! Replication while nothing fails, and while nodes come and go.

use super::cluster::Cluster;
use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_nodes_hold_the_same_and_read_what_was_acknowledged() {
    let cluster = Cluster::of(3).await;
    for n in 0..50u32 {
        let name = format!("k{n}");
        let value = n.to_le_bytes();
        cluster.up(0).commit(put(&name, &value)).await.unwrap();
        for index in 0..3 {
            cluster.up(index).read_barrier().await.unwrap();
            let record = cluster.up(index).get(name.as_bytes()).unwrap().unwrap();
            assert_eq!(record.value, &value[..]);
        }
    }
    let refused = cluster.up(1).commit(put("k", b"v")).await.unwrap_err();
    assert!(matches!(refused, CommitError::NotLeader), "{refused}");
    let members = cluster.up(0).members();
    assert_eq!(members.len(), 3);
    for member in &members {
        assert!(member.voter && member.elects == Some(true), "{member:?}");
        assert_eq!(member.leader, member.name == "n0");
        assert_eq!(member.hostname, format!("host-{}", member.name));
        assert!(member.last_contact.is_some() && !member.version.is_empty());
    }
    let leadership = cluster.up(2).leadership();
    let Leadership::Follower { leader } = leadership.borrow().clone() else {
        panic!("n2 does not follow");
    };
    assert_eq!(leader.api_address, "http://n0:8200");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_nodes_lose_two_then_all_and_nothing_that_was_acknowledged() {
    let mut cluster = Cluster::of(5).await;
    cluster.up(0).commit(put("a", b"1")).await.unwrap();
    cluster.stop(0).await;
    cluster.stop(1).await;
    let leader = cluster.await_leader().await;
    cluster.up(leader).commit(put("b", b"2")).await.unwrap();
    for index in 2..5 {
        cluster.stop(index).await;
    }
    for index in 0..5 {
        cluster.start(index).await;
        cluster.up(index).set_elect(true);
    }
    let leader = cluster.await_leader().await;
    cluster.up(leader).commit(put("c", b"3")).await.unwrap();
    for index in 0..5 {
        cluster.up(index).read_barrier().await.unwrap();
        for (name, value) in [("a", b"1"), ("b", b"2"), ("c", b"3")] {
            let record = cluster.up(index).get(name.as_bytes()).unwrap().unwrap();
            assert_eq!(record.value, &value[..], "{name} at {index}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_that_was_away_for_a_while_needs_no_snapshot() {
    let mut cluster = Cluster::of(3).await;
    cluster.stop(2).await;
    // No snapshot would get through.
    cluster.wires.break_streams_after(Some(0));
    for round in 0..2u32 {
        for n in 0..500u32 {
            let value = n.to_le_bytes().repeat(200);
            let name = format!("k{round}.{n}");
            cluster.up(0).commit(put(&name, &value)).await.unwrap();
        }
        cluster.up(0).checkpoint().await.unwrap();
    }
    cluster.start(2).await;
    for n in [0, 499u32] {
        let value = n.to_le_bytes().repeat(200);
        cluster.await_value(2, &format!("k0.{n}"), &value).await;
        cluster.await_value(2, &format!("k1.{n}"), &value).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lone_node_keeps_no_log_for_followers() {
    let dir = tempfile::tempdir().unwrap();
    let mut options = Options::new(dir.path(), "a");
    options.segment_bytes = 64 << 10;
    options.log_bytes_kept = 256 << 10;
    options.limits.overlay_bytes_max = 64 << 10;
    options.limits.replay_bytes_max = 64 << 10;
    let storage = RaftStorage::open(options).await.unwrap();
    storage.found().await.unwrap();
    storage.become_leader().await.unwrap();
    for n in 0..700u32 {
        let value = n.to_le_bytes().repeat(700);
        storage.commit(put(&format!("k{n}"), &value)).await.unwrap();
    }
    storage.checkpoint().await.unwrap();
    // Four segments are free, and one is written; purged ones go a moment later.
    super::cluster::eventually("a short log", || async {
        let files = std::fs::read_dir(dir.path().join("raft")).unwrap();
        let segments = files.filter(|file| {
            let path = file.as_ref().unwrap().path();
            path.extension().is_some_and(|extension| extension == "log")
        });
        (segments.count() <= 6).then_some(())
    })
    .await;
    let log = &storage.shared.log;
    super::cluster::eventually("no log is kept", || async {
        log.surplus(64 << 10).is_none().then_some(())
    })
    .await;
    storage.shutdown().await;
}
