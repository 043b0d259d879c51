//! Colours, as a lamp or a pixel shows them.

/// Light of three kinds, each from 0 to 255. Lamps without shades light what is at least half.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Colour {
    /// Red.
    pub red: u8,
    /// Green.
    pub green: u8,
    /// Blue.
    pub blue: u8,
}

const HALF: u8 = 128;

impl Colour {
    /// No light.
    pub const DARK: Self = Self::new(0, 0, 0);
    /// Coming and going.
    pub const WHITE: Self = Self::new(255, 255, 255);
    /// Nothing in it yet.
    pub const MAGENTA: Self = Self::new(255, 0, 255);
    /// On its way into a cluster.
    pub const CYAN: Self = Self::new(0, 255, 255);
    /// Waits for keys.
    pub const AMBER: Self = Self::new(255, 160, 0);
    /// Stands by.
    pub const BLUE: Self = Self::new(0, 64, 255);
    /// Leads.
    pub const GREEN: Self = Self::new(0, 255, 0);
    /// Needs somebody.
    pub const RED: Self = Self::new(255, 0, 0);

    /// With their letters, as pictures and recorded time lines write them.
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

    /// The colour of a letter; any other letter is dark.
    pub fn of_letter(letter: char) -> Self {
        let found = Self::LETTERS.iter().find(|(known, _)| *known == letter);
        found.map_or(Self::DARK, |(_, colour)| *colour)
    }

    /// Is there any light?
    pub fn is_lit(self) -> bool {
        self != Self::DARK
    }

    /// Red, green and blue for lamps that are only on or off.
    pub fn switches(self) -> [bool; 3] {
        [self.red, self.green, self.blue].map(|channel| channel >= HALF)
    }
}
