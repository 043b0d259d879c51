//! The thief's own messages.

use super::wire::{
    self, Answer, Append, Ask, Ballot, Candidacy, Content, EntryHead, Position, SnapshotHead,
    Transfer,
};
use super::{Mood, Thief};
use bytes::Bytes;
use coffer::peer::{Member, Protocol};
use std::time::{Duration, Instant};

/// A position beyond every log.
const BEYOND: Position = Position {
    term: u64::MAX,
    index: u64::MAX,
};
/// The pause between two heartbeats of a pretended leader.
const BEAT: Duration = Duration::from_millis(60);
/// The time for which a pretended leader leads.
const REIGN: Duration = Duration::from_millis(700);

/// Calls at the same time, in floods.
const FLOOD: usize = 200;

type To = (u64, Member);

/// One kind of attack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    PreVote,
    Vote,
    VoteForAnother,
    Usurp,
    Heartbeat,
    ForgedEntries,
    ForgedMembers,
    Transfer,
    Farewell,
    Removed,
    Leave,
    Addresses,
    Snapshot,
    Forward,
    Replay,
    Versions,
    Garbage,
    ManyConnections,
    Answers,
}

/// All kinds of attacks.
pub const KINDS: [Kind; 19] = [
    Kind::PreVote,
    Kind::Vote,
    Kind::VoteForAnother,
    Kind::Usurp,
    Kind::Heartbeat,
    Kind::ForgedEntries,
    Kind::ForgedMembers,
    Kind::Transfer,
    Kind::Farewell,
    Kind::Removed,
    Kind::Leave,
    Kind::Addresses,
    Kind::Snapshot,
    Kind::Forward,
    Kind::Replay,
    Kind::Versions,
    Kind::Garbage,
    Kind::ManyConnections,
    Kind::Answers,
];

impl Thief {
    /// Makes a few attacks of random kinds, in random moods.
    pub async fn rampage(&self, attacks: usize) {
        for _ in 0..attacks {
            let moods = [
                Mood::Mute,
                Mood::Meek,
                Mood::Liar,
                Mood::Liar,
                Mood::Hanging,
            ];
            self.set_mood(moods[self.roll(moods.len())]);
            self.attack(KINDS[self.roll(KINDS.len())]).await;
        }
    }

    /// Makes one attack on every member.
    pub async fn attack(&self, kind: Kind) {
        let others = self.card.others();
        match kind {
            Kind::PreVote => {
                self.to_all("pre-vote", || self.candidacy(Ask::PreVote))
                    .await
            }
            Kind::Vote => self.to_all("vote", || self.candidacy(Ask::Vote)).await,
            Kind::VoteForAnother => self.vote_for_another().await,
            Kind::Usurp => drop(self.usurp(REIGN).await),
            Kind::Heartbeat => self.to_all("heartbeat", || self.append(Vec::new())).await,
            Kind::ForgedEntries => {
                self.to_all("forged entries", || self.append(self.blanks()))
                    .await;
            }
            Kind::ForgedMembers => {
                self.to_all("forged members", || self.append(self.exclusion()))
                    .await;
            }
            Kind::Transfer => self.to_all("transfer", || self.transfer()).await,
            Kind::Farewell => self.farewells(&others).await,
            Kind::Removed => self.to_all("removed", || self.removed()).await,
            Kind::Leave => {
                self.to_all("leave", || Ask::Leave).await;
                self.to_all("leave after", || {
                    Ask::LeaveAfter(self.wild(self.belief().term))
                })
                .await;
            }
            Kind::Addresses => self.to_all("addresses", || self.addresses()).await,
            Kind::Snapshot => self.snapshots(&others).await,
            Kind::Forward => self.forwards(&others).await,
            Kind::Replay => self.replays(&others).await,
            Kind::Versions => self.versions(&others).await,
            Kind::Garbage => self.garbled(&others).await,
            Kind::ManyConnections => self.crowd(&others).await,
            Kind::Answers => {
                // The thief only answers, for as long as another attack takes.
                self.set_mood(Mood::Liar);
                tokio::time::sleep(REIGN).await;
            }
        }
    }

    async fn to_all(&self, what: &'static str, ask: impl Fn() -> Ask) {
        for to in self.card.others() {
            let answer = self.ask(&to, &ask()).await;
            self.note(what, answer.is_some_and(|answer| is_yes(&answer)));
        }
    }

