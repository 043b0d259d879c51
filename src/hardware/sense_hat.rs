//! The matrix of a Sense HAT, through its framebuffer: 64 pixels of 16 bits, written whole.
//!
//! ```text
//! 15      11 10         5 4       0
//! | red: 5  |  green: 6  | blue: 5 |   little endian, row by row, from the top left
//! ```
//!
//! The driver bends each channel's 32 levels to what the eye sees (`gamma_default` in Linux's
//! `rpisense-fb.c`), so that levels below 6 are dark: a pixel that is meant to be seen stays above.

use super::colour::Colour;
use super::error::{HardwareError, Remedies};
use super::light::{Light, SenseHat};
use super::pattern::Frame;
use super::picture::Picture;
use rustix::fs::{FlockOperation, flock};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// The driver's name of the framebuffer.
const NAME: &str = "RPi-Sense FB";
/// The lowest level that is lit, and the highest.
const LEVEL_MIN: u32 = 6;
const LEVEL_MAX: u32 = 31;
/// The brightness in a dark room, in percent.
const LOW_LIGHT: u32 = 8;

const REMEDIES: Remedies = Remedies {
    absent: "no framebuffer is called \"RPi-Sense FB\"; fit the HAT and load its overlay \
             (dtoverlay=rpi-sense in config.txt), or give its device",
    denied: "add the service's user to the group video (SupplementaryGroups=video)",
};

pub(super) struct SenseHatLight {
    file: File,
    quarters: u8,
    percent: u32,
}

impl SenseHatLight {
    pub(super) fn open(hat: &SenseHat) -> Result<Self, HardwareError> {
        let device = match &hat.device {
            Some(device) => device.clone(),
            None => find(&hat.root)?,
        };
        let sort = |error| REMEDIES.sort(device.display().to_string(), error);
        let file = OpenOptions::new().write(true).open(&device).map_err(sort)?;
        // The driver allows several writers, each of which overwrites the other.
        flock(&file, FlockOperation::NonBlockingLockExclusive)
            .map_err(|error| sort(error.into()))?;
        let percent = u32::from(hat.brightness.min(100));
        Ok(Self {
            file,
            quarters: hat.quarters,
            percent: match hat.low_light {
                true => percent.min(LOW_LIGHT),
                false => percent,
            },
        })
    }

    fn write(&self, picture: &Picture) -> Result<(), HardwareError> {
        let bytes = encode(&picture.turned(self.quarters), self.percent);
        let written = self.file.write_all_at(&bytes, 0);
        written.map_err(|error| REMEDIES.sort("writing to the Sense HAT", error))
    }
}

impl Light for SenseHatLight {
    fn show(&mut self, frame: &Frame) -> Result<(), HardwareError> {
        match frame {
            Frame::Picture(picture) => self.write(picture),
            Frame::Lamp(_) => Ok(()),
        }
    }

    fn off(self: Box<Self>) -> Result<(), HardwareError> {
        self.write(&Picture::default())
    }
}

/// Finds the framebuffer by its name: its number depends on the other devices.
fn find(root: &Path) -> Result<PathBuf, HardwareError> {
    let graphics = root.join("sys/class/graphics");
    let absent = || REMEDIES.sort("the Sense HAT", io::ErrorKind::NotFound.into());
    let entries = std::fs::read_dir(&graphics).map_err(|_| absent())?;
    for entry in entries.flatten() {
        let name = std::fs::read_to_string(entry.path().join("name")).unwrap_or_default();
        if name.trim() == NAME {
            return Ok(root.join("dev").join(entry.file_name()));
        }
    }
    Err(absent())
}

fn encode(picture: &Picture, percent: u32) -> Vec<u8> {
    let pixels = picture.pixels();
    pixels
        .flat_map(|colour| rgb565(colour, percent).to_le_bytes())
        .collect()
}

fn rgb565(colour: Colour, percent: u32) -> u16 {
    let [red, green, blue] = [colour.red, colour.green, colour.blue].map(|c| level(c, percent));
    (red << 11) | (green << 6) | blue
}

