//! Reports members whose keys two processes use: in the log, by `list-peers`, in the metrics and by
//! the lights.
//!
//! There are two signs. The network hears two processes with one key; such a member is shown for
//! [`SHOWN_FOR`] after the last sign, and the log has a line at the first and then one each
//! [`TOLD_EVERY`]. And the log of a member goes back behind what it acknowledged to this node,
//! which raft tells the log; such a member is shown as long as this process runs. Both end with its
//! membership.

use super::shared::Shared;
use crate::peer::{AllSeenTwice, Peers, PublicKey, SeenTwice};
use crate::telemetry::{Gauge, metrics};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// The time for which a member is shown after the last sign.
const SHOWN_FOR: Duration = Duration::from_secs(3600);
/// The time between two looks whether a member whose log fell behind is a member still.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// The time between two lines of the log about one member.
const TOLD_EVERY: Duration = Duration::from_secs(3600);

/// Follows the members that the network sees twice, until the network or the node is gone. Sleeps
/// while none is seen twice.
pub(super) fn follow(shared: &Arc<Shared>, peers: &Peers) {
    let follower = Follower {
        shared: Arc::downgrade(shared),
        seen: peers.seen_twice(),
        told: BTreeMap::new(),
        fallen: shared.leadership.fallen(),
        gauge: metrics().gauge(
            "coffer.raft.member_seen_twice",
            "Members whose keys more than one process uses, or whose logs went back.",
        ),
    };
    crate::task::spawn(follower.run());
}

struct Follower {
    shared: Weak<Shared>,
    seen: watch::Receiver<AllSeenTwice>,
    fallen: Option<watch::Receiver<BTreeSet<u64>>>,
    told: BTreeMap<PublicKey, Instant>,
    gauge: Arc<Gauge>,
}

impl Follower {
    async fn run(mut self) {
        loop {
            let now = Instant::now();
            let mut all = self.seen.borrow_and_update().clone();
            all.retain(|_, seen| now.saturating_duration_since(seen.at) < SHOWN_FOR);
            let Some(shared) = self.shared.upgrade() else {
                return;
            };
            for key in due(&mut self.told, &all, now) {
                if let Some(seen) = all.get(&key) {
                    warn(&shared.member_name(&key), seen);
                }
            }
            let mut keys: BTreeSet<PublicKey> = all.keys().cloned().collect();
            if let Some(fallen) = &mut self.fallen {
                keys.extend(shared.member_keys(&fallen.borrow_and_update()));
            }
            self.gauge
                .set(i64::try_from(keys.len()).unwrap_or(i64::MAX));
            shared.seen_twice.send_if_modified(|shown| {
                let changes = *shown != keys;
                shown.clone_from(&keys);
                changes
            });
            drop(shared);
            // Nobody says when one that fell behind is removed.
            let again = (keys.len() > all.len()).then(|| now + LOOK_EVERY);
            let ends = all.values().map(|seen| seen.at + SHOWN_FOR);
            let next = ends.chain(again).min();
            tokio::select! {
                changed = self.seen.changed() => if changed.is_err() { return },
                () = news(self.fallen.as_mut()) => {}
                () = sleep(next) => {}
            }
        }
    }
}

/// Returns the members that are due to be logged now.
fn due(
    told: &mut BTreeMap<PublicKey, Instant>,
    all: &AllSeenTwice,
    now: Instant,
) -> Vec<PublicKey> {
    told.retain(|key, _| all.contains_key(key));
    let is_due = |key: &&PublicKey| {
        let last = told.get(*key);
        last.is_none_or(|last| now.saturating_duration_since(*last) >= TOLD_EVERY)
    };
    let due: Vec<PublicKey> = all.keys().filter(is_due).cloned().collect();
    told.extend(due.iter().map(|key| (key.clone(), now)));
    due
}

fn warn(name: &str, seen: &SeenTwice) {
    let [one, other] = seen.addresses;
    tracing::warn!(
        name,
        %one,
        %other,
        "two processes use this member's key: its card was copied or stolen. If it was, take it \
         out of the cluster: coffer operator raft remove-peer {name}"
    );
}

async fn news(fallen: Option<&mut watch::Receiver<BTreeSet<u64>>>) {
    let told = match fallen {
        Some(fallen) => fallen.changed().await.is_ok(),
        None => false,
    };
    if !told {
        std::future::pending().await
    }
}

async fn sleep(until: Option<Instant>) {
    match until {
        Some(until) => tokio::time::sleep_until(until.into()).await,
        None => std::future::pending().await,
    }
}

impl Shared {
    /// Returns the keys of the members of these raft ids.
    fn member_keys(&self, ids: &BTreeSet<u64>) -> Vec<PublicKey> {
        let members = self.leadership.raft().map(|raft| raft.members());
        let members = members.into_iter().flatten();
        members
            .filter(|member| ids.contains(&member.raft_id))
            .map(|member| member.public_key)
            .collect()
    }

    /// Returns the operator's name for the member of that key; the key's end when there is none.
    pub(super) fn member_name(&self, key: &PublicKey) -> String {
        let members = self.leadership.raft().map(|raft| raft.members());
        let mut members = members.into_iter().flatten();
        let member = members.find(|member| member.public_key == *key);
        member.map_or_else(|| format!("{key:?}"), |member| member.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{IpAddr, Ipv4Addr};

    #[test]
    fn a_member_is_told_of_at_once_and_then_rarely() {
        let key = PublicKey(bytes::Bytes::from_static(b"k"));
        let start = Instant::now();
        let seen = SeenTwice {
            addresses: [IpAddr::V4(Ipv4Addr::LOCALHOST); 2],
            at: start,
        };
        let all = AllSeenTwice::from([(key.clone(), seen)]);
        let mut told = BTreeMap::new();
        let mut at = |minutes: u64, all: &AllSeenTwice| {
            due(&mut told, all, start + Duration::from_secs(60 * minutes)).len()
        };
        assert_eq!([at(0, &all), at(1, &all), at(59, &all)], [1, 0, 0]);
        assert_eq!([at(60, &all), at(61, &all)], [1, 0]);
        assert_eq!(at(62, &AllSeenTwice::new()), 0);
        assert_eq!(at(63, &all), 1, "anew");
    }
}
