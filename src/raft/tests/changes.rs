//! Members that come, go, change and are sealed.

use super::cluster::{Cluster, PATIENCE, eventually};
use super::*;
use crate::peer::PublicKey;
use std::time::{Duration, Instant};

fn names(cluster: &Cluster, at: usize) -> Vec<String> {
    let members = cluster.up(at).members().into_iter();
    members.map(|member| member.name).collect()
}

async fn write(cluster: &Cluster, name: &str, value: &[u8]) {
    eventually("a write", || async {
        let leader = cluster.leader()?;
        cluster.up(leader).commit(put(name, value)).await.ok()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_is_removed_told_and_added_again() {
    let cluster = Cluster::of(3).await;
    write(&cluster, "a", b"1").await;
    let remove = Change::Remove { force: false };
    cluster.up(0).change("n2", remove).await.unwrap();
    cluster.up(0).change("n2", remove).await.unwrap();
    assert_eq!(names(&cluster, 0), ["n0", "n1"]);
    eventually("n2 knows", || async {
        cluster.up(2).is_removed().then_some(())
    })
    .await;
    tokio::time::sleep(2 * cluster.timing.silence()).await;
    write(&cluster, "b", b"2").await;
    assert_eq!(cluster.up(2).get(b"b").unwrap(), None);
    assert_eq!(cluster.leader(), Some(0));
    let read = cluster.up(2).read_barrier().await;
    assert!(read.is_err(), "a removed node answers no reads");
    let unknown = cluster
        .up(0)
        .change("n2", Change::Promote)
        .await
        .unwrap_err();
    assert_eq!(unknown.to_string(), "n2 is not a member");
    cluster.join(2, 0).await;
    cluster.await_value(2, "b", b"2").await;
    cluster.up(2).read_barrier().await.unwrap();
    assert!(!cluster.up(2).is_removed());
    cluster.up(0).change("n2", remove).await.unwrap();
    // Down to one, which then cannot go.
    cluster.up(0).change("n1", remove).await.unwrap();
    let force = Change::Remove { force: true };
    let last = cluster.up(0).change("n0", force).await.unwrap_err();
    assert!(last.to_string().contains("last voter"), "{last}");
    write(&cluster, "c", b"3").await;
    cluster.up(0).read_barrier().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_changed_the_members_sees_the_change() {
    const ROUNDS: u64 = 200;
    let cluster = Cluster::of(1).await;
    for round in 0..ROUNDS {
        let member = NewMember {
            raft_id: 1000 + round,
            name: "n1".into(),
            cluster_address: "n1".into(),
            public_key: PublicKey(Bytes::from_static(b"key of n1")),
            api_address: String::new(),
            non_voter: true,
        };
        cluster.up(0).add_member(member).await.unwrap();
        assert_eq!(names(&cluster, 0), ["n0", "n1"], "round {round}");
        let remove = Change::Remove { force: false };
        cluster.up(0).change("n1", remove).await.unwrap();
        assert_eq!(names(&cluster, 0), ["n0"], "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_leader_itself_is_removed_and_another_leads() {
    let cluster = Cluster::of(3).await;
    write(&cluster, "a", b"1").await;
    let remove = Change::Remove { force: false };
    cluster.up(0).change("n0", remove).await.unwrap();
    assert!(cluster.up(0).is_removed());
    let leader = cluster.await_leader().await;
    assert_ne!(leader, 0);
    write(&cluster, "b", b"2").await;
    assert_eq!(names(&cluster, leader), ["n1", "n2"]);
    let refused = cluster.up(0).commit(put("c", b"3")).await.unwrap_err();
    assert!(matches!(refused, CommitError::NotLeader));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_removed_is_told_first_and_then_cut_off() {
    let cluster = Cluster::of(4).await;
    // A message under way arrives a while later.
    cluster.wires.set_delay(Duration::from_millis(10));
    for (leader, name, gone) in [(0, "n3", 3), (0, "n0", 0)] {
        let remove = Change::Remove { force: false };
        cluster.up(leader).change(name, remove).await.unwrap();
        assert!(cluster.up(gone).is_removed(), "{name} was not told");
        let told = Instant::now();
        eventually("the cut", || async {
            let hears = |at: usize| {
                let keys = (&cluster.nodes[at].key, &cluster.nodes[gone].key);
                cluster.wires.hears(keys.0, keys.1)
            };
            (!hears(1) && !hears(2)).then_some(())
        })
        .await;
        assert!(told.elapsed() < Duration::from_secs(2));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wiped_node_replaces_itself_and_takes_a_snapshot() {
    let mut cluster = Cluster::apart(0).await;
    cluster.log_bytes_kept = Some(0);
    for _ in 0..3 {
        cluster.add_node().await;
    }
    cluster.join_all().await;
    cluster.stop(2).await;
    for n in 0..700u32 {
        let value = n.to_le_bytes().repeat(200);
        cluster
            .up(0)
            .commit(put(&format!("k{n}"), &value))
            .await
            .unwrap();
    }
    cluster.up(0).checkpoint().await.unwrap();
    let node = &cluster.nodes[2];
    std::fs::remove_dir_all(&node.dir).unwrap();
    cluster.start(2).await;
    cluster.up(2).set_elect(true);
    // The first streams are cut: nothing of them counts.
    cluster.wires.break_streams_after(Some(100 << 10));
    eventually("n2 is not heard any more", || async {
        let members = cluster.up(0).members().into_iter();
        let n2 = members.filter(|m| m.name == "n2");
        n2.filter(|m| m.last_contact > Some(Duration::from_secs(1)))
            .last()
    })
    .await;
    cluster.join(2, 0).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(cluster.up(2).get(b"k1").unwrap(), None);
    cluster.wires.break_streams_after(None);
    for n in [0, 1, 350, 699u32] {
        let value = n.to_le_bytes().repeat(200);
        cluster.await_value(2, &format!("k{n}"), &value).await;
    }
    cluster.promote(2, 0).await;
    assert_eq!(names(&cluster, 2), ["n0", "n1", "n2"]);
    cluster.up(2).read_barrier().await.unwrap();
    // It is a whole member after a restart, too.
    cluster.stop(2).await;
    cluster.start(2).await;
    write(&cluster, "after", b"1").await;
    cluster.await_value(2, "after", b"1").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_without_its_log_and_state_is_another_one() {
    let mut cluster = Cluster::of(3).await;
    let old = cluster.up(2).raft_id();
    cluster.stop(2).await;
    write(&cluster, "a", b"1").await;
    for room in ["raft", "state"] {
        std::fs::remove_dir_all(cluster.nodes[2].dir.join(room)).unwrap();
    }
    cluster.start(2).await;
    cluster.up(2).set_elect(true);
    assert_ne!(cluster.up(2).raft_id(), old);
    assert!(!cluster.up(2).has_membership());
    // It stays that one, though it is in no cluster yet.
    let new = cluster.up(2).raft_id();
    cluster.stop(2).await;
    cluster.start(2).await;
    cluster.up(2).set_elect(true);
    assert_eq!(cluster.up(2).raft_id(), new);
    // Nothing is committed by its vote: n0's writes are acknowledged with n1 only.
    cluster.stop(1).await;
    let alone = cluster.up(0).commit(put("b", b"2"));
    assert!(alone.await.is_err());
    cluster.start(1).await;
    cluster.up(1).set_elect(true);
    let leader = cluster.await_leader().await;
    eventually("the node joins again", || async {
        let member = cluster.new_member(2);
        cluster.up(2).trust(vec![crate::peer::Member {
            name: cluster.nodes[leader].name.clone(),
            address: format!("{}:8201", cluster.nodes[leader].name),
            public_key: cluster.nodes[leader].key.clone(),
        }]);
        cluster.up(leader).add_member(member).await.ok()
    })
    .await;
    cluster.promote(2, leader).await;
    cluster.await_value(2, "a", b"1").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_lives_is_not_taken() {
    let mut cluster = Cluster::of(2).await;
    let index = cluster.add_node().await;
    let mut twin = cluster.new_member(index);
    twin.name = "n1".into();
    let refused = cluster.up(0).add_member(twin.clone()).await.unwrap_err();
    assert!(refused.to_string().contains("alive"), "{refused}");
    // A card that was cloned, key and all.
    for (name, key) in [("n0", 0), ("n1", 1)] {
        let mut clone = cluster.new_member(index);
        clone.public_key = cluster.nodes[key].key.clone();
        let refused = cluster.up(0).add_member(clone).await.unwrap_err();
        let why = format!("identity.key is a copy of that of {name}:");
        assert!(refused.to_string().contains(&why), "{refused}");
    }
    let mut myself = cluster.new_member(index);
    (myself.name, myself.public_key) = ("n0".into(), cluster.nodes[0].key.clone());
    let refused = cluster.up(0).add_member(myself).await.unwrap_err();
    assert!(refused.to_string().contains("active node"), "{refused}");
    assert_eq!(names(&cluster, 0), ["n0", "n1"]);
    // The same node again: only its address changes.
    let mut moved = cluster.new_member(1);
    moved.cluster_address = "elsewhere:1".into();
    cluster.up(0).add_member(moved).await.unwrap();
    cluster
        .up(1)
        .set_addresses("n1:9", "http://n1:8")
        .await
        .unwrap();
    let members = cluster.up(0).members();
    let n1 = members.iter().find(|member| member.name == "n1").unwrap();
    assert_eq!(
        (&*n1.cluster_address, &*n1.api_address),
        ("n1:9", "http://n1:8")
    );
    assert!(n1.voter);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn demoted_and_promoted_and_a_quorum_is_kept() {
    let mut cluster = Cluster::of(3).await;
    cluster.up(0).change("n2", Change::Demote).await.unwrap();
    let find = |cluster: &Cluster| {
        let members = cluster.up(0).members().into_iter();
        members.filter(|member| member.name == "n2").last().unwrap()
    };
    let n2 = find(&cluster);
    assert!(!n2.voter && n2.non_voter);
    cluster.promote(2, 0).await;
    let n2 = find(&cluster);
    assert!(n2.voter && !n2.non_voter);
    cluster.stop(2).await;
    eventually("n2 is missed", || async {
        let ago = find(&cluster).last_contact;
        (ago > Some(cluster.timing.silence())).then_some(())
    })
    .await;
    let remove = Change::Remove { force: false };
    let refused = cluster.up(0).change("n1", remove).await.unwrap_err();
    assert!(refused.to_string().contains("2 must agree"), "{refused}");
    cluster.up(0).change("n2", remove).await.unwrap();
    write(&cluster, "a", b"1").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sealed_voters_vote_and_never_lead() {
    let mut cluster = Cluster::of(3).await;
    cluster.up(1).set_elect(false);
    write(&cluster, "a", b"1").await;
    // Two of three sealed or gone: the rest goes on.
    cluster.up(0).set_elect(false);
    cluster.up(2).set_elect(true);
    eventually("n2 leads", || async {
        (cluster.leader() == Some(2)).then_some(())
    })
    .await;
    write(&cluster, "b", b"2").await;
    cluster.stop(0).await;
    write(&cluster, "c", b"3").await;
    cluster.start(0).await;
    cluster.await_value(0, "c", b"3").await;
    // The only unsealed one goes away and comes back.
    cluster.isolate(2);
    tokio::time::sleep(3 * cluster.timing.silence()).await;
    assert_eq!(cluster.leader(), None);
    cluster.wires.heal();
    eventually("n2 leads again", || async {
        (cluster.leader() == Some(2)).then_some(())
    })
    .await;
    write(&cluster, "d", b"4").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sealed_voter_with_the_longer_log_says_that_it_is_needed_and_never_leads() {
    let mut cluster = Cluster::of(3).await;
    write(&cluster, "a", b"1").await;
    cluster.stop(2).await;
    write(&cluster, "b", b"2").await;
    cluster.await_value(1, "b", b"2").await;
    // Only n1 has the last write; it is sealed before n0 goes, lest it lead meanwhile.
    cluster.up(1).set_elect(false);
    cluster.stop(0).await;
    assert!(!*cluster.up(1).needed().borrow());
    cluster.start(2).await;
    cluster.up(2).set_elect(true);
    let mut needed = cluster.up(1).needed();
    let told = needed.wait_for(|needed| *needed);
    tokio::time::timeout(PATIENCE, told).await.unwrap().unwrap();
    assert_eq!(cluster.leader(), None);
    assert!(!cluster.up(1).shared.raft.is_leader());
    cluster.up(1).set_elect(true);
    eventually("n1 leads", || async {
        (cluster.leader() == Some(1)).then_some(())
    })
    .await;
    assert!(!*cluster.up(1).needed().borrow());
    cluster.await_value(2, "b", b"2").await;
    write(&cluster, "c", b"3").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_is_sealed_brings_an_heir_up_to_date_first() {
    let mut cluster = Cluster::of(3).await;
    cluster.stop(2).await;
    cluster
        .up(0)
        .hand_over(Duration::from_secs(5))
        .await
        .unwrap();
    assert_eq!(cluster.await_leader().await, 1);
    write(&cluster, "a", b"1").await;
    // Only n1 has the last write.
    cluster.stop(0).await;
    cluster.up(1).set_elect(false);
    cluster.start(2).await;
    cluster.up(2).set_elect(true);
    cluster.await_value(2, "a", b"1").await;
    eventually("n2 leads", || async {
        (cluster.leader() == Some(2)).then_some(())
    })
    .await;
    assert!(!*cluster.up(1).needed().borrow());
    write(&cluster, "b", b"2").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_away_finds_a_leader_that_it_does_not_know() {
    let mut cluster = Cluster::of(3).await;
    write(&cluster, "a", b"1").await;
    cluster.await_value(2, "a", b"1").await;
    cluster.stop(2).await;
    let n3 = cluster.add_node().await;
    cluster.join(n3, 0).await;
    cluster.promote(n3, 0).await;
    cluster.up(1).set_elect(false);
    eventually("n3 leads", || async {
        let _may_be_refused = cluster.up(0).hand_over(Duration::from_secs(1)).await;
        (cluster.leader() == Some(n3)).then_some(())
    })
    .await;
    write(&cluster, "b", b"2").await;
    // n0 led when n2 went away, and answers all that n2 asks: it is no leader for that.
    cluster.start(2).await;
    eventually("n2 reads", || async {
        cluster.up(2).read_barrier().await.ok()
    })
    .await;
    assert_eq!(cluster.up(2).get(b"b").unwrap().unwrap().value, &b"2"[..]);
}
