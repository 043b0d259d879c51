//! The arithmetic that keeps a quorum alive.

use super::error::ChangeError;
use super::member::MemberInfo;
use crate::raft::speaking::acknowledged::quorum;
use std::time::Duration;

/// Returns true when `member` is the only voter.
pub(in crate::raft) fn is_last_voter(members: &[MemberInfo], member: &MemberInfo) -> bool {
    let voters = members.iter().filter(|other| other.voter);
    member.voter && voters.count() == 1
}

/// Refuses to take `member`'s vote when too few voters would be left to agree. `what` names the
/// change in the message; `force` skips the count, but the last voter stays.
pub(in crate::raft) fn check(
    members: &[MemberInfo],
    member: &MemberInfo,
    what: &str,
    force: bool,
    silence: Duration,
) -> Result<(), ChangeError> {
    if !member.voter {
        return Ok(());
    }
    let name = &member.name;
    if is_last_voter(members, member) {
        return Err(ChangeError::Refused(format!(
            "{name} is the last voter and cannot be {what}"
        )));
    }
    if force {
        return Ok(());
    }
    let stays = |other: &&MemberInfo| other.voter && other.raft_id != member.raft_id;
    let voters = members.iter().filter(stays).count();
    let lives = |other: &&MemberInfo| other.last_contact.is_some_and(|ago| ago < silence);
    let live = members.iter().filter(stays).filter(lives).count();
    let needed = quorum(voters);
    if live >= needed {
        return Ok(());
    }
    Err(ChangeError::Refused(format!(
        "{name} cannot be {what}: of the {voters} voters that would be left {live} can be \
         reached, and {needed} must agree"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(alive: &[bool]) -> Vec<MemberInfo> {
        let member = |(id, alive): (u64, &bool)| MemberInfo {
            name: format!("n{id}"),
            raft_id: id,
            voter: true,
            last_contact: alive.then_some(Duration::from_millis(10)),
            ..MemberInfo::default()
        };
        (0..).zip(alive).map(member).collect()
    }

    fn refused(alive: &[bool], index: usize, force: bool) -> Option<String> {
        let members = members(alive);
        let member = members.get(index).unwrap();
        let checked = check(&members, member, "removed", force, Duration::from_secs(1));
        checked.err().map(|error| error.to_string())
    }

    #[test]
    fn a_quorum_of_those_left_must_live() {
        assert_eq!(refused(&[true, true, true], 0, false), None);
        assert_eq!(refused(&[true, true, false], 2, false), None);
        let told = refused(&[true, true, false], 1, false).unwrap();
        let expected = "n1 cannot be removed: of the 2 voters that would be left 1 can be \
                        reached, and 2 must agree";
        assert_eq!(told, expected);
        assert_eq!(refused(&[true, true, false], 1, true), None);
        assert_eq!(refused(&[true, true, true, false, false], 3, false), None);
        assert!(refused(&[true, true, true, false, false], 0, false).is_some());
        assert_eq!(refused(&[true, true], 1, false), None);
        assert!(refused(&[true], 0, true).unwrap().contains("last voter"));
    }
}
