//! Waiting for what happens in the background.

#![allow(dead_code, reason = "each test binary waits in its own way")]

use std::time::{Duration, Instant};

/// Between two looks: the servers want the processor, too.
const LOOK: Duration = Duration::from_millis(5);

/// Whether a condition comes true in time.
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

/// Looks at something again and again, while other tasks go on.
pub struct Looks {
    deadline: Instant,
}

impl Looks {
    pub fn within(patience: Duration) -> Self {
        Self {
            deadline: Instant::now() + patience,
        }
    }

    /// Lets some time pass before the next look; false when there is none left.
    pub async fn again(&mut self) -> bool {
        tokio::time::sleep(LOOK).await;
        Instant::now() < self.deadline
    }
}

/// As [`reaches`], while other tasks go on.
pub async fn reaches_async(patience: Duration, mut reached: impl AsyncFnMut() -> bool) -> bool {
    let mut looks = Looks::within(patience);
    while !reached().await {
        if !looks.again().await {
            return false;
        }
    }
    true
}

/// Waits for a condition; panics where it does not come true in time.
#[track_caller]
pub fn wait(patience: Duration, what: &str, reached: impl FnMut() -> bool) {
    assert!(reaches(patience, reached), "not reached: {what}");
}
