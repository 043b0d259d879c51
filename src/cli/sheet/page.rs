//! The sheet of one key holder: what is on it, and where.
//!
//! The page is A4 and leaves margins that fit letter paper, too.

use super::pdf::{Font, Page};
use super::words::{WORDS, words_of};
use crate::clock::Timestamp;
use crate::secret::SecretBytes;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use qrcodegen::{QrCode, QrCodeEcc};
use ring::digest::{SHA256, digest};

const LEFT: f32 = 56.0;
const WIDTH: f32 = 484.0;
/// The width of a code and its margins, in points.
const CODE_WIDTH: f32 = 176.0;
/// The quiet margin of a code, in its squares.
const CODE_MARGIN: f32 = 4.0;
/// The most squares of a code's side that a camera reads from paper of this size.
const CODE_SIDE_MAX: i32 = 117;
const COLUMNS: usize = 3;
/// The most letters of a line of an encrypted key.
const LINE_LETTERS: usize = 64;
/// The most lines of an encrypted key, below which there is room for what is to be done with it.
pub const BLOCK_LINES_MAX: usize = 33;
/// The most letters of a name.
const NAME_LETTERS_MAX: usize = 60;

const PLAIN: (Font, f32) = (Font::Plain, 10.0);
const BOLD: (Font, f32) = (Font::Bold, 10.0);
const FIXED: (Font, f32) = (Font::Fixed, 9.0);

/// The end of each sheet.
const KEEPING: &[((Font, f32), &str)] = &[
    (BOLD, "How to keep it"),
    (
        PLAIN,
        "Out of sight and away from the other keys. No photograph, no",
    ),
    (
        PLAIN,
        "copy on a computer. If it is lost or was seen, make new keys:",
    ),
    (FIXED, "coffer operator rekey"),
    (PLAIN, ""),
    (BOLD, "When new keys are made"),
    (
        PLAIN,
        "The newest keys count, once they are in force. Burn this sheet",
    ),
    (PLAIN, "when you hold the next one."),
];

/// The keys that sheets are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SheetKind {
    /// Unseal keys.
    Unseal,
    /// Recovery keys.
    Recovery,
    /// Shares that open where the provider of the seal is gone.
    Emergency,
}

impl SheetKind {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unseal => "unseal",
            Self::Recovery => "recovery",
            Self::Emergency => "emergency",
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::Unseal => "Unseal key",
            Self::Recovery => "Recovery key",
            Self::Emergency => "Emergency key",
        }
    }
}

/// The cluster that keys are of, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterName {
    pub name: String,
    pub id: String,
}

/// The facts that the sheets of one set of keys share.
pub struct SheetSet {
    pub kind: SheetKind,
    pub shares: u64,
    pub threshold: u64,
    /// The number of this set of keys among those of the cluster; `None` where the server does not
    /// tell.
    pub generation: Option<u64>,
    pub made: Timestamp,
    pub cluster: ClusterName,
    /// The address of the server that made the keys.
    pub address: String,
}

