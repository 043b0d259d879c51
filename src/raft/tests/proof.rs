//! A member whose card was stolen: it has the key of its connections and no unseal keys.

use super::cluster::{Cluster, TestSigner, eventually};
use super::net::Plug;
use super::*;
use crate::peer::{CallError, Member, Network, Protocol, PublicKey, Service};
use crate::raft::wire::message::{
    self, Answer, Append, Ask, Candidacy, Envelope, SnapshotHead, Status,
};
use crate::raft::wire::message::{Proofs, Transfer, Wire};
use crate::raft::wire::record::{Ballot, Members, Position};
use crate::raft::wire::types::{Membership, Vote, log_id};
use crate::stream::Chunks;
use crate::task::BoxFuture;
use futures_util::stream;
use openraft::entry::RaftEntry;
use openraft::raft::AppendEntriesRequest;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

const FAR: Position = Position {
    term: u64::MAX - 1,
    index: u64::MAX - 1,
};

/// Speaks with the key of a node that was stopped.
struct Thief {
    plug: Arc<Plug>,
    id: u64,
}

/// Makes a cluster of which nodes 0 and 1 go on, and node 2 is the thief's.
async fn robbed(signer: Option<Arc<dyn Signer>>) -> (Cluster, Thief) {
    let mut cluster = Cluster::apart(3).await;
    cluster.signer = signer;
    for index in 0..3 {
        cluster.require(index);
    }
    cluster.join_all().await;
    let id = cluster.up(2).raft_id();
    cluster.stop(2).await;
    let plug = Arc::new(Plug {
        wires: Arc::clone(&cluster.wires),
        key: cluster.nodes[2].key.clone(),
    });
    plug.set_members((0..2).map(|index| member(&cluster, index)).collect());
    (cluster, Thief { plug, id })
}

fn member(cluster: &Cluster, index: usize) -> Member {
    Member {
        name: cluster.nodes[index].name.clone(),
        address: format!("n{index}:8201"),
        public_key: cluster.nodes[index].key.clone(),
    }
}

fn signer() -> Option<Arc<dyn Signer>> {
    Some(Arc::new(TestSigner::new(7)))
}

impl Thief {
    fn envelope(&self, cluster: &Cluster, to: usize) -> Envelope {
        Envelope {
            from: self.id,
            to: cluster.up(to).raft_id(),
            status: Status {
                elects: true,
                ..Status::default()
            },
        }
    }

    /// Asks, in the name of `from`.
    async fn ask(
        &self,
        cluster: &Cluster,
        to: usize,
        wire: Wire,
        from: u64,
        ask: &Ask,
    ) -> Result<Answer, String> {
        let envelope = Envelope {
            from,
            ..self.envelope(cluster, to)
        };
        // As good a proof as the thief can make: signed by a key of its own.
        let own = TestSigner::new(99);
        let proof = |bytes: &[u8]| {
            let signature = Bytes::copy_from_slice(&own.sign(bytes));
            postcard::from_bytes(&postcard::to_stdvec(&signature).unwrap()).unwrap()
        };
        let proofs = Proofs {
            standing: proof(b"standing"),
            mandate: proof(b"mandate"),
        };
        let message = message::encode_ask(wire, &envelope, &proofs, ask, &[]).unwrap();
        let (to, within) = (member(cluster, to), Duration::from_secs(3));
        let called = self.plug.call(&to, Protocol::Raft, message, within);
        let answer = called.await.map_err(|error| error.to_string())?;
        let (_, _, answer) = message::decode_answer(&answer).map_err(|error| error.to_string())?;
        Ok(answer)
    }

    /// Offers an empty snapshot of another cluster's making.
    async fn send_snapshot(&self, cluster: &Cluster, to: usize) -> Result<Bytes, CallError> {
        let head = SnapshotHead {
            vote: ballot(FAR.term, self.id),
            last: Some(FAR),
            members: Some((FAR, Members::default())),
            time_floor: Timestamp(u64::MAX),
            staging: None,
        };
        let envelope = self.envelope(cluster, to);
        let proofs = Proofs::default();
        let head = message::encode_ask(Wire::Proven, &envelope, &proofs, &head, &[]).unwrap();
        let body: Chunks = Box::pin(stream::empty());
        let (to, stalled) = (member(cluster, to), Duration::from_secs(3));
        self.plug
            .stream(&to, Protocol::Raft, head, body, stalled)
            .await
    }
}

fn ballot(term: u64, node: u64) -> Ballot {
    Ballot {
        term,
        node,
        committed: true,
    }
}

fn append(vote: Ballot, committed: Option<Position>) -> Append {
    let request = AppendEntriesRequest {
        vote: Vote::from(vote),
        prev_log_id: None,
        entries: Vec::new(),
        leader_commit: committed.map(log_id),
    };
    Append::of(request).0
}