    fn candidacy(&self, ask: fn(Candidacy) -> Ask) -> Ask {
        let vote = match self.roll(3) {
            0 => self.wild_ballot(),
            _ => Ballot {
                term: self.belief().term.saturating_add(1),
                node: self.card.id,
                committed: self.roll(4) == 0,
            },
        };
        let last = match self.roll(4) {
            0 => None,
            1 => Some(self.wild_position()),
            _ => Some(BEYOND),
        };
        ask(Candidacy {
            vote,
            last,
            transfer: self.roll(4) > 0,
        })
    }

    /// Tells each other member that it won an election by itself.
    async fn vote_for_another(&self) {
        let term = self.belief().term.saturating_add(1);
        for to in self.card.others() {
            let candidacy = Candidacy {
                vote: Ballot {
                    term,
                    node: to.0,
                    committed: true,
                },
                last: Some(BEYOND),
                transfer: true,
            };
            let answer = self.ask(&to, &Ask::Vote(candidacy)).await;
            self.note(
                "vote for another",
                answer.is_some_and(|answer| is_yes(&answer)),
            );
        }
    }

    /// Asks for votes with an invented end of its log and as if the leader had told it to, and
    /// leads the members that granted one for `reign`. Returns true if a member followed.
    pub async fn usurp(&self, reign: Duration) -> bool {
        let others = self.card.others();
        let candidacy = |term| Candidacy {
            vote: Ballot {
                term,
                node: self.card.id,
                committed: false,
            },
            last: Some(BEYOND),
            transfer: true,
        };
        for to in &others {
            // The answer tells the term.
            self.ask(to, &Ask::PreVote(candidacy(self.belief().term)))
                .await;
        }
        let term = self.belief().term.saturating_add(1);
        let mut won = false;
        for to in &others {
            let answer = self.ask(to, &Ask::Vote(candidacy(term))).await;
            won |= answer.is_some_and(|answer| is_yes(&answer));
        }
        self.note("usurp: a vote", won);
        let heartbeat = Append {
            vote: Ballot {
                term,
                node: self.card.id,
                committed: true,
            },
            prev: None,
            committed: None,
            entries: Vec::new(),
        };
        let (until, mut followed) = (Instant::now() + reign, false);
        while Instant::now() < until {
            for to in &others {
                let answer = self.ask(to, &Ask::Append(heartbeat.clone())).await;
                followed |= answer.is_some_and(|answer| is_yes(&answer));
            }
            // The pause of a leader's heartbeats.
            tokio::time::sleep(BEAT).await;
        }
        self.note("usurp: a follower", followed);
        followed
    }

    /// Returns an append as the leader of this term, of the next, of any; as the thief and as
    /// others.
    fn append(&self, entries: Vec<EntryHead>) -> Ask {
        let belief = self.belief();
        let vote = match self.roll(4) {
            0 => Ballot {
                term: belief.term,
                node: belief.leader,
                committed: true,
            },
            1 => Ballot {
                term: belief.term,
                node: self.card.id,
                committed: true,
            },
            2 => Ballot {
                term: belief.term.saturating_add(1 + self.roll(5) as u64),
                node: self.card.id,
                committed: true,
            },
            _ => self.wild_ballot(),
        };
        let before = |at: &EntryHead| Position {
            term: at.at.term,
            index: at.at.index.saturating_sub(1),
        };
        let prev = match self.roll(3) {
            0 => None,
            1 => entries.first().map(before),
            _ => Some(belief.committed),
        };
        let committed = match self.roll(3) {
            0 => None,
            1 => Some(BEYOND),
            _ => Some(self.wild_position()),
        };
        Ask::Append(Append {
            vote,
            prev,
            committed,
            entries,
        })
    }

    /// Returns the place of an entry that would replace committed ones, or follow them.
    fn places(&self) -> Position {
        let belief = self.belief();
        let back = self.roll(4) as u64;
        let index = match self.roll(3) {
            0 => 1,
            1 => belief.committed.index.saturating_sub(back).max(1),
            _ => belief.last.index.saturating_add(1),
        };
        let term = belief.term.saturating_add(self.roll(3) as u64);
        Position { term, index }
    }

    fn blanks(&self) -> Vec<EntryHead> {
        let first = self.places();
        let count = 1 + self.roll(5) as u64;
        let entry = |number| EntryHead {
            at: Position {
                index: first.index.saturating_add(number),
                ..first
            },
            content: Content::Blank,
        };
        (0..count).map(entry).collect()
    }

    /// Returns a membership without the others, or with strangers.
    fn exclusion(&self) -> Vec<EntryHead> {
        let Answer::Members(Some((_, mut members))) = self.invented_members() else {
            return Vec::new();
        };
        if self.roll(2) == 0 {
            let me = self.card.id;
            members.nodes.retain(|id, _| *id == me);
            members.configs = vec![[me].into()];
        }
        vec![EntryHead {
            at: self.places(),
            content: Content::Membership(members),
        }]
    }

