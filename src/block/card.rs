//! The facts that a card of the MMC family gives about itself: SD cards and eMMC.

use super::machine::read;
use std::path::Path;

/// Makers by their number. Numbers are given out by the SD Association and by JEDEC, each of its
/// own, and published by neither; these are those that Linux's users report.
const SD_MAKERS: &[(u32, &str)] = &[
    (0x01, "Panasonic"),
    (0x02, "Toshiba"),
    (0x03, "SanDisk"),
    (0x1b, "Samsung"),
    (0x1d, "ADATA"),
    (0x27, "Phison"),
    (0x28, "Lexar"),
    (0x31, "Silicon Power"),
    (0x41, "Kingston"),
    (0x74, "Transcend"),
    (0x76, "Patriot"),
    (0x82, "Sony"),
    (0x9c, "Angelbird"),
    (0x9f, "Kingston"),
];
const EMMC_MAKERS: &[(u32, &str)] = &[
    (0x11, "Toshiba"),
    (0x13, "Micron"),
    (0x15, "Samsung"),
    (0x45, "SanDisk"),
    (0x70, "Kingston"),
    (0x88, "Foresee"),
    (0x90, "SK Hynix"),
    (0xfe, "Micron"),
];

/// A card's own account of itself, as the kernel shows it beside the disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Card {
    /// The name in the card's register, such as `SD32G`.
    pub name: Option<String>,
    /// The maker's number, as the kernel shows it: `0x000003`.
    pub maker_id: Option<String>,
    /// The maker, where the number is known.
    pub maker: Option<&'static str>,
    /// The number of the brand, as the kernel shows it: `0x5344`.
    pub brand_id: Option<String>,
    /// The month in which the card was made: `05/2021`.
    pub made: Option<String>,
    /// The life that is used. eMMC 5.0 and later has it, SD cards have not.
    pub life: Option<Life>,
    /// The state of the spare blocks: `normal`, `warning` (80 % are used) or `urgent`. Only eMMC.
    pub spare: Option<&'static str>,
}

/// The life of an eMMC that is used, by the device's own estimate, in steps of ten percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Life {
    /// The most that may be used of the worse of its two kinds of memory, in percent: 10 for "0 to
    /// 10 %", and 110 when the estimate is exceeded.
    pub used_percent_max: u8,
}

impl Life {
    /// Reads `life_time`: two numbers, such as `0x01 0x02`. `None` when neither is defined.
    fn parse(text: &str) -> Option<Self> {
        let steps = text.split_whitespace().filter_map(number);
        let worst = steps.filter(|step| (1..=11).contains(step)).max()?;
        Some(Self {
            used_percent_max: u8::try_from(worst * 10).ok()?,
        })
    }
}

impl Card {
    /// Reads the facts from the folder of the card's device. `None` when it shows none.
    pub(super) fn read(folder: &Path, is_emmc: bool) -> Option<Self> {
        let fact = |name: &str| read(&folder.join(name)).filter(|text| !text.is_empty());
        let maker_id = fact("manfid");
        let makers = if is_emmc { EMMC_MAKERS } else { SD_MAKERS };
        let id = maker_id.as_deref().and_then(number);
        let maker = makers.iter().find(|(known, _)| Some(*known) == id);
        let spare = fact("pre_eol_info").as_deref().and_then(number);
        let card = Self {
            name: fact("name"),
            maker: maker.map(|(_, name)| *name),
            maker_id,
            brand_id: fact("oemid"),
            made: fact("date"),
            life: fact("life_time").as_deref().and_then(Life::parse),
            spare: spare.and_then(|state| match state {
                1 => Some("normal"),
                2 => Some("warning"),
                3 => Some("urgent"),
                _ => None,
            }),
        };
        (card != Self::default()).then_some(card)
    }
}

fn number(text: &str) -> Option<u32> {
    let digits = text.trim().strip_prefix("0x").unwrap_or(text.trim());
    u32::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn the_worse_kind_of_memory_counts() {
        let used = |text| Life::parse(text).map(|life| life.used_percent_max);
        assert_eq!(used("0x01 0x02"), Some(20));
        assert_eq!(used("0x0b 0x01"), Some(110), "exceeded");
        assert_eq!(used("0x00 0x00"), None, "not defined");
        assert_eq!(used("0x00 0x03"), Some(30));
        assert_eq!(used("garbage"), None);
    }
}