/// A key as a sheet has it.
#[derive(Clone, Copy)]
pub enum SheetKey<'a> {
    /// The key in base64, as servers take it.
    Plain(&'a str),
    /// A key that is encrypted to its holder's key of OpenPGP, in base64.
    Pgp(&'a str),
    /// A key in a file of age, in ASCII armor.
    Age(&'a str),
}

/// The cover of a key: what its text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyCover {
    /// None: it is the key in base64.
    Bare,
    /// A message of OpenPGP, in base64.
    Pgp,
    /// A file of age, in ASCII armor.
    Age,
}

impl<'a> SheetKey<'a> {
    /// Returns the key of this text.
    pub const fn of(text: &'a str, cover: KeyCover) -> Self {
        match cover {
            KeyCover::Bare => Self::Plain(text),
            KeyCover::Pgp => Self::Pgp(text),
            KeyCover::Age => Self::Age(text),
        }
    }

    const fn text(&self) -> &str {
        match self {
            Self::Plain(text) | Self::Pgp(text) | Self::Age(text) => text,
        }
    }
}

impl SheetSet {
    /// Returns the name of the file of the sheet `number`, from 1.
    pub fn file_name(&self, number: usize) -> String {
        let set = match self.generation {
            Some(generation) => format!("generation-{generation}"),
            None => self.made.rfc3339().get(..10).unwrap_or_default().to_owned(),
        };
        let (kind, shares) = (self.kind.name(), self.shares);
        format!("{kind}-key-{number}-of-{shares}-{set}.pdf")
    }

    /// Returns the sheet `number`, from 1, as PDF.
    pub fn sheet(&self, number: usize, key: SheetKey<'_>) -> SecretBytes {
        let mut page = Page::new();
        let mut y = self.head(&mut page, number, &key);
        y = match key {
            SheetKey::Plain(text) => words(&mut page, text, y),
            SheetKey::Pgp(text) | SheetKey::Age(text) => block(&mut page, text, y),
        };
        let below = code(&mut page, key.text(), y);
        let beside = if below < y {
            LEFT + CODE_WIDTH + 14.0
        } else {
            LEFT
        };
        let mut at = y - 16.0;
        for (font, text) in self.what_to_do(&key) {
            if at < below {
                page.text((LEFT, at), font, &text);
            } else {
                page.text((beside, at), font, &text);
            }
            at -= if text.is_empty() { 7.0 } else { 13.0 };
        }
        page.document()
    }

    fn head(&self, page: &mut Page, number: usize, key: &SheetKey<'_>) -> f32 {
        let (shares, threshold) = (self.shares, self.threshold);
        let title = format!("{} {number} of {shares}", self.kind.title());
        page.text((LEFT, 762.0), (Font::Bold, 24.0), &title);
        let name: String = self.cluster.name.chars().take(NAME_LETTERS_MAX).collect();
        let rows = [
            ("Cluster", name),
            ("Its id", self.cluster.id.clone()),
            (
                "Server",
                self.address.chars().take(NAME_LETTERS_MAX).collect(),
            ),
            ("Needed", format!("{threshold} of the {shares} keys")),
            ("Generation", self.generation()),
            ("Made", date(self.made)),
            ("Checksum", checksum(key.text())),
        ];
        let mut y = 738.0;
        for (name, value) in rows.iter().filter(|row| !row.1.is_empty()) {
            page.text((LEFT, y), (Font::Plain, 10.0), name);
            page.text((LEFT + 74.0, y), (Font::Bold, 10.0), value);
            y -= 14.0;
        }
        y - 4.0
    }

    fn generation(&self) -> String {
        let number = self.generation.map(|number| number.to_string());
        number.unwrap_or_default()
    }

    fn purpose(&self) -> Vec<String> {
        let needed = format!("{} of these {} keys", self.threshold, self.shares);
        let (first, second) = match self.kind {
            SheetKind::Unseal => ("open the cluster after a start.", None),
            SheetKind::Recovery => (
                "allow a new root token, new recovery",
                Some("keys and a start in recovery mode. They open nothing."),
            ),
            SheetKind::Emergency => (
                "open the cluster after a start",
                Some("where the provider of its seal is gone. They allow nothing else."),
            ),
        };
        let first = format!("{needed} {first}");
        [Some(first), second.map(str::to_owned)]
            .into_iter()
            .flatten()
            .collect()
    }

    fn what_to_do(&self, key: &SheetKey<'_>) -> Vec<((Font, f32), String)> {
        let (plain, bold, fixed) = (PLAIN, BOLD, FIXED);
        let mut lines = Vec::new();
        let mut say = |font, text: &str| lines.push((font, text.to_owned()));
        say(bold, "What it is for");
        for line in self.purpose() {
            say(plain, &line);
        }
        say(plain, "");
        say(bold, "How to give it");
        match self.kind {
            SheetKind::Unseal | SheetKind::Emergency => say(fixed, "coffer operator unseal"),
            SheetKind::Recovery => {
                say(fixed, "coffer operator generate-root");
                say(fixed, "coffer operator rekey -target=recovery");
            }
        }
        match key {
            SheetKey::Plain(_) => {
                say(
                    plain,
                    &format!("It asks for the key. Type the {WORDS} words (four letters of"),
                );
                say(plain, "each are enough), or paste what a camera reads.");
            }
            SheetKey::Pgp(_) | SheetKey::Age(_) => {
                say(
                    plain,
                    "It asks for the key. This one is encrypted: open it first.",
                );
                say(
                    fixed,
                    match key {
                        SheetKey::Age(_) => "age -d -i YOUR-PRIVATE-KEY key",
                        _ => "base64 -d key | gpg -d",
                    },
                );
            }
        }
        say(plain, "");
        if matches!(key, SheetKey::Plain(_)) {
            say(bold, "How to try it, once a year");
            say(plain, "It proves that the key is good, and opens nothing:");
            say(fixed, "coffer operator drill");
            say(plain, "");
        }
        for (font, text) in KEEPING {
            say(*font, text);
        }
        lines
    }
}

/// Draws the words of a key in their columns, and returns the place below; nothing for a key that
/// has none.
fn words(page: &mut Page, text: &str, top: f32) -> f32 {
    let share = zeroize::Zeroizing::new(BASE64.decode(text).unwrap_or_default());
    let Some(words) = words_of(&share) else {
        return top;
    };
    let rows = words.len().div_ceil(COLUMNS);
    let height = rows as f32 * 19.0 + 14.0;
    page.frame((LEFT, top - height), WIDTH, height);
    for (at, word) in words.iter().enumerate() {
        let (column, row) = (at / rows, at % rows);
        let x = LEFT + 16.0 + column as f32 * (WIDTH / COLUMNS as f32);
        let y = top - 20.0 - row as f32 * 19.0;
        page.text((x, y), (Font::Plain, 10.0), &format!("{}", at + 1));
        page.text((x + 22.0, y), (Font::Fixed, 14.0), word);
    }
    top - height - 10.0
}

/// Writes an encrypted key in lines.
fn block(page: &mut Page, text: &str, top: f32) -> f32 {
    let mut y = top - 10.0;
    for line in text.lines() {
        let letters: Vec<char> = line.chars().collect();
        for line in letters.chunks(LINE_LETTERS) {
            let line: String = line.iter().collect();
            page.text((LEFT, y), (Font::Fixed, 9.0), &line);
            y -= 11.0;
        }
    }
    y
}

/// Draws a text as a QR code, and returns the place below; `top` for a text that is too long.
fn code(page: &mut Page, text: &str, top: f32) -> f32 {
    let codes = [QrCodeEcc::Medium, QrCodeEcc::Low];
    let codes = codes.map(|check| QrCode::encode_text(text, check).ok());
    let mut codes = codes.into_iter().flatten();
    let Some(code) = codes.find(|code| code.size() <= CODE_SIDE_MAX) else {
        return top;
    };
    let side = code.size();
    let square = CODE_WIDTH / (side as f32 + 2.0 * CODE_MARGIN);
    let edge = CODE_MARGIN * square;
    for row in 0..side {
        let y = top - edge - (row + 1) as f32 * square;
        let mut column = 0;
        while column < side {
            let dark = (column..side)
                .take_while(|x| code.get_module(*x, row))
                .count() as i32;
            if dark > 0 {
                let x = LEFT + edge + column as f32 * square;
                page.fill((x, y), dark as f32 * square, square);
            }
            column += dark + 1;
        }
    }
    if text.len() <= 48 {
        let at = (LEFT, top - CODE_WIDTH - 6.0);
        page.text(at, (Font::Fixed, 6.4), text);
    }
    top - CODE_WIDTH - 18.0
}

/// Returns the day and the time, to the minute.
fn date(at: Timestamp) -> String {
    let text = Timestamp::from_secs(at.as_secs()).rfc3339();
    let minute = text.get(..16).unwrap_or_default();
    format!("{} UTC", minute.replace('T', " "))
}

/// Returns a checksum by which two copies are compared.
fn checksum(text: &str) -> String {
    let hash = hex::encode(digest(&SHA256, text.as_bytes()));
    let (one, other) = (hash.get(..4), hash.get(4..8));
    format!("{} {}", one.unwrap_or_default(), other.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(kind: SheetKind) -> SheetSet {
        SheetSet {
            kind,
            shares: 5,
            threshold: 3,
            generation: Some(2),
            made: Timestamp::from_secs(1_800_000_000),
            cluster: ClusterName {
                name: "home".into(),
                id: "6f1c".into(),
            },
            address: "https://pi:8200".into(),
        }
    }

    fn shown(sheet: &SecretBytes) -> String {
        String::from_utf8_lossy(sheet.expose()).into_owned()
    }

    #[test]
    fn a_sheet_says_what_it_is() {
        let key = BASE64.encode([7; 33]);
        let page = shown(&set(SheetKind::Unseal).sheet(2, SheetKey::Plain(&key)));
        let words = words_of(&[7; 33]).unwrap();
        for said in [
            "Unseal key 2 of 5",
            "(home)",
            "(6f1c)",
            "https://pi:8200",
            "3 of the 5 keys",
            "(2) Tj",
            "2027-01-15 08:00 UTC",
            "coffer operator unseal",
            key.as_str(),
            words[26],
        ] {
            assert!(page.contains(said), "{said}");
        }
        let page = shown(&set(SheetKind::Recovery).sheet(2, SheetKey::Plain(&key)));
        assert!(page.contains("Recovery key 2 of 5") && page.contains("They open nothing"));
        let page = shown(&set(SheetKind::Emergency).sheet(2, SheetKey::Plain(&key)));
        assert!(page.contains("Emergency key 2 of 5") && page.contains("its seal is gone"));
        let name = set(SheetKind::Recovery).file_name(4);
        assert_eq!(name, "recovery-key-4-of-5-generation-2.pdf");
        let mut other = set(SheetKind::Unseal);
        other.generation = None;
        assert_eq!(other.file_name(1), "unseal-key-1-of-5-2027-01-15.pdf");
    }

    #[test]
    fn an_encrypted_key_is_in_lines_and_has_no_words() {
        for length in [96, 2000] {
            let key = "QUJD".repeat(length / 4);
            let page = shown(&set(SheetKind::Unseal).sheet(1, SheetKey::Pgp(&key)));
            assert!(page.contains("gpg -d") && !page.contains("words"));
            assert_eq!(page.matches(&"QUJD".repeat(16)).count(), length / 64);
        }
        let file = format!("-----BEGIN\n{}\nQQ==\n-----END", "QUJD".repeat(16));
        let page = shown(&set(SheetKind::Unseal).sheet(1, SheetKey::Age(&file)));
        assert!(page.contains("age -d -i") && !page.contains("words"));
        for line in file.lines() {
            assert!(page.contains(&format!("({line}) Tj")), "{line}");
        }
    }

    #[test]
    fn the_longest_encrypted_key_leaves_room_for_what_to_do() {
        let line = "QUJD".repeat(16);
        let file = vec![line.as_str(); BLOCK_LINES_MAX].join("\n");
        for kind in [SheetKind::Unseal, SheetKind::Recovery, SheetKind::Emergency] {
            let page = shown(&set(kind).sheet(1, SheetKey::Age(&file)));
            let places = page.lines().filter_map(|line| {
                let words: Vec<&str> = line.split(' ').collect();
                let at = words.iter().position(|word| *word == "Td")?;
                words.get(at.checked_sub(1)?)?.parse::<f32>().ok()
            });
            let lowest = places.fold(f32::MAX, f32::min);
            assert!((36.0..100.0).contains(&lowest), "{lowest}");
        }
    }
}
