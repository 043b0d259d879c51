//! Asking many servers at once, each a moment after the one before.
//!
//! A first server that is well answers alone; one that is dead, or slow to answer, does not hold
//! up the next.

use crate::store::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use std::time::Duration;

/// The time between one question and the next.
pub(super) const STAGGER: Duration = Duration::from_millis(250);

/// Questions under way. Dropped, it asks no further server.
pub(super) struct Survey<'a, T> {
    questions: FuturesUnordered<BoxFuture<'a, T>>,
    searches: FuturesUnordered<BoxFuture<'a, Vec<BoxFuture<'a, T>>>>,
}

impl<'a, T: Send + 'a> Survey<'a, T> {
    pub fn new() -> Self {
        Self {
            questions: FuturesUnordered::new(),
            searches: FuturesUnordered::new(),
        }
    }

    /// Asks once `turn` others have been asked.
    pub fn ask(&mut self, turn: u32, question: BoxFuture<'a, T>) {
        self.questions.push(Box::pin(async move {
            tokio::time::sleep(STAGGER * turn).await;
            question.await
        }));
    }

    /// Searches for servers once `turn` others have been asked, and then asks those that were
    /// found.
    pub fn search(
        &mut self,
        turn: u32,
        search: impl Future<Output = Vec<BoxFuture<'a, T>>> + Send + 'a,
    ) {
        self.searches.push(Box::pin(async move {
            tokio::time::sleep(STAGGER * turn).await;
            search.await
        }));
    }

    /// Returns the next answer, in the order in which they come; `None` once all are there. An
    /// answer is not lost when this is dropped while it waits.
    pub async fn next(&mut self) -> Option<T> {
        loop {
            tokio::select! {
                Some(answer) = self.questions.next() => return Some(answer),
                Some(found) = self.searches.next() => {
                    for (turn, question) in (0..).zip(found) {
                        self.ask(turn, question);
                    }
                }
                else => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Instant;

    /// Answers with `name` after the time `after`.
    fn server<'a>(name: &'a str, after: Duration) -> BoxFuture<'a, &'a str> {
        Box::pin(async move {
            tokio::time::sleep(after).await;
            name
        })
    }

    const DEAD: Duration = Duration::from_secs(10);
    const SOON: Duration = Duration::from_millis(5);

    #[tokio::test(start_paused = true)]
    async fn dead_servers_in_front_cost_a_moment_each() {
        let began = Instant::now();
        let mut survey = Survey::new();
        survey.ask(0, server("dead", DEAD));
        survey.search(1, async {
            vec![server("dead too", DEAD), server("found", SOON)]
        });
        survey.ask(2, server("good", SOON));
        assert_eq!(survey.next().await, Some("good"));
        assert_eq!(began.elapsed(), STAGGER * 2 + SOON);
        assert_eq!(survey.next().await, Some("found"));
        assert!(began.elapsed() < Duration::from_secs(1));
        assert_eq!(survey.next().await, Some("dead"));
        assert_eq!(survey.next().await, Some("dead too"));
        assert_eq!(began.elapsed(), STAGGER + DEAD, "all had their time");
        assert_eq!(survey.next().await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn where_the_first_answers_soon_nobody_else_is_asked() {
        let asked = std::sync::atomic::AtomicBool::new(false);
        let mut survey = Survey::new();
        survey.ask(0, server("first", SOON));
        survey.ask(
            1,
            Box::pin(async {
                asked.store(true, std::sync::atomic::Ordering::SeqCst);
                "second"
            }),
        );
        assert_eq!(survey.next().await, Some("first"));
        assert!(!asked.load(std::sync::atomic::Ordering::SeqCst));
        assert_eq!(survey.next().await, Some("second"), "it would have been");
    }
}
