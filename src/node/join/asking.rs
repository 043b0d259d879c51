//! The joiner's questions: for the servers of a cluster, and whether they take these keys.

use super::conversation::{self, Statement};
use super::joining::FoundCluster;
use super::place::JoinTarget;
use super::server::Server;
use super::survey::Survey;
use super::token::{JoinToken, TokenId};
use crate::barrier::{JoinKey, SealRecord};
use crate::node::shared::Shared;
use crate::raft::{ClusterPublicKey, RaftStorage};
use crate::secret::{Key256, fill_random};
use crate::store::BoxFuture;
use std::sync::Arc;

pub(super) const WRONG_KEYS: &str = "the unseal keys are not those of that cluster";

/// The secret that a joiner answers with.
pub(super) enum JoinSecret {
    /// The seal key, which unseals the node as well.
    SealKey(Key256),
    /// A token, which unseals nothing.
    Token(JoinToken),
}

impl JoinSecret {
    fn join_key(&self) -> JoinKey {
        match self {
            Self::SealKey(key) => JoinKey::of_seal_key(key),
            Self::Token(token) => token.join_key(),
        }
    }

    /// Returns what a challenge tells that the secret does not open.
    fn is_wrong(&self) -> &'static str {
        match self {
            Self::SealKey(_) => WRONG_KEYS,
            Self::Token(_) => "it is not the node that made the join token, or knows of none",
        }
    }

    fn token_id(&self) -> Option<TokenId> {
        match self {
            Self::SealKey(_) => None,
            Self::Token(token) => Some(token.id),
        }
    }
}

/// The reason for which no server took the answer.
pub(super) enum AnswerError {
    /// The keys are not those of the server's cluster, which has this seal.
    WrongKeys(SealRecord),
    /// The server does not answer, so nothing is known about the keys.
    Unreachable(String),
    /// No server took the answer; the last reason.
    Nobody(String),
}

/// The result of asking one server for a challenge.
struct Asked<'a> {
    place: &'a Arc<JoinTarget>,
    /// The server's URL; empty where a search found none.
    url: String,
    challenged: Result<(SealRecord, Vec<u8>), AnswerError>,
}

impl Asked<'_> {
    /// Logs `why`, and returns it as people read it.
    fn failed(&self, why: &str) -> String {
        if self.url.is_empty() {
            return why.to_owned();
        }
        tracing::warn!(leader_addr = self.url, error = why, "join attempt failed");
        format!("{}: {why}", self.url)
    }
}

