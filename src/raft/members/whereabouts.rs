//! Addresses that members tell of themselves, and the part of them that the leader writes down.
//!
//! A member may be a stolen card, and every change is an entry of the log of all. So a member that
//! does not prove its keys changes only the address for its peers, and not often, and no other
//! change waits behind it.

use super::error::ChangeError;
use super::member::MemberInfo;
use crate::raft::running::shared::Shared;
use crate::raft::wire::types::Peer;
use std::time::Instant;

/// The longest name or address that is taken from a member, in bytes.
const TEXT_BYTES_MAX: usize = 512;

/// The name and the addresses that a member tells of itself; empty ones stay as they are.
#[derive(Debug, Default)]
pub(in crate::raft) struct Whereabouts {
    pub(in crate::raft) name: String,
    /// `host:port` of the member's cluster listener.
    pub(in crate::raft) cluster: String,
    /// The URL of the member's API: `http://192.168.50.101:8200`.
    pub(in crate::raft) api: String,
}

impl Whereabouts {
    /// Returns the record that follows from `known`. Only members that prove their keys change the
    /// name by which operators know them, and the address to which clients are sent.
    fn applied_to(self, known: &Peer, is_unsealed: bool) -> Peer {
        let keep = |new: String, old: &String| match new.is_empty() {
            true => old.clone(),
            false => new,
        };
        let mut peer = known.clone();
        peer.cluster_address = keep(self.cluster, &known.cluster_address);
        if is_unsealed {
            peer.name = keep(self.name, &known.name);
            peer.api_address = keep(self.api, &known.api_address);
        }
        peer
    }

    fn is_sane(&self) -> bool {
        let texts = [&self.name, &self.cluster, &self.api];
        let sane = |text: &String| text.len() <= TEXT_BYTES_MAX && !text.contains(char::is_control);
        texts.into_iter().all(sane)
    }
}

impl Shared {
    /// Changes the addresses of a member that tells them, on the leader.
    pub(in crate::raft) async fn readdress(
        &self,
        id: u64,
        told: Whereabouts,
        is_unsealed: bool,
    ) -> Result<(), ChangeError> {
        let refuse = |why: String| ChangeError::Refused(why);
        if !told.is_sane() {
            return Err(refuse("a name or an address that is none".into()));
        }
        // Asked again when another change is under way: a removal of this member does not wait.
        let Ok(_one) = self.changing.try_lock() else {
            return Err(ChangeError::Unavailable(
                "another change of the members is under way".into(),
            ));
        };
        self.ensure_raft_leads()?;
        let known = self.membership().membership().get_node(&id).cloned();
        let known = known.ok_or_else(|| refuse("not a member".into()))?;
        let peer = told.applied_to(&known, is_unsealed);
        if peer == known {
            return Ok(());
        }
        let taken = |other: &MemberInfo| other.raft_id != id && other.name == peer.name;
        if peer.name != known.name && self.members().iter().any(taken) {
            let name = peer.name;
            return Err(refuse(format!("a node named {name} is a member already")));
        }
        if !is_unsealed && !self.moves.may(id, Instant::now()) {
            return Err(refuse("a sealed member moves seldom: ask again".into()));
        }
        self.set_peer(id, peer).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_sealed_says_only_where_its_peers_reach_it() {
        let known = Peer {
            name: "n1".into(),
            cluster_address: "h:1".into(),
            public_key: vec![7],
            api_address: "http://h:2".into(),
            non_voter: true,
        };
        let told = || Whereabouts {
            name: "n2".into(),
            cluster: "i:1".into(),
            api: "http://i:2".into(),
        };
        let moved = told().applied_to(&known, false);
        let expected = Peer {
            cluster_address: "i:1".into(),
            ..known.clone()
        };
        assert_eq!(moved, expected);
        let all = told().applied_to(&known, true);
        assert_eq!((&*all.name, &*all.api_address), ("n2", "http://i:2"));
        assert_eq!(Whereabouts::default().applied_to(&known, true), known);
    }

    #[test]
    fn what_is_no_address_is_refused() {
        let told = |text: &str| Whereabouts {
            api: text.into(),
            ..Whereabouts::default()
        };
        assert!(told("http://h:2").is_sane());
        assert!(!told("http://h:2\u{1b}[31m").is_sane());
        assert!(!told(&"x".repeat(TEXT_BYTES_MAX + 1)).is_sane());
    }
}