    fn transfer(&self) -> Ask {
        let belief = self.belief();
        let from = match self.roll(3) {
            0 => self.wild_ballot(),
            1 => Ballot {
                term: belief.term,
                node: self.card.id,
                committed: true,
            },
            _ => Ballot {
                term: belief.term,
                node: belief.leader,
                committed: true,
            },
        };
        let last = match self.roll(3) {
            0 => None,
            1 => Some(belief.last),
            _ => Some(self.wild_position()),
        };
        Ask::Lead(Transfer {
            from,
            to: self.wild_id(),
            last,
        })
    }

    /// Tells every member that it was removed.
    pub async fn farewells(&self, others: &[To]) {
        let index = self.belief().last.index;
        for to in others {
            for index in [u64::MAX, index, index.saturating_add(1), self.wild(index)] {
                let answer = self.ask(to, &Ask::Farewell(index)).await;
                self.note("farewell", answer.is_some_and(|answer| is_yes(&answer)));
            }
        }
    }

    /// Returns an entry that removes every member but the thief, as if it were committed.
    fn removed(&self) -> Ask {
        match self.append(self.exclusion()) {
            Ask::Append(mut append) => {
                append.committed = append.entries.last().map(|entry| entry.at);
                Ask::Removed(append)
            }
            other => other,
        }
    }

    /// Returns another's name, another's address, or the thief's address for another.
    fn addresses(&self) -> Ask {
        let ids: Vec<u64> = self.card.members.keys().copied().collect();
        let victim = &self.card.members[&ids[self.roll(ids.len())]];
        let name = match self.roll(3) {
            0 => victim.name.clone(),
            1 => String::new(),
            _ => "x".repeat(1 + self.roll(3000)),
        };
        let cluster = match self.roll(3) {
            0 => "y".repeat(3 << 20),
            1 => self.card.address.clone(),
            _ => victim.cluster_address.clone(),
        };
        let api = match self.roll(2) {
            0 => victim.api_address.clone(),
            _ => "http://203.0.113.66:8200".to_owned(),
        };
        Ask::Addresses(name, cluster, api)
    }

    /// Announces the thief's true address: it may have claimed to have moved.
    pub async fn be_found(&self) {
        let ask = Ask::Addresses(String::new(), self.card.address.clone(), String::new());
        for to in self.card.others() {
            for version in [wire::PLAIN, wire::PROVEN] {
                let bytes = self.worded(version, to.0, &ask);
                self.send(&to.1, Protocol::Raft, bytes).await;
            }
        }
    }

    /// Moves to another address as often as it can, until no member answers.
    pub async fn move_about(&self) {
        let others = self.card.others();
        let port = |number: usize| format!("127.0.0.1:{}", 30_000 + number % 2000);
        for number in 0.. {
            let calls = (0..FLOOD).flat_map(|call| {
                let at = port(number * FLOOD + call);
                let ask = Ask::Addresses(String::new(), at, String::new());
                let others = others.iter();
                others.map(move |to| (to, ask.clone()))
            });
            let asked = calls.map(|(to, ask)| async move { self.ask(to, &ask).await.is_some() });
            let heard = futures_util::future::join_all(asked).await;
            let moved = heard.iter().filter(|heard| **heard).count();
            self.note("moved", moved > 0);
        }
    }

    async fn snapshots(&self, others: &[To]) {
        for to in others {
            let members = match self.invented_members() {
                Answer::Members(members) if self.roll(2) == 0 => members,
                _ => None,
            };
            let belief = self.belief();
            let head = SnapshotHead {
                vote: match self.roll(2) {
                    0 => self.wild_ballot(),
                    _ => Ballot {
                        term: belief.term,
                        node: belief.leader,
                        committed: true,
                    },
                },
                last: Some(self.wild_position()),
                members,
                time_floor: self.wild(belief.term),
                staging: (self.roll(2) == 0).then_some((7, 7)),
            };
            let head = self.worded(self.version(), to.0, &head);
            let nothing = Bytes::from_static(&[0; 16]);
            let body = match self.roll(3) {
                0 => vec![nothing],
                1 => vec![self.garbage(), nothing],
                _ => Vec::new(),
            };
            self.send_stream(&to.1, Protocol::Raft, head, body).await;
            self.note("snapshot", false);
        }
    }

