//! The active node's side: admits joiners.

use super::conversation::{self, Introduced, JoinReply, Statement};
use super::gatekeeper::TOKENS_MAX;
use super::token::{JoinToken, TokenId};
use crate::barrier::{BarrierError, CHALLENGE_TTL, Examiner, Unsealed};
use crate::clock::Timestamp;
use crate::node::shared::Shared;
use crate::node::trust;
use crate::raft::{ChangeError, MemberInfo, NewMember, RaftStorage};
use crate::sys::{Challenge, JoinAnswer, JoinTokenMade, MemberError};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// The time within which a member that was heard of counts as alive, and its name as taken.
const ALIVE_WITHIN: Duration = Duration::from_secs(3);
/// The refusal of a token, and of a proof by it.
const NO_TOKEN: &str = "the join token is not known here: it was used, has expired, or another \
                        node was active when it was made; make a new one";

impl Shared {
    /// Makes a challenge for a joiner of this name, which costs no memory here.
    pub(in crate::node) fn challenge_joiner(
        &self,
        node_id: &str,
        token: Option<&TokenId>,
    ) -> Result<Challenge, MemberError> {
        let (barrier, _) = self.unsealed().map_err(|_| sealed())?;
        let seal = self.state().seal.clone();
        let now = self.clock.now();
        let challenge = self.examiner(&barrier, token, now)?.challenge(node_id, now);
        Ok(Challenge {
            seal: seal.ok_or_else(sealed)?,
            challenge: challenge.map_err(refused)?,
        })
    }

    /// Makes a token with which one node joins that is never to be unsealed.
    pub(in crate::node) fn make_join_token(
        &self,
        ttl: Duration,
    ) -> Result<JoinTokenMade, MemberError> {
        self.unsealed().map_err(|_| sealed())?;
        let raft = self.leadership.raft().ok_or_else(sealed)?;
        if raft.cluster_key().is_none() {
            return Err(refuse(
                "this cluster does not require proof of the keys yet, so a member without them \
                 could lead: upgrade all members first",
            ));
        }
        let now = self.clock.now();
        let expires = now.plus(ttl);
        let token = JoinToken::generate();
        let text = token.text();
        match self.gatekeeper.keep(token, expires, now) {
            true => Ok(JoinTokenMade {
                token: text,
                expires,
            }),
            false => Err(MemberError::Refused(format!(
                "{TOKENS_MAX} join tokens are good already, which is the most: wait until one is \
                 used or expires"
            ))),
        }
    }

