//! An open light, and the settings of each kind of light.

use super::error::HardwareError;
use super::pattern::Frame;
use std::path::PathBuf;

/// An LED, or one of three colours, at the pins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gpio {
    /// The GPIO chip: `/dev/gpiochip0`.
    pub chip: PathBuf,
    /// The lines.
    pub pins: Pins,
    /// True if the LED is lit when its line is low (common anode).
    pub active_low: bool,
}

/// Lines by their BCM numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pins {
    /// One LED.
    Single(u32),
    /// Red, green, blue.
    Rgb([u32; 3]),
}

impl Pins {
    /// Returns all lines.
    pub fn all(&self) -> &[u32] {
        match self {
            Self::Single(pin) => std::slice::from_ref(pin),
            Self::Rgb(pins) => pins,
        }
    }
}

/// The matrix of a Sense HAT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SenseHat {
    /// The framebuffer; `None` for the one with the matrix's name.
    pub device: Option<PathBuf>,
    /// The quarters by which the picture is turned, clockwise.
    pub quarters: u8,
    /// The brightness, in percent.
    pub brightness: u8,
    /// True in a dark room: the picture is as dim as can be seen.
    pub low_light: bool,
    /// The folder that holds `sys` and `dev`; `/` except in tests.
    pub root: PathBuf,
}

/// An LED in `/sys/class/leds`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Led {
    /// The LED's name, such as `ACT`.
    pub name: String,
    /// The trigger that the LED gets back at the end; `None` for the one that it had.
    pub trigger: Option<String>,
    /// The folder that holds `sys`; `/` except in tests.
    pub root: PathBuf,
}

/// An open light. Dropped without [`Light::off`], it may stay lit.
pub trait Light: Send {
    /// Shows a frame.
    ///
    /// # Errors
    /// The light cannot be used any more; the caller opens it anew.
    fn show(&mut self, frame: &Frame) -> Result<(), HardwareError>;

    /// Makes the light dark, and gives the device back as it was found.
    ///
    /// # Errors
    /// The light may still be lit.
    fn off(self: Box<Self>) -> Result<(), HardwareError>;
}
