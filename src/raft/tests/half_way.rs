//! Changes of the members that stop between their two steps.

use super::cluster::{Cluster, eventually};
use super::*;
use crate::raft::members::joint;
use openraft::ChangeMembers;
use std::collections::BTreeSet;
use std::task::Poll;

type Changes = ChangeMembers<u64, Peer>;

/// Proposes a change and has no node take its second step.
async fn propose_half(storage: &RaftStorage, change: Changes, retain: bool) {
    let mut changing = Box::pin(storage.shared.raft.change_membership(change, retain));
    let polled = futures_util::poll!(changing.as_mut());
    assert!(matches!(polled, Poll::Pending));
    eventually("the first step", || async {
        let metrics = storage.shared.metrics();
        joint::is_unfinished(&metrics).then_some(())
    })
    .await;
}

/// Waits until one configuration of `count` voters is in force and decided.
async fn await_voters(storage: &RaftStorage, count: usize) {
    eventually("one configuration", || async {
        let metrics = storage.shared.metrics();
        let members = metrics.committed_membership_config.membership();
        let configs = members.get_joint_config();
        (configs.len() == 1 && configs[0].len() == count).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_that_stopped_half_way_is_finished() {
    let mut cluster = Cluster::of(3).await;
    let index = cluster.add_node().await;
    cluster.join(index, 0).await;
    // A member whose log is empty knows no other, and so votes for none.
    eventually("the new one has the log", || async {
        let metrics = cluster.up(index).shared.metrics();
        (metrics.membership_config.membership().learner_ids().count() == 1).then_some(())
    })
    .await;
    let ids = BTreeSet::from([cluster.up(index).raft_id()]);
    {
        let first = Arc::clone(cluster.up(0));
        let _one = first.shared.changing.lock().await;
        propose_half(&first, Changes::AddVoterIds(ids), true).await;
        cluster.stop(0).await;
    }
    let leader = cluster.await_leader().await;
    await_voters(cluster.up(leader), 4).await;

    // One that is removed does not stay as a learner, and the same leader finishes it, too.
    let gone = (1..4).find(|index| *index != leader).unwrap();
    let ids = BTreeSet::from([cluster.up(gone).raft_id()]);
    {
        let _one = cluster.up(leader).shared.changing.lock().await;
        propose_half(cluster.up(leader), Changes::RemoveVoters(ids), false).await;
    }
    await_voters(cluster.up(leader), 3).await;
    assert_eq!(cluster.up(leader).members().len(), 3);
    eventually("who is removed is told", || async {
        cluster.up(gone).is_removed().then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asked_for_a_change_may_go_away() {
    let mut cluster = Cluster::of(2).await;
    let index = cluster.add_node().await;
    cluster.join(index, 0).await;
    eventually("n2 has the log", || async {
        let members = cluster.up(0).members().into_iter();
        let mut n2 = members.filter(|member| member.name == "n2");
        let members_index = cluster.up(0).members_index();
        n2.any(|n2| n2.last_index >= members_index).then_some(())
    })
    .await;
    let leader = Arc::clone(cluster.up(0));
    let asking = tokio::spawn(async move { leader.change("n2", Change::Promote).await });
    eventually("the first step", || async {
        let metrics = cluster.up(0).shared.metrics();
        let voters = metrics.membership_config.membership().voter_ids();
        (voters.count() == 3).then_some(())
    })
    .await;
    asking.abort();
    await_voters(cluster.up(0), 3).await;
}