    /// Returns the examiner of a joiner that has this token, or else the unseal keys.
    fn examiner<'a>(
        &self,
        barrier: &'a Unsealed,
        token: Option<&TokenId>,
        now: Timestamp,
    ) -> Result<Examiner<'a>, MemberError> {
        let issuer = self.gatekeeper.issuer;
        let Some(id) = token else {
            return barrier.examiner(issuer).map_err(refused);
        };
        let key = self.gatekeeper.join_key(id, now);
        let key = key.ok_or_else(|| refuse(NO_TOKEN))?;
        Ok(barrier.examiner_by(issuer, key))
    }

    /// Judges a joiner's answer, adds it as a member without a vote, and returns a reply that only
    /// that joiner can read.
    pub(in crate::node) async fn judge_joiner(
        &self,
        answer: JoinAnswer,
    ) -> Result<Vec<u8>, MemberError> {
        let (barrier, cluster_id) = self.unsealed().map_err(|_| sealed())?;
        let raft = self.leadership.raft().ok_or_else(sealed)?;
        let now = self.clock.now();
        let token = answer.token.as_ref();
        let accepted = self
            .examiner(&barrier, token, now)?
            .judge(
                &answer.node_id,
                &answer.challenge,
                &answer.statement,
                &answer.proof,
                now,
            )
            // Anyone can cause this, as often as they like: nothing for a card's log.
            .inspect_err(
                |why| crate::telemetry::debug!(node = answer.node_id, %why, "refused a joiner"),
            )
            .map_err(|error| match (token, error) {
                (Some(_), BarrierError::WrongJoinKey | BarrierError::WrongProof) => {
                    refuse(NO_TOKEN)
                }
                (_, error) => refused(error),
            })?;
        let statement: Statement = conversation::decode(&answer.statement)
            .ok_or_else(|| refuse("the joiner's version is not compatible with this one"))?;
        if let Some(problem) = statement.problem() {
            return Err(refuse(problem));
        }
        let (nonce, expires) = (accepted.nonce, accepted.expires);
        if !self.gatekeeper.first_time(nonce, expires, now) {
            return Err(refuse("this challenge was answered before"));
        }
        let understands = trust::gives_proofs(&statement.version);
        let key = raft.cluster_key();
        if key.is_some() && !understands {
            return Err(refuse(
                "this cluster requires proof of the keys, which the joiner's version does not \
                 give: upgrade coffer there",
            ));
        }
        match token {
            None => self.admit(raft, &answer.node_id, statement).await?,
            Some(token) => {
                let admitting = self.admit_by_token(&barrier, token, &answer.node_id, statement);
                admitting.await?;
            }
        }
        let reply = JoinReply {
            cluster_id,
            members: raft.members().into_iter().map(introduced).collect(),
        };
        let key = key.map_or_else(Vec::new, |key| key.0.to_vec());
        let reply = conversation::encode_reply(&reply, understands.then_some(&*key));
        Ok(accepted.reply(&reply))
    }

    /// Adds a joiner that proved to have this token, which is used then: it is given back where the
    /// joiner was refused and nothing changed.
    async fn admit_by_token(
        &self,
        barrier: &Unsealed,
        token: &TokenId,
        node_id: &str,
        said: Statement,
    ) -> Result<(), MemberError> {
        let _one = self.gatekeeper.admitting.lock().await;
        let raft = self.leadership.raft().ok_or_else(sealed)?;
        let now = self.clock.now();
        let issued = self.gatekeeper.take(token, now);
        let issued = issued.ok_or_else(|| refuse(NO_TOKEN))?;
        let non_secret = self.non_secret_members().map_err(refused)?;
        let taken = place_of_another(&raft.members(), &non_secret, node_id, &said);
        if let Some(problem) = taken {
            tracing::warn!(node = node_id, problem, "refused a joiner");
            self.gatekeeper.put_back(issued, now);
            return Err(MemberError::Refused(problem));
        }
        // Before it is a member, so that no member was ever thought to be another kind.
        self.put_non_secret(barrier, said.raft_id).await?;
        let admitted = self.admit(raft, node_id, said).await;
        if let Err(MemberError::Refused(_)) = &admitted {
            self.gatekeeper.put_back(issued, now);
        }
        admitted
    }

    async fn admit(
        &self,
        raft: &Arc<RaftStorage>,
        node_id: &str,
        said: Statement,
    ) -> Result<(), MemberError> {
        let me = raft.raft_id();
        if let Some(problem) = conflict(&raft.members(), me, node_id, &said) {
            tracing::warn!(node = node_id, problem, "refused a joiner");
            return Err(MemberError::Refused(problem));
        }
        let version = said.version;
        let member = NewMember {
            raft_id: said.raft_id,
            name: node_id.to_owned(),
            cluster_address: said.cluster_address,
            api_address: said.api_address,
            public_key: crate::peer::PublicKey(said.public_key.into()),
            non_voter: said.non_voter,
        };
        let (address, raft_id) = (member.cluster_address.clone(), member.raft_id);
        raft.add_member(member).await.map_err(|error| match error {
            ChangeError::Refused(why) => MemberError::Refused(why),
            error => MemberError::Unavailable(error.to_string()),
        })?;
        crate::telemetry::info!(node = node_id, address, raft_id, version, "a node joined");
        Ok(())
    }
}

/// Returns the reason for which a joiner with a token is refused: it names itself as a member that
/// has the keys, or may have them. A token is not worth as much as that member's place.
fn place_of_another(
    members: &[MemberInfo],
    non_secret: &BTreeSet<u64>,
    node_id: &str,
    said: &Statement,
) -> Option<String> {
    let mut with_keys = members
        .iter()
        .filter(|member| !non_secret.contains(&member.raft_id));
    let other = with_keys.find(|member| {
        member.name == node_id
            || member.raft_id == said.raft_id
            || member.public_key.0 == said.public_key
            || member.cluster_address == said.cluster_address
    })?;
    Some(format!(
        "a join token takes no other member's place, and the joiner's name, key, address or data \
         directory is that of {:?}: choose others, or remove that node first",
        other.name
    ))
}

/// Returns the reason for which a joiner of this name cannot be let in beside these members.
fn conflict(members: &[MemberInfo], me: u64, node_id: &str, said: &Statement) -> Option<String> {
    let key = |member: &MemberInfo| member.public_key.0 == said.public_key;
    let same_raft_id = |member: &&MemberInfo| member.raft_id == said.raft_id;
    if let Some(other) = members.iter().find(same_raft_id)
        && (other.name != node_id || !key(other))
    {
        return Some(format!(
            "the joiner's data directory is a copy of that of {:?}: start it with an empty one",
            other.name
        ));
    }
    let lives = |member: &MemberInfo| member.last_contact.is_some_and(|ago| ago < ALIVE_WITHIN);
    let mut others = members.iter().filter(|member| member.name != node_id);
    if let Some(other) = others.clone().find(|other| key(other)) {
        return Some(format!(
            "the joiner's key is that of {:?}: remove that node first, or start the joiner with \
             an empty data directory",
            other.name
        ));
    }
    let here = |other: &&MemberInfo| other.cluster_address == said.cluster_address;
    if let Some(other) = others.find(|other| here(other) && (other.raft_id == me || lives(other))) {
        return Some(format!(
            "the joiner's cluster address {} is that of the live member {:?}",
            said.cluster_address, other.name
        ));
    }
    let named = members.iter().find(|member| member.name == node_id)?;
    if named.raft_id == me {
        return Some(format!(
            "node_id {node_id:?} is that of the active node: choose another"
        ));
    }
    let moved = named.cluster_address != said.cluster_address;
    (lives(named) && moved && !key(named)).then(|| {
        format!(
            "node_id {node_id:?} is in use by a live member at {}: choose another, or stop that \
             node and remove it first",
            named.cluster_address
        )
    })
}

