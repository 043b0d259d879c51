//! The fields of a request, read once and as the API of Vault takes them: numbers as text, text as
//! numbers, with the messages its clients know.

use super::{Field, FieldKind};
use crate::cidr;
use crate::clock::{Timestamp, parse_duration, parse_instant};
use crate::engine::Error;
use crate::secret::{Secret, SecretString};
use serde_json::{Map, Number, Value};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The opening of a message where the API has it: everywhere but where it reads fields to find out
/// whether something exists.
pub(crate) const VALIDATION: &str = "Field validation failed: ";

/// The fields that a request sent, read as its endpoint says. A getter answers `None` for a field
/// that was not sent, was sent as `null`, or is read as another type.
#[derive(Clone, Debug, Default)]
pub struct Fields<'a> {
    sent: Vec<(&'static str, Typed<'a>)>,
}

#[derive(Clone, Debug)]
enum Typed<'a> {
    Null,
    /// Empty text for seconds: zero to most.
    NoText,
    Plain(&'a Value),
    Text(Cow<'a, str>),
    Flag(bool),
    Integer(i64),
    Seconds(i64),
    Time(Timestamp),
    Texts(Vec<String>),
    Networks(Result<Vec<String>, String>),
    Integers(Vec<i64>),
    Pairs(BTreeMap<String, String>),
    Map(Cow<'a, Map<String, Value>>),
}

impl<'a> Fields<'a> {
    /// Reads those of `data` that are `known`; the message of a fault begins with `prefix`.
    ///
    /// # Errors
    /// 400 that names the field and says what is wrong with its value.
    pub fn read(
        known: &[Field],
        data: &'a Map<String, Value>,
        prefix: &str,
    ) -> Result<Self, Error> {
        let mut sent = Vec::new();
        for field in known {
            if let Some(value) = data.get(field.name) {
                sent.push((field.name, typed(field, value, prefix)?));
            }
        }
        Ok(Self { sent })
    }

    fn get(&self, name: &str) -> Option<&Typed<'a>> {
        let mut sent = self.sent.iter();
        sent.find(|(known, _)| *known == name)
            .map(|(_, typed)| typed)
    }

    /// Returns true when it was sent, and not as `null`.
    pub fn has(&self, name: &str) -> bool {
        self.get(name)
            .is_some_and(|typed| !matches!(typed, Typed::Null))
    }

    /// Returns true when it was sent as `null`.
    pub fn is_null(&self, name: &str) -> bool {
        matches!(self.get(name), Some(Typed::Null))
    }

    /// Returns true when nothing of worth was sent: nothing, `null`, or no text where seconds are
    /// asked for.
    pub fn is_blank(&self, name: &str) -> bool {
        matches!(self.get(name), None | Some(Typed::Null | Typed::NoText))
    }

    /// Returns the value as it was sent.
    pub fn plain(&self, name: &str) -> Option<&'a Value> {
        match self.get(name)? {
            Typed::Plain(value) => Some(value),
            _ => None,
        }
    }

    /// Returns a text.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.get(name)? {
            Typed::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns a text that is a secret; an empty one counts as not sent.
    pub fn secret(&self, name: &str) -> Option<SecretString> {
        let text = self.text(name).filter(|text| !text.is_empty())?;
        Some(Secret::new(text.to_owned()))
    }

    /// Returns yes or no.
    pub fn flag(&self, name: &str) -> Option<bool> {
        match self.get(name)? {
            Typed::Flag(flag) => Some(*flag),
            _ => None,
        }
    }

    /// Returns yes or no; `null` counts as no, as in Vault.
    pub fn switch(&self, name: &str) -> Option<bool> {
        match self.get(name)? {
            Typed::Null => Some(false),
            _ => self.flag(name),
        }
    }

    /// Returns a whole number.
    pub fn integer(&self, name: &str) -> Option<i64> {
        match self.get(name)? {
            Typed::Integer(number) => Some(*number),
            _ => None,
        }
    }

    /// Returns a whole number; `null` counts as zero, as in Vault: for a `cas`, a count.
    pub fn number(&self, name: &str) -> Option<i64> {
        match self.get(name)? {
            Typed::Null => Some(0),
            _ => self.integer(name),
        }
    }

    /// Returns seconds, negative ones only where the field may have them.
    pub fn signed_seconds(&self, name: &str) -> Option<i64> {
        match self.get(name)? {
            Typed::Seconds(seconds) => Some(*seconds),
            Typed::NoText => Some(0),
            _ => None,
        }
    }

    /// Returns seconds from zero on.
    pub fn seconds(&self, name: &str) -> Option<u64> {
        u64::try_from(self.signed_seconds(name)?).ok()
    }

    /// Returns a time.
    pub fn time(&self, name: &str) -> Option<Timestamp> {
        match self.get(name)? {
            Typed::Time(time) => Some(*time),
            _ => None,
        }
    }

    /// Returns several texts.
    pub fn list(&self, name: &str) -> Option<&[String]> {
        match self.get(name)? {
            Typed::Texts(texts) => Some(texts),
            _ => None,
        }
    }

    /// Returns networks and addresses, each as it was sent. `parses` names the part of the request
    /// in the message of a fault: `role fields`.
    ///
    /// # Errors
    /// 400 that names the first text that is neither.
    pub fn networks(&self, name: &str, parses: &str) -> Result<Option<&[String]>, Error> {
        match self.get(name) {
            Some(Typed::Networks(Ok(texts))) => Ok(Some(texts)),
            Some(Typed::Networks(Err(why))) => {
                Err(Error::invalid(format!("error parsing {parses}: {why}")))
            }
            _ => Ok(None),
        }
    }

    /// Returns several whole numbers.
    pub fn integers(&self, name: &str) -> Option<&[i64]> {
        match self.get(name)? {
            Typed::Integers(numbers) => Some(numbers),
            _ => None,
        }
    }

    /// Returns pairs of texts.
    pub fn pairs(&self, name: &str) -> Option<&BTreeMap<String, String>> {
        match self.get(name)? {
            Typed::Pairs(pairs) => Some(pairs),
            _ => None,
        }
    }

    /// Returns an object.
    pub fn map(&self, name: &str) -> Option<&Map<String, Value>> {
        match self.get(name)? {
            Typed::Map(fields) => Some(fields),
            _ => None,
        }
    }
}

