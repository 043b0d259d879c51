//! The lights that the configuration names.

use super::error::HardwareError;
use super::gpio::GpioLight;
use super::led::LedLight;
use super::light::{Gpio, Led, Light, SenseHat};
use super::pattern::{Face, Pattern};
use super::sense_hat::SenseHatLight;
use super::{Condition, lamp, matrix};
use std::fmt;

/// The most lights that one node has.
pub const INDICATORS_MAX: usize = 8;
/// The last line of the pin header. The lines beyond it run the card and the network.
pub const PIN_MAX: u32 = 27;

/// One light.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Indicator {
    /// `indicator "gpio"`: an LED at the pins.
    Gpio(Gpio),
    /// `indicator "sense_hat"`: the matrix of a Sense HAT.
    SenseHat(SenseHat),
    /// `indicator "led"`: an LED that the kernel has a name for.
    Led(Led),
}

impl Indicator {
    /// Takes the device for this process alone.
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

    /// Returns the kind of patterns that the light can show.
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
    /// Returns the pattern of a condition.
    pub fn pattern(self, condition: &Condition) -> Pattern {
        match self {
            Self::Lamp => lamp::pattern(condition),
            Self::Matrix => matrix::pattern(condition),
        }
    }
}
