//! All lights of a node.

use super::condition::Condition;
use super::indicator::{INDICATORS_MAX, Indicator};
use super::keeper::{Keeper, Opener};
use super::mailbox::{Mailbox, Order};
use super::pattern::Face;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Longest time in which all lights together may go off at the end. On a loaded board a thread may
/// wait a while for its turn; only hardware that hangs uses the time up.
const OFF_WITHIN: Duration = Duration::from_secs(2);
/// The size of a thread's stack, in bytes: it calls a driver and writes a log line.
const STACK_BYTES: usize = 256 * 1024;

/// The lights, each on a thread of its own; they go off when this is dropped, which waits two
/// seconds at most.
#[derive(Default)]
pub struct Lights {
    mailboxes: Vec<Arc<Mailbox>>,
}

/// A handle that sets the condition which the lights show. Without lights it does nothing.
#[derive(Clone, Default)]
pub struct Panel(Vec<Arc<Mailbox>>);

impl Lights {
    /// Starts a thread for each light and returns at once; lights that do not work are reported in
    /// the log.
    pub fn start(indicators: &[Indicator], first: &Condition) -> Self {
        let mut lights = Self::default();
        for indicator in indicators.iter().take(INDICATORS_MAX) {
            let (name, face) = (indicator.to_string(), indicator.face());
            let indicator = indicator.clone();
            lights.add(name, face, first, Box::new(move || indicator.open()));
        }
        lights
    }

    pub(super) fn add(&mut self, name: String, face: Face, first: &Condition, opener: Opener) {
        let mailbox = Arc::new(Mailbox::new(name, Order::Show(first.clone())));
        let keeper = Keeper::new(Arc::clone(&mailbox), face, opener);
        let thread = std::thread::Builder::new()
            .name("status-light".into())
            .stack_size(STACK_BYTES);
        match thread.spawn(move || keeper.run()) {
            Ok(_) => self.mailboxes.push(mailbox),
            Err(error) => tracing::warn!(%error, "a status light's thread cannot start"),
        }
    }

    /// Returns a handle that sets the condition which the lights show.
    pub fn panel(&self) -> Panel {
        Panel(self.mailboxes.clone())
    }

    /// Switches all lights off, for good. A light whose device hangs is left as it is.
    pub fn stop(&mut self) {
        let deadline = Instant::now() + OFF_WITHIN;
        for mailbox in &self.mailboxes {
            mailbox.post(Order::Off);
        }
        for mailbox in self.mailboxes.drain(..) {
            if !mailbox.wait_for_end(deadline) {
                tracing::warn!(
                    indicator = mailbox.name(),
                    "a status light did not go off in time"
                );
            }
        }
    }
}

impl Drop for Lights {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Panel {
    /// Returns true where no light is configured.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Shows a condition; never waits.
    pub fn show(&self, condition: &Condition) {
        for mailbox in &self.0 {
            mailbox.post(Order::Show(condition.clone()));
        }
    }
}
