//! An LED that the kernel has a name for, in `/sys/class/leds`: the board's own, or any that an
//! overlay (`gpio-led`) makes. Its trigger is the event for which the kernel lights it, such as
//! `mmc0`.

use super::error::{HardwareError, Remedies};
use super::light::{Led, Light};
use super::pattern::Frame;
use rustix::fs::{FlockOperation, flock};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// The brightest level where the driver names none.
const BRIGHTEST: &str = "255";
/// The trigger with which the kernel leaves the LED alone.
const NO_TRIGGER: &str = "none";
/// The largest list of triggers that is read, in bytes; no machine has a longer one.
const FILE_BYTES_MAX: u64 = 16 * 1024;

const REMEDIES: Remedies = Remedies {
    absent: "`ls /sys/class/leds` shows the names",
    denied: "let the service write to its trigger and brightness: systemd/60-coffer.rules gives \
             them to its group, ReadWritePaths= makes them writable in its unit",
};

pub(super) struct LedLight {
    folder: PathBuf,
    brightest: String,
    /// The trigger that the LED gets back at the end.
    trigger: String,
    /// The lock that shows other processes which ask for it that the LED is in use.
    _lock: File,
}

impl LedLight {
    pub(super) fn open(led: &Led) -> Result<Self, HardwareError> {
        let folder = led.root.join("sys/class/leds").join(&led.name);
        let sort = |error| REMEDIES.sort(folder.display().to_string(), error);
        let lock = File::open(folder.join("brightness")).map_err(sort)?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)
            .map_err(|error| sort(error.into()))?;
        let found = read(&folder.join("trigger")).map_err(sort)?;
        let found = chosen(&found).unwrap_or(NO_TRIGGER).to_owned();
        let light = Self {
            brightest: read(&folder.join("max_brightness")).unwrap_or_else(|_| BRIGHTEST.into()),
            trigger: led.trigger.clone().unwrap_or(found),
            folder: folder.clone(),
            _lock: lock,
        };
        light.set("trigger", NO_TRIGGER)?;
        Ok(light)
    }

    fn set(&self, attribute: &str, value: &str) -> Result<(), HardwareError> {
        let path = self.folder.join(attribute);
        write(&path, value).map_err(|error| REMEDIES.sort(path.display().to_string(), error))
    }
}

impl Light for LedLight {
    fn show(&mut self, frame: &Frame) -> Result<(), HardwareError> {
        match frame {
            Frame::Lamp(colour) if colour.is_lit() => self.set("brightness", &self.brightest),
            Frame::Lamp(_) => self.set("brightness", "0"),
            Frame::Picture(_) => Ok(()),
        }
    }

    fn off(self: Box<Self>) -> Result<(), HardwareError> {
        self.set("brightness", "0")?;
        self.set("trigger", &self.trigger)
    }
}

/// Returns the trigger in brackets.
fn chosen(triggers: &str) -> Option<&str> {
    let (_, behind) = triggers.split_once('[')?;
    Some(behind.split_once(']')?.0)
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let file = File::open(path)?;
    file.take(FILE_BYTES_MAX).read_to_string(&mut text)?;
    Ok(text.trim().to_owned())
}

fn write(path: &Path, value: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).truncate(true).open(path)?;
    file.write_all(value.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hardware::colour::Colour;

    fn machine() -> (tempfile::TempDir, PathBuf) {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("sys/class/leds/ACT");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("trigger"), "none timer [mmc0] heartbeat\n").unwrap();
        std::fs::write(folder.join("brightness"), "0\n").unwrap();
        (root, folder)
    }

    fn led(root: &Path, trigger: Option<&str>) -> Led {
        Led {
            name: "ACT".into(),
            trigger: trigger.map(Into::into),
            root: root.to_owned(),
        }
    }

    #[test]
    fn it_is_taken_from_the_kernel_and_given_back() {
        let (root, folder) = machine();
        let mut light = LedLight::open(&led(root.path(), None)).unwrap();
        assert_eq!(read(&folder.join("trigger")).unwrap(), "none");
        light.show(&Frame::Lamp(Colour::BLUE)).unwrap();
        assert_eq!(read(&folder.join("brightness")).unwrap(), "255");
        std::fs::write(folder.join("max_brightness"), "1\n").unwrap();
        light.show(&Frame::Lamp(Colour::DARK)).unwrap();
        assert_eq!(read(&folder.join("brightness")).unwrap(), "0");
        Box::new(light).off().unwrap();
        assert_eq!(read(&folder.join("trigger")).unwrap(), "mmc0");
        let mut light = LedLight::open(&led(root.path(), None)).unwrap();
        light.show(&Frame::Lamp(Colour::BLUE)).unwrap();
        assert_eq!(read(&folder.join("brightness")).unwrap(), "1");
    }

    #[test]
    fn after_a_crash_the_trigger_is_what_the_configuration_says() {
        let (root, folder) = machine();
        drop(LedLight::open(&led(root.path(), None)).unwrap());
        let light = LedLight::open(&led(root.path(), Some("mmc0"))).unwrap();
        Box::new(light).off().unwrap();
        assert_eq!(read(&folder.join("trigger")).unwrap(), "mmc0");
    }

    #[test]
    fn what_is_not_there_or_in_use_is_said() {
        let (root, _) = machine();
        let first = LedLight::open(&led(root.path(), None)).unwrap();
        let busy = LedLight::open(&led(root.path(), None)).err().unwrap();
        assert!(busy.to_string().contains("in use"), "{busy}");
        drop(first);
        let absent = Led {
            name: "PWR".into(),
            ..led(root.path(), None)
        };
        let absent = LedLight::open(&absent).err().unwrap();
        assert!(absent.to_string().contains("PWR is not there"), "{absent}");
    }
}
