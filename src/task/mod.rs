//! Tasks of the runtime, of as few types as can be.
//!
//! The runtime builds its part of a task, about 2 KB, for each type of future and twice (for one
//! core and for several). A boxed future is one type for all that have the same output.

use std::future::Future;
use std::num::NonZero;
use std::pin::Pin;
use std::sync::LazyLock;
use tokio::sync::Semaphore;
use tokio::task::{JoinError, JoinHandle};

/// A boxed future, so that the traits that give one stay usable as objects.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Starts a task, as [`tokio::spawn`] does.
pub fn spawn<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
    tokio::spawn(boxed(work))
}

/// The permits of [`compute`], which limit the work at a time: one for each core, and one on a Pi
/// Zero.
static COMPUTING: LazyLock<Semaphore> = LazyLock::new(|| {
    let cores = std::thread::available_parallelism();
    Semaphore::new(cores.map_or(1, NonZero::get))
});

/// Runs long computations on a thread of their own, a bounded number at a time.
///
/// # Errors
/// The work panicked.
pub async fn compute<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, JoinError> {
    // The semaphore is never closed.
    let _turn = COMPUTING.acquire().await.ok();
    tokio::task::spawn_blocking(work).await
}

/// Returns the same future as one type: for a set of tasks, or a runtime.
pub fn boxed<T>(
    work: impl Future<Output = T> + Send + 'static,
) -> Pin<Box<dyn Future<Output = T> + Send>> {
    Box::pin(work)
}
