//! How long a token lives: Vault's rules for ttl, period and the three maxima.

use super::TokenError;
use crate::clock::{Timestamp, format_duration};
use std::time::Duration;

/// What is asked for, and what limits it. Zero stands for "not given" everywhere.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wish {
    /// Life asked for.
    pub ttl: Duration,
    /// Renewal period; beats `ttl`.
    pub period: Duration,
    /// Hard limit counted from `start`; with a period the only one that ends it.
    pub explicit_max_ttl: Duration,
    /// The method's own limit, when stricter than the mount's.
    pub method_max_ttl: Duration,
    /// Default of the mount.
    pub mount_default_ttl: Duration,
    /// Maximum of the mount.
    pub mount_max_ttl: Duration,
    /// When the token was made.
    pub start: Timestamp,
    /// Now.
    pub now: Timestamp,
}

/// Life from now on, and what the client should know about it. Fails when its time is over
/// (CVE-2020-25816, CVE-2021-32923: what is close to its maximum gets what is left, never more).
pub fn grant(wish: &Wish) -> Result<(Duration, Vec<String>), TokenError> {
    let mut warnings = Vec::new();
    let max = [wish.method_max_ttl, wish.explicit_max_ttl]
        .into_iter()
        .filter(|limit| !limit.is_zero())
        .fold(wish.mount_max_ttl, Duration::min);
    let (mut ttl, limit) = if wish.period.is_zero() {
        let ttl = if wish.ttl.is_zero() {
            wish.mount_default_ttl
        } else {
            wish.ttl
        };
        (ttl, max)
    } else {
        let capped = wish.period.min(max);
        if capped < wish.period {
            warnings.push(exceeded("period", wish.period, max));
        }
        (capped, wish.explicit_max_ttl)
    };
    if !limit.is_zero() {
        let left = wish.start.plus(limit).since(wish.now);
        if left.is_zero() {
            return Err(TokenError::invalid("past the max TTL, cannot renew"));
        }
        if left < ttl {
            warnings.push(exceeded("TTL", ttl, left));
            ttl = left;
        }
    }
    Ok((ttl, warnings))
}

fn exceeded(what: &str, wanted: Duration, granted: Duration) -> String {
    format!(
        "{what} of {:?} exceeded the effective max_ttl of {:?}; {what} value is capped accordingly",
        short(wanted),
        short(granted)
    )
}

/// `768h`, not `768h0m0s`.
fn short(duration: Duration) -> String {
    let text = format_duration(Duration::from_secs(duration.as_secs()));
    let text = text
        .strip_suffix("m0s")
        .map_or(text.clone(), |rest| format!("{rest}m"));
    text.strip_suffix("h0m")
        .map_or(text.clone(), |rest| format!("{rest}h"))
}
