//! A light's thread: opens the device, plays patterns, opens it again after a failure.

use super::condition::Condition;
use super::error::HardwareError;
use super::light::Light;
use super::mailbox::{Mailbox, Order};
use super::pattern::{Face, Frame, Pattern};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The pause between attempts at a device that failed.
pub(super) const RETRY: Duration = Duration::from_secs(60);

/// Opens a device.
pub(super) type Opener = Box<dyn FnMut() -> Result<Box<dyn Light>, HardwareError> + Send>;

pub(super) struct Keeper {
    mailbox: Arc<Mailbox>,
    face: Face,
    opener: Opener,
    light: Option<Box<dyn Light>>,
    playing: Option<Playing>,
    /// The time of the last failure; the device is tried again [`RETRY`] later.
    failed_at: Option<Instant>,
}

struct Playing {
    pattern: Pattern,
    since: Instant,
    shown: Option<Frame>,
}

impl Keeper {
    pub(super) fn new(mailbox: Arc<Mailbox>, face: Face, opener: Opener) -> Self {
        Self {
            mailbox,
            face,
            opener,
            light: None,
            playing: None,
            failed_at: None,
        }
    }

    /// Plays patterns until it is told to go off.
    pub(super) fn run(mut self) {
        let mut wait = None;
        loop {
            match self.mailbox.take(wait) {
                Some(Order::Off) => break,
                Some(Order::Show(condition)) => self.play(&condition),
                None => {}
            }
            wait = self.step();
        }
        self.off();
        self.mailbox.end();
    }

    /// Starts the pattern of a condition, unless that pattern is playing already.
    fn play(&mut self, condition: &Condition) {
        let pattern = self.face.pattern(condition);
        match &mut self.playing {
            Some(playing) if playing.pattern == pattern => {}
            Some(playing) => {
                playing.pattern = pattern;
                playing.since = Instant::now();
            }
            None => {
                self.playing = Some(Playing {
                    pattern,
                    since: Instant::now(),
                    shown: None,
                });
            }
        }
    }

    /// Shows the frame that is due; returns the time for which it stays.
    fn step(&mut self) -> Option<Duration> {
        if let Some(left) = self.failed_at.and_then(left_of_pause) {
            return Some(left);
        }
        let playing = self.playing.as_mut()?;
        let (frame, left) = playing.pattern.at(playing.since.elapsed());
        if playing.shown.as_ref() == Some(frame) {
            return left;
        }
        let (light, opener) = (&mut self.light, &mut self.opener);
        let shown = self.mailbox.timed(|| show(light, opener, frame));
        match shown {
            Ok(()) => {
                playing.shown = Some(frame.clone());
                self.recover();
                left
            }
            Err(error) => {
                playing.shown = None;
                self.fail(&error);
                Some(RETRY)
            }
        }
    }

    /// Gives the device up for a while, and logs the first failure since it last worked.
    fn fail(&mut self, error: &HardwareError) {
        if let Some(light) = self.light.take() {
            // The LED's earlier state comes back; otherwise the next opening would take this one
            // for it.
            let _fails_too = self.mailbox.timed(|| light.off());
        }
        if self.failed_at.replace(Instant::now()).is_none() {
            tracing::warn!(
                indicator = self.mailbox.name(),
                %error,
                "a status light does not work; the node goes on without it"
            );
        }
    }

    fn recover(&mut self) {
        if self.failed_at.take().is_some() {
            crate::telemetry::info!(
                indicator = self.mailbox.name(),
                "the status light works again"
            );
        }
    }

    /// Switches the light off. A light that was never opened, because the end came before its
    /// first order was taken, is opened for it: a process that crashed may have left it lit.
    fn off(&mut self) {
        if self.playing.is_none() {
            let opener = &mut self.opener;
            self.light = self.mailbox.timed(opener).ok();
        }
        if let Some(light) = self.light.take()
            && let Err(error) = self.mailbox.timed(|| light.off())
        {
            tracing::warn!(
                indicator = self.mailbox.name(),
                %error,
                "a status light may still be lit"
            );
        }
    }
}

fn show(
    light: &mut Option<Box<dyn Light>>,
    opener: &mut Opener,
    frame: &Frame,
) -> Result<(), HardwareError> {
    if light.is_none() {
        *light = Some(opener()?);
    }
    match light {
        Some(light) => light.show(frame),
        None => Ok(()),
    }
}

fn left_of_pause(failed_at: Instant) -> Option<Duration> {
    let left = RETRY.saturating_sub(failed_at.elapsed());
    (left > Duration::ZERO).then_some(left)
}
