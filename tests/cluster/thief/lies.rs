//! The thief's answers.

use super::wire::{self, Answer, Ask, Ballot, Members, Position};
use super::{Mood, Thief};
use bytes::Bytes;
use coffer::peer::Protocol;
use coffer::raft::Peer;
use std::time::Duration;

/// Longer than any member waits.
const FOR_EVER: Duration = Duration::from_secs(600);

impl Thief {
    /// Answers a message, in the thief's mood.
    pub(super) async fn lie(&self, protocol: Protocol, request: &Bytes) -> Result<Bytes, String> {
        let mood = self.mood();
        match (protocol, mood) {
            (_, Mood::Mute) => return Err("this node is stopping".into()),
            (_, Mood::Hanging) => {
                // The lie is that it never answers.
                tokio::time::sleep(FOR_EVER).await;
                return Err("late".into());
            }
            (Protocol::Forward, Mood::Meek) => return Ok(wire::answer(200, FORGED)),
            (Protocol::Forward, Mood::Liar) => return self.lie_to_a_client(),
            (Protocol::Raft, _) => {}
        }
        let read = wire::read_ask(request);
        if let Some((_, proofs, _)) = &read {
            self.keep_proof(proofs.standing.clone());
            self.keep_proof(proofs.mandate.clone());
        }
        if let Some((_, _, Ask::Append(append))) = &read {
            let last = append.entries.last().map(|entry| entry.at);
            self.learn(append.vote, last.or(append.prev), append.committed);
        }
        let ask = read.map(|(_, _, ask)| ask);
        let version = request.first().copied().unwrap_or(wire::PROVEN);
        match mood {
            // In the version of the question, to be believed.
            Mood::Meek => {
                let answer = self.meek_answer(ask.as_ref());
                Ok(wire::reply(
                    version,
                    &self.status(),
                    &self.forged_proof(),
                    &answer,
                ))
            }
            _ => self.wild_answer(ask.as_ref()),
        }
    }

    /// Returns the answer of a good follower.
    fn meek_answer(&self, ask: Option<&Ask>) -> Answer {
        match ask {
            Some(Ask::Append(_)) => Answer::Appended,
            Some(Ask::PreVote(candidacy) | Ask::Vote(candidacy)) => Answer::Voted {
                vote: candidacy.vote,
                granted: true,
                last: None,
            },
            Some(Ask::Lead(_)) => Answer::Leading(true),
            Some(Ask::Fit) => Answer::Fit(true),
            Some(Ask::ReadIndex) => Answer::ReadIndex(self.belief().committed),
            Some(Ask::Members) => Answer::Members(None),
            Some(Ask::Addresses(..) | Ask::Farewell(_) | Ask::Leave | Ask::LeaveAfter(_)) => {
                Answer::Done
            }
            Some(Ask::Removed(_)) => Answer::Appended,
            None => Answer::Appended,
        }
    }

    /// Returns an answer of the expected kind with another number, or sometimes an answer to
    /// another question.
    fn wild_answer(&self, ask: Option<&Ask>) -> Result<Bytes, String> {
        let fits = self.roll(3) > 0;
        let answer = match ask {
            Some(Ask::Append(_)) | None if fits => self.wild_appended(),
            Some(Ask::PreVote(candidacy) | Ask::Vote(candidacy)) if fits => {
                self.wild_voted(candidacy.vote)
            }
            Some(Ask::Lead(_)) if fits => Answer::Leading(self.roll(2) == 0),
            Some(Ask::ReadIndex) if fits => Answer::ReadIndex(self.wild_position()),
            Some(Ask::Fit) if fits => Answer::Fit(self.roll(2) == 0),
            Some(Ask::Members) if self.roll(2) == 0 => self.invented_members(),
            Some(Ask::Members) => self.invented_roster(),
            _ => match self.roll(12) {
                0 => return Err("no".repeat(1 + self.roll(2000))),
                1 => return Ok(self.garbage()),
                2 => return Ok(Bytes::new()),
                3 => self.invented_members(),
                4 => Answer::Installed(self.wild_ballot()),
                5 => Answer::HigherVote(self.wild_ballot()),
                6 => Answer::ReadIndex(self.wild_position()),
                7 => Answer::Leading(true),
                8 => Answer::Done,
                9 => Answer::NotLeader,
                10 => self.wild_voted(self.wild_ballot()),
                _ => self.wild_appended(),
            },
        };
        Ok(self.sealed_answer(&answer))
    }

