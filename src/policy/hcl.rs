//! Reads the outer form of a policy into `path` blocks of plain values.

use super::PolicyError;
use super::source::{Source, syntax_at};
use crate::hcl::{self, Form};
use serde_json::{Map, Number, Value};

/// An entry of a policy's text, with its line in the author's text.
type Entry = hcl::Entry<usize>;

/// One `path "..." { ... }`.
#[derive(Debug)]
pub(super) struct PathBlock {
    pub path: String,
    pub fields: Vec<Field>,
}

/// One `key = value` in a block. `line` is zero where it is not known (JSON).
#[derive(Debug)]
pub(super) struct Field {
    pub key: String,
    pub line: usize,
    pub value: Value,
}

/// The content of a text.
#[derive(Debug, Default)]
pub(super) struct Reading {
    pub blocks: Vec<PathBlock>,
    /// The first part of the text with an unknown or unclear meaning. A new text with one is
    /// refused; one that was stored earlier counts as it did.
    pub complaint: Option<PolicyError>,
}

impl Reading {
    /// Keeps the complaint if it is the first.
    pub fn complain(&mut self, complaint: PolicyError) {
        self.complaint.get_or_insert(complaint);
    }
}

pub(super) fn read(text: &str) -> Result<Reading, PolicyError> {
    // Editors of other systems begin a file like this.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim_start().starts_with('{') {
        return super::json::read(text);
    }
    let source = Source::new(text)?;
    let line = |offset| source.place(offset).0;
    let entries = hcl::read(&source.text, &line)
        .map_err(|error| syntax_at(source.place(error.offset()), &error.to_string()))?;
    let mut reading = Reading {
        complaint: source.complaint.clone(),
        ..Reading::default()
    };
    for entry in entries {
        match (entry.key.as_str(), entry.form) {
            ("path", Form::Block(labels)) => {
                read_path(labels, entry.position, entry.node.value, &mut reading)?;
            }
            // Old policies hold their own name.
            ("name", Form::Attribute) => {}
            (key, _) => return Err(invalid_key(key, entry.position)),
        }
    }
    Ok(reading)
}

fn read_path(
    labels: Vec<String>,
    line: usize,
    body: hcl::Value<usize>,
    reading: &mut Reading,
) -> Result<(), PolicyError> {
    let mut labels = labels.into_iter();
    let path = labels
        .next()
        .ok_or_else(|| syntax_at((line, 1), "a path block needs a path"))?;
    if let Some(second) = labels.next() {
        reading.complain(PolicyError::Syntax(format!(
            "path {path:?}: a block has one path, {second:?} on line {line} is a second"
        )));
    }
    let mut fields = Vec::new();
    if let hcl::Value::Object(entries) = body {
        for entry in entries {
            fields.push(field(&path, entry, reading)?);
        }
    }
    reading.blocks.push(PathBlock { path, fields });
    Ok(())
}

/// Returns the error for an invalid key, in Vault's words.
pub(super) fn invalid_key(key: &str, line: usize) -> PolicyError {
    PolicyError::Syntax(invalid_key_text(key, line))
}

pub(super) fn invalid_key_text(key: &str, line: usize) -> String {
    format!("1 error occurred:\n\t* invalid key {key:?} on line {line}\n\n")
}

fn field(path: &str, entry: Entry, reading: &mut Reading) -> Result<Field, PolicyError> {
    let Entry { key, position, .. } = entry;
    // `allowed_parameters { a = [] }` is the block form of an object.
    if let Form::Block(labels) = entry.form
        && let Some(label) = labels.first()
    {
        reading.complain(PolicyError::Syntax(format!(
            "path {path:?}: {key} has no place for {label:?} on line {position}"
        )));
    }
    Ok(Field {
        key,
        line: position,
        value: plain(path, entry.node, reading)?,
    })
}

fn plain(path: &str, node: hcl::Node<usize>, reading: &mut Reading) -> Result<Value, PolicyError> {
    Ok(match node.value {
        hcl::Value::Null => Value::Null,
        hcl::Value::Bool(flag) => Value::Bool(flag),
        hcl::Value::Text(text) => Value::String(text),
        hcl::Value::Number(text) => number(&text).ok_or_else(|| {
            let line = node.position;
            PolicyError::Syntax(format!("path {path:?}: At line {line}: not a number"))
        })?,
        hcl::Value::List(items) => {
            let items = items.into_iter().map(|item| plain(path, item, reading));
            items.collect::<Result<_, _>>()?
        }
        hcl::Value::Object(entries) => {
            let mut map = Map::new();
            for entry in entries {
                let field = field(path, entry, reading)?;
                map.insert(field.key, field.value);
            }
            Value::Object(map)
        }
    })
}

fn number(text: &str) -> Option<Value> {
    let integer = text.parse::<u64>().map(Number::from);
    let integer = integer.or_else(|_| text.parse::<i64>().map(Number::from));
    let number = integer
        .ok()
        .or_else(|| Number::from_f64(text.parse().ok()?));
    number.map(Value::Number)
}
