//! Compares values with those that a rule lists, as the engine will read them.

use crate::clock::parse_duration;
use crate::engine::FieldKind;
use serde_json::{Map, Value};

/// Returns true if a list of denied values covers `value`: it lists the whole, or any member of a
/// list, or a part of an object. An empty list covers every value.
pub(super) fn is_denied(listed: &[Value], value: &Value, kind: FieldKind) -> bool {
    if kind == FieldKind::Pairs {
        let listed: Vec<Value> = listed.iter().map(as_pairs).collect();
        return is_denied(&listed, &as_pairs(value), FieldKind::Plain);
    }
    // The engine reads a text with commas as one name, but its author means several.
    let kind = match kind {
        FieldKind::Names => FieldKind::CommaNames,
        kind => kind,
    };
    listed.is_empty() || listed.iter().any(|listed| touches(listed, value, kind))
}

/// Returns true if a list of allowed values has `value`, or every member of it. An empty list has
/// every value; an empty value counts as a whole only.
pub(super) fn is_allowed(listed: &[Value], value: &Value, kind: FieldKind) -> bool {
    if kind == FieldKind::Pairs {
        let listed: Vec<Value> = listed.iter().map(as_pairs).collect();
        let value = as_pairs(value);
        return is_allowed(&listed, &value, FieldKind::Plain)
            || is_allowed(&listed, &single_pairs(value), FieldKind::Plain);
    }
    let whole = |listed| same(listed, value, kind);
    listed.is_empty()
        || listed.iter().any(whole)
        || members(value, kind).is_some_and(|members| {
            let each = |member| is_allowed(listed, member, of_member(kind));
            !members.is_empty() && members.iter().all(each)
        })
}

/// Returns true if the engine reads `value` as if it had not been sent.
pub(super) fn is_absent(value: &Value, kind: FieldKind) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty() && kind == FieldKind::Seconds,
        _ => false,
    }
}

fn touches(listed: &Value, value: &Value, kind: FieldKind) -> bool {
    if same(listed, value, kind) {
        return true;
    }
    if let (Value::Object(listed), Value::Object(value)) = (listed, value) {
        let sent = |(name, listed): (&String, &Value)| {
            let value = value.get(name);
            value.is_some_and(|value| touches(listed, value, FieldKind::Plain))
        };
        return !listed.is_empty() && listed.iter().all(sent);
    }
    let Some(members) = members(value, kind) else {
        return false;
    };
    let has = |listed: &Value| {
        let touched = |member| touches(listed, member, of_member(kind));
        members.iter().any(touched)
    };
    match listed {
        Value::Array(listed) => !listed.is_empty() && listed.iter().all(has),
        listed => has(listed),
    }
}

/// Returns true if the engine will read both alike.
fn same(listed: &Value, value: &Value, kind: FieldKind) -> bool {
    let splits = matches!(kind, FieldKind::CommaList | FieldKind::CommaNames);
    match (listed, value) {
        (Value::Object(listed), Value::Object(value)) => {
            let alike = |(name, listed): (&String, &Value)| {
                let value = value.get(name);
                value.is_some_and(|value| same(listed, value, FieldKind::Plain))
            };
            listed.len() == value.len() && listed.iter().all(alike)
        }
        // Values are compared one by one where the engine splits: a glob must not reach over a
        // comma.
        (Value::Array(_), _) | (_, Value::Array(_)) | (_, Value::String(_))
            if splits || both_lists(listed, value) =>
        {
            let pair = (members(listed, kind), members(value, kind));
            let (Some(listed), Some(value)) = pair else {
                return false;
            };
            let alike = |(listed, value)| same(listed, value, of_member(kind));
            listed.len() == value.len() && listed.iter().zip(&value).all(alike)
        }
        (listed, value) => same_scalar(listed, value, kind),
    }
}

fn both_lists(listed: &Value, value: &Value) -> bool {
    listed.is_array() && value.is_array()
}

/// Returns the members of a value that the engine takes for a list; `None` for a single value.
fn members(value: &Value, kind: FieldKind) -> Option<Vec<Value>> {
    match (value, kind) {
        (Value::Array(items), _) => Some(items.clone()),
        (Value::String(text), FieldKind::CommaList | FieldKind::CommaNames) => {
            let parts = text.split(',').map(str::trim);
            Some(
                parts
                    .filter(|part| !part.is_empty())
                    .map(Value::from)
                    .collect(),
            )
        }
        (Value::Number(_) | Value::Bool(_), FieldKind::CommaList | FieldKind::CommaNames) => {
            Some(vec![value.clone()])
        }
        _ => None,
    }
}

