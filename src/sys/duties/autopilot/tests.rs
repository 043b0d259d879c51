//! Decisions as tables, and the loop's steps in a time of their own.

use super::*;
use crate::barrier::{Batch, Unsealed};
use crate::clock::Timestamp;
use crate::engine::table::Fields;
use crate::store::Inmem;
use crate::sys::tests::cluster::{FakeCluster, member};
use crate::sys::{MemberChange, MemberStatus, Membership};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

const HOUR: Duration = Duration::from_secs(3600);

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Returns a member of the kind `leader`, `voter`, `learner` or `non-voter`, silent for
/// `silent_for` and in its state for `unchanged_for`.
fn seen(name: &str, kind: &str, silent_for: Duration, unchanged_for: Duration) -> Health {
    let voter = matches!(kind, "leader" | "voter");
    Health {
        member: MemberStatus {
            leader: kind == "leader",
            voter,
            non_voter: kind == "non-voter",
            ..member(name, 1)
        },
        healthy: silent_for <= seconds(10),
        unchanged_for,
        silent_for,
    }
}

/// Returns the look that `text` spells, a letter for each member: `l` leads, `v` votes, `V` votes
/// and is dead, `u` votes and is out of contact but not dead, `n` is a steady learner, `y` a young
/// one, `q` a silent one, `D` a dead one, `p` a permanent non-voter, `P` a dead one. Names are
/// letter and place.
fn look(text: &str) -> Look {
    let members = text.chars().enumerate().map(|(at, letter)| {
        let (kind, silent_s, unchanged_s) = match letter {
            'l' => ("leader", 0, 500),
            'v' => ("voter", 1, 500),
            'V' => ("voter", 86_400, 86_390),
            'u' => ("voter", 3600, 3590),
            'n' => ("learner", 1, 10),
            'y' => ("learner", 1, 9),
            'q' => ("learner", 30, 20),
            'D' => ("learner", 86_400, 86_390),
            'p' => ("non-voter", 1, 500),
            'P' => ("non-voter", 86_400, 86_390),
            other => panic!("{other}"),
        };
        let name = format!("{letter}{at}");
        seen(&name, kind, seconds(silent_s), seconds(unchanged_s))
    });
    Look {
        members: members.collect(),
    }
}

fn cleaning(min_quorum: u64) -> Config {
    Config {
        cleanup_dead_servers: true,
        min_quorum,
        ..Config::default()
    }
}

#[test]
fn learners_become_voters_once_steady() {
    for (members, promoted) in [
        ("l", None),
        ("lvv", None),
        ("ln", Some("n1")),
        ("lnn", Some("n1")),
        ("lyn", Some("n2")),
        ("ly", None),
        ("lq", None),
        ("lD", None),
        ("lp", None),
        ("lpn", Some("n2")),
        // Where a voter is missing, one more helps.
        ("lvVn", Some("n3")),
        ("lun", Some("n2")),
    ] {
        let verdict = decide(&Config::default(), &look(members));
        let expected = promoted.map(|name| Action::Promote(name.into()));
        assert_eq!(verdict.action, expected, "{members}");
    }
}

#[test]
fn the_dead_go_only_when_asked_and_the_rest_can_go_on() {
    for (members, min_quorum, removed) in [
        // Too few would be left.
        ("lvV", 3, None),
        ("lvvV", 4, None),
        ("lvvvV", 5, None),
        ("lvvV", 3, Some("V3")),
        ("lvvvV", 3, Some("V4")),
        ("lvvvV", 4, Some("V4")),
        // A minority at most, one after the other.
        ("lvvVV", 3, Some("V3")),
        ("lvVV", 3, None),
        ("lvVVV", 3, None),
        // Silent, but not for long enough.
        ("lvvu", 3, None),
        ("lvvvu", 3, None),
        // Not when those that are left could not go on.
        ("luuvV", 3, None),
        ("luvvV", 3, Some("V4")),
        // Without a vote they are missed by nobody.
        ("lP", 3, Some("P1")),
        ("lvD", 3, Some("D2")),
        ("lvVD", 3, Some("D3")),
        // The replacement first.
        ("lvVn", 3, None),
        ("lvvvVn", 3, None),
        // Nobody is dead.
        ("lvvvv", 3, None),
        ("lvvqp", 3, None),
    ] {
        let verdict = decide(&cleaning(min_quorum), &look(members));
        let removal = verdict
            .action
            .clone()
            .filter(|action| matches!(action, Action::Remove(_)));
        let expected = removed.map(|name| Action::Remove(name.into()));
        assert_eq!(removal, expected, "{members} {min_quorum}");
        if members.contains('n') {
            assert!(matches!(verdict.action, Some(Action::Promote(_))));
        }
        let off = decide(&Config::default(), &look(members));
        assert!(!matches!(off.action, Some(Action::Remove(_))), "{members}");
    }
}

