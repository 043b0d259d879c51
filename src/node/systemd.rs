//! Notifies systemd: ready, status, watchdog. Nothing happens outside systemd.

use sd_notify::NotifyState;
use std::time::Duration;

/// Notifies systemd that the API answers, and of the text that `systemctl status` shows.
pub fn ready(status: &str) {
    send(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// Changes the text that `systemctl status` shows.
pub fn status(status: &str) {
    send(&[NotifyState::Status(status)]);
}

/// Notifies systemd that the node is stopping.
pub fn stopping() {
    send(&[NotifyState::Stopping, NotifyState::Status("stopping")]);
}

/// Notifies systemd that the node made progress.
pub fn alive() {
    send(&[NotifyState::Watchdog]);
}

/// Returns the interval at which [`alive`] must be called; `None` when systemd does not watch this
/// process.
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