fn typed<'a>(field: &Field, value: &'a Value, prefix: &str) -> Result<Typed<'a>, Error> {
    if value.is_null() {
        return Ok(Typed::Null);
    }
    let is_empty = value.as_str().is_some_and(|text| text.trim().is_empty());
    let read = match field.kind {
        FieldKind::Seconds | FieldKind::SignedSeconds if is_empty => Ok(Typed::NoText),
        FieldKind::Plain => Ok(Typed::Plain(value)),
        FieldKind::Text => text(value)
            .map(Typed::Text)
            .ok_or_else(|| unconvertible("", "string", value)),
        FieldKind::Flag => flag(value).map(Typed::Flag),
        FieldKind::Integer => int(value)
            .map(Typed::Integer)
            .map_err(|why| format!("'' {why}")),
        FieldKind::Seconds => not_negative(value).map(Typed::Seconds),
        FieldKind::SignedSeconds => seconds(value).map(Typed::Seconds),
        FieldKind::Lifetime | FieldKind::SystemLifetime => return lifetime(field, value, prefix),
        FieldKind::Time => time(value).map(Typed::Time),
        FieldKind::List | FieldKind::Names => texts(value, false).map(Typed::Texts),
        FieldKind::CommaList | FieldKind::CommaNames => texts(value, true).map(Typed::Texts),
        FieldKind::Networks => texts(value, true).map(|texts| networks(value, texts)),
        FieldKind::Integers => integers(value).map(Typed::Integers),
        FieldKind::Pairs => pairs(field.name, value).map(Typed::Pairs),
        FieldKind::Map => map(value).map(Typed::Map),
    };
    read.map_err(|why| fault(field.name, &why, prefix))
}

fn fault(name: &str, why: &str, prefix: &str) -> Error {
    Error::invalid(format!(
        "{prefix}error converting input for field {name:?}: {why}"
    ))
}

fn text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Number(number) => Some(Cow::Owned(number.to_string())),
        Value::Bool(flag) => Some(Cow::Owned(flag.to_string())),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn flag(value: &Value) -> Result<bool, String> {
    let text = text(value).ok_or_else(|| unconvertible("", "bool", value))?;
    match text.to_ascii_lowercase().as_str() {
        "1" | "t" | "true" => Ok(true),
        "" | "0" | "f" | "false" => Ok(false),
        _ => Err("'' cannot parse value as 'bool': strconv.ParseBool: invalid syntax".into()),
    }
}

