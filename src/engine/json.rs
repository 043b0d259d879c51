//! Writes JSON values: text in one piece, where serde_json looks at it byte by byte.
//!
//! Values are mostly text without a character to escape, and every read and write of a secret
//! writes one. What has such a character, and numbers, serde_json writes.

use serde_json::{Map, Value};
use std::io::{Result, Write};

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// Writes `value` as compact JSON.
pub fn write(out: &mut impl Write, value: &Value) -> Result<()> {
    match value {
        Value::Null => out.write_all(b"null"),
        Value::Bool(true) => out.write_all(b"true"),
        Value::Bool(false) => out.write_all(b"false"),
        Value::Number(number) => Ok(serde_json::to_writer(out, number)?),
        Value::String(text) => write_text(out, text),
        Value::Array(values) => {
            for (at, value) in values.iter().enumerate() {
                out.write_all(if at == 0 { b"[" } else { b"," })?;
                write(out, value)?;
            }
            out.write_all(if values.is_empty() { b"[]" } else { b"]" })
        }
        Value::Object(fields) => write_map(out, fields),
    }
}

/// Writes `fields` as a compact JSON object.
pub fn write_map(out: &mut impl Write, fields: &Map<String, Value>) -> Result<()> {
    for (at, (name, value)) in fields.iter().enumerate() {
        out.write_all(if at == 0 { b"{" } else { b"," })?;
        write_text(out, name)?;
        out.write_all(b":")?;
        write(out, value)?;
    }
    out.write_all(if fields.is_empty() { b"{}" } else { b"}" })
}

/// Writes `text` as a JSON string.
pub fn write_text(out: &mut impl Write, text: &str) -> Result<()> {
    if is_escaped(text.as_bytes()) {
        return Ok(serde_json::to_writer(out, text)?);
    }
    out.write_all(b"\"")?;
    out.write_all(text.as_bytes())?;
    out.write_all(b"\"")
}

/// Returns true when a byte of `text` is a quote, a backslash or a control character, eight bytes
/// at a time.
fn is_escaped(text: &[u8]) -> bool {
    let (words, rest) = text.as_chunks::<8>();
    words.iter().any(|word| has_escaped(*word)) || {
        let mut last = [b' '; 8];
        last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        has_escaped(last)
    }
}

/// Sets the high bit of each byte below 0x20 and of each that is zero after the exclusive-or, and
/// perhaps of bytes above such a one: so the result is zero exactly when there is none.
fn has_escaped(bytes: [u8; 8]) -> bool {
    let word = u64::from_le_bytes(bytes);
    let zero = |word: u64| word.wrapping_sub(ONES) & !word;
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    let quote = zero(word ^ (ONES * u64::from(b'"')));
    let backslash = zero(word ^ (ONES * u64::from(b'\\')));
    (control | quote | backslash) & HIGHS != 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn written(value: &Value) -> String {
        let mut out = Vec::new();
        write(&mut out, value).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_byte_at_every_place_is_as_serde_json_writes_it() {
        for byte in 0..=0x7f_u8 {
            for at in 0..20 {
                let mut text = "é-abcdefghijklmnopqr".to_owned();
                text.insert(at + usize::from(at > 0), char::from(byte));
                let value = Value::String(text);
                assert_eq!(written(&value), value.to_string());
            }
        }
    }

    #[test]
    fn values_are_as_serde_json_writes_them() {
        let text = r#"{"":[],"a":{},"b":[1,-0.10e+400,12345678901234567890123,true,false,null],
            "c":{"d":[{"e":"\u0000\"\\\n"},"ü"]}}"#;
        let value: Value = serde_json::from_str(text).unwrap();
        assert_eq!(written(&value), value.to_string());
        assert_eq!(written(&json!({})), "{}");
        assert_eq!(written(&json!([])), "[]");
    }

    proptest! {
        #[test]
        fn text_is_as_serde_json_writes_it(text in any::<String>(), name in any::<String>()) {
            let value = json!({ name: text });
            prop_assert_eq!(written(&value), value.to_string());
        }
    }
}
