//! The joiner's side: looks for a cluster, waits for the unseal keys, answers.

use super::asking::{AnswerError, JoinSecret, WRONG_KEYS};
use super::joining::FoundCluster;
use super::place::JoinTarget;
use super::server::Server;
use super::token::JoinToken;
use crate::barrier::{SealConfig, SealRecord};
use crate::node::shared::Shared;
use crate::raft::RaftStorage;
use crate::secret::{Key256, fill_random};
use crate::sys::{JoinRequest, LifecycleError, MemberError};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::task::JoinSet;

/// The time between two rounds of all places, as in Vault.
const RETRY: Duration = Duration::from_secs(2);
/// The most milliseconds that are added to it at random, so that nodes started together spread out.
const RETRY_JITTER_MS: u64 = 500;
/// The number of rounds in which `unseal` answers before it returns the reason why no server took
/// it.
const ROUNDS: u32 = 3;
/// The longest that `unseal` waits for the store after the node has joined; it arrives later just
/// as well.
const ARRIVAL_MAX: Duration = Duration::from_secs(10);
/// The longest that `init` waits for one other node to tell whether it is in a cluster.
const PROBE_MAX: Duration = Duration::from_secs(3);

const NO_JOIN_TOKEN: &str = "'join_token' is not a join token: give the text that operator raft \
                             join-token printed";
const WAITING: &str = "waiting for unseal keys to be supplied";

impl Shared {
    /// Looks for a cluster as `retry_join` asks, until one is found, unless this node is in one.
    pub(in crate::node) fn retry_join(self: &Arc<Self>) {
        let joiner = &self.joiner;
        if joiner.places.is_empty() || self.belongs() {
            return;
        }
        crate::telemetry::info!("raft retry join initiated");
        self.look_for(joiner.places.clone(), joiner.non_voter, None);
    }

    /// Joins a cluster as `sys/storage/raft/join` asks.
    pub(in crate::node) async fn join(
        self: &Arc<Self>,
        request: JoinRequest,
    ) -> Result<bool, MemberError> {
        if let Some(token) = &request.join_token {
            let token = JoinToken::parse(token.expose());
            let token = token.ok_or_else(|| MemberError::Refused(NO_JOIN_TOKEN.into()))?;
            return self.join_by_token(token, request).await;
        }
        if self.belongs() {
            return Ok(true);
        }
        let (retry, non_voter) = (request.retry, request.non_voter);
        let place = Arc::new(JoinTarget::of_request(request).map_err(MemberError::Refused)?);
        let places = vec![place];
        match self.find(&places).await {
            Ok(seal) => {
                self.joiner.keep_task(None);
                self.found(places, seal, non_voter, retry);
                Ok(true)
            }
            Err(_) if retry => {
                self.look_for(places, non_voter, Some(RETRY));
                Ok(false)
            }
            Err(why) => Err(MemberError::Unavailable(why)),
        }
    }

    /// Joins a cluster at once with a token in place of unseal keys, never to be unsealed.
    async fn join_by_token(
        self: &Arc<Self>,
        token: JoinToken,
        request: JoinRequest,
    ) -> Result<bool, MemberError> {
        let refuse = |why: &str| Err(MemberError::Refused(why.into()));
        if request.retry {
            return refuse("retry is not for a join_token, which is good for minutes");
        }
        let _one = self.step.lock().await;
        if self.belongs() {
            return match self.is_non_secret() {
                Ok(true) => Ok(true),
                Ok(false) => refuse(
                    "this node is a member that may be unsealed: to make it a non-secret voter, \
                     remove it, empty its data directory and let it join with the token",
                ),
                Err(error) => Err(MemberError::Unavailable(error.to_string())),
            };
        }
        let non_voter = request.non_voter;
        let place = Arc::new(JoinTarget::of_request(request).map_err(MemberError::Refused)?);
        let found = FoundCluster {
            places: vec![place],
            // A token's joiner asks for none: the cluster's own comes with its store.
            seal: SealRecord::of_providers(Vec::new()),
            non_voter,
            retry: false,
        };
        // What looked for a cluster, or waited for unseal keys, makes room.
        self.joiner.keep_task(None);
        self.joiner.state().found = None;
        self.state().progress.reset();
        // Before the answer: the store may arrive before the reply does.
        self.joiner.state().by_token = true;
        let answered = self
            .answer_patiently(&found, &JoinSecret::Token(token))
            .await;
        let joined = answered.map_err(|error| match error {
            AnswerError::WrongKeys(_) => MemberError::Refused(NO_JOIN_TOKEN.into()),
            AnswerError::Nobody(why) | AnswerError::Unreachable(why) => {
                MemberError::Unavailable(why)
            }
        });
        if joined.is_err() && !self.belongs() {
            self.joiner.state().by_token = false;
            self.retry_join();
        }
        self.settle();
        joined.map(|()| true)
    }

