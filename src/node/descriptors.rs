//! File descriptors: the number that the process may have, and the number of them for connections.
//!
//! A log or an audit file that cannot be opened fails a write, so strangers must not be able to
//! take the last descriptor.

use crate::http::{connections_within, descriptors_for};
use crate::memory;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors for the log, the state (64 files are kept open, more while tables are merged), audit
/// files, other nodes, and files that a request opens for a moment.
const RESERVED: u64 = 256;

/// Returns the number of descriptors that lets the node have all the connections that it takes.
pub fn wanted() -> u64 {
    descriptors_for(memory::DEFAULT.connections).saturating_add(RESERVED)
}

/// Raises the soft limit to the number that is of use, as far as the hard limit lets it, and
/// returns the number of connections that fit: `wanted`, or fewer.
pub(super) fn connections_max(wanted: usize) -> usize {
    let needed = descriptors_for(wanted).saturating_add(RESERVED);
    let limit = raise(needed);
    let most = fitting(limit, wanted);
    if most < wanted {
        tracing::warn!(
            limit,
            connections = most,
            "the limit of open files is low (ulimit -n, LimitNOFILE): {needed} would do"
        );
    }
    most
}

/// Returns the soft limit, after it was raised to `needed`.
fn raise(needed: u64) -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let (Some(soft), hard) = (limit.current, limit.maximum) else {
        return u64::MAX;
    };
    let target = hard.map_or(needed, |hard| needed.min(hard));
    if target <= soft {
        return soft;
    }
    let raised = Rlimit {
        current: Some(target),
        maximum: hard,
    };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => target,
        Err(error) => {
            tracing::warn!(%error, "the limit of open files cannot be raised");
            soft
        }
    }
}

/// Returns the number of connections that fit into `limit`; of a limit that is too low for both
/// they get a quarter.
fn fitting(limit: u64, wanted: usize) -> usize {
    let free = limit.saturating_sub(RESERVED).max(limit / 4);
    connections_within(free).min(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_reserved_is_left_to_the_store() {
        for (limit, least, most) in [
            (u64::MAX, 1024, 1024),
            (4096, 1024, 1024),
            (1024, 600, 768),
            (512, 100, 256),
            (256, 16, 64),
            (64, 1, 16),
        ] {
            let connections = fitting(limit, 1024);
            assert!(
                (least..=most).contains(&connections),
                "{limit}: {connections}"
            );
            let taken = descriptors_for(connections);
            assert!(taken <= limit / 4 || taken + RESERVED <= limit, "{limit}");
        }
    }

    #[test]
    fn the_soft_limit_is_raised() {
        let before = getrlimit(Resource::Nofile);
        let soft = before.current.expect("there is one");
        let target = soft + 1;
        let raised = raise(target);
        let room = before.maximum.is_none_or(|hard| hard > soft);
        assert_eq!(raised, if room { target } else { soft });
        assert_eq!(raise(1), raised, "it is never lowered");
    }
}
