//! Reads the outer form of a policy that is written as JSON.
//!
//! A name that stands twice in an object is read twice: the last one must not hide a deny of the
//! first one.

use super::PolicyError;
use super::hcl::{Field, PathBlock, Reading, invalid_key};
use super::source::syntax_at;
use serde::de::{Deserialize, DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::fmt;

/// The deepest nesting of a field's value; its readers recurse.
const NESTING_MAX: usize = 120;

/// Reads `{"path": {"a": {...}}}` or `{"path": [{"a": {...}}, ...]}`.
pub(super) fn read(text: &str) -> Result<Reading, PolicyError> {
    let mut reading = Reading::default();
    for (key, value) in parse::<Object>(text)?.0 {
        match (key.as_str(), value.get()) {
            ("name", _) => {}
            ("path", groups) if groups.starts_with('[') => {
                for group in parse::<Vec<Box<RawValue>>>(groups)? {
                    read_group(group.get(), &mut reading)?;
                }
            }
            ("path", group) => read_group(group, &mut reading)?,
            (key, _) => return Err(invalid_key(key, 0)),
        }
    }
    Ok(reading)
}

fn parse<T: DeserializeOwned>(text: &str) -> Result<T, PolicyError> {
    serde_json::from_str(text)
        .map_err(|error| syntax_at((error.line(), error.column()), &error.to_string()))
}

fn read_group(group: &str, reading: &mut Reading) -> Result<(), PolicyError> {
    let wrong = |what: &str| PolicyError::Syntax(format!("path: {what}"));
    if !group.starts_with('{') {
        return Err(wrong("an object of paths is expected"));
    }
    for (path, fields) in parse::<Object>(group)?.0 {
        if !fields.get().starts_with('{') {
            return Err(wrong("each path must hold an object"));
        }
        let mut block = PathBlock {
            path,
            fields: Vec::new(),
        };
        for (key, value) in parse::<Object>(fields.get())?.0 {
            let mut twice = |name: &str| {
                let path = &block.path;
                let what = format!("path {path:?}: {name:?} stands twice in {key}");
                reading.complain(PolicyError::Syntax(what));
            };
            let value = plain(value.get(), NESTING_MAX, &mut twice)?;
            block.fields.push(Field {
                key,
                line: 0,
                value,
            });
        }
        reading.blocks.push(block);
    }
    Ok(())
}

/// Reads the value of `text`, at most `depth` levels deep; calls `twice` with the names that an
/// object has more than once.
fn plain(text: &str, depth: usize, twice: &mut dyn FnMut(&str)) -> Result<Value, PolicyError> {
    let deep = || syntax_at((1, 1), "nested too deeply");
    let below = |text: &str, twice: &mut dyn FnMut(&str)| {
        plain(text, depth.checked_sub(1).ok_or_else(deep)?, twice)
    };
    if text.starts_with('[') {
        let items = parse::<Vec<Box<RawValue>>>(text)?.into_iter();
        return items.map(|item| below(item.get(), twice)).collect();
    }
    if !text.starts_with('{') {
        return parse(text);
    }
    let mut map = Map::new();
    for (name, value) in parse::<Object>(text)?.0 {
        let value = below(value.get(), twice)?;
        if map.contains_key(&name) {
            twice(&name);
        }
        map.insert(name, value);
    }
    Ok(map.into())
}

/// An object with all its names, in their order.
struct Object(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(AnObject)
    }
}

struct AnObject;

impl<'de> Visitor<'de> for AnObject {
    type Value = Object;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Object, A::Error> {
        let mut object = Vec::new();
        while let Some(field) = fields.next_entry()? {
            object.push(field);
        }
        Ok(Object(object))
    }
}
