//! Puts a membership that the operator chose in force.

use super::files::Files;
use crate::raft::disk::error::OpenError;
use crate::raft::disk::forced::{Forced, damaged};
use crate::raft::wire::record::{self, Members, Position};

/// Returns the newest membership that log and state know, committed or not, and its entry.
pub(in crate::raft) fn newest(files: &Files) -> Result<Option<(Position, Members)>, OpenError> {
    let mut known = known(files)?;
    known.sort_by_key(|(at, _)| *at);
    Ok(known.pop())
}

/// Makes `members` the membership, for good when this returns. Writes nothing when they are the
/// membership already.
pub(in crate::raft) fn force(files: &mut Files, members: &Members) -> Result<(), OpenError> {
    let known = known(files)?;
    if known.iter().all(|(_, known)| known == members) {
        return Ok(());
    }
    let forced = Forced {
        entries: known.iter().map(|(at, _)| *at).collect(),
        members: members.clone(),
    };
    forced.save(&files.dir.log())?;
    put_in_force(files, forced)
}

/// Applies an earlier forced membership again, as every start does.
pub(in crate::raft) fn put_in_force(files: &mut Files, forced: Forced) -> Result<(), OpenError> {
    for (at, members) in &mut files.recovery.members {
        if let Some(forced) = forced.members(*at) {
            members.clone_from(forced);
        }
    }
    let saved = files.state.saved().membership;
    if let Some((at, said)) = saved
        && let Some(members) = forced.members(at)
    {
        let bytes = record::encode_members(&members.clone().try_into().map_err(damaged)?);
        let bytes = bytes.map_err(damaged)?;
        if bytes != said {
            // Snapshots are made of what is saved.
            let saved = files.state.replace_membership(bytes);
            saved.map_err(|error| OpenError::state(&files.dir.state(), error))?;
        }
    }
    files.log.force(forced);
    Ok(())
}

fn known(files: &Files) -> Result<Vec<(Position, Members)>, OpenError> {
    let mut known = files.recovery.members.clone();
    if let Some((at, bytes)) = files.state.saved().membership {
        let members = record::decode_members(&bytes).map_err(damaged)?;
        known.retain(|(logged, _)| *logged != at);
        known.push((at, (&members).into()));
    }
    Ok(known)
}