/// Returns the kind of a list's members: a member is not split again. No engine takes a list in a
/// list, but a rule is applied to its members all the same.
const fn of_member(kind: FieldKind) -> FieldKind {
    match kind {
        FieldKind::List | FieldKind::CommaList => FieldKind::Plain,
        FieldKind::CommaNames => FieldKind::Names,
        kind => kind,
    }
}

fn same_scalar(listed: &Value, value: &Value, kind: FieldKind) -> bool {
    let read = match kind {
        FieldKind::Flag => flag(listed).zip(flag(value)).map(|(a, b)| a == b),
        FieldKind::Integer => integer(listed).zip(integer(value)).map(|(a, b)| a == b),
        FieldKind::Seconds => seconds(listed).zip(seconds(value)).map(|(a, b)| a == b),
        FieldKind::Names => text(listed).zip(text(value)).map(|(pattern, name)| {
            let plain = |text: &str| text.trim().to_lowercase();
            glob_matches(&plain(&pattern), &plain(&name))
        }),
        _ => None,
    };
    read.unwrap_or_else(|| match (listed, value) {
        (Value::String(pattern), Value::String(text)) => glob_matches(pattern, text),
        (Value::Number(a), Value::Number(b)) => {
            // Only fractions are compared as numbers: large whole numbers would be rounded.
            a == b || (a.is_f64() || b.is_f64()) && a.as_f64() == b.as_f64()
        }
        // Form bodies and query strings carry numbers and booleans as text.
        (Value::Number(number), Value::String(text))
        | (Value::String(text), Value::Number(number)) => number.to_string() == *text,
        (Value::Bool(flag), Value::String(text)) | (Value::String(text), Value::Bool(flag)) => {
            flag.to_string() == *text
        }
        (listed, value) => listed == value,
    })
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn flag(value: &Value) -> Option<bool> {
    match text(value)?.trim().to_lowercase().as_str() {
        "true" | "t" | "yes" | "1" => Some(true),
        "false" | "f" | "no" | "0" | "" => Some(false),
        _ => None,
    }
}

fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Bool(flag) => Some(i64::from(*flag)),
        value => text(value)?.parse().ok(),
    }
}

fn seconds(value: &Value) -> Option<u64> {
    parse_duration(&text(value)?).map(|duration| duration.as_secs())
}

/// Returns an object for an object, a list of `k=v` texts, or one such text; any other value stays.
fn as_pairs(value: &Value) -> Value {
    let texts = match value {
        Value::String(_) => std::slice::from_ref(value),
        Value::Array(items) => items.as_slice(),
        other => return other.clone(),
    };
    let pairs = texts.iter().map(|text| text.as_str()?.split_once('='));
    let pairs = pairs.map(|pair| pair.map(|(key, value)| (key.to_owned(), value.into())));
    match pairs.collect::<Option<Map<_, _>>>() {
        Some(map) => map.into(),
        None => value.clone(),
    }
}

/// Returns each pair of an object as an object of its own.
fn single_pairs(value: Value) -> Value {
    let Value::Object(map) = value else {
        return value;
    };
    let single = |pair| Value::Object(Map::from_iter([pair]));
    map.into_iter().map(single).collect()
}

