//! From ready to gone.

use super::signals::{Signal, Signals};
use super::{Node, systemd};

/// What runs until it is told to stop.
pub trait Runs {
    /// Reads its files again.
    fn reload(&self);

    /// Takes the locks that a stuck node would hold.
    fn probe(&self);

    /// Completes with the reason once it cannot go on.
    fn failed(&self) -> impl Future<Output = String>;

    /// Finishes what is in flight and closes everything.
    fn shutdown(self) -> impl Future<Output = ()>;
}

impl Runs for Node {
    fn reload(&self) {
        self.reload();
    }

    fn probe(&self) {
        self.probe();
    }

    async fn failed(&self) -> String {
        self.failed().await
    }

    async fn shutdown(self) {
        self.shutdown().await;
    }
}

/// Serves until a signal or a failure ends it. `reload` is called for each SIGHUP, before the node
/// reloads its own files. A second signal to stop cuts the draining short.
///
/// # Errors
/// Why the node could not go on.
pub async fn run(node: impl Runs, mut signals: Signals, reload: impl Fn()) -> Result<(), String> {
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
