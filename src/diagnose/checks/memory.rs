//! Memory: what is available, what a control group allows, and swap that would get secrets.

use crate::diagnose::finding::Finding;
use crate::diagnose::subject::Examined;
use crate::memory;

const NAME: &str = "Memory";
const MIB: u64 = 1 << 20;
/// The memory that an idle node takes, and the memory that one under load likes to have.
const NEEDED: u64 = 12 * MIB;
const WANTED: u64 = 32 * MIB;

/// Judges the memory for a server, beside the one that runs.
pub fn check(subject: &Examined<'_>) -> Vec<Finding> {
    let text = subject.machine.text("proc/meminfo").unwrap_or_default();
    let field = |name: &str| -> Option<u64> {
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
        Some(kib * 1024)
    };
    let Some(available) = field("MemAvailable") else {
        let message = "/proc/meminfo does not tell the available memory";
        return vec![Finding::skip(
            NAME,
            message,
            "run this where /proc is mounted",
        )];
    };
    let runs = subject.server().is_some();
    let process = match subject.server() {
        Some(server) => server.pid.to_string(),
        None => "self".to_owned(),
    };
    let (machine, set) = (&subject.machine, subject.config.memory_profile);
    let limit = memory::group_limit(machine, &process);
    let mut finding = judged(available, limit, runs);
    let chosen = memory::choose(machine, &process, set);
    finding
        .message
        .push_str(&format!("; memory profile {chosen}"));
    let mut findings = vec![finding];
    let has_swap = field("SwapTotal").is_some_and(|swap| swap > 0);
    if has_swap && subject.config.disable_mlock {
        findings.push(Finding::warn(
            NAME,
            "the machine has swap and disable_mlock is set: keys may be written to it",
            "remove disable_mlock, or switch swap off (`dphys-swapfile swapoff`; zram is swap)",
        ));
    }
    findings
}

fn judged(available: u64, limit: Option<u64>, runs: bool) -> Finding {
    let room = limit.map_or(available, |limit| limit.min(available));
    let limited = limit.map_or_else(String::new, |limit| {
        format!("; the control group allows {} MiB", limit / MIB)
    });
    let message = format!("{} MiB are available{limited}", available / MIB);
    let advice = "stop other programs, or raise MemoryMax= of the service: an idle node takes \
                  9 MiB, one under load twice that";
    match room {
        // A running server has its memory already.
        0..NEEDED if !runs => Finding::fail(NAME, message, advice),
        0..WANTED => Finding::warn(NAME, message, advice),
        _ => Finding::ok(NAME, message),
    }
}

#[cfg(test)]
mod unit {
    use super::*;
    use crate::diagnose::finding::Grade;

    #[test]
    fn the_lesser_of_machine_and_group_counts() {
        let grade = |available, limit: Option<u64>, runs| {
            judged(available * MIB, limit.map(|limit| limit * MIB), runs).grade
        };
        assert_eq!(grade(300, None, false), Grade::Ok);
        assert_eq!(grade(300, Some(24), false), Grade::Warn);
        assert_eq!(grade(300, Some(8), false), Grade::Fail);
        assert_eq!(grade(8, None, true), Grade::Warn, "it runs");
    }
}