fn introduced(member: MemberInfo) -> Introduced {
    Introduced {
        name: member.name,
        cluster_address: member.cluster_address,
        public_key: member.public_key.0.to_vec(),
    }
}

fn sealed() -> MemberError {
    MemberError::Unavailable("Vault is sealed".into())
}

fn refuse(why: &str) -> MemberError {
    MemberError::Refused(why.to_owned())
}

fn refused(error: BarrierError) -> MemberError {
    match error {
        BarrierError::WrongJoinKey | BarrierError::WrongProof => {
            refuse("invalid answer given: the unseal keys are not those of this cluster")
        }
        BarrierError::ChallengeExpired => MemberError::Unavailable(format!(
            "the challenge has expired: it is good for {} s with the node that gave it",
            CHALLENGE_TTL.as_secs()
        )),
        BarrierError::Sealed => sealed(),
        error => MemberError::Unavailable(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(name: &str, raft_id: u64, key: u8, heard: Option<u64>) -> MemberInfo {
        MemberInfo {
            name: name.into(),
            raft_id,
            cluster_address: format!("{name}:8201"),
            public_key: crate::peer::PublicKey(vec![key; 44].into()),
            last_contact: heard.map(Duration::from_secs),
            ..MemberInfo::default()
        }
    }

    fn says(raft_id: u64, key: u8, address: &str) -> Statement {
        Statement {
            raft_id,
            public_key: vec![key; 44],
            cluster_address: address.into(),
            ..Statement::default()
        }
    }

    #[test]
    fn a_token_takes_the_place_of_no_member_with_keys() {
        let members = [
            member("me", 1, 1, Some(0)),
            member("silent", 3, 3, None),
            member("blind", 4, 4, None),
        ];
        let blind = BTreeSet::from([4]);
        let taken =
            |name: &str, said: Statement| place_of_another(&members, &blind, name, &said).is_some();
        assert!(!taken("new", says(9, 9, "new:8201")));
        assert!(!taken("blind", says(9, 9, "blind:8201")), "its own");
        assert!(taken("silent", says(9, 9, "new:8201")), "the name");
        assert!(taken("new", says(3, 9, "new:8201")), "the number");
        assert!(taken("new", says(9, 3, "new:8201")), "the key");
        assert!(taken("new", says(9, 9, "silent:8201")), "the address");
        assert!(taken("blind", says(1, 4, "blind:8201")), "the number");
    }

    #[test]
    fn a_name_belongs_to_who_lives() {
        let members = [
            member("me", 1, 1, Some(0)),
            member("live", 2, 2, Some(1)),
            member("silent", 3, 3, Some(60)),
            member("unknown", 4, 4, None),
        ];
        let refused = |name: &str, said: Statement| conflict(&members, 1, name, &said);
        for (name, said, why) in [
            ("new", says(9, 9, "new:8201"), None),
            ("silent", says(9, 9, "else:8201"), None),
            ("unknown", says(9, 9, "else:8201"), None),
            // Wiped and back at once: two nodes cannot listen at one address.
            ("live", says(9, 9, "live:8201"), None),
            // Once more, because the reply was lost.
            ("live", says(2, 2, "live:8201"), None),
            (
                "live",
                says(9, 9, "else:8201"),
                Some("live member at live:8201"),
            ),
            ("me", says(9, 9, "else:8201"), Some("active node")),
            (
                "new",
                says(2, 2, "new:8201"),
                Some("copy of that of \"live\""),
            ),
            ("silent", says(3, 9, "else:8201"), Some("copy of that of")),
            (
                "new",
                says(9, 2, "new:8201"),
                Some("key is that of \"live\""),
            ),
            (
                "new",
                says(9, 3, "new:8201"),
                Some("key is that of \"silent\""),
            ),
            ("new", says(9, 9, "live:8201"), Some("live member \"live\"")),
            ("silent", says(9, 9, "me:8201"), Some("live member \"me\"")),
            // The member that was there is gone.
            ("new", says(9, 9, "silent:8201"), None),
        ] {
            let found = refused(name, said.clone());
            match why {
                None => assert_eq!(found, None, "{name} {said:?}"),
                Some(why) => assert!(found.unwrap().contains(why), "{name} {said:?}"),
            }
        }
    }
}