/// Returns a level, of 32. A channel with any light keeps some.
fn level(channel: u8, percent: u32) -> u16 {
    if channel == 0 {
        return 0;
    }
    let above = (LEVEL_MAX - LEVEL_MIN) * u32::from(channel) * percent / (255 * 100);
    u16::try_from(LEVEL_MIN + above).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hardware::{Condition, Face, SIDE};

    const FRAME_BYTES: usize = SIDE * SIDE * 2;

    fn hat(root: &Path) -> SenseHat {
        SenseHat {
            device: None,
            quarters: 0,
            brightness: 100,
            low_light: false,
            root: root.to_owned(),
        }
    }

    /// Returns a machine with a screen at fb0 and the HAT at fb1.
    fn machine() -> (tempfile::TempDir, PathBuf) {
        let root = tempfile::tempdir().unwrap();
        for (number, name) in [(0, "BCM2708 FB\n"), (1, "RPi-Sense FB\n")] {
            let entry = root.path().join(format!("sys/class/graphics/fb{number}"));
            std::fs::create_dir_all(&entry).unwrap();
            std::fs::write(entry.join("name"), name).unwrap();
        }
        std::fs::create_dir_all(root.path().join("dev")).unwrap();
        let device = root.path().join("dev/fb1");
        std::fs::write(&device, [0xAA; FRAME_BYTES]).unwrap();
        (root, device)
    }

    #[test]
    fn it_is_found_by_its_name_and_frames_are_written_whole() {
        let (root, device) = machine();
        let mut light = SenseHatLight::open(&hat(root.path())).unwrap();
        let mut picture = Picture::default();
        picture.set(0, 0, Colour::RED);
        picture.set(0, 1, Colour::GREEN);
        picture.set(7, 7, Colour::WHITE);
        light.show(&Frame::Picture(picture)).unwrap();
        let bytes = std::fs::read(&device).unwrap();
        assert_eq!(bytes.len(), FRAME_BYTES);
        assert_eq!(bytes[..4], [0x00, 0xF8, 0xC0, 0x07]);
        assert_eq!(bytes[126..], [0xDF, 0xFF]);
        assert!(bytes[4..126].iter().all(|byte| *byte == 0));
        Box::new(light).off().unwrap();
        assert_eq!(std::fs::read(&device).unwrap(), [0; FRAME_BYTES]);
    }

    #[test]
    fn however_dim_every_lit_pixel_can_be_seen() {
        for percent in [1, LOW_LIGHT, 40, 100] {
            for condition in Condition::examples() {
                let pattern = Face::Matrix.pattern(&condition);
                let Frame::Picture(picture) = pattern.first() else {
                    panic!("not a picture");
                };
                for (colour, bytes) in picture.pixels().zip(encode(picture, percent).chunks(2)) {
                    let pixel = u16::from_le_bytes([bytes[0], bytes[1]]);
                    let levels = [pixel >> 11, (pixel >> 6) & 31, pixel & 31];
                    let visible = levels.iter().any(|level| u32::from(*level) >= LEVEL_MIN);
                    assert_eq!(visible, colour.is_lit(), "{percent} %");
                }
            }
        }
    }

    #[test]
    fn a_dark_room_is_dimmer() {
        assert_eq!(level(255, 100), 31);
        assert_eq!(level(255, 40), 16);
        assert_eq!(level(255, LOW_LIGHT), 8);
        assert_eq!(level(1, 1), 6);
    }

    #[test]
    fn two_do_not_write_over_each_other() {
        let (root, _) = machine();
        let first = SenseHatLight::open(&hat(root.path())).unwrap();
        let second = SenseHatLight::open(&hat(root.path())).err().unwrap();
        assert!(second.to_string().contains("systemctl stop"), "{second}");
        drop(first);
        assert!(SenseHatLight::open(&hat(root.path())).is_ok());
    }

    #[test]
    fn without_a_hat_there_is_an_answer_for_people() {
        let root = tempfile::tempdir().unwrap();
        let error = SenseHatLight::open(&hat(root.path())).err().unwrap();
        assert!(
            error
                .to_string()
                .starts_with("the Sense HAT is not there: "),
            "{error}"
        );
    }
}