/// All clusters of up to seven members of every kind: a change never costs fault tolerance, never
/// leaves healthy voters short of a quorum that they had, never goes below `min_quorum`, and
/// repeating it ends.
#[test]
fn no_change_costs_fault_tolerance() {
    let kinds = ['v', 'V', 'u', 'n', 'q', 'D', 'p'];
    let mut clusters = vec![String::from("l")];
    let mut at = 0;
    while let Some(cluster) = clusters.get(at).cloned() {
        at += 1;
        if cluster.len() < 7 {
            let last = cluster.chars().last().unwrap();
            let from = kinds.iter().position(|kind| *kind == last).unwrap_or(0);
            clusters.extend(kinds[from..].iter().map(|kind| format!("{cluster}{kind}")));
        }
    }
    assert!(clusters.len() > 1000);
    for cluster in clusters {
        let mut now = look(&cluster);
        for step in 0.. {
            assert!(step <= 7, "{cluster} never ends");
            let before = now.clone();
            match decide(&cleaning(3), &now).action {
                None => break,
                Some(Action::Promote(name)) => {
                    let named = |health: &&mut Health| health.member.node_id == name;
                    let found = now.members.iter_mut().find(named).unwrap();
                    assert!(found.healthy && !found.member.non_voter, "{cluster}");
                    found.member.voter = true;
                }
                Some(Action::Remove(name)) => {
                    let named = |health: &Health| health.member.node_id != name;
                    now.members.retain(named);
                    let voters = now.voters();
                    assert!(voters == before.voters() || voters >= 3, "{cluster}");
                }
            }
            let had = before.healthy_voters() >= health::quorum(before.voters());
            let has = now.healthy_voters() >= health::quorum(now.voters());
            assert!(!had || has, "{cluster}");
            assert!(
                now.failure_tolerance() >= before.failure_tolerance(),
                "{cluster}"
            );
        }
    }
}

#[test]
fn the_next_look_is_when_something_can_be_due() {
    let after = seconds;
    let default = Config::default;
    for (config, members, pause) in [
        (default(), "l", None),
        (default(), "lvv", None),
        (default(), "lvV", None),
        (default(), "lpP", None),
        (default(), "lvy", Some(after(1))),
        (default(), "lvq", Some(after(10))),
        (default(), "lqy", Some(after(1))),
        (default(), "ln", Some(after(1))),
        (cleaning(3), "l", None),
        // Nobody can be dead before then.
        (cleaning(3), "lvv", Some(HOUR * 24 - after(1))),
        (cleaning(3), "lvu", Some(HOUR * 23)),
        (cleaning(3), "lvV", Some(after(60))),
        (cleaning(3), "lvy", Some(after(1))),
    ] {
        assert_eq!(
            decide(&config, &look(members)).look_again,
            pause,
            "{members}"
        );
    }
}

fn membership(members: Vec<MemberStatus>) -> Membership {
    Membership { index: 5, members }
}

/// Returns a leader at index 2000 and one follower.
fn two(last_contact: Option<Duration>, last_index: u64) -> Membership {
    let leader = MemberStatus {
        leader: true,
        voter: true,
        last_index: 2000,
        ..member("a", 1)
    };
    let other = MemberStatus {
        voter: true,
        last_contact,
        last_index,
        ..member("b", 2)
    };
    membership(vec![leader, other])
}

#[test]
fn health_is_contact_and_a_log_that_keeps_up() {
    let start = Instant::now();
    for (contact_ms, last_index, healthy) in [
        (Some(0), 2000, true),
        (Some(10_000), 2000, true),
        (Some(10_001), 2000, false),
        (Some(0), 1000, true),
        (Some(0), 999, false),
        (Some(0), 2001, true),
        (None, 2000, false),
    ] {
        let contact = contact_ms.map(Duration::from_millis);
        let mut tracker = Tracker::new(start);
        let look = tracker.look(&Config::default(), &two(contact, last_index), start);
        assert!(look.members[0].healthy);
        assert_eq!(
            look.members[1].healthy, healthy,
            "{contact_ms:?} {last_index}"
        );
    }
}

