//! Reads the outer form of a policy into `path` blocks of plain values.

use super::PolicyError;
use super::source::{Source, syntax_at};
use hcl_edit::Span;
use hcl_edit::expr::{Expression, ObjectKey};
use hcl_edit::structure::{Block, Body, Structure};
use serde_json::{Map, Number, Value};

/// One `path "..." { ... }`.
#[derive(Debug)]
pub(super) struct PathBlock {
    pub path: String,
    pub fields: Vec<Field>,
}

/// One `key = value` in it. `line` is zero where it is not known (JSON).
#[derive(Debug)]
pub(super) struct Field {
    pub key: String,
    pub line: usize,
    pub value: Value,
}

/// What a text says.
#[derive(Debug, Default)]
pub(super) struct Reading {
    pub blocks: Vec<PathBlock>,
    /// The first thing that has a meaning, but none that we know or none that is clear. A text
    /// with one is not accepted any more; one that was stored before counts as it did.
    pub complaint: Option<PolicyError>,
}

impl Reading {
    /// Keeps the first.
    pub fn complain(&mut self, complaint: PolicyError) {
        self.complaint.get_or_insert(complaint);
    }
}

pub(super) fn read(text: &str) -> Result<Reading, PolicyError> {
    // Editors of another system begin a file so.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim_start().starts_with('{') {
        return super::json::read(text);
    }
    let source = Source::new(text)?;
    let body: Body = hcl_edit::parser::parse_body(&source.text).map_err(|error| {
        let place = source.place(error.location().offset());
        syntax_at(place, error.message())
    })?;
    let mut reading = Reading {
        complaint: source.complaint.clone(),
        ..Reading::default()
    };
    for structure in &body {
        match structure {
            Structure::Block(block) if block.ident.as_str() == "path" => {
                read_path(&source, block, &mut reading)?;
            }
            Structure::Block(block) => {
                return Err(invalid_key(block.ident.as_str(), source.line(block.span())));
            }
            // Old policies carry their own name.
            Structure::Attribute(attribute) if attribute.key.as_str() == "name" => {}
            Structure::Attribute(attribute) => {
                let line = source.line(attribute.span());
                return Err(invalid_key(attribute.key.as_str(), line));
            }
        }
    }
    Ok(reading)
}

fn read_path(source: &Source, block: &Block, reading: &mut Reading) -> Result<(), PolicyError> {
    let line = source.line(block.span());
    let mut labels = block.labels.iter().map(|label| label.as_str().to_owned());
    let path = labels
        .next()
        .ok_or_else(|| syntax_at((line, 1), "a path block needs a path"))?;
    if let Some(second) = labels.next() {
        reading.complain(PolicyError::Syntax(format!(
            "path {path:?}: a block has one path, {second:?} on line {line} is a second"
        )));
    }
    let fields = read_fields(source, &path, &block.body, reading)?;
    reading.blocks.push(PathBlock { path, fields });
    Ok(())
}

/// `invalid key` as Vault words it.
pub(super) fn invalid_key(key: &str, line: usize) -> PolicyError {
    PolicyError::Syntax(invalid_key_text(key, line))
}

pub(super) fn invalid_key_text(key: &str, line: usize) -> String {
    format!("1 error occurred:\n\t* invalid key {key:?} on line {line}\n\n")
}

fn read_fields(
    source: &Source,
    path: &str,
    body: &Body,
    reading: &mut Reading,
) -> Result<Vec<Field>, PolicyError> {
    let mut fields = Vec::new();
    for structure in body {
        fields.push(match structure {
            Structure::Attribute(attribute) => {
                let line = source.line(attribute.span());
                Field {
                    key: attribute.key.as_str().to_owned(),
                    line,
                    value: plain(&attribute.value).map_err(|what| {
                        PolicyError::Syntax(format!("path {path:?}: At line {line}: {what}"))
                    })?,
                }
            }
            // `allowed_parameters { a = [] }`: the block form of an object.
            Structure::Block(block) => {
                let (key, line) = (block.ident.as_str(), source.line(block.span()));
                if let Some(label) = block.labels.first() {
                    let label = label.as_str();
                    reading.complain(PolicyError::Syntax(format!(
                        "path {path:?}: {key} has no place for {label:?} on line {line}"
                    )));
                }
                Field {
                    key: key.to_owned(),
                    line,
                    value: read_fields(source, path, &block.body, reading)?
                        .into_iter()
                        .map(|field| (field.key, field.value))
                        .collect::<Map<_, _>>()
                        .into(),
                }
            }
        });
    }
    Ok(fields)
}

/// Only literals: a policy has no variables and no functions.
fn plain(expression: &Expression) -> Result<Value, &'static str> {
    Ok(match expression {
        Expression::Null(_) => Value::Null,
        Expression::Bool(flag) => Value::Bool(*flag.value()),
        Expression::String(text) => Value::String(text.value().clone()),
        Expression::Number(number) => Value::Number(plain_number(number.value())?),
        Expression::Array(items) => {
            Value::Array(items.iter().map(plain).collect::<Result<_, _>>()?)
        }
        Expression::Object(object) => {
            let mut map = Map::new();
            for (key, value) in object {
                let key = match key {
                    ObjectKey::Ident(ident) => ident.as_str().to_owned(),
                    ObjectKey::Expression(Expression::String(text)) => text.value().clone(),
                    ObjectKey::Expression(_) => return Err("an object key must be a name"),
                };
                map.insert(key, plain(value.expr())?);
            }
            Value::Object(map)
        }
        _ => return Err("only strings, numbers, booleans, lists and objects are allowed"),
    })
}

fn plain_number(number: &hcl_edit::Number) -> Result<Number, &'static str> {
    let integer = number.as_u64().map(Number::from);
    let integer = integer.or_else(|| number.as_i64().map(Number::from));
    integer
        .or_else(|| number.as_f64().and_then(Number::from_f64))
        .ok_or("not a number")
}
