//! Requests of clients between this node and the active one, over the network between members.
//!
//! A member proves to the network that it is one, and that is not enough here: a request holds a
//! token, and a member's card may have been stolen. So requests and answers are sealed under a key
//! that only unsealed nodes have, for one receiver, apart from the connection (`sealed.rs`). A node
//! that was wrongly taken for the active one reads nothing and can pass nothing on, and messages
//! that it makes up are neither executed nor believed.
//!
//! A message is executed once: see `channels.rs`.

mod body;
mod channels;
mod receiver;
mod refusals;
mod sealed;
mod sender;
#[cfg(test)]
mod tests;
mod to_active;

pub(super) use receiver::FromMembers;
pub(super) use to_active::ToActive;

use super::shared::Shared;
use crate::barrier::Unsealed;
use crate::peer::PublicKey;
use std::sync::{Arc, Weak};

/// The node, as forwarding sees it.
pub(super) trait Host: Send + Sync {
    /// Returns the keys; `None` while the node is sealed.
    fn barrier(&self) -> Option<Arc<Unsealed>>;

    /// Returns true when the cluster takes only sealed messages. Until all members run a release
    /// that seals, it does not, and requests in the form of the release before are sent to nodes
    /// that know no other, and served.
    fn requires_proof(&self) -> bool;

    /// Returns the operator's name for the member of that key.
    fn name_of(&self, key: &PublicKey) -> String;
}

impl Host for Weak<Shared> {
    fn barrier(&self) -> Option<Arc<Unsealed>> {
        let shared = self.upgrade()?;
        let state = shared.state();
        Some(Arc::clone(&state.session.as_ref()?.barrier))
    }

    fn requires_proof(&self) -> bool {
        // A node that is gone sends nothing in clear.
        self.upgrade()
            .is_none_or(|shared| shared.leadership.requires_proof())
    }

    fn name_of(&self, key: &PublicKey) -> String {
        let shared = self.upgrade();
        shared.map_or_else(|| format!("{key:?}"), |shared| shared.member_name(key))
    }
}
