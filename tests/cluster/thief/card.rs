//! The content of a stolen card, as its thief would read it: none of it needs an unseal key.

use super::wire::Position;
use coffer::peer::{IDENTITY_FILE, Identity, Member};
use coffer::raft::{MemberInfo, Options, Peer, RaftStorage};
use coffer::store::Storage;
use std::collections::BTreeMap;
use std::path::Path;

/// A member's card.
pub struct Card {
    /// The member's number.
    pub id: u64,
    /// The member's own address.
    pub address: String,
    /// All members, with this one.
    pub members: BTreeMap<u64, Peer>,
    /// The last entry that it knew to be committed, and its term.
    pub last: Position,
    pub term: u64,
}

impl Card {
    /// Reads a data directory that no process uses; a copy, because reading writes to it.
    pub async fn read(directory: &Path) -> Self {
        let storage = RaftStorage::open(Options::new(directory, "card")).await;
        let storage = storage.expect("the card can be read");
        let own = storage.raft_id();
        let infos = storage.members();
        let status = storage.status();
        let peer = |info: &MemberInfo| Peer {
            name: info.name.clone(),
            cluster_address: info.cluster_address.clone(),
            public_key: info.public_key.0.to_vec(),
            api_address: info.api_address.clone(),
            non_voter: info.non_voter,
        };
        let me = infos.iter().find(|info| info.raft_id == own);
        let me = me.expect("a member's card");
        let card = Self {
            id: own,
            address: me.cluster_address.clone(),
            members: infos
                .iter()
                .map(|info| (info.raft_id, peer(info)))
                .collect(),
            last: Position {
                term: me.last_term,
                index: status.committed_index,
            },
            term: status.term,
        };
        storage.shutdown().await;
        card
    }

    /// Returns the member's identity key.
    pub fn identity(directory: &Path) -> Identity {
        Identity::open(&directory.join(IDENTITY_FILE)).expect("a member's key")
    }

    /// Returns the other members.
    pub fn others(&self) -> Vec<(u64, Member)> {
        let others = self.members.iter().filter(|(id, _)| **id != self.id);
        others.map(|(id, peer)| (*id, peer.member())).collect()
    }
}

/// Copies a data directory, as a reader of cards does.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(std::fs::copy(entry.path(), target).unwrap()),
        }
    }
}
