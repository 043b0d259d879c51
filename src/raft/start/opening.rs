//! Opens log and state, and configures raft.

use super::files::Files;
use super::force;
use super::options::Options;
use super::peers_file;
use crate::raft::disk::data_dir::DataDir;
use crate::raft::disk::error::OpenError;
use crate::raft::disk::forced::Forced;
use crate::raft::disk::poison::Poison;
use crate::raft::log_store::{self, LogOptions, LogStore};
use crate::raft::timing::Timing;
use crate::raft::wire::record::{self, Members};
use crate::store::space::Space;
use crate::store::state::{Position, State};
use openraft::StepDownPolicy;
use openraft::{Config, SnapshotPolicy};
use std::sync::Arc;
use std::time::Duration;

pub(in crate::raft) fn open_files(
    options: &Options,
    poison: Arc<Poison>,
) -> Result<Files, OpenError> {
    let mut dir = DataDir::open(&options.path)?;
    dir.make_rooms()?;
    let path = dir.state();
    let state = State::open_with(&path, options.limits, options.memory);
    let state = state.map_err(|error| OpenError::state(&path, error))?;
    let space = Space::open(dir.path(), options.volume.clone());
    let state = state.within(Arc::clone(&space));
    let log_dir = dir.log();
    if dir.was_used
        && state.saved().position.is_none()
        && !log_store::exists(&log_dir).map_err(OpenError::log)?
    {
        forget_itself(&mut dir)?;
    }
    let log_options = LogOptions {
        dir: &log_dir,
        log_id: dir.numbers.log_id,
        segment_bytes: options.segment_bytes,
        free_segments_max: free_segments_max(options),
        applied: state.saved().position,
        space: Some(Arc::clone(&space)),
        device: options.device.clone(),
    };
    let (log, recovery) =
        LogStore::open(&log_options, dir.numbers.raft_id, poison).map_err(OpenError::log)?;
    log.bound_cache(options.memory.log_cache_bytes);
    state.leave_values_to(Arc::new(log.clone()));
    let mut files = Files {
        dir,
        state,
        space,
        log,
        recovery,
    };
    let settled = settle_members(&mut files);
    settled.inspect_err(|_| files.log.close())?;
    Ok(files)
}

/// Returns the most free segments to keep: as many as the entries between two checkpoints fill,
/// since a segment that is made anew is written twice.
fn free_segments_max(options: &Options) -> usize {
    // Groups are padded to the device's block, which is a quarter for a single short entry.
    let bytes = options.limits.replay_bytes_max / 4 * 5;
    2 + bytes.div_ceil(options.segment_bytes.max(1))
}

/// Draws new numbers for a directory whose log and state are gone, and with them this node's
/// promises and acknowledgements. Under its old number it would be a voter that forgot its votes,
/// and its empty log would count in a quorum.
fn forget_itself(dir: &mut DataDir) -> Result<(), OpenError> {
    let old = dir.numbers.raft_id;
    dir.renumber()?;
    tracing::warn!(
        old_raft_id = old,
        raft_id = dir.numbers.raft_id,
        "this data directory was used before, but its log and its state are gone: this is a new \
         node now and must join its cluster again"
    );
    Ok(())
}

/// Puts the memberships that the operator forced in force, before raft's own decisions.
fn settle_members(files: &mut Files) -> Result<(), OpenError> {
    if let Some(forced) = Forced::load(&files.dir.log())? {
        force::put_in_force(files, forced)?;
    }
    peers_file::follow(files)
}

pub(in crate::raft) fn config(timing: &Timing) -> Result<Arc<Config>, OpenError> {
    let config = Config {
        cluster_name: "coffer".into(),
        heartbeat_interval: millis(timing.heartbeat),
        election_timeout_min: millis(timing.election_min),
        election_timeout_max: millis(timing.election_max),
        // A single voter needs no clock; a timer that does nothing still wakes a Pi.
        enable_tick: false,
        enable_heartbeat: true,
        enable_elect: false,
        // A node leads when it is told to, never because it led before: it may be sealed.
        enable_leader_restore: Some(false),
        enable_pre_vote: Some(true),
        removed_leader_step_down: StepDownPolicy::After(150),
        backoff: "50ms 100ms 200ms ...500ms".into(),
        snapshot_policy: SnapshotPolicy::Never,
        // It counts entries, which may be large or small: see `saving`.
        max_in_snapshot_log_to_keep: u64::MAX,
        max_append_entries: Some(1024),
        api_channel_size: Some(1024),
        notification_channel_size: Some(1024),
        state_machine_channel_size: Some(256),
        ..Config::default()
    };
    let config = config.validate();
    config
        .map(Arc::new)
        .map_err(|error| OpenError::Raft(error.to_string()))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Returns true when state or log name members.
pub(in crate::raft) fn knows_members(files: &Files) -> bool {
    files.state.saved().membership.is_some() || !files.recovery.members.is_empty()
}

/// Returns true when every membership that may be in force has this node as its only voter.
pub(in crate::raft) fn is_alone(files: &Files) -> Result<bool, OpenError> {
    let id = files.dir.numbers.raft_id;
    let committed = files.log.committed().max(saved_index(&files.state));
    let mut memberships: Vec<(u64, Members)> = Vec::new();
    if let Some((at, bytes)) = files.state.saved().membership {
        let members = record::decode_members(&bytes);
        let members = members.map_err(|error| OpenError::Damaged(error.to_string()))?;
        memberships.push((at.index, (&members).into()));
    }
    let logged = files.recovery.members.iter();
    memberships.extend(logged.map(|(at, members)| (at.index, members.clone())));
    // Those before the last committed one are history.
    let decided = memberships.iter().map(|(index, _)| *index);
    let decided = decided.filter(|index| Some(*index) <= committed).max();
    memberships.retain(|(index, _)| Some(*index) >= decided);
    let only_me = |members: &Members| members.configs.iter().flatten().all(|voter| *voter == id);
    Ok(!memberships.is_empty() && memberships.iter().all(|(_, members)| only_me(members)))
}

fn saved_index(state: &State) -> Option<u64> {
    state
        .saved()
        .position
        .map(|position: Position| position.index)
}
