//! Reads JSON with serde_json and counts the tree while it is built.
//!
//! A short text can parse into a large tree (CVE-2025-6203), so every part of it has a limit
//! ([`JsonLimits`]), and the memory of the tree is charged as it grows. Errors give an offset,
//! never a piece of the text. Numbers keep their digits. Of equal keys the last wins.
//! Half of a surrogate pair counts as U+FFFD, as in Go: serde_json refuses it, and only then is
//! the text searched for one.

use super::limits::{
    JSON_DEPTH_MAX, JSON_ELEMENTS_MAX, JSON_ENTRIES_MAX, JSON_KEY_BYTES_MAX, JSON_MEMORY_BYTES_MAX,
    JSON_NUMBER_BYTES_MAX, JSON_STRING_BYTES_MAX, JSON_STRINGS_MAX, JSON_TOKENS_MAX,
};
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::fmt;

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
    /// The text is not UTF-8.
    #[error("not UTF-8 at offset {0}")]
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
/// The same of a number that fits into 64 bits: its digits and their allocation.
const NUMBER_BYTES: usize = 20 + STRING_BYTES;
/// Size of the steps in which memory is charged.
const CHARGE_BYTES: usize = 16 * 1024;
/// The name under which serde_json shows the digits of a number that does not fit into 64 bits.
const NUMBER: &str = "$serde_json::private::Number";

/// Parses one text within `limits`. Before memory is used `charge` is called with its size in
/// bytes; if it returns false the text is refused.
pub fn parse(
    text: &[u8],
    limits: &JsonLimits,
    charge: &mut dyn FnMut(usize) -> bool,
) -> Result<Value, JsonError> {
    let text = match std::str::from_utf8(text) {
        Ok(text) => text,
        Err(error) => return Err(JsonError::NotUtf8(error.valid_up_to())),
    };
    if needs_space_aside(text) && !charge(text.len()) {
        return Err(JsonError::Busy);
    }
    read(text, limits, charge).or_else(|error| match error {
        JsonError::Character(_) if text.contains("\\u") => {
            if !charge(text.len()) {
                return Err(JsonError::Busy);
            }
            let mended = mend(text).ok_or(error)?;
            read(&mended, limits, charge)
        }
        error => Err(error),
    })
}

/// Returns true if serde_json may copy as much as the whole text while it reads: a string with
/// escapes, or the digits of a number that is longer than the limit.
fn needs_space_aside(text: &str) -> bool {
    let mut stretches = text.as_bytes().chunks_exact(JSON_NUMBER_BYTES_MAX / 2);
    text.contains('\\') || stretches.any(|bytes| bytes.iter().all(u8::is_ascii_digit))
}

/// Returns the text with each half of a surrogate pair replaced by U+FFFD, as Go reads it, or
/// `None` where there is no such half. Offsets do not change.
fn mend(text: &str) -> Option<String> {
    let mut mended = String::with_capacity(text.len());
    let (mut rest, mut is_changed) = (text, false);
    while let Some((before, escape)) = rest.split_once('\\') {
        let next = escape.get(5..).and_then(|next| next.strip_prefix('\\'));
        let (taken, is_half) = match (unit(escape), next.and_then(unit)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => (11, false),
            (Some(0xd800..=0xdfff), _) => (5, true),
            _ => (1, false),
        };
        let (escape, left) = escape.split_at_checked(taken).unwrap_or(("", escape));
        mended.extend([before, "\\", if is_half { "ufffd" } else { escape }]);
        is_changed |= is_half;
        rest = left;
    }
    mended.push_str(rest);
    is_changed.then_some(mended)
}

/// Returns the code unit of `u` and four hexadecimal digits at the beginning.
fn unit(escape: &str) -> Option<u16> {
    let digits = escape.strip_prefix('u')?.get(..4)?;
    u16::from_str_radix(digits, 16).ok()
}

