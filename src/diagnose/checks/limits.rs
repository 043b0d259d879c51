//! Limits of the process: locked memory and file descriptors. A running server's own are judged;
//! before there is one, those of the shell that this runs in.

use crate::diagnose::finding::Finding;
use crate::diagnose::server::limit;
use crate::diagnose::subject::Examined;

const MLOCK: &str = "Locked memory";
const FILES: &str = "File descriptors";
/// The number of the capability to lock memory, in the mask of `CapEff`.
const CAP_IPC_LOCK: u32 = 14;

/// Judges whether memory can be locked.
pub fn locked_memory(subject: &Examined<'_>) -> Vec<Finding> {
    if subject.config.disable_mlock {
        return vec![Finding::ok(MLOCK, "not asked for: disable_mlock is set")];
    }
    if let Some(server) = subject.server() {
        return vec![match server.status(&subject.machine, "VmLck") {
            Some(0) => Finding::warn(
                MLOCK,
                "the running server has not locked its memory: keys may reach swap",
                "restart it: it locks its memory at the start, or says why it cannot",
            ),
            Some(kib) => Finding::ok(MLOCK, format!("the running server has locked {kib} KiB")),
            None => Finding::skip(
                MLOCK,
                "the running server's state cannot be read",
                "run this as root or as the service's user",
            ),
        }];
    }
    let limits = subject.machine.text("proc/self/limits").unwrap_or_default();
    let state = subject.machine.text("proc/self/status").unwrap_or_default();
    vec![judged_lock(&limits, &state)]
}

fn judged_lock(limits: &str, state: &str) -> Finding {
    let capabilities = state.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let mask = capabilities.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    let may = mask.is_some_and(|mask| mask & (1 << CAP_IPC_LOCK) != 0);
    match limit(limits, "Max locked memory") {
        _ if may => Finding::ok(MLOCK, "allowed by CAP_IPC_LOCK, in this shell"),
        Some((_, u64::MAX)) => Finding::ok(MLOCK, "not limited, in this shell"),
        Some((_, bytes)) => Finding::warn(
            MLOCK,
            format!("a server started from this shell could lock {bytes} bytes only, and gives up"),
            "start it by systemd/coffer.service, with its LimitMEMLOCK=infinity, or run this \
             as root to judge for root; or set disable_mlock = true on a machine without swap",
        ),
        None => Finding::skip(
            MLOCK,
            "the limit cannot be read",
            "run this where /proc is mounted",
        ),
    }
}

/// Judges the number of files that may be open.
pub fn descriptors(subject: &Examined<'_>) -> Vec<Finding> {
    let (found, whose) = match subject.server() {
        Some(server) => (
            server.limit(&subject.machine, "Max open files"),
            "of the running server",
        ),
        None => {
            let limits = subject.machine.text("proc/self/limits").unwrap_or_default();
            (limit(&limits, "Max open files"), "of this shell")
        }
    };
    let Some((_, hard)) = found else {
        let advice = "run this as root or as the service's user";
        return vec![Finding::skip(FILES, "the limit cannot be read", advice)];
    };
    vec![judged_files(hard, whose)]
}

fn judged_files(hard: u64, whose: &str) -> Finding {
    let wanted = crate::node::descriptors_wanted();
    let advice = format!("raise it to {wanted}: LimitNOFILE={wanted} in the unit, or `ulimit -n`");
    match hard {
        0..100 => {
            let message = format!("the limit {whose} is {hard}: too few for the store itself");
            Finding::fail(FILES, message, advice)
        }
        low if low < wanted => {
            let message = format!(
                "the limit {whose} is {low}: {wanted} would do for all connections, fewer fit"
            );
            Finding::warn(FILES, message, advice)
        }
        u64::MAX => Finding::ok(FILES, format!("not limited {whose}")),
        enough => Finding::ok(FILES, format!("the limit {whose} is {enough}")),
    }
}

#[cfg(test)]
mod unit {
    use super::*;
    use crate::diagnose::finding::Grade;

    #[test]
    fn locking_takes_a_capability_or_no_limit() {
        let limits = |hard: &str| format!("Max locked memory         65536   {hard}   bytes\n");
        let grade =
            |hard, mask: &str| judged_lock(&limits(hard), &format!("CapEff:\t{mask}\n")).grade;
        assert_eq!(grade("65536", "0000000000000000"), Grade::Warn);
        assert_eq!(grade("65536", "0000000000004000"), Grade::Ok);
        assert_eq!(grade("unlimited", "0000000000000000"), Grade::Ok);
        assert_eq!(judged_lock("", "").grade, Grade::Skip);
    }

    #[test]
    fn few_descriptors_are_told_with_the_number_that_would_do() {
        assert_eq!(judged_files(64, "here").grade, Grade::Fail);
        let low = judged_files(512, "here");
        assert_eq!(low.grade, Grade::Warn);
        assert!(low.advice.contains("LimitNOFILE="), "{}", low.advice);
        assert_eq!(judged_files(1 << 20, "here").grade, Grade::Ok);
    }
}
