//! A JSON reader (RFC 8259) that counts its tree while it builds it.
//!
//! A short text can parse into a large tree (CVE-2025-6203), so every part of it has a limit
//! ([`JsonLimits`]), and the memory of the tree is charged as it grows. Errors give an offset,
//! never a piece of the text. Numbers keep their digits. Of equal keys the last wins.

use super::limits::{
    JSON_DEPTH_MAX, JSON_ELEMENTS_MAX, JSON_ENTRIES_MAX, JSON_KEY_BYTES_MAX, JSON_MEMORY_BYTES_MAX,
    JSON_NUMBER_BYTES_MAX, JSON_STRING_BYTES_MAX, JSON_STRINGS_MAX, JSON_TOKENS_MAX,
};
use serde_json::{Map, Number, Value};

/// The limits of a text. Each listener has its own, under the names given here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JsonLimits {
    /// `max_json_depth`: deepest nesting.
    pub depth: usize,
    /// `max_json_string_value_length`: longest string, in bytes.
    pub string_bytes: usize,
    /// `max_json_object_entry_count`: most members of one object.
    pub entries: usize,
    /// `max_json_array_element_count`: most elements of one array.
    pub elements: usize,
    /// `max_json_token`: most values, keys and ends of objects and arrays, all together.
    pub tokens: usize,
    /// `max_request_json_strings`: most strings, keys included.
    pub strings: usize,
    /// `max_request_json_memory`: most memory of the parsed text, in bytes.
    pub memory_bytes: usize,
}

impl Default for JsonLimits {
    fn default() -> Self {
        Self {
            depth: JSON_DEPTH_MAX,
            string_bytes: JSON_STRING_BYTES_MAX,
            entries: JSON_ENTRIES_MAX,
            elements: JSON_ELEMENTS_MAX,
            tokens: JSON_TOKENS_MAX,
            strings: JSON_STRINGS_MAX,
            memory_bytes: JSON_MEMORY_BYTES_MAX,
        }
    }
}

impl JsonLimits {
    /// Returns limits that admit every text that either admits.
    pub(super) fn or(self, other: &Self) -> Self {
        Self {
            depth: self.depth.max(other.depth),
            string_bytes: self.string_bytes.max(other.string_bytes),
            entries: self.entries.max(other.entries),
            elements: self.elements.max(other.elements),
            tokens: self.tokens.max(other.tokens),
            strings: self.strings.max(other.strings),
            memory_bytes: self.memory_bytes.max(other.memory_bytes),
        }
    }

    /// Returns these limits with at most `memory_bytes` of memory.
    pub(super) fn within(mut self, memory_bytes: usize) -> Self {
        self.memory_bytes = self.memory_bytes.min(memory_bytes);
        self
    }
}

/// Reasons to refuse a text; always the client's fault, except [`JsonError::Busy`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// The text stops early, or is empty.
    #[error("unexpected EOF")]
    End,
    /// The text is not JSON from this offset on.
    #[error("invalid character at offset {0}")]
    Character(usize),
    /// A string is not UTF-8.
    #[error("string at offset {0} is not UTF-8")]
    NotUtf8(usize),
    /// The text nests too deeply.
    #[error("nested deeper than {0} levels (max_json_depth)")]
    Depth(usize),
    /// A string is too long; the client must shorten it.
    #[error("a string is longer than {0} bytes (max_json_string_value_length)")]
    String(usize),
    /// An object key is too long; the client must shorten it.
    #[error("an object key is longer than {JSON_KEY_BYTES_MAX} bytes")]
    Key,
    /// A number is too long; the client may send it as a string.
    #[error("a number is longer than {JSON_NUMBER_BYTES_MAX} bytes")]
    Number,
    /// There are too many values, keys and ends; the client must send less at once.
    #[error("more than {0} values, keys and ends (max_json_token)")]
    Tokens(usize),
    /// There are too many strings; the client must send less at once.
    #[error("more than {0} strings (max_request_json_strings)")]
    Strings(usize),
    /// An object has too many members; the client must send less at once.
    #[error("more than {0} members of an object (max_json_object_entry_count)")]
    Entries(usize),
    /// An array has too many elements; the client must send less at once.
    #[error("more than {0} elements of an array (max_json_array_element_count)")]
    Elements(usize),
    /// The parsed text takes too much memory; the client must send less at once.
    #[error("it takes more than {0} bytes of memory (max_request_json_memory)")]
    Memory(usize),
    /// The requests in flight hold too much memory; the client may try again.
    #[error("too much memory is in use by requests in flight")]
    Busy,
}

