//! The figures of this node, in every role.

use super::shared::Shared;
use crate::raft::RaftStorage;
use crate::router::Counts;
use crate::store::space::Account;
use crate::sys::Metering;
use crate::telemetry::Reading;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The levels of folders below the data directory that are looked into.
const DEPTH_MAX: usize = 4;

impl Shared {
    /// Returns the figures for `sys/metrics`.
    pub(super) async fn metering(self: &Arc<Self>) -> Metering {
        let (router, is_active) = {
            let state = self.state();
            let router = state
                .session
                .as_ref()
                .map(|session| Arc::clone(&session.router));
            (router, state.reign.is_some())
        };
        let mut readings = vec![
            flag(
                "core.unsealed",
                "Whether this node has its keys: 1 unsealed, 0 sealed or without a store.",
                router.is_some(),
            ),
            flag(
                "core.active",
                "Whether this node is the active one: 1 active, 0 standby or sealed.",
                is_active,
            ),
        ];
        let status = self.storage.status();
        readings.extend([
            number(
                "raft_storage.stats.applied_index",
                "Index of the last entry that this node applied.",
                status.applied_index,
            ),
            number(
                "raft_storage.stats.commit_index",
                "Index of the last entry that this node knows to be committed.",
                status.committed_index,
            ),
        ]);
        if let Some(raft) = self.leadership.raft() {
            readings.extend(consensus(raft, status.term, status.applied_index));
            readings.extend(space(&raft.space()));
        }
        if let Some(router) = router {
            readings.extend(router.readings().unwrap_or_default());
            let counts = self.tally.counts(router).await;
            readings.extend(counts.iter().flat_map(counted));
        }
        let data = self.facts.data.clone();
        let machine = tokio::task::spawn_blocking(move || machine(data.as_deref())).await;
        readings.extend(machine.unwrap_or_default());
        let worn = self.worn().await;
        readings.extend(worn.iter().flat_map(|report| report.readings()));
        Metering {
            prefix: self.facts.metrics_prefix.clone(),
            prometheus: self.facts.prometheus,
            readings,
        }
    }
}

#[allow(clippy::cast_precision_loss)] // what is counted here stays below 2^52
fn number(name: &'static str, help: &'static str, value: u64) -> Reading {
    Reading::gauge(name, help, value as f64)
}

