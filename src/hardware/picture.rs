//! A picture of 8 by 8 pixels.

use super::colour::Colour;

/// Pixels on a side.
pub const SIDE: usize = 8;

/// 8 rows of 8 pixels, from the top left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Picture([[Colour; SIDE]; SIDE]);

impl Picture {
    /// Draws a picture from letters, see [`Colour::LETTERS`].
    pub fn drawn(rows: [&str; SIDE]) -> Self {
        Self(rows.map(|row| {
            let mut letters = row.chars();
            [(); SIDE].map(|()| letters.next().map_or(Colour::DARK, Colour::of_letter))
        }))
    }

    /// Returns a pixel; dark outside the picture.
    pub fn pixel(&self, row: usize, column: usize) -> Colour {
        let found = self.0.get(row).and_then(|row| row.get(column));
        found.copied().unwrap_or_default()
    }

    /// Lights a pixel; does nothing outside the picture.
    pub fn set(&mut self, row: usize, column: usize, colour: Colour) {
        let pixel = self.0.get_mut(row).and_then(|row| row.get_mut(column));
        if let Some(pixel) = pixel {
            *pixel = colour;
        }
    }

    /// Lights a column from `top` to `bottom`, both included.
    pub fn bar(&mut self, column: usize, top: usize, bottom: usize, colour: Colour) {
        for row in top..=bottom {
            self.set(row, column, colour);
        }
    }

    /// Returns the picture turned clockwise by `quarters` quarters.
    pub fn turned(&self, quarters: u8) -> Self {
        let mut turned = *self;
        for _ in 0..quarters % 4 {
            let before = turned;
            for row in 0..SIDE {
                for column in 0..SIDE {
                    turned.set(column, SIDE - 1 - row, before.pixel(row, column));
                }
            }
        }
        turned
    }

    /// Returns all pixels, row by row.
    pub fn pixels(&self) -> impl Iterator<Item = Colour> {
        self.0.into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_turns_the_top_left_to_the_top_right() {
        let mut picture = Picture::default();
        picture.set(0, 1, Colour::RED);
        assert_eq!(picture.turned(1).pixel(1, 7), Colour::RED);
        assert_eq!(picture.turned(2).pixel(7, 6), Colour::RED);
        assert_eq!(picture.turned(3).pixel(6, 0), Colour::RED);
        assert_eq!(picture.turned(4), picture);
    }
}
