//! Plays all patterns, one after the other, for people.

use super::condition::Condition;
use super::error::HardwareError;
use super::indicator::Indicator;
use super::light::Light;
use super::pattern::{Face, Frame};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Longest time that lights without a user may take, all together, to go off.
const OFF_WITHIN: Duration = Duration::from_secs(5);

/// Lights that show each pattern for a while.
#[derive(Default)]
pub struct Rehearsal {
    lights: Vec<Open>,
}

struct Open {
    name: String,
    face: Face,
    light: Box<dyn Light>,
    shown: Option<Frame>,
}

impl Rehearsal {
    /// Opens one more light.
    ///
    /// # Errors
    /// See [`HardwareError`].
    pub fn add(&mut self, indicator: &Indicator) -> Result<(), HardwareError> {
        self.lights.push(Open {
            name: indicator.to_string(),
            face: indicator.face(),
            light: indicator.open()?,
            shown: None,
        });
        Ok(())
    }

    /// Returns true if no light was opened.
    pub fn is_empty(&self) -> bool {
        self.lights.is_empty()
    }

    /// Shows one pattern. `pause` sleeps, and returns false to stop; so does this function then.
    ///
    /// # Errors
    /// The error of the first light that fails.
    pub fn show(
        &mut self,
        condition: &Condition,
        during: Duration,
        pause: &mut dyn FnMut(Duration) -> bool,
    ) -> Result<bool, HardwareError> {
        let since = Instant::now();
        loop {
            let elapsed = since.elapsed();
            let mut left = during.saturating_sub(elapsed);
            if left.is_zero() {
                return Ok(true);
            }
            for open in &mut self.lights {
                let pattern = open.face.pattern(condition);
                let (frame, next) = pattern.at(elapsed);
                if open.shown.as_ref() != Some(frame) {
                    open.light.show(frame)?;
                    open.shown = Some(frame.clone());
                }
                left = next.unwrap_or(left).min(left);
            }
            if !pause(left) {
                return Ok(false);
            }
        }
    }

    /// Switches all lights off; returns those that may still be lit, with the reasons.
    pub fn off(self) -> Vec<(String, HardwareError)> {
        let off = |open: Open| open.light.off().err().map(|error| (open.name, error));
        self.lights.into_iter().filter_map(off).collect()
    }
}

/// Switches lights off that have no user any more, as after a crash; returns those that may still
/// be lit, with the reasons. A light whose device hangs is given up.
pub fn switch_off(indicators: &[Indicator]) -> Vec<(String, String)> {
    let deadline = Instant::now() + OFF_WITHIN;
    let mut pending = Vec::new();
    for indicator in indicators {
        let (done, result) = mpsc::channel();
        let device = indicator.clone();
        std::thread::spawn(move || {
            let off = device.open().and_then(|light| light.off());
            // The receiver may have given up waiting.
            let _ = done.send(off.map_err(|error| error.to_string()));
        });
        pending.push((indicator.to_string(), result));
    }
    let outcome = |(name, result): (String, mpsc::Receiver<Result<(), String>>)| {
        let left = deadline.saturating_duration_since(Instant::now());
        let late = || Err("the hardware does not answer".into());
        let off = result.recv_timeout(left).unwrap_or_else(|_| late());
        off.err().map(|error| (name, error))
    };
    pending.into_iter().filter_map(outcome).collect()
}
