//! Brings the node's phase in line with the situation, and carries out the effects of a change.

use super::identity::{self, Cluster};
use super::phase::{self, Effect, Situation};
use super::shared::{NodeState, Reign, Session, Shared};
use super::{migration, sweeper, systemd};
use crate::barrier::{self, BarrierError};
use crate::router::Phase;
use crate::store::{Key, Observer, Revision};
use crate::sys::duties::{autopilot, rewrap};
use std::sync::{Arc, Weak};
use tokio::task::AbortHandle;

/// Runs on the applying thread: it takes note, and the controller acts.
impl Observer for Shared {
    fn applied(&self, _revision: Revision, keys: &[Key]) {
        if keys.is_empty() || keys.iter().any(|key| barrier::is_reserved(key)) {
            self.keys_changed.notify_one();
        }
        if !self.storage.status().leads {
            // The leader stamped the entry; records that expire there expire for readers here at
            // the same time.
            self.clock.raise(self.storage.status().time_floor);
        }
    }
}

/// Follows consensus and the applied entries until the node is gone.
pub(super) async fn run(shared: Weak<Shared>) {
    let Some(mut leads) = shared.upgrade().map(|shared| shared.leadership.watch()) else {
        return;
    };
    while let Some(alive) = shared.upgrade() {
        if alive.state().stopping {
            // The store closes, and no client is served any more.
            return;
        }
        alive.follow_cluster_key();
        alive.follow_keys();
        alive.follow_removal();
        alive.settle();
        let changed = Arc::clone(&alive.keys_changed);
        drop(alive);
        tokio::select! {
            () = changed.notified() => {}
            more = leads.changed() => if !more { return },
        }
    }
}

impl Shared {
    /// Brings the phase in line with the situation. Never waits; the code that changed the
    /// situation calls it.
    pub(super) fn settle(self: &Arc<Self>) {
        let mut state = self.state();
        let situation = Situation {
            initialised: state.seal.is_some() || self.joiner.seal().is_some(),
            unsealed: state.session.is_some(),
            leads: self.leadership.leads(),
            stopping: state.stopping,
        };
        self.enter(&mut state, &situation);
    }

    fn enter(self: &Arc<Self>, state: &mut NodeState, situation: &Situation) {
        let (phase, effects) = phase::next(&state.phase, situation);
        tell(&state.phase, &phase);
        state.phase = phase;
        for effect in effects {
            self.carry_out(effect, state);
        }
    }

    fn carry_out(self: &Arc<Self>, effect: Effect, state: &mut NodeState) {
        match effect {
            Effect::StopDuties => {
                if let Some(reign) = state.reign.take() {
                    reign.duties.iter().for_each(AbortHandle::abort);
                }
            }
            Effect::RaiseClock => self.clock.raise(self.storage.status().time_floor),
            Effect::RenewRouter => {
                if let Some(session) = &mut state.session {
                    self.renew_router(session);
                }
            }
            Effect::StartDuties => {
                state.reign = state.session.as_ref().map(|session| Reign {
                    since: self.clock.now(),
                    duties: self.duties(session),
                });
            }
            Effect::Publish => {
                let router = state.session.as_ref().map(|it| Arc::clone(&it.router));
                self.publish(state.phase.clone().with(router));
                systemd::status(&phase::describe(&state.phase));
            }
        }
    }

    /// Starts the duties of the active node.
    fn duties(self: &Arc<Self>, session: &Session) -> Vec<AbortHandle> {
        let router = Arc::clone(&session.router);
        let mut duties = vec![
            sweeper::spawn(Arc::clone(&router), Arc::clone(&self.clock)),
            sweeper::revoke(router, Arc::clone(&self.clock)),
        ];
        if let Some(cluster) = self.cluster() {
            let autopilot = Arc::clone(&self.autopilot);
            let watching = autopilot::run(autopilot, Arc::clone(&session.barrier), cluster);
            duties.push(crate::task::spawn(watching).abort_handle());
            let (barrier, clock) = (Arc::clone(&session.barrier), Arc::clone(&self.clock));
            let keeping = autopilot::Config::keep_local(barrier, clock);
            duties.push(crate::task::spawn(keeping).abort_handle());
        }
        duties.push(crate::task::spawn(self.snapshots(session)).abort_handle());
        duties.push(crate::task::spawn(migration::run(Arc::downgrade(self))).abort_handle());
        let (barrier, clock) = (Arc::clone(&session.barrier), Arc::clone(&self.clock));
        let rewrapping = Arc::clone(&self.rewrapping);
        let rewrapping = rewrap::run(rewrapping, barrier, clock, self.wear.pace());
        duties.push(crate::task::spawn(rewrapping).abort_handle());
        let keeping = identity::keep_local(Arc::clone(&session.barrier), Arc::clone(&self.clock));
        duties.push(crate::task::spawn(keeping).abort_handle());
        let publishing = self.publish_cluster_key(&session.barrier);
        duties.push(crate::task::spawn(publishing).abort_handle());
        duties
    }

