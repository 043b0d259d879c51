//! YAML as Go's encoder writes it: keys sorted, lists not indented, times and words that other
//! readers would take for another type in double quotes. (The Rust encoders leave times bare, and a
//! YAML 1.1 reader such as Python's then makes dates of them.)

use serde_json::Value;

/// Formats the value as YAML, with a newline at the end.
pub fn to_yaml(value: &Value) -> String {
    let mut out = String::new();
    write(value, 0, &mut out);
    if !out.ends_with('\n') {
        out.push('\n');
    }
    out
}

fn write(value: &Value, depth: usize, out: &mut String) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (at, (key, value)) in fields.iter().enumerate() {
                if at > 0 {
                    indent(depth, out);
                }
                out.push_str(&scalar(key, depth, false));
                out.push(':');
                write_below(value, depth, out);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    indent(depth, out);
                }
                out.push_str("- ");
                write(item, depth + 1, out);
                end_line(out);
            }
        }
        Value::Object(_) => out.push_str("{}"),
        Value::Array(_) => out.push_str("[]"),
        Value::String(text) => out.push_str(&scalar(text, depth, true)),
        Value::Null | Value::Bool(_) | Value::Number(_) => out.push_str(&value.to_string()),
    }
}

fn write_below(value: &Value, depth: usize, out: &mut String) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            out.push('\n');
            indent(depth + 1, out);
            write(value, depth + 1, out);
        }
        Value::Array(items) if !items.is_empty() => {
            out.push('\n');
            indent(depth, out);
            write(value, depth, out);
        }
        _ => {
            out.push(' ');
            write(value, depth + 1, out);
        }
    }
    end_line(out);
}

fn indent(depth: usize, out: &mut String) {
    out.extend(std::iter::repeat_n("  ", depth));
}

fn end_line(out: &mut String) {
    if !out.ends_with('\n') {
        out.push('\n');
    }
}

fn scalar(text: &str, depth: usize, block: bool) -> String {
    let printable = |c: char| !c.is_control() && c != '\u{feff}';
    if block && text.contains('\n') && is_block(text) {
        return literal(text, depth.max(1));
    }
    if text.is_empty() || !text.chars().all(printable) || means_something(text) {
        return quoted(text);
    }
    let first = text.chars().next().unwrap_or(' ');
    let starts_well = !"-?:,[]{}#&*!|>'\"%@` =".contains(first);
    let starts_well = starts_well || (first == '-' && text.len() > 1 && !text.starts_with("- "));
    let plain = starts_well
        && !text.ends_with([' ', ':'])
        && !text.contains(": ")
        && !text.contains(" #")
        && !text.starts_with("---");
    if plain { text.to_owned() } else { single(text) }
}

