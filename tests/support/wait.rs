//! Waits for work in the background.

#![allow(dead_code, reason = "each test binary waits in its own way")]

use std::time::{Duration, Instant};

/// The pause between two looks: the servers need the processor, too.
const LOOK: Duration = Duration::from_millis(5);

/// Returns true if a condition comes true in time.
pub fn reaches(patience: Duration, mut reached: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + patience;
    while !reached() {
        if Instant::now() > deadline {
            return false;
        }
        std::thread::sleep(LOOK);
    }
    true
}

/// Allows one look after the other, while other tasks go on.
pub struct Looks {
    deadline: Instant,
}

impl Looks {
    pub fn within(patience: Duration) -> Self {
        Self {
            deadline: Instant::now() + patience,
        }
    }

    /// Waits a moment before the next look; returns false when there is no time left.
    pub async fn again(&mut self) -> bool {
        tokio::time::sleep(LOOK).await;
        Instant::now() < self.deadline
    }
}

/// Waits as [`reaches`] does, while other tasks go on.
pub async fn reaches_async(patience: Duration, mut reached: impl AsyncFnMut() -> bool) -> bool {
    let mut looks = Looks::within(patience);
    while !reached().await {
        if !looks.again().await {
            return false;
        }
    }
    true
}

/// Waits for a condition; panics if it does not come true in time.
#[track_caller]
pub fn wait(patience: Duration, what: &str, reached: impl FnMut() -> bool) {
    assert!(reaches(patience, reached), "not reached: {what}");
}