    /// Returns true when this node is in a cluster, or about to found one.
    fn belongs(&self) -> bool {
        let in_one = |raft: &Arc<RaftStorage>| raft.has_membership();
        self.state().seal.is_some() || self.leadership.raft().is_none_or(in_one)
    }

    fn look_for(
        self: &Arc<Self>,
        places: Vec<Arc<JoinTarget>>,
        non_voter: bool,
        wait: Option<Duration>,
    ) {
        let looking = look_for(Arc::downgrade(self), places, non_voter, wait);
        let task = crate::task::spawn(looking).abort_handle();
        self.joiner.keep_task(Some(task));
        self.lights_changed.notify_one();
    }

    fn found(
        self: &Arc<Self>,
        places: Vec<Arc<JoinTarget>>,
        seal: SealRecord,
        non_voter: bool,
        retry: bool,
    ) {
        let SealConfig {
            shares, threshold, ..
        } = seal.config;
        let by_providers = seal.is_auto();
        self.joiner.state().found = Some(FoundCluster {
            places,
            seal,
            non_voter,
            retry,
        });
        self.joiner.state().answers = false;
        self.state().progress.reset();
        self.settle();
        match by_providers {
            true => crate::telemetry::info!("a cluster was found to join: asking its seal"),
            false => {
                crate::telemetry::info!(shares, threshold, "a cluster was found to join: {WAITING}")
            }
        }
    }

    /// Answers a fresh challenge with the unseal keys, and unseals with them when the store has
    /// arrived.
    pub(in crate::node) async fn join_with(
        self: &Arc<Self>,
        key: Key256,
    ) -> Result<(), LifecycleError> {
        self.set_answers(true);
        let joined = self.join_by(key).await;
        if joined.is_err() {
            self.set_answers(false);
        }
        joined
    }

    fn set_answers(&self, answers: bool) {
        self.joiner.state().answers = answers;
        self.lights_changed.notify_one();
    }

    async fn join_by(self: &Arc<Self>, key: Key256) -> Result<(), LifecycleError> {
        let secret = JoinSecret::SealKey(key.duplicate());
        let found = self.joiner.state().found.clone();
        let found = found.ok_or(LifecycleError::NotInitialized)?;
        match self.answer_patiently(&found, &secret).await {
            Ok(()) => {}
            Err(AnswerError::WrongKeys(_)) => {
                return Err(LifecycleError::Invalid(format!(
                    "failed to join: {WRONG_KEYS}"
                )));
            }
            Err(AnswerError::Nobody(why) | AnswerError::Unreachable(why)) if found.retry => {
                tracing::error!(retry = "2s", why, "failed to retry join raft cluster");
                let answering = answer_until(Arc::downgrade(self), found, key);
                let task = crate::task::spawn(answering).abort_handle();
                self.joiner.keep_task(Some(task));
                return Ok(());
            }
            Err(AnswerError::Nobody(why) | AnswerError::Unreachable(why)) => {
                let why = format!("failed to join raft cluster: {why}");
                return Err(LifecycleError::Elsewhere(why));
            }
        }
        let opened = self.open_on_arrival(&key, false);
        if tokio::time::timeout(ARRIVAL_MAX, opened).await.is_err() {
            crate::telemetry::info!("the store is on its way: unsealing when it has arrived");
            let opening = open_later(Arc::downgrade(self), key);
            let task = crate::task::spawn(opening).abort_handle();
            self.joiner.keep_task(Some(task));
        }
        Ok(())
    }

