//! The life of tokens: Vault's rules for ttl, period and the three maxima.

use super::TokenError;
use crate::clock::{Timestamp, format_duration};
use std::time::Duration;

/// The life that is asked for, and its limits. Zero stands for "not given" everywhere.
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
    /// Time at which the token was made.
    pub start: Timestamp,
    /// The time now.
    pub now: Timestamp,
}

/// Returns the life from now on, and warnings for the client. Fails when the token's time is over
/// (CVE-2020-25816, CVE-2021-32923: a token close to its maximum gets what is left, never more).
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

/// Shortens a duration's text: `768h`, not `768h0m0s`.
fn short(duration: Duration) -> String {
    let text = format_duration(Duration::from_secs(duration.as_secs()));
    let text = text
        .strip_suffix("m0s")
        .map_or(text.clone(), |rest| format!("{rest}m"));
    text.strip_suffix("h0m")
        .map_or(text.clone(), |rest| format!("{rest}h"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn wish() -> Wish {
        Wish {
            mount_default_ttl: 768 * HOUR,
            mount_max_ttl: 768 * HOUR,
            start: Timestamp::from_secs(1000),
            now: Timestamp::from_secs(1000),
            ..Wish::default()
        }
    }

    /// The name of a limit, the wish, the life granted and the number of warnings.
    type Case = (&'static str, Wish, Duration, usize);

    fn maxima() -> Vec<Case> {
        vec![
            ("default", wish(), 768 * HOUR, 0),
            (
                "asked",
                Wish {
                    ttl: HOUR,
                    ..wish()
                },
                HOUR,
                0,
            ),
            (
                "mount max",
                Wish {
                    ttl: 1000 * HOUR,
                    ..wish()
                },
                768 * HOUR,
                1,
            ),
            (
                "explicit max",
                Wish {
                    ttl: 5 * HOUR,
                    explicit_max_ttl: 2 * HOUR,
                    ..wish()
                },
                2 * HOUR,
                1,
            ),
            (
                "method max",
                Wish {
                    ttl: 5 * HOUR,
                    method_max_ttl: HOUR,
                    ..wish()
                },
                HOUR,
                1,
            ),
        ]
    }

    fn periods_and_remains() -> Vec<Case> {
        vec![
            (
                "period",
                Wish {
                    period: HOUR,
                    ttl: 5 * HOUR,
                    ..wish()
                },
                HOUR,
                0,
            ),
            (
                "period over max",
                Wish {
                    period: 2000 * HOUR,
                    ..wish()
                },
                768 * HOUR,
                1,
            ),
            (
                "period outlives the mount max",
                Wish {
                    period: HOUR,
                    now: Timestamp::from_secs(10_000_000),
                    ..wish()
                },
                HOUR,
                0,
            ),
            (
                "what is left",
                Wish {
                    ttl: HOUR,
                    mount_max_ttl: HOUR,
                    now: Timestamp::from_secs(4000),
                    ..wish()
                },
                Duration::from_secs(600),
                1,
            ),
        ]
    }

    #[test]
    fn the_least_limit_holds() {
        for (name, wish, ttl, warnings) in maxima().into_iter().chain(periods_and_remains()) {
            let granted = grant(&wish).expect(name);
            assert_eq!((granted.0, granted.1.len()), (ttl, warnings), "{name}");
        }
    }

    #[test]
    fn cve_2021_32923_past_the_maximum_nothing_is_granted() {
        for (period, explicit_max_ttl, mount_max_ttl) in [
            (Duration::ZERO, Duration::ZERO, HOUR),
            (HOUR, HOUR, 768 * HOUR),
            (Duration::ZERO, HOUR, 768 * HOUR),
        ] {
            let wish = Wish {
                ttl: HOUR,
                period,
                explicit_max_ttl,
                mount_max_ttl,
                now: Timestamp::from_secs(1000 + 3600),
                ..wish()
            };
            assert!(grant(&wish).is_err(), "{period:?} {explicit_max_ttl:?}");
            let almost = Wish {
                now: Timestamp::from_secs(1000 + 3599),
                ..wish
            };
            assert_eq!(
                grant(&almost).expect("a second is left").0,
                Duration::from_secs(1)
            );
        }
    }

    #[test]
    fn warnings_read_as_clients_know_them() {
        let (_, warnings) = grant(&Wish {
            ttl: 1_000_000 * HOUR,
            ..wish()
        })
        .expect("grants");
        assert_eq!(
            warnings,
            [
                "TTL of \"1000000h\" exceeded the effective max_ttl of \"768h\"; \
              TTL value is capped accordingly"
            ]
        );
        assert_eq!(short(Duration::from_secs(5400)), "1h30m");
        assert_eq!(short(Duration::from_secs(90)), "1m30s");
    }
}