    /// Replaces the router, whose record of deadlines dates from before this node led; the old one
    /// serves on when a new one cannot be made.
    fn renew_router(self: &Arc<Self>, session: &mut Session) {
        match super::assembly::router(self, &session.barrier) {
            Ok(router) => session.router = Arc::new(router),
            Err(error) => tracing::error!(%error, "the router could not be made anew"),
        }
    }

    /// Ends being active for a moment, so that it begins anew.
    pub(super) fn interrupt(self: &Arc<Self>) {
        let mut state = self.state();
        let situation = Situation {
            initialised: state.seal.is_some() || self.joiner.seal().is_some(),
            unsealed: state.session.is_some(),
            leads: phase::Leads::Nobody,
            stopping: state.stopping,
        };
        self.enter(&mut state, &situation);
    }

    /// Reads the seal and the keyring again, which an applied entry, or a snapshot, may have
    /// changed.
    fn follow_keys(self: &Arc<Self>) {
        match self.sealed.seal_record() {
            Ok(Some(seal)) => {
                let mut state = self.state();
                if state.seal.as_ref().is_some_and(|known| *known != seal) {
                    // Shares of the seal before it do not fit those of this one.
                    state.progress.reset();
                    state.migrating.reset();
                }
                state.seal = Some(seal);
                drop(state);
                self.tell_route();
                self.joiner.arrived.notify_waiters();
            }
            // Initialised elsewhere, and the entry is on its way.
            Ok(None) => {}
            Err(error) => tracing::error!(%error, "the seal configuration cannot be read"),
        }
        let session = self.state().session.clone();
        let Some(session) = session else {
            return;
        };
        let opened = session.barrier.follow_keyring();
        match opened.and_then(|()| Cluster::read(&session.barrier)) {
            Ok(cluster) => {
                if let Some(present) = &mut self.state().session
                    && Arc::ptr_eq(&present.barrier, &session.barrier)
                {
                    present.cluster = cluster;
                }
            }
            Err(BarrierError::Read(error)) => {
                tracing::error!(%error, "the keyring cannot be read");
            }
            Err(BarrierError::Sealed) => {}
            Err(error) => {
                tracing::error!(
                    %error,
                    "the store's keyring was replaced by one that the root key in memory does not \
                     open, as a restored snapshot of another cluster does: sealing this node; \
                     unseal it with the keys of what was restored"
                );
                self.end_session(|present| Arc::ptr_eq(&present.barrier, &session.barrier));
            }
        }
    }

    /// Seals this node once it is no member any more: it must not serve, not even data that it
    /// still has.
    fn follow_removal(self: &Arc<Self>) {
        if self.leadership.is_removed() && self.state().session.is_some() {
            tracing::error!(
                "this node was removed from the cluster: sealing it; to come back it must join \
                 again with an empty data directory"
            );
            self.drop_keys();
        }
    }

    pub(super) fn drop_keys(self: &Arc<Self>) {
        self.end_session(|_| true);
    }

    /// Ends the session that `which` accepts. Closes the gate first, so that no new request finds a
    /// router without keys.
    fn end_session(self: &Arc<Self>, which: impl FnOnce(&mut Session) -> bool) {
        let session = {
            let mut state = self.state();
            let session = state.session.take_if(which);
            if session.is_some() {
                state.allowed = None;
                state.unmigrated = None;
            }
            session
        };
        self.settle();
        if let Some(session) = session {
            session.barrier.seal();
            self.leadership.give_up();
        }
    }
}

/// Logs a change of the node's role, in the words that operators look for.
fn tell(before: &Phase, after: &Phase) {
    if before == after {
        return;
    }
    match after {
        Phase::Standby { leader, .. } => {
            if !matches!(before, Phase::Standby { .. }) {
                crate::telemetry::info!("entering standby mode");
            }
            if let Some(leader) = leader {
                crate::telemetry::info!(
                    active_cluster_addr = leader.cluster_address,
                    active_redirect_addr = leader.api_address,
                    "found new active node information"
                );
            }
        }
        Phase::Active { term, .. } => crate::telemetry::info!(term, "entering active mode"),
        Phase::Uninitialised | Phase::Sealed | Phase::Stopping => {}
    }
}