impl Shared {
    /// Asks all places for a challenge, each a moment after the one before; the server that
    /// answered last time is asked first.
    fn survey<'a>(
        &'a self,
        places: &'a [Arc<JoinTarget>],
        token: Option<TokenId>,
    ) -> Survey<'a, Asked<'a>> {
        let mut survey = Survey::new();
        let mut turns = 0..;
        let known = self.joiner.answered(places);
        if let Some((known, url)) = &known
            && let Some(place) = places.iter().find(|place| Arc::ptr_eq(place, known))
        {
            survey.ask(
                turns.next().unwrap_or(0),
                self.ask(place, url.clone(), token),
            );
        }
        for (turn, place) in turns.zip(places) {
            let known = known.as_ref().map(|(_, url)| url.clone());
            survey.search(turn, async move {
                match self.urls(place).await {
                    Ok(urls) => {
                        let others = urls.into_iter().filter(|url| Some(url) != known.as_ref());
                        others.map(|url| self.ask(place, url, token)).collect()
                    }
                    Err(why) => vec![nobody(place, why)],
                }
            });
        }
        survey
    }

    fn ask<'a>(
        &'a self,
        place: &'a Arc<JoinTarget>,
        url: String,
        token: Option<TokenId>,
    ) -> BoxFuture<'a, Asked<'a>> {
        Box::pin(async move {
            crate::telemetry::info!(
                leader_addr = url,
                "attempting to join possible raft leader node"
            );
            let challenged = match Server::new(place, &url) {
                Ok(server) => {
                    let challenged = server.challenge(&self.joiner.node_id, token.as_ref()).await;
                    challenged.map_err(|why| match server.is_reached() {
                        true => AnswerError::Nobody(why),
                        false => AnswerError::Unreachable(why),
                    })
                }
                Err(why) => Err(AnswerError::Nobody(why)),
            };
            Asked {
                place,
                url,
                challenged,
            }
        })
    }

    /// Returns the seal of the first cluster that answers; the error is the last server's.
    pub(super) async fn find(&self, places: &[Arc<JoinTarget>]) -> Result<SealRecord, String> {
        let mut last = String::from("no address to try");
        let mut survey = self.survey(places, None);
        while let Some(asked) = survey.next().await {
            match &asked.challenged {
                Ok((seal, _)) => {
                    self.joiner.remember(asked.place, &asked.url);
                    return Ok(seal.clone());
                }
                Err(AnswerError::Nobody(why) | AnswerError::Unreachable(why)) => {
                    last = asked.failed(why);
                }
                Err(AnswerError::WrongKeys(_)) => last = asked.failed(WRONG_KEYS),
            }
        }
        Err(last)
    }

    /// Returns the addresses of a place that are not this node's own.
    pub(super) async fn urls(&self, place: &JoinTarget) -> Result<Vec<String>, String> {
        let mut urls = place.addresses().await.inspect_err(|error| {
            tracing::warn!(error, "the search for servers failed");
        })?;
        let own = self.addresses().api;
        urls.retain(|url| *url != own);
        match urls.is_empty() {
            true if place.service().is_none() => Err(format!("{own} is this node itself")),
            true => {
                tracing::warn!("no other server answers the search");
                Err("no other server answers the search".into())
            }
            false => Ok(urls),
        }
    }

    /// Answers the challenges of all servers until one takes the answer. The keys are wrong only
    /// when every server that can be reached says so: one of another cluster may be among them,
    /// while the right one elects its leader. No more than one server at a time is given an answer.
    pub(super) async fn answer(
        &self,
        found: &FoundCluster,
        secret: &JoinSecret,
    ) -> Result<(), AnswerError> {
        let mut wrong = Vec::new();
        let mut is_open = false;
        let mut last = String::from("no address to try");
        let mut survey = self.survey(&found.places, secret.token_id());
        while let Some(mut asked) = survey.next().await {
            let challenged = std::mem::replace(
                &mut asked.challenged,
                Err(AnswerError::Nobody(String::new())),
            );
            let answered = match challenged {
                Ok((seal, challenge)) => {
                    let non_voter = found.non_voter;
                    let answer = self.answer_one(&asked, seal, &challenge, non_voter, secret);
                    answer.await
                }
                Err(error) => Err(error),
            };
            let why = match answered {
                Ok(()) => {
                    self.joiner.remember(asked.place, &asked.url);
                    crate::telemetry::info!(
                        leader_addr = asked.url,
                        "successfully joined the raft cluster"
                    );
                    return Ok(());
                }
                Err(AnswerError::WrongKeys(seal)) => {
                    wrong.push(seal);
                    secret.is_wrong().into()
                }
                Err(AnswerError::Unreachable(why)) => why,
                Err(AnswerError::Nobody(why)) => {
                    is_open = true;
                    why
                }
            };
            last = asked.failed(&why);
        }
        // Answers come in any order, and each cluster shall have its turn.
        wrong.sort_by_key(|seal: &SealRecord| (seal.config.shares, seal.config.threshold));
        match self.joiner.seal().and_then(|seal| next_seal(&wrong, &seal)) {
            Some(next) if !is_open => {
                self.joiner.reseal(next.clone());
                Err(AnswerError::WrongKeys(next))
            }
            _ => Err(AnswerError::Nobody(last)),
        }
    }

    /// Answers the challenge of the server that was asked.
    async fn answer_one(
        &self,
        asked: &Asked<'_>,
        seal: SealRecord,
        challenge: &[u8],
        non_voter: bool,
        secret: &JoinSecret,
    ) -> Result<(), AnswerError> {
        let raft = self.leadership.raft();
        let raft = raft.ok_or_else(|| AnswerError::Nobody("this store joins nobody".into()))?;
        let server = Server::new(asked.place, &asked.url).map_err(AnswerError::Nobody)?;
        let name = &self.joiner.node_id;
        let opened = secret.join_key().open(challenge);
        let opened = opened.map_err(|_| AnswerError::WrongKeys(seal.clone()))?;
        // The keys say that this is the right cluster.
        self.joiner.reseal(seal);
        let statement = conversation::encode(&self.statement(raft, non_voter));
        let proof = opened.prove(&statement);
        let token = secret.token_id();
        let answering = server.answer(name, challenge, &statement, &proof, token.as_ref());
        let reply = answering.await;
        let reply = reply.map_err(AnswerError::Nobody)?;
        let reply = opened.open_reply(&proof, &reply).map_err(|_| {
            AnswerError::Nobody("the reply is not of a holder of the unseal keys".into())
        })?;
        let reply = conversation::decode_reply(&reply);
        let (reply, key) = reply.ok_or_else(|| {
            AnswerError::Nobody("the leader's version is not compatible with this one".into())
        })?;
        if let Some(key) = key {
            let required = raft.require_proof(Some(ClusterPublicKey(key)));
            required.map_err(|error| AnswerError::Nobody(error.to_string()))?;
        }
        let members = reply.members.into_iter();
        raft.trust(members.map(conversation::Introduced::member).collect());
        Ok(())
    }

    fn statement(&self, raft: &RaftStorage, non_voter: bool) -> Statement {
        let mut nonce = [0; 16];
        fill_random(&mut nonce);
        let addresses = self.addresses();
        Statement {
            nonce,
            raft_id: raft.raft_id(),
            cluster_address: addresses.cluster_host_port(),
            api_address: addresses.api,
            public_key: self.joiner.public_key.clone(),
            non_voter,
            version: env!("CARGO_PKG_VERSION").into(),
        }
    }
}