/// Reads a whole number as the API does.
pub(crate) fn int(value: &Value) -> Result<i64, String> {
    match value {
        Value::Null => Ok(0),
        Value::Bool(flag) => Ok(i64::from(*flag)),
        Value::Number(number) => int_text(&number.to_string()),
        Value::String(text) if text.is_empty() => Ok(0),
        Value::String(text) => int_text(text),
        Value::Array(_) | Value::Object(_) => Err(expected("int", value)),
    }
}

fn int_text(text: &str) -> Result<i64, String> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let (radix, digits) = match digits.get(..2) {
        Some("0x" | "0X") => (16, digits.get(2..)),
        Some("0o" | "0O") => (8, digits.get(2..)),
        Some("0b" | "0B") => (2, digits.get(2..)),
        _ => (10, Some(digits)),
    };
    let digits = digits.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    let parsed = digits.map(|digits| i64::from_str_radix(&format!("{sign}{digits}"), radix));
    let why = match parsed {
        Some(Ok(number)) => return Ok(number),
        Some(Err(error)) => match error.kind() {
            std::num::IntErrorKind::PosOverflow | std::num::IntErrorKind::NegOverflow => {
                "value out of range"
            }
            _ => "invalid syntax",
        },
        None => "invalid syntax",
    };
    Err(format!(
        "cannot parse value as 'int': strconv.ParseInt: {why}"
    ))
}

/// Reads whole seconds, with their sign, from a text in Go's notation or a number of seconds.
fn seconds(value: &Value) -> Result<i64, String> {
    let text = match value {
        Value::Number(number) => number_seconds(number)?,
        Value::String(text) => text.trim().to_owned(),
        _ => return Err("could not parse duration from input".into()),
    };
    parse_seconds(&text).ok_or_else(|| invalid_duration(&text))
}

fn parse_seconds(text: &str) -> Option<i64> {
    if text.is_empty() {
        return Some(0);
    }
    let (sign, magnitude) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text),
    };
    let duration = parse_duration(magnitude)?;
    let seconds = i64::try_from(duration.as_secs()).ok()?;
    Some(sign * seconds)
}

fn number_seconds(number: &Number) -> Result<String, String> {
    let text = number.to_string();
    let mut bytes = text.bytes();
    match bytes.all(|byte| byte.is_ascii_digit() || byte == b'-') {
        true => Ok(text),
        false => Err(format!("time: missing unit in duration {text:?}")),
    }
}

fn invalid_duration(text: &str) -> String {
    format!("time: invalid duration {text:?}")
}

fn not_negative(value: &Value) -> Result<i64, String> {
    match seconds(value)? {
        seconds @ 0.. => Ok(seconds),
        seconds => Err(format!("cannot provide negative value '{seconds}'")),
    }
}

/// Reads a duration that is a text in Vault's own table and is read by the endpoint afterwards. An
/// empty `Lifetime` counts as not sent.
fn lifetime<'a>(field: &Field, value: &Value, prefix: &str) -> Result<Typed<'a>, Error> {
    let name = field.name;
    let text = text(value);
    let text = text.ok_or_else(|| fault(name, &unconvertible("", "string", value), prefix))?;
    let text = text.trim();
    match (text, field.kind) {
        ("", FieldKind::Lifetime) => return Ok(Typed::Null),
        ("system", FieldKind::SystemLifetime) => return Ok(Typed::Seconds(0)),
        _ => {}
    }
    let seconds = match value {
        Value::Number(number) => number_seconds(number).map_err(Error::invalid)?,
        _ => text.to_owned(),
    };
    match parse_seconds(&seconds) {
        Some(seconds @ 0..) if !text.starts_with('-') => Ok(Typed::Seconds(seconds)),
        Some(_) => Err(Error::invalid(format!("{name} must be positive"))),
        None => Err(Error::invalid(invalid_duration(text))),
    }
}

fn time(value: &Value) -> Result<Timestamp, String> {
    let parsed = text(value).and_then(|text| parse_instant(&text));
    parsed.ok_or_else(|| "could not parse string as date and time".into())
}

