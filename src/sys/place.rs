//! Which node answers a path, where the answer is not the same on all of them.

/// Who can answer requests to a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Every unsealed node can read it; only the active one can write it.
    Anywhere,
    /// It is about the node that was asked, whatever the operation: it never travels.
    ThisNode,
    /// The active node holds it in memory, or is the only one that knows.
    Active,
    /// As [`Place::Active`], and too large to travel between nodes: the client is sent there.
    ActiveItself,
}

const THIS_NODE: &[&str] = &[
    "sys/config/state/",
    "sys/host-info/",
    "sys/in-flight-req/",
    "sys/loggers/",
    "sys/metrics/",
    "sys/pprof/",
    "sys/seal/",
    "sys/step-down/",
];

const ACTIVE: &[&str] = &[
    "sys/generate-root-token/",
    "sys/generate-root/",
    "sys/ha-status/",
    "sys/rekey-recovery-key/",
    "sys/rekey/",
    "sys/rotate/root/",
    "sys/storage/raft/",
    "sys/wrapping/",
];

const ACTIVE_ITSELF: &[&str] = &[
    "sys/storage/raft/snapshot-force/",
    "sys/storage/raft/snapshot/",
];

/// Who answers requests to `path` (without `/v1/`, with or without a trailing slash).
pub fn place(path: &str) -> Place {
    let path = path.trim_end_matches('/');
    let below = |folders: &[&str]| {
        folders.iter().any(|folder| {
            let name = folder.trim_end_matches('/');
            path == name || path.starts_with(folder)
        })
    };
    if !path.starts_with("sys/") {
        Place::Anywhere
    } else if below(THIS_NODE) {
        Place::ThisNode
    } else if below(ACTIVE_ITSELF) {
        Place::ActiveItself
    } else if below(ACTIVE) {
        Place::Active
    } else {
        Place::Anywhere
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_have_their_place() {
        for (path, expected) in [
            ("secret/data/sys/metrics", Place::Anywhere),
            ("sys/mounts", Place::Anywhere),
            ("sys/metrics", Place::ThisNode),
            ("sys/metrics/", Place::ThisNode),
            ("sys/metricsx", Place::Anywhere),
            ("sys/config/state/sanitized", Place::ThisNode),
            ("sys/config/cors", Place::Anywhere),
            ("sys/loggers/raft", Place::ThisNode),
            ("sys/seal", Place::ThisNode),
            ("sys/seal-status", Place::Anywhere),
            ("sys/generate-root/attempt", Place::Active),
            ("sys/storage/raft/configuration", Place::Active),
            ("sys/storage/raft/snapshot", Place::ActiveItself),
            ("sys/storage/raft/snapshot-auto/config/a", Place::Active),
        ] {
            assert_eq!(place(path), expected, "{path}");
        }
    }
}
