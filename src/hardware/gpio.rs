//! LEDs at the pins, through the kernel's character device for GPIO (its second interface).

use super::error::{HardwareError, Remedies};
use super::light::{Gpio, Light, Pins};
use super::pattern::Frame;
use gpiocdev::Request;
use gpiocdev::line::{Value, Values};
use gpiocdev::request::Builder;
use std::io;

const REMEDIES: Remedies = Remedies {
    absent: "`ls /dev/gpiochip*` shows the chips; on a Raspberry Pi it is gpiochip0",
    denied: "add the service's user to the group gpio (SupplementaryGroups=gpio)",
};
/// The name of the line's user in `gpioinfo`.
const CONSUMER: &str = "coffer";

pub(super) struct GpioLight {
    request: Request,
    pins: Pins,
}

impl GpioLight {
    /// Requests the lines as outputs that are dark. When a line is given back the kernel leaves it
    /// as it is or makes it an input, depending on its version; both are dark after [`Light::off`].
    pub(super) fn open(gpio: &Gpio) -> Result<Self, HardwareError> {
        let what = format!("{} line {:?}", gpio.chip.display(), gpio.pins.all());
        let request = builder(gpio).request();
        let request = request.map_err(|error| REMEDIES.sort(what, system(error)))?;
        Ok(Self {
            request,
            pins: gpio.pins,
        })
    }

    fn switch(&self, lit: [bool; 3]) -> Result<(), HardwareError> {
        let mut values = Values::default();
        for (pin, lit) in self.pins.all().iter().zip(lit) {
            values.set(*pin, if lit { Value::Active } else { Value::Inactive });
        }
        let what = || format!("GPIO {:?}", self.pins.all());
        let switched = self.request.set_values(&values);
        switched.map_err(|error| REMEDIES.sort(what(), system(error)))
    }
}

impl Light for GpioLight {
    fn show(&mut self, frame: &Frame) -> Result<(), HardwareError> {
        let Frame::Lamp(colour) = frame else {
            return Ok(());
        };
        match self.pins {
            Pins::Single(_) => self.switch([colour.is_lit(), false, false]),
            Pins::Rgb(_) => self.switch(colour.switches()),
        }
    }

    fn off(self: Box<Self>) -> Result<(), HardwareError> {
        self.switch([false; 3])
    }
}

fn builder(gpio: &Gpio) -> Builder {
    let mut builder = Request::builder();
    builder
        .on_chip(&gpio.chip)
        .with_consumer(CONSUMER)
        .with_lines(gpio.pins.all())
        .as_output(Value::Inactive);
    if gpio.active_low {
        builder.as_active_low();
    }
    builder
}

/// Returns the system's error inside the crate's, so that it can be classified.
fn system(error: gpiocdev::Error) -> io::Error {
    let number = match &error {
        gpiocdev::Error::Os(number) => Some(number.0),
        gpiocdev::Error::Uapi(_, gpiocdev_uapi::Error::Os(number)) => Some(number.0),
        _ => None,
    };
    match number {
        Some(number) => io::Error::from_raw_os_error(number),
        None => io::Error::other(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    #[test]
    fn every_line_is_an_output_that_starts_dark() {
        let gpio = Gpio {
            chip: PathBuf::from("/dev/gpiochip0"),
            pins: Pins::Rgb([27, 17, 22]),
            active_low: true,
        };
        let config = builder(&gpio).config();
        for pin in gpio.pins.all() {
            let line = config.line_config(*pin).unwrap();
            assert_eq!(line.direction, Some(gpiocdev::line::Direction::Output));
            assert_eq!((line.value, line.active_low), (Some(Value::Inactive), true));
        }
    }

    #[test]
    fn a_chip_that_is_not_there_or_is_none_is_said_so() {
        let open = |chip: &str| {
            let gpio = Gpio {
                chip: PathBuf::from(chip),
                pins: Pins::Single(17),
                active_low: false,
            };
            GpioLight::open(&gpio).err().unwrap().to_string()
        };
        let absent = open("/nowhere/gpiochip9");
        assert!(
            absent.contains("is not there: `ls /dev/gpiochip*`"),
            "{absent}"
        );
        let none = open("/dev/null");
        assert!(none.contains("/dev/null"), "{none}");
    }
}
