//! Reads JSON text into a tree. The borrowed raw values give each value's place in the text.

use super::Notice;
use super::tree::{Entry, Node, Source, Value};
use crate::hcl::Form;
use serde::Deserializer;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// Deepest nesting of a configuration.
const DEPTH_MAX: usize = 32;

pub(super) fn parse(source: &Source<'_>) -> Result<Vec<Entry>, Notice> {
    let start = source.text.find(|c: char| !c.is_whitespace()).unwrap_or(0);
    let raw: &RawValue = serde_json::from_str(source.text).map_err(|error| Notice {
        position: super::Position {
            file: source.file.clone(),
            line: error.line(),
            column: error.column(),
        },
        message: format!("syntax error: {}", class(&error)),
    })?;
    match node(source, raw, 0)? {
        Node {
            value: Value::Object(entries),
            ..
        } => Ok(entries),
        _ => Err(Notice {
            position: source.position(start),
            message: "a configuration in JSON must be an object".into(),
        }),
    }
}

fn class(error: &serde_json::Error) -> &'static str {
    match error.classify() {
        serde_json::error::Category::Eof => "the text ends too early",
        serde_json::error::Category::Io
        | serde_json::error::Category::Syntax
        | serde_json::error::Category::Data => "not JSON",
    }
}

fn node(source: &Source<'_>, raw: &RawValue, depth: usize) -> Result<Node, Notice> {
    let text = raw.get();
    let offset = text.as_ptr().addr() - source.text.as_ptr().addr();
    let position = source.position(offset);
    let wrong = |message: &str| Notice {
        position: position.clone(),
        message: message.into(),
    };
    if depth > DEPTH_MAX {
        return Err(wrong("nested too deeply"));
    }
    let value = match text.as_bytes().first() {
        Some(b'{') => {
            let mut entries = Vec::new();
            let fields = serde_json::Deserializer::from_str(text)
                .deserialize_map(Fields)
                .map_err(|_| wrong("not a JSON object"))?;
            for (key, raw) in fields {
                let node = node(source, raw, depth + 1)?;
                entries.push(Entry {
                    key,
                    position: node.position.clone(),
                    form: Form::Attribute,
                    node,
                });
            }
            Value::Object(entries)
        }
        Some(b'[') => {
            let items: Vec<&RawValue> =
                serde_json::from_str(text).map_err(|_| wrong("not a JSON array"))?;
            let nodes = items.into_iter().map(|item| node(source, item, depth + 1));
            Value::List(nodes.collect::<Result<_, _>>()?)
        }
        Some(b'"') => {
            Value::Text(serde_json::from_str(text).map_err(|_| wrong("not a JSON string"))?)
        }
        Some(b't') => Value::Bool(true),
        Some(b'f') => Value::Bool(false),
        Some(b'n') => Value::Null,
        _ => Value::Number(text.to_owned()),
    };
    Ok(Node { position, value })
}

/// All fields in their order, repeated ones too.
struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = Vec<(String, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = map.next_entry()? {
            fields.push(field);
        }
        Ok(fields)
    }
}
