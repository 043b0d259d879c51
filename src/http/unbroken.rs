//! Work that goes on when its waiter goes away.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::runtime::Handle;

/// A future that runs where it is awaited, which costs no task. When it is dropped unfinished (its
/// time is over, the connection was cut) the rest becomes a task of its own.
pub(super) struct Unbroken<T: Send + 'static>(Option<Pin<Box<dyn Future<Output = T> + Send>>>);

impl<T: Send + 'static> Unbroken<T> {
    pub(super) fn new(work: impl Future<Output = T> + Send + 'static) -> Self {
        Self(Some(crate::task::boxed(work)))
    }
}

impl<T: Send + 'static> Future for Unbroken<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        // Taken out meanwhile: a future that panicked or is done must not be polled again.
        let Some(mut work) = self.0.take() else {
            return Poll::Pending;
        };
        let polled = work.as_mut().poll(context);
        if polled.is_pending() {
            self.0 = Some(work);
        }
        polled
    }
}

impl<T: Send + 'static> Drop for Unbroken<T> {
    fn drop(&mut self) {
        // Without a runtime the process is ending, and nothing can go on.
        if let (Some(work), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn(work);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot;

    #[tokio::test]
    async fn what_is_awaited_gives_its_value() {
        assert_eq!(Unbroken::new(async { 7 }).await, 7);
    }

    #[tokio::test]
    async fn what_is_dropped_half_way_is_done_all_the_same() {
        let (go, gate) = oneshot::channel::<()>();
        let (done, end) = oneshot::channel();
        let mut work = Box::pin(Unbroken::new(async move {
            gate.await.expect("is let go");
            done.send(7).expect("is waited for");
        }));
        let polled = poll_once(work.as_mut()).await;
        assert!(polled.is_pending());
        drop(work);
        go.send(()).expect("still waits");
        assert_eq!(end.await, Ok(7));
    }

    async fn poll_once<F: Future>(mut work: Pin<&mut F>) -> Poll<F::Output> {
        std::future::poll_fn(|context| Poll::Ready(work.as_mut().poll(context))).await
    }
}
