//! The members, and the connections that their membership keeps open.

use super::network::{Member, PublicKey};
use std::collections::{BTreeMap, HashSet};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Ends one connection from anywhere, at once.
pub(super) struct Cut {
    /// A second handle on the connection's socket.
    socket: TcpStream,
    done: AtomicBool,
    told: Notify,
}

impl Cut {
    /// Makes the cut for the connection that `socket` is a handle of.
    pub fn new(socket: TcpStream) -> Arc<Self> {
        Arc::new(Self {
            socket,
            done: AtomicBool::new(false),
            told: Notify::new(),
        })
    }

    /// Cuts the connection: once this returns no byte can be sent any more, and no frame is
    /// dispatched.
    pub fn now(&self) {
        self.done.store(true, Ordering::SeqCst);
        // It may be closed already, which is as good.
        let _ = self.socket.shutdown(Shutdown::Both);
        self.told.notify_one();
    }

    /// Returns true once the connection was cut.
    pub fn is_done(&self) -> bool {
        self.done.load(Ordering::SeqCst)
    }

    /// Waits until the connection is cut.
    pub async fn wait(&self) {
        while !self.is_done() {
            self.told.notified().await;
        }
    }
}

/// The reason for which a connection may not stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unwelcome {
    #[error("its key is not that of a member")]
    NotMember,
    #[error("there are too many connections")]
    TooMany,
    #[error("this node is shutting down")]
    ShutDown,
}

struct Open {
    key: PublicKey,
    is_inbound: bool,
    cut: Arc<Cut>,
}

#[derive(Default)]
struct RosterState {
    members: HashSet<PublicKey>,
    /// The open connections, by age.
    open: BTreeMap<u64, Open>,
    opened: u64,
    is_shut_down: bool,
}

/// The members, and every connection, which lives only as long as its key is a member's.
pub(super) struct Roster {
    state: Mutex<RosterState>,
    per_peer_max: usize,
    all_max: usize,
}

impl Roster {
    /// Returns a roster without members.
    pub fn new(per_peer_max: usize, all_max: usize) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::default(),
            per_peer_max,
            all_max,
        })
    }

    /// Returns true for a member's key.
    pub fn has(&self, key: &PublicKey) -> bool {
        self.lock().members.contains(key)
    }

    /// Lets a connection stay, until the place is dropped. A peer that already has as many as it
    /// may loses its oldest, which its own side has forgotten.
    pub fn admit(
        self: &Arc<Self>,
        key: &PublicKey,
        is_inbound: bool,
        cut: &Arc<Cut>,
    ) -> Result<Registration, Unwelcome> {
        let mut state = self.lock();
        if state.is_shut_down {
            return Err(Unwelcome::ShutDown);
        }
        if !state.members.contains(key) {
            return Err(Unwelcome::NotMember);
        }
        let of_peer = |open: &&Open| open.is_inbound && open.key == *key;
        if is_inbound && state.open.values().filter(of_peer).count() >= self.per_peer_max {
            let oldest = state.open.iter().find(|(_, open)| of_peer(open));
            if let Some(number) = oldest.map(|(number, _)| *number)
                && let Some(open) = state.open.remove(&number)
            {
                open.cut.now();
            }
        }
        if state.open.len() >= self.all_max {
            return Err(Unwelcome::TooMany);
        }
        state.opened += 1;
        let number = state.opened;
        let open = Open {
            key: key.clone(),
            is_inbound,
            cut: cut.clone(),
        };
        state.open.insert(number, open);
        Ok(Registration {
            roster: self.clone(),
            number,
        })
    }

    /// Replaces the members. When it returns, connections of all others are cut.
    pub fn set(&self, members: &[Member]) {
        let mut state = self.lock();
        let keys = members.iter().map(|member| member.public_key.clone());
        state.members = keys.collect();
        let RosterState { members, open, .. } = &mut *state;
        open.retain(|_, open| {
            let stays = members.contains(&open.key);
            if !stays {
                open.cut.now();
            }
            stays
        });
    }

    /// Cuts all connections; none is let in any more.
    pub fn shut_down(&self) {
        let mut state = self.lock();
        state.is_shut_down = true;
        for open in std::mem::take(&mut state.open).into_values() {
            open.cut.now();
        }
    }

    /// Returns true once the roster was shut down.
    pub fn is_shut_down(&self) -> bool {
        self.lock().is_shut_down
    }

    fn lock(&self) -> MutexGuard<'_, RosterState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub fn open_connections(&self) -> usize {
        self.lock().open.len()
    }
}

/// A connection's place on the roster.
pub(super) struct Registration {
    roster: Arc<Roster>,
    number: u64,
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.roster.lock().open.remove(&self.number);
    }
}
