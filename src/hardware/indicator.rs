//! Which lights there are, as the configuration says.

use super::error::HardwareError;
use super::gpio::GpioLight;
use super::led::LedLight;
use super::pattern::{Face, Frame, Pattern};
use super::sense_hat::SenseHatLight;
use super::{Condition, lamp, matrix};
use std::fmt;
use std::path::PathBuf;

/// The most lights that one node has.
pub const INDICATORS_MAX: usize = 8;
/// The last of the lines that the pin header has. Those behind it run the card and the network.
pub const PIN_MAX: u32 = 27;

/// One light.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Indicator {
    /// `indicator "gpio"`: an LED at the pins.
    Gpio(Gpio),
    /// `indicator "sense_hat"`: its matrix.
    SenseHat(SenseHat),
    /// `indicator "led"`: an LED that the kernel has a name for.
    Led(Led),
}

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
    /// Where `sys` and `dev` are found; `/` but in tests.
    pub root: PathBuf,
}

/// An LED in `/sys/class/leds`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Led {
    /// `ACT`.
    pub name: String,
    /// What the LED goes back to; `None`: what it had.
    pub trigger: Option<String>,
    /// Where `sys` is found; `/` but in tests.
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

impl Indicator {
    /// Takes the device, which nobody else has then.
    ///
    /// # Errors
    /// See [`HardwareError`].
    pub fn open(&self) -> Result<Box<dyn Light>, HardwareError> {
        Ok(match self {
            Self::Gpio(gpio) => Box::new(GpioLight::open(gpio)?),
            Self::SenseHat(hat) => Box::new(SenseHatLight::open(hat)?),
            Self::Led(led) => Box::new(LedLight::open(led)?),
        })
    }

    /// What it can show.
    pub const fn face(&self) -> Face {
        match self {
            Self::Gpio(_) | Self::Led(_) => Face::Lamp,
            Self::SenseHat(_) => Face::Matrix,
        }
    }
}

impl fmt::Display for Indicator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gpio(gpio) => write!(f, "gpio {:?}", gpio.pins.all()),
            Self::SenseHat(_) => f.write_str("sense_hat"),
            Self::Led(led) => write!(f, "led {}", led.name),
        }
    }
}

impl Face {
    /// How a condition is told.
    pub fn pattern(self, condition: &Condition) -> Pattern {
        match self {
            Self::Lamp => lamp::pattern(condition),
            Self::Matrix => matrix::pattern(condition),
        }
    }
}