fn flag(name: &'static str, help: &'static str, is_so: bool) -> Reading {
    Reading::gauge(name, help, f64::from(u8::from(is_so)))
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

fn counted(counts: &Counts) -> [Reading; 2] {
    [
        number(
            "token.count",
            "Service tokens that are stored; counting takes no more than a hundredth of a core.",
            counts.tokens,
        ),
        number(
            "expire.num_leases",
            "Leases that are stored, those of tokens among them, counted as often as the tokens.",
            counts.leases,
        ),
    ]
}

fn consensus(raft: &RaftStorage, term: u64, applied: u64) -> Vec<Reading> {
    let members = raft.members();
    let leads = members
        .iter()
        .any(|m| m.leader && m.raft_id == raft.raft_id());
    let voters = members.iter().filter(|member| member.voter).count();
    let count = |members: usize| u64::try_from(members).unwrap_or(u64::MAX);
    #[allow(clippy::cast_precision_loss)] // one flush a millisecond reaches 2^52 in 140,000 years
    let flushes = raft.flushes() as f64;
    let mut readings = vec![
        number(
            "raft.peers",
            "Members of the cluster as this node knows it, itself among them.",
            count(members.len()),
        ),
        number("raft.voters", "Members that vote.", count(voters)),
        number("raft.term", "Raft's term, as this node knows it.", term),
        Reading::counter(
            "coffer.raft.flushes_total",
            "Flushes of the log to the device since the start.",
            flushes,
        ),
    ];
    if !leads {
        return readings;
    }
    let others = members
        .iter()
        .filter(|member| member.raft_id != raft.raft_id());
    let mut longest = Duration::ZERO;
    for other in others {
        let behind = applied.saturating_sub(other.last_index);
        let delta = number(
            "raft_storage.follower.applied_index_delta",
            "Entries that a member is behind the active node. Of the active node only.",
            behind,
        );
        readings.push(delta.with("peer_id", other.name.clone()));
        if let Some(ago) = other.last_contact {
            longest = longest.max(if other.voter { ago } else { Duration::ZERO });
            let heard = Reading::gauge(
                "raft_storage.follower.last_heartbeat_ms",
                "Milliseconds since a member was heard of. Of the active node only.",
                milliseconds(ago),
            );
            readings.push(heard.with("peer_id", other.name.clone()));
        }
    }
    readings.push(Reading::gauge(
        "raft.leader.lastContact",
        "Milliseconds since the voter was heard of that is silent longest. Active node only.",
        milliseconds(longest),
    ));
    readings
}

/// Returns the figures of the disk's reserve and marks.
fn space(account: &Account) -> [Reading; 3] {
    [
        flag(
            "coffer.storage.low",
            "Whether the disk is nearly full: 1 new data is refused, 0 it is taken.",
            account.is_low,
        ),
        number(
            "coffer.storage.low_mark_bytes",
            "Free bytes, beside a whole reserve, below which new data is refused; 0 on a device \
             that is too small.",
            account.low_mark,
        ),
        number(
            "coffer.storage.reserve_bytes",
            "Bytes that are kept for repairs on a full disk; 0 while they are given up.",
            account.reserve,
        ),
    ]
}

/// Returns figures of the process and its disk; those that cannot be read are left out.
fn machine(data: Option<&Path>) -> Vec<Reading> {
    let mut readings = Vec::new();
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = |name: &str| -> Option<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        let number = line.trim_start_matches(':').split_whitespace().next()?;
        number.parse().ok()
    };
    let kib = |name: &str| field(name).map(|kib| kib.saturating_mul(1024));
    let descriptors = std::fs::read_dir("/proc/self/fd").map(|all| all.count());
    for (name, help, value) in [
        (
            "runtime.alloc_bytes",
            "Memory of the process that no file backs, in bytes.",
            kib("RssAnon"),
        ),
        (
            "runtime.sys_bytes",
            "Memory of the process that is resident, in bytes.",
            kib("VmRSS"),
        ),
        (
            "process.resident_memory_bytes",
            "Memory of the process that is resident, in bytes.",
            kib("VmRSS"),
        ),
        (
            "process.threads",
            "Threads of the process.",
            field("Threads"),
        ),
        (
            "process.open_fds",
            "Open file descriptors of the process.",
            descriptors.ok().and_then(|count| u64::try_from(count).ok()),
        ),
    ] {
        readings.extend(value.map(|value| number(name, help, value)));
    }
    readings.extend(data.map(disk).unwrap_or_default());
    readings
}

fn disk(data: &Path) -> Vec<Reading> {
    const BYTES: &str = "Bytes of the data directory's files, by what is in them.";
    let mut readings = Vec::new();
    for (part, folder) in [("log", "raft"), ("state", "state")] {
        let bytes = bytes_below(&data.join(folder), DEPTH_MAX);
        readings.push(number("coffer.storage.bytes", BYTES, bytes).with("part", part));
    }
    if let Ok(device) = rustix::fs::statvfs(data) {
        readings.push(number(
            "coffer.storage.free_bytes",
            "Bytes that are free on the device of the data directory.",
            device.f_bavail.saturating_mul(device.f_frsize),
        ));
    }
    readings
}

/// Sums up the bytes of the files in a folder and below: a few dozen files, however large.
fn bytes_below(folder: &Path, depth: usize) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return 0;
    };
    let mut bytes = 0;
    let mut folders: Vec<PathBuf> = Vec::new();
    for entry in entries.flatten() {
        match entry.metadata() {
            Ok(found) if found.is_dir() => folders.push(entry.path()),
            Ok(found) => bytes += found.len(),
            Err(_) => {}
        }
    }
    if depth > 0 {
        bytes += folders
            .iter()
            .map(|below| bytes_below(below, depth - 1))
            .sum::<u64>();
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_and_its_files_are_measured() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("raft/below")).unwrap();
        std::fs::write(folder.path().join("raft/below/a"), [0; 700]).unwrap();
        std::fs::write(folder.path().join("raft/b"), [0; 7]).unwrap();
        let readings = machine(Some(folder.path()));
        let value = |name: &str| readings.iter().find(|r| r.name == name).unwrap().value;
        assert!(
            (value("coffer.storage.bytes") - 707.0).abs() < 0.5,
            "the log comes first"
        );
        for name in [
            "process.open_fds",
            "runtime.sys_bytes",
            "coffer.storage.free_bytes",
        ] {
            assert!(value(name) >= 1.0, "{name}");
        }
    }
}