#[test]
fn who_was_never_heard_is_silent_since_the_leader_leads() {
    let start = Instant::now();
    let mut tracker = Tracker::new(start);
    for after in [seconds(0), seconds(5), HOUR] {
        let look = tracker.look(&Config::default(), &two(None, 0), start + after);
        assert_eq!(look.members[1].silent_for, after);
        assert!(!look.members[1].healthy);
    }
}

#[test]
fn a_break_starts_the_time_anew_and_so_does_a_new_self() {
    let start = Instant::now();
    let mut tracker = Tracker::new(start);
    let config = Config::default();
    let mut at = |after_s, membership: &Membership| {
        let look = tracker.look(&config, membership, start + seconds(after_s));
        look.members[1].unchanged_for
    };
    let well = two(Some(seconds(1)), 2000);
    assert_eq!(at(0, &well), seconds(0));
    assert_eq!(at(9, &well), seconds(9));
    assert_eq!(at(12, &two(Some(seconds(11)), 2000)), seconds(0));
    assert_eq!(at(13, &well), seconds(0));
    assert_eq!(at(20, &well), seconds(7));
    let mut wiped = well.clone();
    wiped.members[1].raft_id = 3;
    assert_eq!(at(21, &wiped), seconds(0));
    // Its old self is forgotten.
    assert_eq!(at(30, &well), seconds(0));
}

#[test]
fn the_report_has_the_shape_that_clients_know() {
    let mut look = look("vlpnV");
    look.members[0].member.last_term = 4;
    look.members[0].member.last_index = 31;
    look.members[0].member.version = "1.2.3".into();
    look.members[0].silent_for = Duration::from_nanos(1_666_291_843);
    let now = Timestamp::from_secs(1_700_000_000);
    let report = Value::Object(report(&cleaning(3), &look, now));
    assert_eq!(report["healthy"], false);
    assert_eq!(report["failure_tolerance"], 0);
    assert_eq!(report["leader"], "l1");
    assert_eq!(report["voters"], json!(["l1", "v0", "V4"]));
    assert_eq!(report["non_voters"], json!(["p2"]));
    assert_eq!(
        report["servers"]["v0"],
        json!({
            "id": "v0", "name": "v0", "address": "127.0.0.1:8201", "node_status": "alive",
            "last_contact": "1.666291s", "last_term": 4, "last_index": 31, "healthy": true,
            "stable_since": "2023-11-14T22:05:00Z", "status": "voter", "version": "1.2.3",
            "node_type": "voter",
        })
    );
    assert_eq!(report["servers"]["l1"]["status"], "leader");
    assert_eq!(report["servers"]["l1"]["last_contact"], "0s");
    assert_eq!(report["servers"]["p2"]["status"], "non-voter");
    assert_eq!(report["servers"]["p2"]["node_type"], "non-voter");
    assert_eq!(report["servers"]["n3"]["status"], "non-voter");
    assert_eq!(report["servers"]["n3"]["node_type"], "voter");
    assert_eq!(report["servers"]["V4"]["node_status"], "left");
}

#[test]
fn a_report_without_permanent_non_voters_does_not_name_them() {
    let report = report(&Config::default(), &look("lvvn"), Timestamp::default());
    assert_eq!(report["healthy"], true);
    assert_eq!(report["failure_tolerance"], 1);
    assert!(!report.contains_key("non_voters"));
}

