//! A cluster that does what it is told and remembers it.

use crate::store::BoxFuture;
use crate::sys::{
    Challenge, Cluster, JoinAnswer, JoinRequest, JoinTokenMade, MemberChange, MemberError,
    MemberStatus, Membership,
};
use std::sync::Mutex;
use std::time::Duration;
use tokio::sync::watch;

/// Returns a member without a vote, never heard of.
pub fn member(name: &str, raft_id: u64) -> MemberStatus {
    MemberStatus {
        node_id: name.to_owned(),
        raft_id,
        address: "127.0.0.1:8201".to_owned(),
        api_address: "http://127.0.0.1:8200".to_owned(),
        ..MemberStatus::default()
    }
}

#[derive(Default)]
struct State {
    members: Vec<MemberStatus>,
    changes: Vec<(String, MemberChange)>,
    looks: usize,
    refuses: bool,
    changed: watch::Sender<u64>,
}

/// Members whose contacts stand still.
pub struct FakeCluster(Mutex<State>);

impl FakeCluster {
    /// Creates a cluster of the leader `a` and `others`.
    pub fn of(others: Vec<MemberStatus>) -> Self {
        let leader = MemberStatus {
            leader: true,
            voter: true,
            last_contact: Some(Duration::ZERO),
            ..member("a", 1)
        };
        let mut members = vec![leader];
        members.extend(others);
        Self(Mutex::new(State {
            members,
            ..State::default()
        }))
    }

    /// Returns the changes that were asked for since the last call, and how often the members were
    /// looked at.
    pub fn take(&self) -> (Vec<(String, MemberChange)>, usize) {
        let mut state = self.0.lock().unwrap();
        let looks = std::mem::take(&mut state.looks);
        (std::mem::take(&mut state.changes), looks)
    }

    pub fn heard(&self, name: &str, last_contact: Option<Duration>) {
        let mut state = self.0.lock().unwrap();
        let members = &mut state.members;
        let member = members.iter_mut().find(|member| member.node_id == name);
        member.unwrap().last_contact = last_contact;
    }

    pub fn add(&self, member: MemberStatus) {
        let mut state = self.0.lock().unwrap();
        state.members.push(member);
        state.changed.send_modify(|index| *index += 1);
    }

    /// Refuses every change from now on, or none.
    pub fn refuse(&self, refuses: bool) {
        self.0.lock().unwrap().refuses = refuses;
    }
}

impl Cluster for FakeCluster {
    fn membership(&self) -> Membership {
        let mut state = self.0.lock().unwrap();
        state.looks += 1;
        Membership {
            index: 7,
            members: state.members.clone(),
        }
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.0.lock().unwrap().changed.subscribe()
    }

    fn change_member(
        &self,
        node_id: String,
        change: MemberChange,
    ) -> BoxFuture<'_, Result<(), MemberError>> {
        let mut state = self.0.lock().unwrap();
        state.changes.push((node_id.clone(), change));
        let mut done = Ok(());
        if state.refuses {
            done = Err(MemberError::Refused("2 of 3 voters are needed".into()));
        } else if matches!(change, MemberChange::Remove { .. }) {
            state.members.retain(|member| member.node_id != node_id);
        } else {
            for member in &mut state.members {
                if member.node_id == node_id {
                    member.voter = change == MemberChange::Promote;
                    member.non_voter = change == MemberChange::Demote;
                }
            }
        }
        Box::pin(async { done })
    }

    fn join(&self, _: JoinRequest) -> BoxFuture<'_, Result<bool, MemberError>> {
        unavailable()
    }

    fn make_join_token(&self, _: Duration) -> Result<JoinTokenMade, MemberError> {
        Err(MemberError::Unavailable("not here".into()))
    }

    fn challenge(
        &self,
        _: String,
        _: Option<[u8; 16]>,
    ) -> BoxFuture<'_, Result<Challenge, MemberError>> {
        unavailable()
    }

    fn answer(&self, _: JoinAnswer) -> BoxFuture<'_, Result<Vec<u8>, MemberError>> {
        unavailable()
    }
}

fn unavailable<T: Send + 'static>() -> BoxFuture<'static, Result<T, MemberError>> {
    Box::pin(async { Err(MemberError::Unavailable("not here".into())) })
}