/// Returns every message that only an unsealed member may send, in the name of `from`, as of
/// `term`.
fn orders(from: u64, to: u64, term: u64) -> Vec<Ask> {
    let vote = ballot(term, from);
    let wish = Ballot {
        committed: false,
        ..vote
    };
    let candidacy = |transfer| Candidacy {
        vote: wish,
        last: Some(FAR),
        transfer,
    };
    let transfer = Transfer {
        from: vote,
        to,
        last: None,
    };
    vec![
        Ask::PreVote(candidacy(false)),
        Ask::Vote(candidacy(false)),
        Ask::Vote(candidacy(true)),
        Ask::Append(append(vote, Some(FAR))),
        Ask::Append(append(vote, None)),
        Ask::Lead(transfer),
        Ask::Farewell(u64::MAX),
        Ask::Removed(append(vote, Some(FAR))),
        Ask::Leave,
        Ask::LeaveAfter(term),
    ]
}

async fn write(cluster: &Cluster, name: &str) -> Duration {
    let begun = Instant::now();
    eventually("an acknowledged write", || async {
        let leader = cluster.nodes[..2].iter().find_map(|node| {
            let leads = matches!(*node.up().leadership().borrow(), Leadership::Leader { .. });
            leads.then(|| node.up())
        })?;
        leader.commit(put(name, b"v")).await.ok()
    })
    .await;
    begun.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_only_an_unsealed_member_may_say_is_dropped_and_raises_no_term() {
    let (cluster, thief) = robbed(signer()).await;
    write(&cluster, "before").await;
    let term = cluster.up(0).status().term;
    let ids = [cluster.up(0).raft_id(), cluster.up(1).raft_id()];
    let mut dropped = 0;
    for to in 0..2 {
        for from in [thief.id, ids[0], ids[1]] {
            for term in [0, term, term + 1, FAR.term] {
                for ask in orders(from, ids[to], term) {
                    for wire in [Wire::Plain, Wire::Proven] {
                        let answer = thief.ask(&cluster, to, wire, from, &ask).await;
                        assert!(answer.is_err(), "{ask:?}: {answer:?}");
                        dropped += 1;
                    }
                }
            }
        }
        assert!(thief.send_snapshot(&cluster, to).await.is_err());
    }
    assert!(dropped > 400 && cluster.up(0).unproven() > 70);
    for node in [cluster.up(0), cluster.up(1)] {
        assert_eq!(node.status().term, term);
        assert!(!node.is_removed() && node.status().failed.is_none());
        assert_eq!(node.members().len(), 3);
        let members = node.members();
        let other = members.iter().find(|member| member.name == "n2").unwrap();
        assert_ne!(other.elects, Some(true), "it says so, and cannot prove it");
    }
    assert!(write(&cluster, "after").await < Duration::from_secs(2));
}

/// The same orders work where no proof is required: the test above can fail.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_proofs_a_farewell_is_believed() {
    let (cluster, thief) = robbed(None).await;
    let ask = Ask::Farewell(u64::MAX);
    let answer = thief.ask(&cluster, 1, Wire::Plain, thief.id, &ask).await;
    assert_eq!(answer, Ok(Answer::Done));
    assert!(cluster.up(1).is_removed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sealed_member_changes_nothing_but_where_it_is_and_keeps_no_operator_waiting() {
    let (cluster, thief) = robbed(signer()).await;
    let leader = cluster.await_leader().await;
    let tell = async |name: &str, cluster_address: String| {
        let api = "http://203.0.113.66:8200".into();
        let ask = Ask::Addresses(name.into(), cluster_address, api);
        thief
            .ask(&cluster, leader, Wire::Proven, thief.id, &ask)
            .await
    };
    let before = cluster.up(leader).members();
    let long = "x".repeat(1 << 20);
    assert!(tell("", long).await.is_err());
    assert_eq!(tell("n0", "h:1".into()).await, Ok(Answer::Done));
    let tried = Instant::now();
    for port in 2..200 {
        let moved = tell("", format!("h:{port}")).await;
        assert!(moved.is_err() || tried.elapsed() > Duration::from_secs(2));
    }
    let after = cluster.up(leader).members();
    for (old, new) in before.iter().zip(&after) {
        assert_eq!((&old.name, &old.api_address), (&new.name, &new.api_address));
        let moved = old.cluster_address != new.cluster_address;
        assert_eq!(moved, new.raft_id == thief.id, "{new:?}");
    }
    let remove = Change::Remove { force: false };
    cluster.up(leader).change("n2", remove).await.unwrap();
}

/// Answers every request with the worst answer for its kind.
struct Liar {
    number: std::sync::atomic::AtomicUsize,
}

impl Service for Liar {
    fn call(&self, _: PublicKey, request: Bytes) -> BoxFuture<'_, Result<Bytes, String>> {
        let number = self
            .number
            .fetch_add(1, std::sync::atomic::Ordering::AcqRel);
        Box::pin(async move {
            let (_, _, _, ask, _) = message::decode_ask::<Ask>(&request).unwrap();
            let answer = lie(number, &ask);
            let status = Status {
                elects: true,
                applied: u64::MAX,
                hostname: "\u{1b}[31m".repeat(9),
                ..Status::default()
            };
            let wire = Wire::Proven;
            Ok(message::encode_answer(wire, &status, &Default::default(), &answer).unwrap())
        })
    }

    fn stream(&self, _: PublicKey, _: Bytes, _: Chunks) -> BoxFuture<'_, Result<Bytes, String>> {
        Box::pin(async { Err("no".into()) })
    }
}