#[test]
fn settings_are_checked() {
    let with = |body: Value| {
        let mut config = Config::default();
        let read = Fields::read(FIELDS, body.as_object().unwrap(), "");
        let done = read.and_then(|fields| config.update(&fields));
        done.map(|()| config)
            .map_err(|error| error.messages[0].clone())
    };
    let default = Config::default();
    assert_eq!(with(json!({"nonsense": 1})), Ok(default.clone()));
    for zero in [
        json!({"last_contact_threshold": "0s"}),
        json!({"dead_server_last_contact_threshold": 0}),
        json!({"server_stabilization_time": ""}),
        json!({"max_trailing_logs": 0}),
    ] {
        assert_eq!(with(zero), Ok(default.clone()));
    }
    let full = with(json!({
        "cleanup_dead_servers": "true", "min_quorum": "5", "max_trailing_logs": 77,
        "last_contact_threshold": "1500ms", "server_stabilization_time": 7,
        "dead_server_last_contact_threshold": "1h", "disable_upgrade_migration": true,
    }));
    assert_eq!(
        Value::Object(full.unwrap().data()),
        json!({
            "cleanup_dead_servers": true, "dead_server_last_contact_threshold": "1h0m0s",
            "disable_upgrade_migration": true, "last_contact_threshold": "1s",
            "max_trailing_logs": 77, "min_quorum": 5, "server_stabilization_time": "7s",
        })
    );
    let quorum = "min_quorum must be set when cleanup_dead_servers is set and it should at least \
                  be 3; cleanup_dead_servers: true, min_quorum: ";
    for (body, message) in [
        (json!({"cleanup_dead_servers": true}), format!("{quorum}0")),
        (
            json!({"cleanup_dead_servers": true, "min_quorum": 2}),
            format!("{quorum}2"),
        ),
        (
            json!({"dead_server_last_contact_threshold": "59s"}),
            "dead_server_last_contact_threshold should not be less than 1m0s; got 59s".into(),
        ),
        (
            json!({"min_quorum": -1}),
            "'min_quorum' cannot be negative".into(),
        ),
        (
            json!({"last_contact_threshold": "-1s"}),
            "error converting input for field \"last_contact_threshold\": \
             cannot provide negative value '-1'"
                .into(),
        ),
        (
            json!({"max_trailing_logs": "x"}),
            "error converting input for field \"max_trailing_logs\": \
             '' cannot parse value as 'int': strconv.ParseInt: invalid syntax"
                .into(),
        ),
    ] {
        assert_eq!(with(body), Err(message));
    }
}

/// The loop's steps beside a fake cluster of a leader and others, in a time of their own.
struct Loop {
    autopilot: Arc<Autopilot>,
    barrier: Arc<Unsealed>,
    cluster: Arc<FakeCluster>,
    now: Instant,
    next: Option<Instant>,
}

impl Loop {
    async fn start(config: Config, others: Vec<MemberStatus>) -> Self {
        let now = Instant::now();
        let mut this = Self {
            autopilot: Arc::default(),
            barrier: Unsealed::for_test(Arc::new(Inmem::new())),
            cluster: Arc::new(FakeCluster::of(others)),
            now,
            next: Some(now),
        };
        this.configure(config).await;
        this
    }

    async fn configure(&mut self, config: Config) {
        let (slot, _) = Config::read(&self.barrier).unwrap();
        let mut batch = Batch::new();
        config.put(&mut batch, &slot).unwrap();
        let now = Timestamp::from_secs(1);
        self.barrier.commit(batch, now).await.unwrap();
        self.wake();
    }

    fn wake(&mut self) {
        self.next = Some(self.now);
    }

    /// Lets time pass; returns the changes asked for meanwhile and the number of looks.
    async fn pass(&mut self, time: Duration) -> (Vec<(String, MemberChange)>, usize) {
        self.cluster.take();
        let end = self.now + time;
        while let Some(next) = self.next.filter(|next| *next <= end) {
            self.now = next;
            let cluster = self.cluster.as_ref();
            let pause = run::step(&self.autopilot, &self.barrier, cluster, next).await;
            self.next = pause.unwrap().map(|pause| next + pause);
        }
        self.now = end;
        self.cluster.take()
    }
}

fn learner(name: &str, raft_id: u64) -> MemberStatus {
    MemberStatus {
        last_contact: Some(Duration::ZERO),
        ..member(name, raft_id)
    }
}

fn voter(name: &str, raft_id: u64) -> MemberStatus {
    MemberStatus {
        voter: true,
        ..learner(name, raft_id)
    }
}

#[tokio::test]
async fn a_learner_is_promoted_after_the_time_and_then_nobody_looks() {
    let others = vec![learner("b", 2), learner("c", 3)];
    let mut autopilot = Loop::start(Config::default(), others).await;
    let (changes, _) = autopilot.pass(seconds(9)).await;
    assert_eq!(changes, []);
    let (changes, _) = autopilot.pass(seconds(4)).await;
    let promoted = |name: &str| (name.to_owned(), MemberChange::Promote);
    assert_eq!(changes, [promoted("b"), promoted("c")]);
    let (changes, looks) = autopilot.pass(HOUR * 100).await;
    assert_eq!((changes.len(), looks), (0, 0));
}

