//! Members that were removed a moment ago, and to which the network still speaks.

use crate::peer::Member;
use std::time::{Duration, Instant};

/// The time for which the network speaks to a removed member: it is told of its removal, and gets
/// the answers to its earlier requests. Raft itself takes nothing from it any more, and sends it
/// nothing.
pub(in crate::raft) const PARTING: Duration = Duration::from_millis(500);

/// Remembers the members that left, for the conductor.
#[derive(Default)]
pub(in crate::raft) struct Parting {
    members: Vec<Member>,
    /// The members that left, and the time at which each did.
    gone: Vec<(Member, Instant)>,
}

impl Parting {
    /// Notes the present members. Returns those that left less than [`PARTING`] ago.
    pub(in crate::raft) fn follow(&mut self, members: &[Member]) -> Vec<Member> {
        let stays = |left: &Member| {
            let mut keys = members.iter().map(|member| &member.public_key);
            keys.any(|key| *key == left.public_key)
        };
        let now = Instant::now();
        let before = std::mem::replace(&mut self.members, members.to_vec());
        let left = before.into_iter().map(|member| (member, now));
        self.gone.extend(left);
        self.gone
            .retain(|(member, since)| !stays(member) && since.elapsed() < PARTING);
        self.gone.iter().map(|(member, _)| member.clone()).collect()
    }

    /// Returns the time until the next one is cut off; `None` when there is none.
    pub(in crate::raft) fn ends(&self) -> Option<Duration> {
        let ends = self.gone.iter();
        let ends = ends.map(|(_, since)| PARTING.saturating_sub(since.elapsed()));
        ends.min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peer::PublicKey;
    use bytes::Bytes;

    fn member(key: &'static str) -> Member {
        Member {
            public_key: PublicKey(Bytes::from_static(key.as_bytes())),
            ..Member::default()
        }
    }

    #[test]
    fn who_left_parts_for_a_moment_unless_it_comes_back() {
        let mut parting = Parting::default();
        assert!(parting.follow(&[member("a"), member("b")]).is_empty());
        assert_eq!(parting.ends(), None);
        assert_eq!(parting.follow(&[member("a")]), [member("b")]);
        assert_eq!(parting.follow(&[member("a")]), [member("b")]);
        assert!(parting.ends().is_some_and(|ends| ends <= PARTING));
        assert!(parting.follow(&[member("b"), member("a")]).is_empty());
        parting.follow(&[]);
        for (_, since) in &mut parting.gone {
            *since -= PARTING;
        }
        assert_eq!(parting.ends(), Some(Duration::ZERO));
        assert!(parting.follow(&[]).is_empty());
        assert_eq!(parting.ends(), None);
    }
}