fn lie(number: usize, ask: &Ask) -> Answer {
    let high = ballot(FAR.term, 3);
    let near = ballot(50, 3);
    let wild = Members {
        configs: vec![BTreeSet::from([9])],
        nodes: BTreeMap::from([(9, Peer::default())]),
    };
    match (ask, number % 7) {
        (Ask::PreVote(_) | Ask::Vote(_), round) => Answer::Voted {
            vote: if round % 2 == 0 { high } else { near },
            granted: round == 3,
            last: Some(FAR),
        },
        (Ask::Members, _) => Answer::Roster(FAR, wild, Default::default()),
        (_, 0) => Answer::HigherVote(high),
        (_, 1) => Answer::HigherVote(near),
        (_, 2) => Answer::AppendedUpTo(Some(FAR)),
        (_, 3) => Answer::Conflict,
        (_, 4) => Answer::AppendedUpTo(None),
        (_, 5) => Answer::Appended,
        (_, _) => Answer::Installed(high),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_liar_among_those_who_answer_costs_no_write_and_hardly_any_time() {
    let (mut cluster, thief) = robbed(signer()).await;
    let liar: Arc<Liar> = Arc::new(Liar {
        number: Default::default(),
    });
    let service: std::sync::Weak<Liar> = Arc::downgrade(&liar);
    thief.plug.serve(Protocol::Raft, service);
    let begun = Instant::now();
    let (mut worst, mut count) = (Duration::ZERO, 0);
    while begun.elapsed() < Duration::from_secs(5) {
        worst = worst.max(write(&cluster, &format!("k{count}")).await);
        count += 1;
    }
    assert!(worst < Duration::from_secs(3), "{worst:?}");
    // The leader goes, and the other one has no vote but the liar's.
    let old = cluster.await_leader().await;
    cluster.stop(old).await;
    cluster.start(old).await;
    cluster.up(old).set_elect(true);
    write(&cluster, "last").await;
    for node in &cluster.nodes[..2] {
        eventually("everything that was acknowledged", || async {
            let has = |name: &str| node.up().get(name.as_bytes()).unwrap().is_some();
            ((0..count).all(|number| has(&format!("k{number}"))) && has("last")).then_some(())
        })
        .await;
        assert!(node.up().status().failed.is_none());
        assert!(
            node.up()
                .members()
                .iter()
                .all(|member| member.hostname.len() < 64)
        );
    }
}

/// The last entry that all have is committed, and its leader takes it back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_committed_is_not_taken_back_even_for_a_proven_leader() {
    let (cluster, thief) = robbed(signer()).await;
    write(&cluster, "a").await;
    cluster.await_value(1, "a", b"v").await;
    let stored = cluster.up(1).shared.membership();
    let at = stored.log_id().as_ref().unwrap();
    let other = crate::raft::wire::types::LogEntry::new(
        log_id(Position {
            term: FAR.term,
            index: at.index(),
        }),
        openraft::EntryPayload::Membership(Membership::default()),
    );
    let request = AppendEntriesRequest {
        vote: Vote::from(ballot(FAR.term, thief.id)),
        prev_log_id: None,
        entries: vec![other],
        leader_commit: None,
    };
    let mandate = {
        let proofs = &cluster.up(0).shared.voice.proofs;
        assert!(proofs.may_lead());
        let key = cluster.nodes[2].key.clone();
        signer()
            .unwrap()
            .sign(&crate::raft::proof::mandate_for_test(
                &proofs.required().unwrap(),
                thief.id,
                &key,
                FAR.term,
            ))
    };
    let proofs = Proofs {
        standing: Default::default(),
        mandate: postcard::from_bytes(
            &postcard::to_stdvec(&Bytes::copy_from_slice(&mandate)).unwrap(),
        )
        .unwrap(),
    };
    let (message, bodies) = Append::of(request);
    let envelope = thief.envelope(&cluster, 1);
    let ask = Ask::Append(message);
    let message = message::encode_ask(Wire::Proven, &envelope, &proofs, &ask, &bodies).unwrap();
    let (to, within) = (member(&cluster, 1), Duration::from_secs(3));
    let called = thief.plug.call(&to, Protocol::Raft, message, within).await;
    assert!(called.is_err(), "{called:?}");
    let failed = cluster.up(1).status().failed.unwrap();
    assert!(failed.contains("keeps its files"), "{failed}");
    assert_eq!(&cluster.up(1).get(b"a").unwrap().unwrap().value[..], b"v");
}