/// Returns true if `text` matches; a `*` at either end of `pattern` stands for anything.
pub fn glob_matches(pattern: &str, text: &str) -> bool {
    match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (None, None) => pattern == text,
        (Some(tail), None) => text.ends_with(tail),
        (None, Some(head)) => text.starts_with(head),
        (Some(tail), Some(_)) => text.contains(tail.strip_suffix('*').unwrap_or(tail)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// A case: kind, listed values, value, denied, allowed.
    type Case = (FieldKind, Value, Value, bool, bool);

    fn assert_cases(cases: &[Case]) {
        for (kind, listed, value, denied, allowed) in cases {
            let listed = listed.as_array().expect("a list");
            let case = format!("{kind:?} {listed:?} {value}");
            assert_eq!(is_denied(listed, value, *kind), *denied, "denied: {case}");
            assert_eq!(
                is_allowed(listed, value, *kind),
                *allowed,
                "allowed: {case}"
            );
        }
    }

    #[test]
    fn a_list_is_denied_for_any_member_and_allowed_for_all() {
        use FieldKind::{CommaList, CommaNames, List, Names, Plain};
        assert_cases(&[
            (Plain, json!(["a"]), json!("a"), true, true),
            (Plain, json!(["a"]), json!("b"), false, false),
            (Plain, json!(["a"]), json!(["a"]), true, true),
            (Plain, json!(["a"]), json!(["b", "a"]), true, false),
            (Plain, json!(["a", "b"]), json!(["b", "a"]), true, true),
            (Plain, json!(["a"]), json!(["b", ["c", "a"]]), true, false),
            (Plain, json!(["a"]), json!([]), false, false),
            (Plain, json!([[]]), json!([]), true, true),
            (Plain, json!(["a"]), json!("b,a"), false, false),
            (Plain, json!([]), json!(["x"]), true, true),
            (List, json!(["a"]), json!("b,a"), false, false),
            (List, json!(["a*"]), json!("a,b"), true, true),
            (CommaList, json!(["a"]), json!("b, a"), true, false),
            (CommaList, json!(["a", "b"]), json!("b, a"), true, true),
            (CommaList, json!(["a*"]), json!("a1,b"), true, false),
            (CommaList, json!(["a"]), json!(","), false, false),
            (CommaList, json!(["a,b"]), json!(["a", "b"]), true, true),
            (CommaList, json!([["a", "b"]]), json!("a,b"), true, true),
            (CommaList, json!([["a", "b"]]), json!("b,c,a"), true, false),
            (CommaList, json!([["a", "b"]]), json!("a"), false, false),
            (CommaList, json!([5]), json!("4,5"), true, false),
            (Names, json!(["Admin"]), json!(" aDMIN"), true, true),
            (Names, json!(["admin"]), json!(["x", "ADMIN "]), true, false),
            (Names, json!(["admin"]), json!("x,admin"), true, false),
            (Names, json!(["admin"]), json!(["x,admin"]), false, false),
            (Names, json!(["admin", "x"]), json!("x,admin"), true, false),
            (
                CommaNames,
                json!(["admin", "x"]),
                json!("x,Admin"),
                true,
                true,
            ),
            (CommaNames, json!(["team-*"]), json!("Team-A"), true, true),
        ]);
    }

    #[test]
    fn scalars_are_compared_as_the_engine_reads_them() {
        use FieldKind::{Flag, Integer, Plain, Seconds};
        assert_cases(&[
            (Plain, json!([5]), json!("5"), true, true),
            (Plain, json!(["5"]), json!(5), true, true),
            (Plain, json!([5]), json!(5.0), true, true),
            (Plain, json!([true]), json!("true"), true, true),
            (Plain, json!([true]), json!(1), false, false),
            (
                Plain,
                json!([9007199254740993_u64]),
                json!(9007199254740992_u64),
                false,
                false,
            ),
            (Plain, json!([null]), json!(null), true, true),
            (Plain, json!(["a"]), json!(null), false, false),
            (Flag, json!([true]), json!("1"), true, true),
            (Flag, json!(["true"]), json!("T"), true, true),
            (Flag, json!([false]), json!(""), true, true),
            (Flag, json!([true]), json!(0), false, false),
            (Integer, json!([5]), json!("+5"), true, true),
            (Integer, json!(["0"]), json!(5), false, false),
            (Seconds, json!(["24h"]), json!("1440m"), true, true),
            (Seconds, json!(["24h"]), json!(86400), true, true),
            (Seconds, json!([86400]), json!(" 24h0m0.9s "), true, true),
            (Seconds, json!(["24h"]), json!("25h"), false, false),
            (Seconds, json!(["2*"]), json!("24h"), true, true),
        ]);
    }

    #[test]
    fn objects_are_denied_by_a_part_and_allowed_as_a_whole() {
        use FieldKind::{Pairs, Plain};
        assert_cases(&[
            (Plain, json!([{"a": 1}]), json!({"a": "1"}), true, true),
            (
                Plain,
                json!([{"a": 1}]),
                json!({"a": 1, "b": 2}),
                true,
                false,
            ),
            (
                Plain,
                json!([{"a": 1, "b": 2}]),
                json!({"a": 1}),
                false,
                false,
            ),
            (
                Plain,
                json!([{"a": {"b": 1}}]),
                json!({"a": {"b": 1, "c": 2}}),
                true,
                false,
            ),
            (
                Plain,
                json!([{"a": 1}]),
                json!([{"x": 1}, {"a": 1}]),
                true,
                false,
            ),
            (Plain, json!([{}]), json!({"a": 1}), false, false),
            (Pairs, json!([{"a": "b"}]), json!("a=b"), true, true),
            (
                Pairs,
                json!(["a=b"]),
                json!({"a": "b", "c": "d"}),
                true,
                false,
            ),
            (
                Pairs,
                json!(["a=b", "c=d"]),
                json!(["c=d", "a=b"]),
                true,
                true,
            ),
            (Pairs, json!(["a=b"]), json!(["a=c"]), false, false),
        ]);
    }
}
