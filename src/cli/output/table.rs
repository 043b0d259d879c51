//! Aligned columns, as in Vault's tables: four spaces between, dashes under the heads.

use serde_json::{Map, Value};

use super::duration::human_field;

/// The text of an empty cell.
const EMPTY: &str = "n/a";

/// Formats rows in aligned columns with `gap` between them; the last column is not padded.
pub fn columns(rows: &[Vec<String>], gap: &str) -> String {
    let rows: Vec<Vec<&str>> = rows
        .iter()
        .map(|row| row.iter().map(|cell| shown(cell)).collect())
        .collect();
    let mut widths: Vec<usize> = Vec::new();
    for row in &rows {
        for (at, cell) in row.iter().enumerate() {
            let width = cell.chars().count();
            match widths.get_mut(at) {
                Some(widest) => *widest = width.max(*widest),
                None => widths.push(width),
            }
        }
    }
    let lines: Vec<String> = rows.iter().map(|row| line(row, &widths, gap)).collect();
    lines.join("\n")
}

fn shown(cell: &str) -> &str {
    match cell.trim() {
        "" => EMPTY,
        cell => cell,
    }
}

fn line(row: &[&str], widths: &[usize], gap: &str) -> String {
    let mut line = String::new();
    for (at, (cell, width)) in row.iter().zip(widths).enumerate() {
        line.push_str(cell);
        if at + 1 < row.len() {
            let padding = width.saturating_sub(cell.chars().count());
            line.extend(std::iter::repeat_n(' ', padding));
            line.push_str(gap);
        }
    }
    line
}

/// Formats a table: heads, dashes under them, rows.
pub fn table(heads: &[&str], rows: Vec<Vec<String>>, gap: &str) -> String {
    let dashes = heads.iter().map(|head| "-".repeat(head.len())).collect();
    let heads = heads.iter().map(|head| String::from(*head)).collect();
    let mut all = vec![heads, dashes];
    all.extend(rows);
    columns(&all, gap)
}

/// Formats a table of keys and values.
pub fn pairs(rows: Vec<(String, String)>) -> String {
    let rows = rows.into_iter().map(|(key, value)| vec![key, value]);
    table(&["Key", "Value"], rows.collect(), "    ")
}

/// Returns a map's rows, sorted by key.
pub fn map_rows(map: &Map<String, Value>) -> Vec<(String, String)> {
    let rows = map.iter();
    rows.map(|(key, value)| (key.clone(), human_field(key, value)))
        .collect()
}

/// Returns a heading as wide as the map's table would be with a short value.
pub fn header_for_map(header: &str, map: &Map<String, Value>) -> String {
    let key = map.keys().map(String::len).max().unwrap_or(0);
    pad_equal_signs(header, key + "    ".len() + "Value".len())
}

/// Returns a heading between equal signs, about `width` wide.
pub fn pad_equal_signs(header: &str, width: usize) -> String {
    let signs = match width.saturating_sub(header.len() + 2) {
        0 => 2,
        signs => signs.div_ceil(2),
    };
    let signs = "=".repeat(signs);
    format!("{signs} {header} {signs}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn cells(rows: &[&[&str]]) -> Vec<Vec<String>> {
        let row = |row: &&[&str]| row.iter().map(|cell| String::from(*cell)).collect();
        rows.iter().map(row).collect()
    }

    #[test]
    fn columns_are_aligned_trimmed_and_never_empty() {
        let rows = cells(&[
            &["token/", "token", "x"],
            &["up/", "userpass", ""],
            &["é", "  b ", "c"],
        ]);
        let text = table(&["Path", "Type", "Description"], rows, "    ");
        let expected = "\
Path      Type        Description
----      ----        -----------
token/    token       x
up/       userpass    n/a
é         b           c";
        assert_eq!(text, expected);
    }

    #[test]
    fn maps_are_sorted_tables() {
        let data = json!({"zip": "zap", "foo": null, "creation_ttl": 60});
        let text = pairs(map_rows(data.as_object().expect("object")));
        let expected = "\
Key             Value
---             -----
creation_ttl    1m
foo             <nil>
zip             zap";
        assert_eq!(text, expected);
    }

    #[test]
    fn headings_fit_their_tables() {
        let map = |text: &str| serde_json::from_str::<Map<String, Value>>(text).expect("valid");
        for (header, data, text) in [
            (
                "Metadata",
                r#"{"custom_metadata":1}"#,
                "======= Metadata =======",
            ),
            (
                "Metadata",
                r#"{"created_time":1}"#,
                "====== Metadata ======",
            ),
            ("Data", r#"{"foo":1}"#, "=== Data ==="),
            ("Data", r#"{"webapp":1}"#, "===== Data ====="),
            ("Data", r#"{"b":1}"#, "== Data =="),
        ] {
            assert_eq!(header_for_map(header, &map(data)), text);
        }
        let path = "secret/data/a";
        assert_eq!(
            pad_equal_signs("Secret Path", path.len()),
            "== Secret Path =="
        );
        assert_eq!(pad_equal_signs("Metadata Path", 17), "= Metadata Path =");
    }
}