/// Reads each of `items`; the message of a fault says which one it is.
fn each<'a, T>(
    items: impl Iterator<Item = &'a Value>,
    read: impl Fn(&'a Value) -> Result<T, String>,
) -> Result<Vec<T>, String> {
    let decoded = items.enumerate().map(|(index, item)| {
        read(item).map_err(|why| {
            format!("decoding failed due to the following error(s):\n\n'[{index}]' {why}")
        })
    });
    decoded.collect()
}

fn texts(value: &Value, split: bool) -> Result<Vec<String>, String> {
    let item = |value: &Value| {
        let text = text(value).map(Cow::into_owned);
        text.ok_or_else(|| expected("string", value))
    };
    match value {
        Value::Array(items) => each(items.iter(), item),
        Value::String(text) if text.is_empty() => Ok(Vec::new()),
        Value::String(text) if split => {
            let parts = text.split(',').map(str::trim);
            let parts = parts.filter(|part| !part.is_empty());
            Ok(parts.map(str::to_owned).collect())
        }
        value => each(std::iter::once(value), item),
    }
}

/// Returns `texts`, read from `value`, as networks. Refuses a text of blanks, which must not take
/// the bounds away.
fn networks<'a>(value: &Value, texts: Vec<String>) -> Typed<'a> {
    let is_blank = texts.is_empty() && value.as_str().is_some_and(|text| !text.is_empty());
    let mut each = texts.iter().map(String::as_str);
    let wrong = each.find(|text| cidr::parse(text).is_none());
    Typed::Networks(match wrong.or(is_blank.then_some("")) {
        None => Ok(texts),
        Some(wrong) => Err(format!(
            "error parsing address {wrong:?}: \
             Unable to convert {wrong:?} to an IPv4 or IPv6 address, or a UNIX Socket"
        )),
    })
}

fn integers(value: &Value) -> Result<Vec<i64>, String> {
    match value {
        Value::Array(items) => each(items.iter(), int),
        Value::String(text) if text.is_empty() => Ok(Vec::new()),
        Value::String(text) => {
            let parts: Vec<Value> = text.split(',').map(|part| part.trim().into()).collect();
            each(parts.iter(), int)
        }
        value => each(std::iter::once(value), int),
    }
}

fn pairs(name: &str, value: &Value) -> Result<BTreeMap<String, String>, String> {
    if let Value::Object(map) = value {
        let read = |value: &Value| match value {
            Value::Null => Ok(String::new()),
            value => text(value)
                .map(Cow::into_owned)
                .ok_or_else(|| expected("string", value)),
        };
        let values = each(map.values(), read)?;
        return Ok(map.keys().cloned().zip(values).collect());
    }
    let texts = texts(value, false)?;
    let pairs = texts.iter().enumerate().map(|(at, text)| {
        let pair = text.split_once('=');
        pair.map(|(key, value)| (key.to_owned(), value.to_owned()))
            .ok_or_else(|| format!("invalid key pair at index {at} in field {name:?}"))
    });
    pairs.collect()
}

fn map(value: &Value) -> Result<Cow<'_, Map<String, Value>>, String> {
    const MAP: &str = "map[string]interface {}";
    match value {
        Value::Object(fields) => Ok(Cow::Borrowed(fields)),
        Value::Array(items) => {
            let mut union = Map::new();
            for (index, item) in items.iter().enumerate() {
                let Value::Object(fields) = item else {
                    return Err(unconvertible(&format!("[{index}]"), MAP, item));
                };
                union.extend(fields.clone());
            }
            Ok(Cow::Owned(union))
        }
        value => Err(unconvertible("", MAP, value)),
    }
}

fn unconvertible(place: &str, wanted: &str, value: &Value) -> String {
    format!("'{place}' {}", expected(wanted, value))
}

