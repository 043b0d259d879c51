//! Members that were removed, and to whom the network speaks for a moment longer.

use crate::peer::Member;
use std::time::{Duration, Instant};

/// How long that is: who was removed is told so, and what it was asked before is answered. Raft
/// itself takes nothing from it any more, and sends it nothing.
pub(in crate::raft) const PARTING: Duration = Duration::from_millis(500);

/// One per conductor.
#[derive(Default)]
pub(in crate::raft) struct Parting {
    members: Vec<Member>,
    /// Nodes that are gone, with the time since when.
    gone: Vec<(Member, Instant)>,
}

impl Parting {
    /// Takes note of the members as they are now. Returns who was one less than [`PARTING`] ago.
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

    /// In how long the next one is cut off; `None`: there is none.
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