#[tokio::test]
async fn a_learner_that_falters_waits_again() {
    let mut autopilot = Loop::start(Config::default(), vec![learner("b", 2)]).await;
    autopilot.pass(seconds(8)).await;
    autopilot.cluster.heard("b", Some(seconds(11)));
    autopilot.pass(seconds(2)).await;
    autopilot.cluster.heard("b", Some(seconds(0)));
    // Out of contact it is looked at less often.
    let (changes, _) = autopilot.pass(seconds(17)).await;
    assert_eq!(changes, []);
    let (changes, _) = autopilot.pass(seconds(13)).await;
    assert_eq!(changes.len(), 1);
}

#[tokio::test]
async fn an_idle_cluster_is_left_alone_until_it_changes() {
    let mut autopilot = Loop::start(Config::default(), vec![voter("b", 2), voter("c", 3)]).await;
    autopilot.pass(seconds(1)).await;
    let (changes, looks) = autopilot.pass(HOUR * 1000).await;
    assert_eq!((changes.len(), looks), (0, 0));
    autopilot.cluster.add(learner("d", 4));
    autopilot.wake();
    let (changes, _) = autopilot.pass(seconds(12)).await;
    assert_eq!(changes, [("d".to_owned(), MemberChange::Promote)]);
}

#[tokio::test]
async fn a_dead_member_goes_when_its_time_is_over() {
    let others = ["b", "c", "d"].into_iter().zip(2..);
    let others = others.map(|(name, id)| voter(name, id)).collect();
    let mut autopilot = Loop::start(Config::default(), others).await;
    autopilot.cluster.heard("d", None);
    let (changes, _) = autopilot.pass(HOUR * 25).await;
    assert_eq!(changes, []);
    autopilot.configure(cleaning(3)).await;
    let (changes, _) = autopilot.pass(seconds(1)).await;
    let removed = ("d".to_owned(), MemberChange::Remove { force: false });
    assert_eq!(changes, [removed]);
    // With three left nobody else goes.
    autopilot.cluster.heard("c", None);
    let (changes, looks) = autopilot.pass(HOUR * 24).await;
    assert_eq!(changes, []);
    assert!(looks <= 2, "{looks}");
}

#[tokio::test]
async fn what_fails_is_tried_again() {
    let mut autopilot = Loop::start(Config::default(), vec![learner("b", 2)]).await;
    autopilot.cluster.refuse(true);
    let (changes, _) = autopilot.pass(seconds(31)).await;
    assert!((3..=5).contains(&changes.len()), "{changes:?}");
    autopilot.cluster.refuse(false);
    let (changes, _) = autopilot.pass(seconds(6)).await;
    assert_eq!(changes, [("b".to_owned(), MemberChange::Promote)]);
}

/// In real time: no threshold is waited for.
#[tokio::test]
async fn the_loop_wakes_when_the_members_change_and_ends_with_the_keys() {
    let at_once = Config {
        server_stabilization_time: Duration::ZERO,
        ..Config::default()
    };
    let setting = Loop::start(at_once, vec![voter("b", 2)]).await;
    let (autopilot, cluster) = (&setting.autopilot, &setting.cluster);
    let task = tokio::spawn(run(
        Arc::clone(autopilot),
        Arc::clone(&setting.barrier),
        Arc::clone(cluster) as _,
    ));
    let mut changes = Vec::new();
    let added = async {
        // The loop sleeps: nobody is to be promoted.
        while cluster.take().1 == 0 {
            tokio::task::yield_now().await;
        }
        cluster.add(learner("c", 3));
        while changes.is_empty() {
            tokio::task::yield_now().await;
            changes = cluster.take().0;
        }
    };
    tokio::time::timeout(seconds(10), added).await.unwrap();
    assert_eq!(changes, [("c".to_owned(), MemberChange::Promote)]);
    setting.barrier.seal();
    autopilot.wake();
    tokio::time::timeout(seconds(10), task)
        .await
        .unwrap()
        .unwrap();
}