/// Returns the message "expected type `wanted`", with the type that was sent instead.
pub(crate) fn expected(wanted: &str, value: &Value) -> String {
    let found = match value {
        Value::Null => "nil",
        Value::Bool(_) => "bool",
        Value::Number(_) => "json.Number",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    };
    format!("expected type '{wanted}', got unconvertible type '{found}'")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refusal(kind: FieldKind, value: Value) -> String {
        let known = [Field::new("f", kind, "")];
        let data = Map::from_iter([("f".to_owned(), value)]);
        let error = Fields::read(&known, &data, "").expect_err("must be refused");
        error.messages.join("|")
    }

    fn with<T>(kind: FieldKind, value: Value, get: impl Fn(&Fields<'_>) -> T) -> T {
        let known = [Field::new("f", kind, "")];
        let data = Map::from_iter([("f".to_owned(), value)]);
        get(&Fields::read(&known, &data, "").expect("is read"))
    }

    #[test]
    fn whole_numbers_come_in_many_clothes() {
        for (value, number) in [
            (json!(true), Some(1)),
            (json!(7), Some(7)),
            (json!("-7"), Some(-7)),
            (json!("0x10"), Some(16)),
            (json!(""), Some(0)),
            (
                json!(9_007_199_254_740_993_i64),
                Some(9_007_199_254_740_993),
            ),
            (json!(i64::MIN), Some(i64::MIN)),
            (json!(null), None),
        ] {
            let read = with(FieldKind::Integer, value.clone(), |f| f.integer("f"));
            assert_eq!(read, number, "{value}");
        }
        for (value, why) in [
            (
                json!("1.5"),
                "cannot parse value as 'int': strconv.ParseInt: invalid syntax",
            ),
            (
                json!(1.5),
                "cannot parse value as 'int': strconv.ParseInt: invalid syntax",
            ),
            (
                json!("--1"),
                "cannot parse value as 'int': strconv.ParseInt: invalid syntax",
            ),
            (
                json!("0x"),
                "cannot parse value as 'int': strconv.ParseInt: invalid syntax",
            ),
            (
                json!("12345678901234567890"),
                "cannot parse value as 'int': strconv.ParseInt: value out of range",
            ),
            (
                json!([]),
                "expected type 'int', got unconvertible type '[]interface {}'",
            ),
        ] {
            let refusal = refusal(FieldKind::Integer, value.clone());
            let whole = format!("error converting input for field \"f\": '' {why}");
            assert_eq!(refusal, whole, "{value}");
        }
    }

    #[test]
    fn durations_are_cut_to_seconds_and_keep_their_sign() {
        for (value, expected) in [
            (json!(90), Some(90)),
            (json!("1.5s"), Some(1)),
            (json!("-1h"), Some(-3600)),
            (json!(-5), Some(-5)),
            (json!(""), Some(0)),
            (json!("2d"), Some(172_800)),
            (json!(null), None),
        ] {
            let read = |f: &Fields<'_>| f.signed_seconds("f");
            let read = with(FieldKind::SignedSeconds, value.clone(), read);
            assert_eq!(read, expected, "{value}");
        }
        for (kind, value, why) in [
            (
                FieldKind::SignedSeconds,
                json!(1.5),
                "missing unit in duration \"1.5\"",
            ),
            (
                FieldKind::SignedSeconds,
                json!("x"),
                "invalid duration \"x\"",
            ),
            (
                FieldKind::SignedSeconds,
                json!(true),
                "could not parse duration from input",
            ),
            (
                FieldKind::Seconds,
                json!("-1h"),
                "cannot provide negative value '-3600'",
            ),
            (FieldKind::Lifetime, json!("-1h"), "f must be positive"),
            (FieldKind::Lifetime, json!("-0.5s"), "f must be positive"),
            (
                FieldKind::Lifetime,
                json!("system"),
                "time: invalid duration \"system\"",
            ),
            (FieldKind::Lifetime, json!({}), "'' expected type 'string'"),
        ] {
            let refusal = refusal(kind, value.clone());
            assert!(refusal.contains(why), "{value}: {refusal}");
        }
        let system = |f: &Fields<'_>| f.seconds("f");
        assert_eq!(
            with(FieldKind::SystemLifetime, json!("system"), system),
            Some(0)
        );
        assert_eq!(with(FieldKind::SystemLifetime, json!(""), system), Some(0));
        assert_eq!(with(FieldKind::Lifetime, json!(" "), system), None);
    }

    #[test]
    fn switches_are_read_in_any_case() {
        for (value, expected) in [
            (json!(true), true),
            (json!("TRUE"), true),
            (json!("t"), true),
            (json!(1), true),
            (json!("0"), false),
            (json!(""), false),
            (json!("False"), false),
        ] {
            let read = with(FieldKind::Flag, value.clone(), |f| f.flag("f"));
            assert_eq!(read, Some(expected), "{value}");
        }
        assert!(refusal(FieldKind::Flag, json!("maybe")).ends_with("invalid syntax"));
        assert!(refusal(FieldKind::Flag, json!(2)).ends_with("invalid syntax"));
        assert!(refusal(FieldKind::Flag, json!([])).contains("expected type 'bool'"));
    }

    #[test]
    fn lists_are_arrays_or_texts() {
        let read = |kind, value| {
            with(kind, value, |f| f.list("f").map(<[String]>::to_vec)).expect("a list")
        };
        for (value, plain, split) in [
            (
                json!(["a", 1, true]),
                &["a", "1", "true"][..],
                &["a", "1", "true"][..],
            ),
            (json!("a, b,"), &["a, b,"], &["a", "b"]),
            (json!(["a,b"]), &["a,b"], &["a,b"]),
            (json!(7), &["7"], &["7"]),
            (json!(""), &[], &[]),
        ] {
            assert_eq!(read(FieldKind::List, value.clone()), plain, "{value}");
            assert_eq!(read(FieldKind::CommaList, value.clone()), split, "{value}");
        }
        for value in [json!({"a": 1}), json!([{"a": 1}])] {
            let refusal = refusal(FieldKind::Names, value);
            let why = "error(s):\n\n'[0]' expected type 'string', got unconvertible type \
                       'map[string]interface {}'";
            assert!(refusal.ends_with(why), "{refusal}");
        }
        let numbers = |value| {
            with(FieldKind::Integers, value, |f| {
                f.integers("f").map(<[_]>::to_vec)
            })
        };
        assert_eq!(numbers(json!("1, 2")), Some(vec![1, 2]));
        assert_eq!(numbers(json!([1, "2"])), Some(vec![1, 2]));
        assert_eq!(numbers(json!(3)), Some(vec![3]));
        assert!(
            super::tests::refusal(FieldKind::Integers, json!([1, "x"])).contains("'[1]' cannot")
        );
    }

    #[test]
    fn networks_are_read_or_named() {
        let read = |value| {
            with(FieldKind::Networks, value, |f| {
                let networks = f.networks("f", "role fields");
                networks.map(|texts| texts.map(<[String]>::to_vec))
            })
        };
        let both = ["10.0.0.5/8".to_owned(), "fe80::1".to_owned()].to_vec();
        for (value, expected) in [
            (json!("10.0.0.5/8, fe80::1"), Some(both.clone())),
            (json!(["10.0.0.5/8", "fe80::1"]), Some(both)),
            (json!(""), Some(vec![])),
            (json!([]), Some(vec![])),
            (json!(null), None),
        ] {
            assert_eq!(read(value.clone()).expect("is read"), expected, "{value}");
        }
        for (value, wrong) in [
            (json!(["10.0.0.0/8", "nope"]), "nope"),
            (json!("10.0.0.0/33"), "10.0.0.0/33"),
            (json!(7), "7"),
            (json!(" "), ""),
            (json!(","), ""),
            (json!([""]), ""),
        ] {
            let why = read(value.clone()).expect_err("is refused").messages;
            let start = format!("error parsing role fields: error parsing address {wrong:?}: ");
            assert!(why.concat().starts_with(&start), "{value}: {why:?}");
        }
        let refusal = refusal(FieldKind::Networks, json!([{"a": 1}]));
        assert!(
            refusal.contains("'[0]' expected type 'string'"),
            "{refusal}"
        );
    }

    #[test]
    fn pairs_and_maps_have_two_forms() {
        let pairs = |value| with(FieldKind::Pairs, value, |f| f.pairs("f").cloned());
        let expected = BTreeMap::from([("a".to_owned(), "1".to_owned())]);
        assert_eq!(pairs(json!({"a": 1})), Some(expected.clone()));
        assert_eq!(pairs(json!(["a=1"])), Some(expected.clone()));
        assert_eq!(pairs(json!("a=1")), Some(expected));
        assert!(refusal(FieldKind::Pairs, json!(["a=b", "c"])).ends_with("index 1 in field \"f\""));
        assert!(refusal(FieldKind::Pairs, json!({"a": {}})).contains("'[0]' expected type"));
        let union = with(FieldKind::Map, json!([{"a": 1}, {"b": 2}]), |f| {
            f.map("f").cloned()
        });
        assert_eq!(union.map(Value::Object), Some(json!({"a": 1, "b": 2})));
        assert!(refusal(FieldKind::Map, json!("x")).contains("'' expected type 'map[string]"));
        assert!(refusal(FieldKind::Map, json!([1])).contains("'[0]' expected type 'map[string]"));
    }
}
