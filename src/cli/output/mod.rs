//! Formats answers: aligned tables, JSON, YAML, and values as Go prints them.
//!
//! This module turns values into text; it neither writes nor asks.

mod duration;
mod json;
mod secret;
mod table;
mod value;
mod wrap;
mod yaml;

pub use json::{Order, to_json};
pub use secret::secret_rows;
pub use table::{columns, header_for_map, map_rows, pad_equal_signs, pairs, table};
pub use value::plain;
pub use wrap::wrap;
pub use yaml::to_yaml;

/// The output formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Columns for people.
    Table,
    /// JSON, indented by two.
    Json,
    /// YAML.
    Yaml,
    /// The server's answer as it came.
    Raw,
}

impl Format {
    /// Reads a format's name.
    pub fn parse(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().as_str() {
            "table" | "" => Some(Format::Table),
            "json" | "pretty" => Some(Format::Json),
            "yaml" | "yml" => Some(Format::Yaml),
            "raw" => Some(Format::Raw),
            _ => None,
        }
    }
}