fn single(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Returns true if a block keeps the text: nothing unprintable, no line that starts with a space.
fn is_block(text: &str) -> bool {
    !text.starts_with([' ', '\n']) && text.chars().all(|c| c == '\n' || !c.is_control())
}

fn literal(text: &str, depth: usize) -> String {
    let body = text.trim_end_matches('\n');
    let ends = text.len() - body.len();
    let chomp = match ends {
        0 => "-",
        1 => "",
        _ => "+",
    };
    let mut out = format!("|{chomp}");
    for line in body.split('\n') {
        out.push('\n');
        if !line.is_empty() {
            indent(depth, &mut out);
            out.push_str(line);
        }
    }
    out.extend(std::iter::repeat_n('\n', ends));
    out
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if c.is_control() || c == '\u{feff}' => {
                out.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Returns true if a bare word would be read as another type than text.
fn means_something(text: &str) -> bool {
    const WORDS: [&str; 11] = [
        "null", "~", "true", "false", "yes", "no", "on", "off", "y", "n", "<<",
    ];
    WORDS.contains(&text.to_ascii_lowercase().as_str()) || looks_numeric(text)
}

/// Returns true for numbers in any notation, and for times: anything of digits and their signs.
fn looks_numeric(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let body = lower.trim_start_matches(['+', '-']);
    if matches!(body, ".inf" | ".nan") {
        return true;
    }
    if let Some(hex) = body.strip_prefix("0x") {
        return hex.bytes().all(|b| b.is_ascii_hexdigit() || b == b'_');
    }
    let starts = body.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    let number = |b: u8| b.is_ascii_digit() || b"._+-eobx:".contains(&b);
    if starts && body.bytes().any(|b| b.is_ascii_digit()) && body.bytes().all(number) {
        // Versions such as 2.7.2 and dotted addresses are text to every reader.
        return body.bytes().filter(|b| *b == b'.').count() < 2;
    }
    is_time(&lower)
}

fn is_time(text: &str) -> bool {
    let mut parts = text.splitn(3, '-');
    let digits = |part: Option<&str>, len: usize| {
        part.is_some_and(|part| part.len() == len && part.bytes().all(|b| b.is_ascii_digit()))
    };
    let date = digits(parts.next(), 4) && digits(parts.next(), 2);
    let day = parts.next().unwrap_or_default();
    let time = |b: u8| b.is_ascii_digit() || b" t:.z+-".contains(&b);
    date && day.starts_with(|c: char| c.is_ascii_digit()) && day.bytes().all(time)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn writes_what_the_stock_client_writes() {
        let text = r#"{"data":{"data":{"arr":["a",{"b":null,"c":1}],"bool":true,"e":100000,
            "long":"line1\nline2","n":12345678901234567890,"empty":[],"none":{}},
            "metadata":{"created_time":"2026-11-22T05:20:44.036750169Z","deletion_time":"",
            "version":2}},"request_id":"c636ae7a-beec","v":"2.7.2","num":"1","y":true,
            "warnings":null}"#;
        let value = serde_json::from_str(text).expect("valid");
        let expected = "\
data:
  data:
    arr:
    - a
    - b: null
      c: 1
    bool: true
    e: 100000
    empty: []
    long: |-
      line1
      line2
    \"n\": 12345678901234567890
    none: {}
  metadata:
    created_time: \"2026-11-22T05:20:44.036750169Z\"
    deletion_time: \"\"
    version: 2
num: \"1\"
request_id: c636ae7a-beec
v: 2.7.2
warnings: null
\"y\": true
";
        assert_eq!(to_yaml(&value), expected);
        assert_eq!(to_yaml(&serde_json::json!(["a"])), "- a\n");
        assert_eq!(to_yaml(&serde_json::json!("b")), "b\n");
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let text = prop_oneof![
            "[ -~\n]{0,12}",
            "[-0-9.eExXT:Z+_ ]{0,8}",
            "(yes|no|null|~|True|- a|a: b|'|\"|#|%|@|é\u{85}x|\u{7f}|\u{0}|a\n|\na|  a|a\n\nb\n\n)",
        ];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            text.clone().prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(text.clone(), inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    /// Converts YAML to JSON by hand: with exact numbers on, serde_json cannot take numbers of
    /// other formats.
    fn from_yaml(value: serde_yaml_ng::Value) -> Value {
        match value {
            serde_yaml_ng::Value::Null => Value::Null,
            serde_yaml_ng::Value::Bool(flag) => Value::from(flag),
            serde_yaml_ng::Value::Number(number) => Value::from(number.as_i64().expect("i64")),
            serde_yaml_ng::Value::String(text) => Value::from(text),
            serde_yaml_ng::Value::Sequence(items) => {
                Value::Array(items.into_iter().map(from_yaml).collect())
            }
            serde_yaml_ng::Value::Mapping(map) => {
                let text = |key| match from_yaml(key) {
                    Value::String(text) => text,
                    other => panic!("a key that is no text: {other}"),
                };
                Value::Object(
                    map.into_iter()
                        .map(|(k, v)| (text(k), from_yaml(v)))
                        .collect(),
                )
            }
            serde_yaml_ng::Value::Tagged(tagged) => panic!("a tag: {tagged:?}"),
        }
    }

    proptest! {
        #[test]
        fn a_yaml_reader_gets_the_same_back(value in any_json()) {
            let text = to_yaml(&value);
            let read: serde_yaml_ng::Value = serde_yaml_ng::from_str(&text)
                .map_err(|error| TestCaseError::fail(format!("{error}:\n{text}")))?;
            prop_assert_eq!(from_yaml(read), value, "{}", text);
        }
    }
}
