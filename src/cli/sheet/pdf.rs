//! A document of one page, as PDF: text in the fonts that every reader has, lines, and squares.
//!
//! Places are in points (1/72 inch) from the lower left corner. Source: ISO 32000-1.

use crate::secret::{Secret, SecretBytes, SecretString};
use std::fmt::Write as _;

/// The width of A4.
const WIDTH: u32 = 595;
/// The height of A4.
const HEIGHT: u32 = 842;
/// Enough for a page of text and a code, so that no copy of it is left behind by growing.
const CONTENT_BYTES: usize = 96 << 10;

/// A font that every reader has.
#[derive(Clone, Copy)]
pub enum Font {
    Plain = 1,
    Bold = 2,
    /// All letters of one width.
    Fixed = 3,
}

/// A page.
pub struct Page {
    content: SecretString,
}

impl Page {
    pub fn new() -> Self {
        Self {
            content: Secret::new(String::with_capacity(CONTENT_BYTES)),
        }
    }

    /// Writes a line of text from this place on.
    pub fn text(&mut self, (x, y): (f32, f32), (font, size): (Font, f32), text: &str) {
        let font = font as u8;
        self.add(format_args!("BT /F{font} {size} Tf {x:.2} {y:.2} Td ("));
        for letter in text.chars() {
            match letter {
                '(' | ')' | '\\' => self.add(format_args!("\\{letter}")),
                ' '..='~' => self.add(format_args!("{letter}")),
                // The fonts have Latin letters only.
                '\u{a0}'..='\u{ff}' => self.add(format_args!("\\{:03o}", u32::from(letter))),
                _ => self.add(format_args!("?")),
            }
        }
        self.add(format_args!(") Tj ET\n"));
    }

    /// Draws a frame.
    pub fn frame(&mut self, (x, y): (f32, f32), width: f32, height: f32) {
        self.add(format_args!(
            "0.8 w {x:.2} {y:.2} {width:.2} {height:.2} re S\n"
        ));
    }

    /// Blackens a rectangle.
    pub fn fill(&mut self, (x, y): (f32, f32), width: f32, height: f32) {
        self.add(format_args!("{x:.3} {y:.3} {width:.3} {height:.3} re f\n"));
    }

    fn add(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to a string does not fail.
        let _ = self.content.expose_mut().write_fmt(text);
    }

    /// Returns the document.
    pub fn document(self) -> SecretBytes {
        let content = self.content.expose();
        let font =
            |name| format!("<</Type/Font/Subtype/Type1/BaseFont/{name}/Encoding/WinAnsiEncoding>>");
        let length = content.len();
        let objects = [
            "<</Type/Catalog/Pages 2 0 R>>".to_owned(),
            "<</Type/Pages/Kids[3 0 R]/Count 1>>".to_owned(),
            format!(
                "<</Type/Page/Parent 2 0 R/MediaBox[0 0 {WIDTH} {HEIGHT}]/Contents 7 0 R\
                 /Resources<</Font<</F1 4 0 R/F2 5 0 R/F3 6 0 R>>>>>>"
            ),
            font("Helvetica"),
            font("Helvetica-Bold"),
            font("Courier-Bold"),
        ];
        let mut out = Secret::new(Vec::with_capacity(length + (4 << 10)));
        let bytes = out.expose_mut();
        bytes.extend_from_slice(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n");
        let mut places = Vec::new();
        for (at, object) in objects.iter().enumerate() {
            places.push(bytes.len());
            bytes.extend_from_slice(format!("{} 0 obj\n{object}\nendobj\n", at + 1).as_bytes());
        }
        places.push(bytes.len());
        bytes.extend_from_slice(format!("7 0 obj\n<</Length {length}>>\nstream\n").as_bytes());
        bytes.extend_from_slice(content.as_bytes());
        bytes.extend_from_slice(b"\nendstream\nendobj\n");
        let table = bytes.len();
        let count = places.len() + 1;
        bytes.extend_from_slice(format!("xref\n0 {count}\n0000000000 65535 f \n").as_bytes());
        for place in places {
            bytes.extend_from_slice(format!("{place:010} 00000 n \n").as_bytes());
        }
        let trailer = format!("trailer\n<</Size {count}/Root 1 0 R>>\nstartxref\n{table}\n%%EOF\n");
        bytes.extend_from_slice(trailer.as_bytes());
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_a_document_names_the_places_of_its_objects() {
        let mut page = Page::new();
        page.text((10.0, 20.0), (Font::Plain, 12.0), "a (b) \\ é 鍵");
        page.fill((1.0, 2.0), 3.0, 4.0);
        let document = page.document();
        let text = String::from_utf8_lossy(document.expose()).into_owned();
        assert!(text.contains(r"(a \(b\) \\ \351 ?) Tj"), "{text}");
        let table = document.expose();
        let at = table.windows(4).rposition(|four| four == b"xref").unwrap() - 5;
        let start = table.windows(5).position(|five| five == b"xref\n").unwrap();
        assert!(at > start && text.contains(&format!("startxref\n{start}\n")));
        let lines = text.lines().filter(|line| line.ends_with(" 00000 n "));
        let mut objects = 0;
        for (number, line) in lines.enumerate() {
            let place: usize = line[..10].parse().unwrap();
            let head = format!("{} 0 obj", number + 1);
            assert!(document.expose()[place..].starts_with(head.as_bytes()));
            objects += 1;
        }
        assert_eq!(objects, 7);
    }
}
