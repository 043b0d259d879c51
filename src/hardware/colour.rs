//! Colours of lamps and pixels.

/// Red, green and blue light, each from 0 to 255. A lamp without shades lights the channels that
/// are at least half.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Colour {
    /// The red channel.
    pub red: u8,
    /// The green channel.
    pub green: u8,
    /// The blue channel.
    pub blue: u8,
}

const HALF: u8 = 128;

impl Colour {
    /// No light.
    pub const DARK: Self = Self::new(0, 0, 0);
    /// The node starts or stops.
    pub const WHITE: Self = Self::new(255, 255, 255);
    /// The node has no keyring yet, or a member is seen twice.
    pub const MAGENTA: Self = Self::new(255, 0, 255);
    /// The node joins a cluster.
    pub const CYAN: Self = Self::new(0, 255, 255);
    /// The node waits for keys.
    pub const AMBER: Self = Self::new(255, 160, 0);
    /// The node is a standby.
    pub const BLUE: Self = Self::new(0, 64, 255);
    /// The node leads.
    pub const GREEN: Self = Self::new(0, 255, 0);
    /// The node needs an operator.
    pub const RED: Self = Self::new(255, 0, 0);

    /// The colours with their letters in pictures and recorded time lines.
    pub const LETTERS: [(char, Self); 8] = [
        ('.', Self::DARK),
        ('W', Self::WHITE),
        ('M', Self::MAGENTA),
        ('C', Self::CYAN),
        ('A', Self::AMBER),
        ('B', Self::BLUE),
        ('G', Self::GREEN),
        ('R', Self::RED),
    ];

    const fn new(red: u8, green: u8, blue: u8) -> Self {
        Self { red, green, blue }
    }

    /// Returns the colour of a letter; any other letter is dark.
    pub fn of_letter(letter: char) -> Self {
        let found = Self::LETTERS.iter().find(|(known, _)| *known == letter);
        found.map_or(Self::DARK, |(_, colour)| *colour)
    }

    /// Returns true if any channel is lit.
    pub fn is_lit(self) -> bool {
        self != Self::DARK
    }

    /// Returns red, green and blue for lamps that are only on or off.
    pub fn switches(self) -> [bool; 3] {
        [self.red, self.green, self.blue].map(|channel| channel >= HALF)
    }
}