    fn wild_appended(&self) -> Answer {
        match self.roll(8) {
            0 => Answer::AppendedUpTo(None),
            1 | 2 => Answer::AppendedUpTo(Some(self.wild_position())),
            3 => Answer::Conflict,
            4 | 5 => Answer::HigherVote(self.wild_ballot()),
            _ => Answer::Appended,
        }
    }

    fn wild_voted(&self, asked: Ballot) -> Answer {
        match self.roll(4) {
            0 => Answer::Voted {
                vote: self.wild_ballot(),
                granted: self.roll(2) == 0,
                last: Some(self.wild_position()),
            },
            1 => Answer::Voted {
                vote: asked,
                granted: false,
                last: Some(Position {
                    term: u64::MAX,
                    index: u64::MAX,
                }),
            },
            _ => Answer::Voted {
                vote: asked,
                granted: true,
                last: Some(self.wild_position()),
            },
        }
    }

    /// Returns invented members with a forged signature.
    fn invented_roster(&self) -> Answer {
        match self.invented_members() {
            Answer::Members(Some((at, members))) => {
                Answer::Roster(at, members, self.forged_proof())
            }
            other => other,
        }
    }

    /// Returns all members as they are, with the thief in the place of some of them, and one more.
    pub(super) fn invented_members(&self) -> Answer {
        let mut nodes = self.card.members.clone();
        let mine = nodes.get(&self.card.id).cloned().unwrap_or_default();
        for (id, peer) in &mut nodes {
            if *id != self.card.id && self.roll(2) == 0 {
                peer.cluster_address.clone_from(&mine.cluster_address);
                peer.public_key.clone_from(&mine.public_key);
            }
        }
        let invented = Peer {
            name: "invented".into(),
            ..mine
        };
        nodes.insert(self.wild(77), invented);
        let voters = nodes.keys().copied().collect();
        let members = Members {
            configs: vec![voters],
            nodes,
        };
        Answer::Members(Some((self.wild_position(), members)))
    }

    /// Answers a forwarded request of a client.
    fn lie_to_a_client(&self) -> Result<Bytes, String> {
        match self.roll(7) {
            0 => Err("no".into()),
            1 => Ok(self.garbage()),
            5 => Ok(wire::sealed_answer(false, &self.garbage())),
            6 => Ok(wire::sealed_answer(true, &[self.roll(7) as u8])),
            2 => Ok(wire::answer(503, b"{\"errors\":[\"forged\"]}")),
            3 => Ok(Bytes::from_static(&[1, 1, 0, 0, 0, 0])),
            _ => Ok(wire::answer(200, FORGED)),
        }
    }

    pub(super) fn garbage(&self) -> Bytes {
        let length = self.roll(4000);
        let mut bytes: Vec<u8> = (0..length).map(|_| self.roll(256) as u8).collect();
        if let Some(first) = bytes.first_mut() {
            *first = [0, 1, 2, 3, 255][self.roll(5)];
        }
        bytes.into()
    }

    fn sealed_answer(&self, answer: &Answer) -> Bytes {
        let (version, status) = (self.version(), self.status());
        wire::reply(version, &status, &self.forged_proof(), answer)
    }
}

/// An answer that a client would take for a written record, and for one that was read.
const FORGED: &[u8] = b"{\"data\":{\"version\":999999,\"data\":{\"v\":999999},\
                        \"metadata\":{\"version\":999999}}}";