fn read(
    text: &str,
    limits: &JsonLimits,
    charge: &mut dyn FnMut(usize) -> bool,
) -> Result<Value, JsonError> {
    let mut count = Count {
        limits,
        tokens: 0,
        strings: 0,
        charged: 0,
        uncharged: 0,
        charge,
        refusal: None,
    };
    let mut reader = serde_json::Deserializer::from_str(text);
    // The depth is limited below.
    reader.disable_recursion_limit();
    let node = Node {
        count: &mut count,
        depth: 0,
    };
    let read = node.deserialize(&mut reader);
    match read.and_then(|value| reader.end().map(|()| value)) {
        Ok(value) => match count.settle(0) {
            Ok(()) => Ok(value),
            Err(Refused) => Err(count.refusal.unwrap_or(JsonError::Busy)),
        },
        Err(error) => Err(count.refusal.unwrap_or_else(|| place(text, &error))),
    }
}

/// Returns the place where serde_json stopped, without its message.
fn place(text: &str, error: &serde_json::Error) -> JsonError {
    if error.is_eof() {
        return JsonError::End;
    }
    let lines = text.split_inclusive('\n').take(error.line() - 1);
    let before: usize = lines.map(str::len).sum();
    JsonError::Character((before + error.column()).saturating_sub(1))
}

/// The reading has ended; [`Count::refusal`] says why.
struct Refused;

fn stop<E: serde::de::Error>(_: Refused) -> E {
    E::custom("refused")
}

/// Counts of the tree that was built so far.
struct Count<'a> {
    limits: &'a JsonLimits,
    tokens: usize,
    strings: usize,
    charged: usize,
    uncharged: usize,
    charge: &'a mut dyn FnMut(usize) -> bool,
    refusal: Option<JsonError>,
}

impl Count<'_> {
    #[cold]
    fn refuse(&mut self, why: JsonError) -> Refused {
        self.refusal = Some(why);
        Refused
    }

    /// Charges the memory gathered so far once it exceeds `threshold`.
    fn settle(&mut self, threshold: usize) -> Result<(), Refused> {
        if self.uncharged > threshold {
            self.charged += self.uncharged;
            if self.charged > self.limits.memory_bytes {
                return Err(self.refuse(JsonError::Memory(self.limits.memory_bytes)));
            }
            if !(self.charge)(self.uncharged) {
                return Err(self.refuse(JsonError::Busy));
            }
            self.uncharged = 0;
        }
        Ok(())
    }

    fn weigh(&mut self, bytes: usize) -> Result<(), Refused> {
        self.uncharged += bytes;
        self.settle(CHARGE_BYTES)
    }

    /// Counts a value, a key or an end.
    fn token(&mut self) -> Result<(), Refused> {
        self.tokens += 1;
        match self.tokens > self.limits.tokens {
            true => Err(self.refuse(JsonError::Tokens(self.limits.tokens))),
            false => Ok(()),
        }
    }

    /// Counts a value in its parent.
    fn value(&mut self) -> Result<(), Refused> {
        self.token()?;
        self.weigh(VALUE_BYTES)
    }

    fn string(&mut self) -> Result<(), Refused> {
        self.strings += 1;
        match self.strings > self.limits.strings {
            true => Err(self.refuse(JsonError::Strings(self.limits.strings))),
            false => Ok(()),
        }
    }

    /// Counts an object or array, and its end.
    fn open(&mut self, depth: usize) -> Result<(), Refused> {
        if depth > self.limits.depth {
            return Err(self.refuse(JsonError::Depth(self.limits.depth)));
        }
        self.token()
    }

    /// Counts an object.
    fn object(&mut self, depth: usize) -> Result<(), Refused> {
        self.open(depth)?;
        self.weigh(OBJECT_BYTES)
    }

    /// Counts member number `entries` of an object, whose name has been weighed.
    fn member(&mut self, entries: usize) -> Result<(), Refused> {
        if entries > self.limits.entries {
            return Err(self.refuse(JsonError::Entries(self.limits.entries)));
        }
        self.string()?;
        self.value()
    }
}

