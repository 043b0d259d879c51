//! An open light, and what each kind of light is told of its device.

use super::error::HardwareError;
use super::pattern::Frame;
use std::path::PathBuf;

/// An LED, or one of three colours, at the pins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gpio {
    /// `/dev/gpiochip0`.
    pub chip: PathBuf,
    /// Which lines.
    pub pins: Pins,
    /// The LED is lit when its line is low (common anode).
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
    /// All of them.
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
    /// Its framebuffer; `None`: the one that bears its name.
    pub device: Option<PathBuf>,
    /// By how many quarters the picture is turned, clockwise.
    pub quarters: u8,
    /// In percent.
    pub brightness: u8,
    /// For a dark room: as dim as can be seen.
    pub low_light: bool,
    /// Folder that holds `sys` and `dev`; `/` except in tests.
    pub root: PathBuf,
}

/// An LED in `/sys/class/leds`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Led {
    /// `ACT`.
    pub name: String,
    /// State that the LED gets back at the end; `None` for the one it had.
    pub trigger: Option<String>,
    /// Folder that holds `sys`; `/` except in tests.
    pub root: PathBuf,
}

/// An open light. Dropped without [`Light::off`], it may stay lit.
pub trait Light: Send {
    /// Shows it.
    ///
    /// # Errors
    /// The light is of no use any more: open it anew.
    fn show(&mut self, frame: &Frame) -> Result<(), HardwareError>;

    /// Dark, and given back as it was found.
    ///
    /// # Errors
    /// It may still be lit.
    fn off(self: Box<Self>) -> Result<(), HardwareError>;
}
