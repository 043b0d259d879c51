//! Telling systemd how it goes: ready, status, watchdog. Nothing happens outside systemd.

use sd_notify::NotifyState;
use std::time::Duration;

/// Says that the API answers, and what `systemctl status` shows.
pub fn ready(status: &str) {
    send(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// Changes what `systemctl status` shows.
pub fn status(status: &str) {
    send(&[NotifyState::Status(status)]);
}

/// Says that the end has begun.
pub fn stopping() {
    send(&[NotifyState::Stopping, NotifyState::Status("stopping")]);
}

/// Says that the node made progress.
pub fn alive() {
    send(&[NotifyState::Watchdog]);
}

/// How often [`alive`] must be called; `None` when nobody watches.
pub fn watchdog_interval() -> Option<Duration> {
    let timeout_us: u64 = std::env::var("WATCHDOG_USEC").ok()?.parse().ok()?;
    let for_us = match std::env::var("WATCHDOG_PID") {
        Ok(pid) => pid.parse() == Ok(std::process::id()),
        Err(_) => true,
    };
    (for_us && timeout_us > 0).then(|| Duration::from_micros(timeout_us / 2))
}

fn send(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        crate::telemetry::debug!(%error, "systemd could not be notified");
    }
}
