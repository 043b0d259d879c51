//! The table of checks.

use super::checks::{
    backups, certificates, clock, configuration, data, flush, limits, members, memory, mount,
    ports, space,
};
use super::finding::{Diagnosis, Finding};
use super::subject::Examined;
use crate::config::ConfigError;

/// One check.
struct Check {
    /// The name for `-skip`.
    name: &'static str,
    /// OpenBao's name for a group that it belongs to; empty where there is none.
    group: &'static str,
    run: fn(&Examined<'_>) -> Vec<Finding>,
}

const fn check(
    name: &'static str,
    group: &'static str,
    run: fn(&Examined<'_>) -> Vec<Finding>,
) -> Check {
    Check { name, group, run }
}

/// The checks, in the order in which they are done and shown.
const CHECKS: &[Check] = &[
    check("configuration", "", configuration::check),
    check("data", "storage", data::check),
    check("space", "storage", space::check),
    check("mount", "storage", mount::check),
    check("flush", "storage", flush::check),
    check("clock", "", clock::check),
    check("memory", "", memory::check),
    check("mlock", "", limits::locked_memory),
    check("descriptors", "", limits::descriptors),
    check("ports", "listener", ports::check),
    check("certificates", "listener", certificates::check),
    check("members", "", members::check),
    check("backups", "", backups::check),
];

/// The names that `-skip` takes. The last three are OpenBao's; this build has no `autounseal` to
/// check.
pub const NAMES: &[&str] = &[
    "configuration",
    "data",
    "space",
    "mount",
    "flush",
    "clock",
    "memory",
    "mlock",
    "descriptors",
    "ports",
    "certificates",
    "members",
    "backups",
    "listener",
    "storage",
    "autounseal",
];

/// Does all checks but those that `skip` names.
pub fn diagnose(subject: &Examined<'_>, skip: &[String]) -> Diagnosis {
    let is_skipped = |check: &&Check| {
        let names = [check.name, check.group];
        !skip.iter().any(|name| names.contains(&name.as_str()))
    };
    let checks = CHECKS.iter().filter(is_skipped);
    Diagnosis {
        findings: checks.flat_map(|check| (check.run)(subject)).collect(),
    }
}

/// Returns the diagnosis of a configuration that cannot be read: a line for each fault.
pub fn unreadable(error: &ConfigError) -> Diagnosis {
    Diagnosis {
        findings: configuration::faults(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_check_and_group_can_be_named() {
        for check in CHECKS {
            assert!(NAMES.contains(&check.name), "{}", check.name);
            assert!(check.group.is_empty() || NAMES.contains(&check.group));
        }
    }
}