    /// Returns once this node's own store has arrived so far that these keys open it: its first
    /// entries may still bear an older seal.
    async fn open_on_arrival(self: &Arc<Self>, key: &Key256, locks: bool) {
        loop {
            let arrived = self.joiner.arrived.notified();
            tokio::pin!(arrived);
            arrived.as_mut().enable();
            let has_seal = self.state().seal.is_some();
            if has_seal {
                let _one = match locks {
                    true => Some(self.step.lock().await),
                    false => None,
                };
                let is_open = self.state().session.is_some();
                if is_open || self.unseal_with(key).await.is_ok() {
                    self.joiner.state().found = None;
                    return;
                }
            }
            arrived.await;
        }
    }

    /// Answers the cluster; tries again for a while when no task will do so afterwards: an
    /// election, or the time until a wiped node's former self is given up, must not be the
    /// operator's trouble.
    async fn answer_patiently(
        &self,
        found: &FoundCluster,
        secret: &JoinSecret,
    ) -> Result<(), AnswerError> {
        let rounds = if found.retry { 1 } else { ROUNDS };
        for _ in 1..rounds {
            match self.answer(found, secret).await {
                Err(AnswerError::Nobody(_) | AnswerError::Unreachable(_)) => pause().await,
                settled => return settled,
            }
        }
        self.answer(found, secret).await
    }

    /// Returns the address of a cluster that this node is configured, or was told, to join. A
    /// second one beside it must not be founded by accident.
    pub(in crate::node) async fn cluster_to_join(&self) -> Option<String> {
        if self.joiner.seal().is_some() {
            return Some("the cluster that it was told to join".into());
        }
        let mut probes = JoinSet::new();
        for place in self.joiner.places.clone() {
            let urls = self.urls(&place).await.unwrap_or_default();
            for url in urls {
                let place = Arc::clone(&place);
                probes.spawn(crate::task::boxed(async move {
                    let asked = match Server::new(&place, &url) {
                        Ok(server) => {
                            tokio::time::timeout(PROBE_MAX, server.is_initialized()).await
                        }
                        Err(_) => return None,
                    };
                    matches!(asked, Ok(Ok(true))).then_some(url)
                }));
            }
        }
        while let Some(probed) = probes.join_next().await {
            if let Ok(Some(url)) = probed {
                return Some(url);
            }
        }
        None
    }
}

async fn pause() {
    let mut random = [0; 8];
    fill_random(&mut random);
    let jitter = u64::from_be_bytes(random) % RETRY_JITTER_MS;
    tokio::time::sleep(RETRY + Duration::from_millis(jitter)).await;
}

/// Looks round after round, until a cluster is found or this node has one.
async fn look_for(
    shared: Weak<Shared>,
    places: Vec<Arc<JoinTarget>>,
    non_voter: bool,
    wait: Option<Duration>,
) {
    if wait.is_some() {
        pause().await;
    }
    loop {
        let Some(node) = shared.upgrade() else { return };
        if node.belongs() {
            return;
        }
        crate::telemetry::info!("security barrier not initialized");
        match node.find(&places).await {
            // Meanwhile this node may have founded a cluster of its own.
            Ok(_) if node.belongs() => return,
            Ok(seal) => {
                return node.found(places, seal, non_voter, true);
            }
            Err(_) => tracing::error!(retry = "2s", "failed to retry join raft cluster"),
        }
        drop(node);
        pause().await;
    }
}

/// Answers with the keys that were given, until a server takes the answer.
async fn answer_until(shared: Weak<Shared>, found: FoundCluster, key: Key256) {
    let secret = JoinSecret::SealKey(key.duplicate());
    loop {
        pause().await;
        let Some(node) = shared.upgrade() else { return };
        if node.belongs() {
            break;
        }
        match node.answer(&found, &secret).await {
            Ok(()) => break,
            Err(AnswerError::WrongKeys(_)) => return node.set_answers(false),
            Err(AnswerError::Nobody(_) | AnswerError::Unreachable(_)) => {
                tracing::error!(retry = "2s", "failed to retry join raft cluster");
            }
        }
    }
    open_later(shared, key).await;
}

async fn open_later(shared: Weak<Shared>, key: Key256) {
    // A node that stops aborts this.
    if let Some(node) = shared.upgrade() {
        node.open_on_arrival(&key, true).await;
    }
}