/// Rough heap cost of a tree node of a map, of a value in its parent, and of an allocation.
const OBJECT_BYTES: usize = 640;
const VALUE_BYTES: usize = 32;
const STRING_BYTES: usize = 16;
/// Size of the steps in which memory is charged.
const CHARGE_BYTES: usize = 16 * 1024;

/// Parses one text within `limits`. Before memory is used `charge` is called with its size in
/// bytes; if it returns false the text is refused.
pub fn parse(
    text: &[u8],
    limits: &JsonLimits,
    charge: &mut dyn FnMut(usize) -> bool,
) -> Result<Value, JsonError> {
    let mut reader = Reader {
        text,
        limits,
        at: 0,
        tokens: 0,
        strings: 0,
        charged: 0,
        uncharged: 0,
        charge,
    };
    let value = reader.value(0)?;
    reader.skip_space();
    if reader.at < text.len() {
        return Err(JsonError::Character(reader.at));
    }
    reader.settle(0)?;
    Ok(value)
}

struct Reader<'a> {
    text: &'a [u8],
    limits: &'a JsonLimits,
    at: usize,
    tokens: usize,
    strings: usize,
    charged: usize,
    uncharged: usize,
    charge: &'a mut dyn FnMut(usize) -> bool,
}

impl Reader<'_> {
    fn peek(&self) -> Result<u8, JsonError> {
        self.text.get(self.at).copied().ok_or(JsonError::End)
    }

    fn next(&mut self) -> Result<u8, JsonError> {
        let byte = self.peek()?;
        self.at += 1;
        Ok(byte)
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.text.get(self.at) {
            self.at += 1;
        }
    }

    /// Charges the memory gathered so far once it exceeds `threshold`.
    fn settle(&mut self, threshold: usize) -> Result<(), JsonError> {
        if self.uncharged > threshold {
            self.charged += self.uncharged;
            if self.charged > self.limits.memory_bytes {
                return Err(JsonError::Memory(self.limits.memory_bytes));
            }
            if !(self.charge)(self.uncharged) {
                return Err(JsonError::Busy);
            }
            self.uncharged = 0;
        }
        Ok(())
    }

    /// Counts a value, a key or an end.
    fn token(&mut self) -> Result<(), JsonError> {
        self.tokens += 1;
        match self.tokens > self.limits.tokens {
            true => Err(JsonError::Tokens(self.limits.tokens)),
            false => Ok(()),
        }
    }

    fn weigh(&mut self, bytes: usize) -> Result<(), JsonError> {
        self.uncharged += bytes;
        self.settle(CHARGE_BYTES)
    }

    fn value(&mut self, depth: usize) -> Result<Value, JsonError> {
        self.skip_space();
        let first = self.peek()?;
        self.token()?;
        self.weigh(VALUE_BYTES)?;
        match first {
            b'{' => self.object(depth + 1).map(Value::Object),
            b'[' => self.array(depth + 1).map(Value::Array),
            b'"' => {
                self.at += 1;
                let bytes_max = self.limits.string_bytes;
                self.string(bytes_max, JsonError::String(bytes_max))
                    .map(Value::String)
            }
            b'-' | b'0'..=b'9' => self.number().map(Value::Number),
            b't' => self.word(b"true", Value::Bool(true)),
            b'f' => self.word(b"false", Value::Bool(false)),
            b'n' => self.word(b"null", Value::Null),
            _ => Err(JsonError::Character(self.at)),
        }
    }

    fn word(&mut self, word: &[u8], value: Value) -> Result<Value, JsonError> {
        for expected in word {
            if self.peek()? != *expected {
                return Err(JsonError::Character(self.at));
            }
            self.at += 1;
        }
        Ok(value)
    }

    fn object(&mut self, depth: usize) -> Result<Map<String, Value>, JsonError> {
        self.open(depth)?;
        self.weigh(OBJECT_BYTES)?;
        let mut entries = 0;
        let mut map = Map::new();
        self.skip_space();
        if self.peek()? == b'}' {
            self.at += 1;
            return Ok(map);
        }
        loop {
            self.skip_space();
            if self.next()? != b'"' {
                return Err(JsonError::Character(self.at - 1));
            }
            entries += 1;
            if entries > self.limits.entries {
                return Err(JsonError::Entries(self.limits.entries));
            }
            let key = self.string(JSON_KEY_BYTES_MAX, JsonError::Key)?;
            self.token()?;
            self.weigh(VALUE_BYTES)?;
            self.skip_space();
            if self.next()? != b':' {
                return Err(JsonError::Character(self.at - 1));
            }
            let value = self.value(depth)?;
            map.insert(key, value);
            if self.closes(b'}')? {
                return Ok(map);
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<Vec<Value>, JsonError> {
        self.open(depth)?;
        let mut list = Vec::new();
        self.skip_space();
        if self.peek()? == b']' {
            self.at += 1;
            return Ok(list);
        }
        loop {
            if list.len() >= self.limits.elements {
                return Err(JsonError::Elements(self.limits.elements));
            }
            let value = self.value(depth)?;
            list.push(value);
            if self.closes(b']')? {
                return Ok(list);
            }
        }
    }

    fn open(&mut self, depth: usize) -> Result<(), JsonError> {
        self.at += 1;
        if depth > self.limits.depth {
            return Err(JsonError::Depth(self.limits.depth));
        }
        // The end of the object or array counts too.
        self.token()
    }

    /// Reads the character after an element: true at `end`, false at a comma.
    fn closes(&mut self, end: u8) -> Result<bool, JsonError> {
        self.skip_space();
        match self.next()? {
            byte if byte == end => Ok(true),
            b',' => Ok(false),
            _ => Err(JsonError::Character(self.at - 1)),
        }
    }

    /// Reads the rest of a string, after its opening quote.
    fn string(&mut self, bytes_max: usize, too_long: JsonError) -> Result<String, JsonError> {
        self.strings += 1;
        if self.strings > self.limits.strings {
            return Err(JsonError::Strings(self.limits.strings));
        }
        let start = self.at;
        let mut out = Vec::new();
        loop {
            let rest = self.text.get(self.at..).unwrap_or_default();
            let run = rest
                .iter()
                .position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f))
                .ok_or(JsonError::End)?;
            if out.len() + run > bytes_max {
                return Err(too_long);
            }
            self.weigh(run + STRING_BYTES)?;
            out.extend_from_slice(rest.get(..run).unwrap_or_default());
            self.at += run;
            match self.next()? {
                b'"' => break,
                b'\\' => self.escape(&mut out)?,
                _ => return Err(JsonError::Character(self.at - 1)),
            }
        }
        String::from_utf8(out).map_err(|_| JsonError::NotUtf8(start))
    }

    fn escape(&mut self, out: &mut Vec<u8>) -> Result<(), JsonError> {
        let byte = match self.next()? {
            b'u' => {
                let character = self.unicode()?;
                let mut buffer = [0; 4];
                out.extend_from_slice(character.encode_utf8(&mut buffer).as_bytes());
                return Ok(());
            }
            b'n' => b'\n',
            b't' => b'\t',
            b'r' => b'\r',
            b'b' => 0x08,
            b'f' => 0x0c,
            plain @ (b'"' | b'\\' | b'/') => plain,
            _ => return Err(JsonError::Character(self.at - 1)),
        };
        out.push(byte);
        Ok(())
    }

    /// Reads a `\u` escape; half of a surrogate pair becomes U+FFFD, as in Go.
    fn unicode(&mut self) -> Result<char, JsonError> {
        let first = self.hex4()?;
        if let Some(character) = char::from_u32(first) {
            return Ok(character);
        }
        let after = self.at;
        if first < 0xdc00 && self.text.get(after..after + 2) == Some(b"\\u") {
            self.at += 2;
            let second = self.hex4()?;
            if (0xdc00..0xe000).contains(&second) {
                let code = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            self.at = after;
        }
        Ok(char::REPLACEMENT_CHARACTER)
    }

    fn hex4(&mut self) -> Result<u32, JsonError> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = char::from(self.next()?)
                .to_digit(16)
                .ok_or(JsonError::Character(self.at - 1))?;
            code = code << 4 | digit;
        }
        Ok(code)
    }

    fn number(&mut self) -> Result<Number, JsonError> {
        let start = self.at;
        if self.peek()? == b'-' {
            self.at += 1;
        }
        if self.peek()? == b'0' {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.text.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.text.get(self.at) {
            self.at += 1;
            if let Some(b'+' | b'-') = self.text.get(self.at) {
                self.at += 1;
            }
            self.digits()?;
        }
        let digits = self.text.get(start..self.at).unwrap_or_default();
        if digits.len() > JSON_NUMBER_BYTES_MAX {
            return Err(JsonError::Number);
        }
        self.weigh(digits.len() + STRING_BYTES)?;
        std::str::from_utf8(digits)
            .ok()
            .and_then(|digits| digits.parse().ok())
            .ok_or(JsonError::Character(start))
    }

    fn digits(&mut self) -> Result<(), JsonError> {
        if !self.peek()?.is_ascii_digit() {
            return Err(JsonError::Character(self.at));
        }
        while self.text.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &[u8]) -> Result<Value, JsonError> {
        parse(text, &JsonLimits::default(), &mut |_| true)
    }

    #[test]
    fn reads_what_serde_reads() {
        for text in [
            r#"{"a":1,"b":[true,false,null],"c":{"d":"e"}}"#,
            r#" [ ] "#,
            "{ }",
            r#""\"\\\/\b\f\n\r\t\u00fc\ud83d\ude00""#,
            "12345678901234567890",
            "-0.5e+10",
            r#"{"a":1,"a":2}"#,
        ] {
            let expected: Value = serde_json::from_str(text).unwrap();
            assert_eq!(read(text.as_bytes()), Ok(expected), "{text}");
        }
        let number = read(b"12345678901234567890.10").unwrap();
        assert_eq!(number.to_string(), "12345678901234567890.10");
        assert_eq!(read(br#""\ud800x""#), Ok(Value::String("\u{fffd}x".into())));
    }

    #[test]
    fn a_key_that_a_library_uses_for_itself_is_only_a_key() {
        let text = r#"{"$serde_json::private::Number":"x"}"#;
        let value = read(text.as_bytes()).unwrap();
        assert_eq!(value.as_object().unwrap().len(), 1);
    }

    #[test]
    fn refusals_point_but_do_not_quote() {
        for (text, error) in [
            ("", JsonError::End),
            ("{", JsonError::End),
            ("{\"a\":", JsonError::End),
            ("\"hunter2", JsonError::End),
            ("hunter2", JsonError::Character(0)),
            ("{\"a\":1}x", JsonError::Character(7)),
            ("{a:1}", JsonError::Character(1)),
            ("{\"a\" 1}", JsonError::Character(5)),
            ("[1,]", JsonError::Character(3)),
            ("01", JsonError::Character(1)),
            ("1.", JsonError::End),
            ("-x", JsonError::Character(1)),
            ("\"\n\"", JsonError::Character(1)),
            ("\"\\x\"", JsonError::Character(2)),
            ("nulL", JsonError::Character(3)),
        ] {
            let got = read(text.as_bytes()).unwrap_err();
            assert_eq!(got, error, "{text:?}");
            assert!(!got.to_string().contains("hunter2"));
        }
        assert_eq!(read(b"\"\xff\""), Err(JsonError::NotUtf8(1)));
    }

    #[test]
    fn cve_2025_6203_every_size_has_a_limit() {
        let limits = JsonLimits {
            depth: 3,
            string_bytes: 10,
            entries: 4,
            elements: 5,
            tokens: 14,
            strings: 6,
            memory_bytes: 100_000,
        };
        let read = |text: &str| parse(text.as_bytes(), &limits, &mut |_| true);
        let list = |item: &str, count: usize| format!("[{}]", vec![item; count].join(","));
        let object = |count: usize| {
            let members: Vec<String> = (0..count).map(|n| format!("\"{n}\":0")).collect();
            format!("{{{}}}", members.join(","))
        };
        for (fits, refused, error) in [
            ("[[[]]]".into(), "[[[[]]]]".into(), JsonError::Depth(3)),
            (
                format!("\"{}\"", "a".repeat(10)),
                format!("\"{}\"", "a".repeat(11)),
                JsonError::String(10),
            ),
            (object(4), object(5), JsonError::Entries(4)),
            (list("1", 5), list("1", 6), JsonError::Elements(5)),
            (
                format!("[{},1,{}]", list("1", 4), list("1", 3)),
                format!("[{},1,{}]", list("1", 4), list("1", 4)),
                JsonError::Tokens(14),
            ),
            (
                r#"[["","",""],["","",""]]"#.into(),
                r#"[["","",""],{"":"","1":1,"":1}]"#.into(),
                JsonError::Strings(6),
            ),
        ] {
            assert!(read(&fits).is_ok(), "{fits}: {:?}", read(&fits));
            assert_eq!(read(&refused), Err(error), "{refused}");
        }
        let number = "1".repeat(JSON_NUMBER_BYTES_MAX + 1);
        assert_eq!(read(&number), Err(JsonError::Number));
        let key = format!("{{\"{}\":1}}", "a".repeat(JSON_KEY_BYTES_MAX + 1));
        assert_eq!(read(&key), Err(JsonError::Key));
    }

    #[test]
    fn memory_is_charged_before_it_is_used() {
        let text = format!("[{}{{}}]", "{},".repeat(1000));
        let mut charged = 0;
        let limits = JsonLimits::default();
        let refused = parse(text.as_bytes(), &limits, &mut |bytes| {
            charged += bytes;
            charged < 100_000
        });
        assert_eq!(refused, Err(JsonError::Busy));
        let mut total = 0;
        let mut count = |bytes| {
            total += bytes;
            true
        };
        parse(text.as_bytes(), &limits, &mut count).unwrap();
        let refused = parse(text.as_bytes(), &limits.within(100_000), &mut count);
        assert_eq!(refused, Err(JsonError::Memory(100_000)));
        assert!(total > 1000 * OBJECT_BYTES, "{total}");
    }

    proptest! {
        #[test]
        fn agrees_with_serde(text in r#"[\[\]{}",:0-9eE.+\-a-f\\u tnrl ]{0,24}"#) {
            let ours = read(text.as_bytes());
            let theirs: Result<Value, _> = serde_json::from_str(&text);
            match (ours, theirs) {
                (Ok(a), Ok(b)) => prop_assert_eq!(a, b),
                (Err(_), Err(_)) => {}
                // This reader takes half a surrogate pair for U+FFFD, as Go does.
                (Ok(_), Err(_)) => prop_assert!(text.contains("\\u"), "{}", text),
                (Err(e), Ok(_)) => prop_assert!(false, "{} {:?}", text, e),
            }
        }
    }
}
