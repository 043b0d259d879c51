//! `indicator "kind" {...}`: the status lights.

use super::section::Section;
use crate::hardware::{Gpio, INDICATORS_MAX, Indicator, Led, PIN_MAX, Pins, SenseHat};
use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

const CHIP: &str = "gpiochip0";
/// The brightness unless the stanza gives one, in percent: at 100 the matrix hurts the eye.
const BRIGHTNESS: u8 = 40;
const COLOURS: [&str; 3] = ["red", "green", "blue"];

/// Reads the stanzas in order. Each device may be named once.
pub(super) fn read(top: &Section<'_>) -> Vec<Indicator> {
    let mut indicators = Vec::new();
    let mut taken = BTreeSet::new();
    for (kind, section) in top.labelled("indicator") {
        let indicator = match kind.as_str() {
            "gpio" => gpio(&section, &mut taken).map(Indicator::Gpio),
            "sense_hat" => sense_hat(&section).map(Indicator::SenseHat),
            "led" => led(&section).map(Indicator::Led),
            _ => {
                let message = format!(
                    "indicator {kind:?} is not known: use \"gpio\", \"sense_hat\" or \"led\""
                );
                section.problems.error(&section.position, message);
                continue;
            }
        };
        section.finish();
        if let Some(Indicator::Led(Led { name, .. })) = &indicator
            && !taken.insert(name.clone())
        {
            section.wrong("name", format_args!("{name} has an indicator already"));
        }
        if let Some(Indicator::SenseHat(SenseHat { device, root, .. })) = &indicator
            && !taken.insert(format!("sense_hat {device:?} {root:?}"))
        {
            let message = "this Sense HAT has an indicator already: remove one of the two";
            section.problems.error(&section.position, message);
        }
        indicators.extend(indicator);
        if indicators.len() > INDICATORS_MAX {
            let message = format!("there are more than {INDICATORS_MAX} indicators");
            section.problems.error(&section.position, message);
            break;
        }
    }
    indicators
}

fn gpio(section: &Section<'_>, taken: &mut BTreeSet<String>) -> Option<Gpio> {
    let chip = section.text("chip").unwrap_or_else(|| CHIP.to_owned());
    let chip = Path::new("/dev").join(&chip);
    let active_low = section.boolean("active_low").unwrap_or(false);
    let single = pin(section, "led");
    let [red, green, blue] = COLOURS.map(|colour| pin(section, colour));
    let any_colour = COLOURS.iter().any(|colour| section.has(colour));
    let pins = match (single, [red, green, blue]) {
        _ if section.has("led") && any_colour => {
            section.wrong(
                "led",
                "is for a single LED: remove it, or red, green and blue",
            );
            None
        }
        (Some(pin), _) => Some(Pins::Single(pin)),
        (None, [Some(red), Some(green), Some(blue)]) => Some(Pins::Rgb([red, green, blue])),
        // The keys are present but wrong, and that is reported already.
        _ if section.has("led") || COLOURS.iter().all(|colour| section.has(colour)) => None,
        _ => {
            let message = "indicator \"gpio\" needs led, or red, green and blue: the BCM numbers \
                           of the pins";
            section.problems.error(&section.position, message);
            None
        }
    }?;
    for pin in pins.all() {
        if !taken.insert(format!("{}:{pin}", chip.display())) {
            let message = format!("GPIO {pin} has an indicator already: each pin has one");
            section.problems.error(&section.position, message);
            return None;
        }
    }
    Some(Gpio {
        chip,
        pins,
        active_low,
    })
}

/// Reads the number of a line on the pin header.
fn pin(section: &Section<'_>, key: &str) -> Option<u32> {
    let number = section.integer(key)?;
    match u32::try_from(number) {
        Ok(pin) if pin <= PIN_MAX => Some(pin),
        _ => {
            section.wrong(
                key,
                format_args!(
                    "GPIO {number} is not on the pin header: use a BCM number from 0 to {PIN_MAX}, \
                     not the number of the pin"
                ),
            );
            None
        }
    }
}

fn sense_hat(section: &Section<'_>) -> Option<SenseHat> {
    let device = section.text("device").filter(|device| device != "auto");
    let device = device.map(PathBuf::from);
    if device.as_ref().is_some_and(|device| !device.is_absolute()) {
        section.wrong("device", "expected \"auto\" or a path such as /dev/fb1");
        return None;
    }
    // All keys are read before a wrong one ends it: a key that is not read is reported as unknown.
    let (quarters, brightness) = (quarters(section), brightness(section));
    let low_light = section.boolean("low_light").unwrap_or(false);
    let root = root(section);
    Some(SenseHat {
        device,
        quarters: quarters?,
        brightness: brightness?,
        low_light,
        root,
    })
}

fn quarters(section: &Section<'_>) -> Option<u8> {
    match section.integer("rotation") {
        None if section.has("rotation") => None,
        None | Some(0) => Some(0),
        Some(90) => Some(1),
        Some(180) => Some(2),
        Some(270) => Some(3),
        Some(_) => {
            section.wrong("rotation", "expected 0, 90, 180 or 270 degrees, clockwise");
            None
        }
    }
}

fn brightness(section: &Section<'_>) -> Option<u8> {
    match section.integer("brightness").map(u8::try_from) {
        None if section.has("brightness") => None,
        None => Some(BRIGHTNESS),
        Some(Ok(percent @ 1..=100)) => Some(percent),
        Some(_) => {
            section.wrong("brightness", "expected percent, from 1 to 100");
            None
        }
    }
}

fn led(section: &Section<'_>) -> Option<Led> {
    let root = root(section);
    let trigger = section.text("trigger").filter(|name| !name.is_empty());
    let Some(name) = section.text("name") else {
        let message = "indicator \"led\" needs a name: `ls /sys/class/leds` shows them";
        section.problems.error(&section.position, message);
        return None;
    };
    let mut parts = Path::new(&name).components();
    if !matches!(
        (parts.next(), parts.next()),
        (Some(Component::Normal(_)), None)
    ) {
        section.wrong(
            "name",
            "expected a name such as ACT, as `ls /sys/class/leds` shows it",
        );
        return None;
    }
    Some(Led {
        name,
        trigger,
        root,
    })
}

/// Returns the folder that holds `sys` and `dev`, for tests and for containers that have the host's
/// elsewhere.
fn root(section: &Section<'_>) -> PathBuf {
    PathBuf::from(section.text("system_root").unwrap_or_else(|| "/".into()))
}