/// Returns the result of a search that found no server, which tells nothing about the keys.
fn nobody<'a>(place: &'a Arc<JoinTarget>, why: String) -> BoxFuture<'a, Asked<'a>> {
    Box::pin(std::future::ready(Asked {
        place,
        url: String::new(),
        challenged: Err(AnswerError::Unreachable(why)),
    }))
}

/// Returns the seal whose keys to expect next, after those for `tried` were wrong everywhere:
/// clusters that were found together may need different numbers, so each has its turn. `None` when
/// no server called them wrong.
fn next_seal(wrong: &[SealRecord], tried: &SealRecord) -> Option<SealRecord> {
    let behind = wrong.iter().skip_while(|seal| *seal != tried);
    let other = behind.chain(wrong).find(|seal| *seal != tried);
    other.or(wrong.first()).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::barrier::{SealConfig, SealType};

    #[test]
    fn every_cluster_s_number_of_keys_has_its_turn() {
        let seal = |shares, threshold| {
            SealRecord::from(SealConfig {
                seal_type: SealType::Shamir,
                shares,
                threshold,
            })
        };
        let (one, three, five) = (seal(1, 1), seal(5, 3), seal(9, 5));
        assert!(next_seal(&[], &one).is_none());
        let all = [one.clone(), three.clone(), five.clone()];
        for (tried, next) in [(&one, &three), (&three, &five), (&five, &one)] {
            assert!(next_seal(&all, tried).as_ref() == Some(next));
        }
        let again = [one.clone(), one.clone()];
        assert!(next_seal(&again, &one).as_ref() == Some(&one));
        assert!(next_seal(std::slice::from_ref(&three), &three).as_ref() == Some(&three));
    }
}
