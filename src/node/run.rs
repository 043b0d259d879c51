//! Runs a node from its start to its end.

use super::signals::{Signal, Signals};
use super::{Node, pages, systemd};
use std::time::Duration;

/// A node, in whichever mode, that runs until it is told to stop.
pub trait Runs {
    /// Reads the node's files again.
    fn reload(&self);

    /// Returns once each part that must work has taken a turn; not while one is stuck.
    fn progress(&self) -> impl Future<Output = ()>;

    /// Describes the node, for `systemctl status`.
    fn describe(&self) -> String;

    /// Completes with the reason once the node cannot go on.
    fn failed(&self) -> impl Future<Output = String>;

    /// Finishes the requests in flight and closes everything.
    fn shutdown(self) -> impl Future<Output = ()>;
}

impl Runs for Node {
    fn reload(&self) {
        self.reload();
    }

    async fn progress(&self) {
        self.progress().await;
    }

    fn describe(&self) -> String {
        self.describe()
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
/// The reason why the node could not go on.
pub async fn run(node: impl Runs, mut signals: Signals, reload: impl Fn()) -> Result<(), String> {
    systemd::ready(&node.describe());
    crate::task::spawn(pages::follow());
    let failure = serve(&node, &mut signals, reload).await;
    systemd::stopping();
    crate::telemetry::info!("stopping");
    tokio::select! {
        () = node.shutdown() => crate::telemetry::info!("stopped"),
        _ = signals.next() => tracing::warn!("stopping at once"),
    }
    match failure {
        Some(reason) => Err(reason),
        None => Ok(()),
    }
}

/// Serves until a signal to stop, and returns `None`, or until a failure, and returns the reason.
async fn serve(node: &impl Runs, signals: &mut Signals, reload: impl Fn()) -> Option<String> {
    let watched = watched(node, systemd::watchdog_interval(), systemd::alive);
    // One for the whole life: a signal must not put the next sign of life off.
    let mut watched = std::pin::pin!(watched);
    loop {
        tokio::select! {
            signal = signals.next() => match signal {
                Signal::Reload => {
                    crate::telemetry::info!("reload requested");
                    reload();
                    node.reload();
                }
                Signal::Stop => return None,
            },
            reason = node.failed() => return Some(reason),
            () = &mut watched => {}
        }
    }
}

/// Tells the supervisor every `interval` that the node made progress, and only then: while a part
/// is stuck this waits for it, and the supervisor hears nothing.
async fn watched(node: &impl Runs, interval: Option<Duration>, tell: impl Fn()) {
    let Some(interval) = interval else {
        return std::future::pending().await;
    };
    loop {
        tokio::time::sleep(interval).await;
        node.progress().await;
        tell();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::{Cell, RefCell};
    use tokio::sync::Semaphore;

    /// Takes a turn for each permit.
    struct Fake(Semaphore);

    impl Runs for Fake {
        fn reload(&self) {}

        async fn progress(&self) {
            self.0.acquire().await.unwrap().forget();
        }

        fn describe(&self) -> String {
            "fake".into()
        }

        async fn failed(&self) -> String {
            std::future::pending().await
        }

        async fn shutdown(self) {}
    }

    async fn within(seconds: u64, watched: &mut (impl Future<Output = ()> + Unpin)) {
        let done = tokio::time::timeout(Duration::from_secs(seconds), watched).await;
        assert!(done.is_err(), "it goes on for ever");
    }

    #[tokio::test(start_paused = true)]
    async fn no_progress_no_sign_of_life() {
        let node = Fake(Semaphore::new(2));
        let signs = Cell::new(0);
        let interval = Some(Duration::from_secs(10));
        let watched = watched(&node, interval, || signs.set(signs.get() + 1));
        let mut watched = std::pin::pin!(watched);
        within(25, &mut watched).await;
        assert_eq!(signs.get(), 2);
        within(3600, &mut watched).await;
        assert_eq!(signs.get(), 2, "it is stuck");
        node.0.add_permits(9);
        within(1, &mut watched).await;
        assert_eq!(signs.get(), 3, "it came back in time");
    }

    #[tokio::test(start_paused = true)]
    async fn a_sign_comes_at_each_interval() {
        let node = Fake(Semaphore::new(100));
        let began = tokio::time::Instant::now();
        let signs = RefCell::new(Vec::new());
        let interval = Some(Duration::from_secs(10));
        let watched = watched(&node, interval, || {
            signs.borrow_mut().push(began.elapsed().as_secs());
        });
        within(35, &mut std::pin::pin!(watched)).await;
        assert_eq!(*signs.borrow(), [10, 20, 30]);
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_not_watched_never_wakes() {
        let node = Fake(Semaphore::new(0));
        let watched = watched(&node, None, || unreachable!("nobody is to be told"));
        within(1 << 40, &mut std::pin::pin!(watched)).await;
    }
}