/// A value at a depth.
struct Node<'a, 'b> {
    count: &'a mut Count<'b>,
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Node<'_, '_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_, '_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Value, E> {
        self.count.value().map_err(stop)?;
        Ok(Value::Null)
    }

    fn visit_bool<E: serde::de::Error>(self, flag: bool) -> Result<Value, E> {
        self.count.value().map_err(stop)?;
        Ok(Value::Bool(flag))
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Value, E> {
        self.number(number.into())
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Value, E> {
        self.number(number.into())
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Value, E> {
        let count = self.count;
        let bytes_max = count.limits.string_bytes;
        let mut counted = || {
            count.value()?;
            count.string()?;
            if text.len() > bytes_max {
                return Err(count.refuse(JsonError::String(bytes_max)));
            }
            count.weigh(text.len() + STRING_BYTES)
        };
        counted().map_err(stop)?;
        Ok(Value::String(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let (count, depth) = (self.count, self.depth + 1);
        count.value().map_err(stop)?;
        count.open(depth).map_err(stop)?;
        let mut list = Vec::new();
        while let Some(item) = from.next_element_seed(Node { count, depth })? {
            if list.len() >= count.limits.elements {
                let most = count.limits.elements;
                return Err(stop(count.refuse(JsonError::Elements(most))));
            }
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let (count, depth) = (self.count, self.depth + 1);
        count.value().map_err(stop)?;
        let mut map = Map::new();
        let mut entries = 0;
        let mut key = from.next_key_seed(Key { count })?;
        if key.as_deref() == Some(NUMBER) {
            match from.next_value_seed(Digits { count, depth })? {
                Either::Number(number) => return Ok(Value::Number(number)),
                Either::Member(value) => map.insert(NUMBER.to_owned(), value),
            };
            entries = 1;
            key = from.next_key_seed(Key { count })?;
        } else {
            count.object(depth).map_err(stop)?;
        }
        while let Some(name) = key {
            entries += 1;
            count.member(entries).map_err(stop)?;
            let value = from.next_value_seed(Node { count, depth })?;
            map.insert(name, value);
            key = from.next_key_seed(Key { count })?;
        }
        Ok(Value::Object(map))
    }
}

impl Node<'_, '_> {
    fn number<E: serde::de::Error>(self, number: Number) -> Result<Value, E> {
        self.count.value().map_err(stop)?;
        self.count.weigh(NUMBER_BYTES).map_err(stop)?;
        Ok(Value::Number(number))
    }
}

/// The name of a member.
struct Key<'a, 'b> {
    count: &'a mut Count<'b>,
}

impl<'de> DeserializeSeed<'de> for Key<'_, '_> {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<String, D::Error> {
        from.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key<'_, '_> {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<String, E> {
        if text.len() > JSON_KEY_BYTES_MAX {
            return Err(stop(self.count.refuse(JsonError::Key)));
        }
        let weighed = self.count.weigh(text.len() + STRING_BYTES);
        weighed.map_err(stop)?;
        Ok(text.to_owned())
    }
}

/// The value of the name [`NUMBER`]: the digits of a number that serde_json shows as an object, or
/// the value of a member that a client named so.
struct Digits<'a, 'b> {
    count: &'a mut Count<'b>,
    depth: usize,
}

enum Either {
    Number(Number),
    Member(Value),
}

impl<'a, 'b> Digits<'a, 'b> {
    /// Counts the object and its first member, before what is in that.
    fn member<E: serde::de::Error>(self) -> Result<Node<'a, 'b>, E> {
        let Self { count, depth } = self;
        count.object(depth).map_err(stop)?;
        count.member(1).map_err(stop)?;
        Ok(Node { count, depth })
    }
}

impl<'de> DeserializeSeed<'de> for Digits<'_, '_> {
    type Value = Either;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Either, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Digits<'_, '_> {
    type Value = Either;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("digits")
    }

    /// Takes digits: only they come as a `String`; strings of the text are lent.
    fn visit_string<E: serde::de::Error>(self, digits: String) -> Result<Either, E> {
        if digits.len() > JSON_NUMBER_BYTES_MAX {
            return Err(stop(self.count.refuse(JsonError::Number)));
        }
        let weighed = self.count.weigh(digits.len() + STRING_BYTES);
        weighed.map_err(stop)?;
        let number: Result<Number, _> = digits.parse();
        number.map(Either::Number).map_err(E::custom)
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Either, E> {
        self.member()?.visit_unit().map(Either::Member)
    }

    fn visit_bool<E: serde::de::Error>(self, flag: bool) -> Result<Either, E> {
        self.member()?.visit_bool(flag).map(Either::Member)
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Either, E> {
        self.member()?.visit_u64(number).map(Either::Member)
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Either, E> {
        self.member()?.visit_i64(number).map(Either::Member)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Either, E> {
        self.member()?.visit_str(text).map(Either::Member)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, from: A) -> Result<Either, A::Error> {
        self.member()?.visit_seq(from).map(Either::Member)
    }

    fn visit_map<A: MapAccess<'de>>(self, from: A) -> Result<Either, A::Error> {
        self.member()?.visit_map(from).map(Either::Member)
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
    }

    #[test]
    fn a_key_that_a_library_uses_for_itself_is_only_a_key() {
        for value in [
            r#""x""#,
            "null",
            "true",
            "1",
            "-1",
            "1.5",
            "[2]",
            "{}",
            r#"{"a":{}}"#,
        ] {
            for more in ["", r#","b":1"#] {
                let text = format!("{{\"{NUMBER}\":{value}{more}}}");
                let read = read(text.as_bytes()).unwrap();
                let mut expected = Map::new();
                expected.insert(NUMBER.to_owned(), serde_json::from_str(value).unwrap());
                if !more.is_empty() {
                    expected.insert("b".to_owned(), 1.into());
                }
                assert_eq!(read, Value::Object(expected), "{text}");
            }
        }
        let nested = |depth: usize| {
            let open = format!("{{\"{NUMBER}\":").repeat(depth);
            format!("{open}1{}", "}".repeat(depth))
        };
        assert!(read(nested(JSON_DEPTH_MAX).as_bytes()).is_ok());
        let refused = read(nested(JSON_DEPTH_MAX + 1).as_bytes());
        assert_eq!(refused, Err(JsonError::Depth(JSON_DEPTH_MAX)));
    }

    #[test]
    fn numbers_keep_their_digits() {
        for digits in [
            "9007199254740993",
            "18446744073709551615",
            "18446744073709551616",
            "-9223372036854775808",
            "-9223372036854775809",
            "-0",
            "1.10",
            "12345678901234567890.10",
        ] {
            assert_eq!(read(digits.as_bytes()).unwrap().to_string(), digits);
        }
    }

    #[test]
    fn half_a_pair_is_read_as_go_reads_it() {
        for (text, expected) in [
            (r"\ud800x", "\u{fffd}x"),
            (r"\udc00\ud800", "\u{fffd}\u{fffd}"),
            (r"\ud83d\ude00\ud83d", "\u{1f600}\u{fffd}"),
            (r"\ud83d\ud83d\ude00", "\u{fffd}\u{1f600}"),
            (r"\ud800\u0041\\ud800", "\u{fffd}A\\ud800"),
            (r"\ud800\ü", ""),
        ] {
            let read = read(format!("\"{text}\"").as_bytes());
            match expected {
                "" => assert!(matches!(read, Err(JsonError::Character(_))), "{read:?}"),
                expected => assert_eq!(read, Ok(Value::String(expected.into())), "{text}"),
            }
        }
        let later = read(br#"["\ud800",]"#);
        assert_eq!(later, Err(JsonError::Character(10)));
    }

    #[test]
    fn the_deepest_nesting_that_can_be_set_fits_a_thread() {
        let limits = JsonLimits {
            depth: 500,
            ..JsonLimits::default()
        };
        let text = format!("{}1{}", r#"[{"a":"#.repeat(250), "}]".repeat(250));
        let deep = std::thread::Builder::new()
            .stack_size(2 << 20)
            .spawn(move || {
                let read = parse(text.as_bytes(), &limits, &mut |_| true).map(drop);
                let deeper = format!("[{text}]");
                (read, parse(deeper.as_bytes(), &limits, &mut |_| true))
            });
        let (fits, refused) = deep.unwrap().join().unwrap();
        assert_eq!((fits, refused), (Ok(()), Err(JsonError::Depth(500))));
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
                // Ours takes half a surrogate pair for U+FFFD, as Go does.
                (Ok(_), Err(_)) => prop_assert!(text.contains("\\u"), "{}", text),
                (Err(e), Ok(_)) => prop_assert!(false, "{} {:?}", text, e),
            }
        }
    }
}
