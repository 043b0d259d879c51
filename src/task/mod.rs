//! Tasks of the runtime, of as few types as can be.
//!
//! The runtime builds its part of a task, about 2 KB, for each type of future and twice (for one
//! core and for several). A boxed future is one type for all that have the same output.

use std::future::Future;
use std::pin::Pin;
use tokio::task::JoinHandle;

/// A boxed future, so that the traits that give one stay usable as objects.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Starts a task, as [`tokio::spawn`] does.
pub fn spawn<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
    tokio::spawn(boxed(work))
}

/// The same future as one type: for a set of tasks, or a runtime.
pub fn boxed<T>(
    work: impl Future<Output = T> + Send + 'static,
) -> Pin<Box<dyn Future<Output = T> + Send>> {
    Box::pin(work)
}
