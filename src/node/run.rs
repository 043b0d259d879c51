//! From ready to gone.

use super::signals::{Signal, Signals};
use super::{Node, systemd};

/// Serves until a signal or a failure ends it. `reload` is called for each SIGHUP, before the node
/// reloads its own files. A second signal to stop cuts the draining short.
///
/// # Errors
/// Why the node could not go on.
pub async fn run(node: Node, mut signals: Signals, reload: impl Fn()) -> Result<(), String> {
    systemd::ready();
    let watchdog = systemd::watchdog_interval();
    let failure = loop {
        tokio::select! {
            signal = signals.next() => match signal {
                Signal::Reload => {
                    tracing::info!("reload requested");
                    reload();
                    node.reload();
                }
                Signal::Stop => break None,
            },
            reason = node.failed() => break Some(reason),
            () = pause(watchdog) => {
                // Reading the status takes the locks that a stuck node would hold.
                node.probe();
                systemd::alive();
            }
        }
    };
    systemd::stopping();
    tracing::info!("stopping");
    tokio::select! {
        () = node.shutdown() => {}
        _ = signals.next() => tracing::warn!("stopping at once"),
    }
    match failure {
        Some(reason) => Err(reason),
        None => Ok(()),
    }
}

async fn pause(interval: Option<std::time::Duration>) {
    match interval {
        Some(interval) => tokio::time::sleep(interval).await,
        None => std::future::pending().await,
    }
}