    /// Forwards requests as if a client had made them at the thief: without a token, with invented
    /// ones, from the machine itself.
    async fn forwards(&self, others: &[To]) {
        let bodies: [&[u8]; 2] = [
            b"{}",
            b"{\"policy\":\"path \\\"*\\\" { capabilities=[\\\"sudo\\\"] }\"}",
        ];
        for to in others {
            let targets = ["/v1/sys/seal", "/v1/sys/policy/forged", "/v1/load/data/r1"];
            let target = targets[self.roll(targets.len())];
            let tokens = ["", "root", "hvs.forged", "\u{0}"];
            let token = tokens[self.roll(tokens.len())];
            let from = ["127.0.0.1:1", "", "[::1]:1"][self.roll(3)];
            let body = bodies[self.roll(2)];
            let request = match self.roll(2) {
                0 => wire::request("PUT", target, token, from, body),
                _ => {
                    let channel = [self.roll(256) as u8; 16];
                    let number = self.wild(self.roll(20_000) as u64);
                    wire::sealed_request(self.roll(4) as u8, channel, number, &self.garbage())
                }
            };
            if self.roll(2) == 0 {
                let answer = self.send(&to.1, Protocol::Forward, request).await;
                // Success in the answer.
                let yes =
                    answer.is_some_and(|answer| answer.starts_with(&[1, 0]) && holds_200(&answer));
                self.note("forward", yes);
            } else {
                let body = vec![Bytes::from_static(&[b'{'; 100_000]); 3];
                self.send_stream(&to.1, Protocol::Forward, request, body)
                    .await;
                self.note("forward", false);
            }
        }
    }

    /// Sends received messages again, to their senders and to all others.
    async fn replays(&self, others: &[To]) {
        let kept = self.ear.kept();
        for _ in 0..4 {
            let Some(heard) = kept.get(self.roll(kept.len().max(1))) else {
                return;
            };
            for to in others {
                let again = self.send(&to.1, heard.protocol, heard.bytes.clone()).await;
                let is_own = to.1.public_key == heard.from;
                self.note(
                    if is_own {
                        "replay to its sender"
                    } else {
                        "replay"
                    },
                    again.is_some(),
                );
                // The same question in an envelope of the thief's own.
                if let Some((_, proofs, ask)) = wire::read_ask(&heard.bytes) {
                    let envelope = self.envelope(to.0);
                    let bytes = wire::ask(wire::PROVEN, &envelope, &proofs, &ask);
                    self.send(&to.1, Protocol::Raft, bytes).await;
                    let answer = self.ask(to, &ask).await;
                    self.note(
                        "replay as its own",
                        answer.is_some_and(|answer| is_yes(&answer)),
                    );
                }
            }
        }
    }

    async fn versions(&self, others: &[To]) {
        for to in others {
            for version in [0, 2, 3, 4, 127, 128, 255] {
                let ask = self.append(Vec::new());
                let bytes = self.worded(version, to.0, &ask);
                let answer = self.send(&to.1, Protocol::Raft, bytes).await;
                self.note("version", answer.is_some());
            }
        }
    }

    async fn garbled(&self, others: &[To]) {
        for to in others {
            for protocol in [Protocol::Raft, Protocol::Forward] {
                self.send(&to.1, protocol, self.garbage()).await;
                let body = vec![self.garbage(), self.garbage()];
                self.send_stream(&to.1, protocol, self.garbage(), body)
                    .await;
            }
            self.note("garbage", false);
        }
    }

    /// Opens more connections than a member may have, each with a large call.
    async fn crowd(&self, others: &[To]) {
        let Some(more) = &self.more else { return };
        let networks: Vec<_> = (0..12).map(|_| more()).collect();
        for network in &networks {
            network.set_members(others.iter().map(|(_, member)| member.clone()).collect());
        }
        let calls = networks.iter().flat_map(|network| {
            others.iter().map(|to| async {
                let large = Bytes::from(vec![1; 1 << 20]);
                let called = network.call(&to.1, Protocol::Raft, large, super::WITHIN);
                self.hear_answer(called.await);
                self.note("crowd", false);
            })
        });
        futures_util::future::join_all(calls).await;
    }
}

fn is_yes(answer: &Answer) -> bool {
    matches!(
        answer,
        Answer::Appended
            | Answer::Voted { granted: true, .. }
            | Answer::Leading(true)
            | Answer::Done
    )
}

/// Returns true if an answer's head has a status of success, which is its first field.
fn holds_200(answer: &[u8]) -> bool {
    let status = answer.get(6..).map(postcard::take_from_bytes::<u16>);
    matches!(status, Some(Ok((200..=299, _))))
}
