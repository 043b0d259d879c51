//! Reads the outer form of a policy, HCL or JSON, into `path` blocks of plain values.

use super::PolicyError;
use hcl_edit::Span;
use hcl_edit::expr::{Expression, ObjectKey};
use hcl_edit::structure::{Body, Structure};
use serde_json::{Map, Number, Value};

/// Deepest nesting of brackets; the parsers recurse, so it is checked before they start.
const NESTING_MAX: usize = 16;

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

pub(super) fn read(text: &str) -> Result<Vec<PathBlock>, PolicyError> {
    if text.trim_start().starts_with('{') {
        return read_json(text);
    }
    guard(text)?;
    let body: Body = hcl_edit::parser::parse_body(text).map_err(|error| {
        let at = error.location();
        syntax_at(at.line(), at.column(), error.message())
    })?;
    let mut blocks = Vec::new();
    for structure in &body {
        match structure {
            Structure::Block(block) if block.ident.as_str() == "path" => {
                let path = block.labels.first().map(|label| label.as_str().to_owned());
                let line = line_of(text, block.span());
                let path = path.ok_or_else(|| syntax_at(line, 1, "a path block needs a path"))?;
                let fields = read_fields(text, &path, &block.body)?;
                blocks.push(PathBlock { path, fields });
            }
            Structure::Block(block) => {
                return Err(invalid_key(
                    block.ident.as_str(),
                    line_of(text, block.span()),
                ));
            }
            // Old policies carry their own name.
            Structure::Attribute(attribute) if attribute.key.as_str() == "name" => {}
            Structure::Attribute(attribute) => {
                let line = line_of(text, attribute.span());
                return Err(invalid_key(attribute.key.as_str(), line));
            }
        }
    }
    Ok(blocks)
}

/// `invalid key` as Vault words it.
pub(super) fn invalid_key(key: &str, line: usize) -> PolicyError {
    PolicyError::Syntax(invalid_key_text(key, line))
}

pub(super) fn invalid_key_text(key: &str, line: usize) -> String {
    format!("1 error occurred:\n\t* invalid key {key:?} on line {line}\n\n")
}

fn syntax_at(line: usize, column: usize, message: &str) -> PolicyError {
    PolicyError::Syntax(format!(
        "At {line}:{column}: {}",
        message.replace('\n', "; ")
    ))
}

fn line_of(text: &str, span: Option<std::ops::Range<usize>>) -> usize {
    let start = span.map_or(0, |span| span.start);
    let before = text.get(..start).unwrap_or_default();
    before.bytes().filter(|byte| *byte == b'\n').count() + 1
}

fn read_fields(text: &str, path: &str, body: &Body) -> Result<Vec<Field>, PolicyError> {
    let mut fields = Vec::new();
    for structure in body {
        fields.push(match structure {
            Structure::Attribute(attribute) => {
                let line = line_of(text, attribute.span());
                Field {
                    key: attribute.key.as_str().to_owned(),
                    line,
                    value: plain(&attribute.value).map_err(|what| {
                        PolicyError::Syntax(format!("path {path:?}: At line {line}: {what}"))
                    })?,
                }
            }
            // `allowed_parameters { a = [] }`: the block form of an object.
            Structure::Block(block) => Field {
                key: block.ident.as_str().to_owned(),
                line: line_of(text, block.span()),
                value: read_fields(text, path, &block.body)?
                    .into_iter()
                    .map(|field| (field.key, field.value))
                    .collect::<Map<_, _>>()
                    .into(),
            },
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

/// Refuses what a policy never holds but what makes the parser recurse: deep nesting,
/// operators, interpolation.
fn guard(text: &str) -> Result<(), PolicyError> {
    let mut depth = 0_usize;
    let mut chars = text.chars().peekable();
    let (mut line, mut column) = (1, 0);
    let mut state = State::Code;
    while let Some(c) = chars.next() {
        column += 1;
        let next = chars.peek().copied().unwrap_or(' ');
        let refuse = |what: &str| Err(syntax_at(line, column, what));
        state = match (state, c) {
            (State::Code, '"') => State::Text,
            (State::Code, '#') => State::LineComment,
            (State::Code, '/') if next == '/' => State::LineComment,
            (State::Code, '/') if next == '*' => State::BlockComment,
            (State::Code, '{' | '[') => {
                depth += 1;
                if depth > NESTING_MAX {
                    return refuse("nested too deeply");
                }
                State::Code
            }
            (State::Code, '}' | ']') => {
                depth = depth.saturating_sub(1);
                State::Code
            }
            (State::Code, '-') if !next.is_alphanumeric() => return refuse("unexpected '-'"),
            (State::Code, '(' | ')' | '!' | '?' | '<' | '>' | '&' | '|' | '%' | '+' | '$') => {
                return refuse("unexpected operator");
            }
            (State::Text, '\\') => State::Escape,
            (State::Escape, _) => State::Text,
            (State::Text, '"') => State::Code,
            (State::Text, '$' | '%') if next == '{' => {
                return refuse("interpolation is not supported");
            }
            (State::LineComment, '\n') => State::Code,
            (State::BlockComment, '*') if next == '/' => State::BlockEnd,
            (State::BlockEnd, _) => State::Code,
            (state, _) => state,
        };
        if c == '\n' {
            line += 1;
            column = 0;
        }
    }
    Ok(())
}

#[derive(Clone, Copy)]
enum State {
    Code,
    Text,
    Escape,
    LineComment,
    BlockComment,
    BlockEnd,
}

/// `{"path": {"a": {...}}}` or `{"path": [{"a": {...}}, ...]}`.
fn read_json(text: &str) -> Result<Vec<PathBlock>, PolicyError> {
    let root: Map<String, Value> = serde_json::from_str(text)
        .map_err(|error| syntax_at(error.line(), error.column(), &error.to_string()))?;
    let mut blocks = Vec::new();
    for (key, value) in root {
        match (key.as_str(), value) {
            ("name", _) => {}
            ("path", Value::Array(groups)) => {
                for group in groups {
                    read_json_group(group, &mut blocks)?;
                }
            }
            ("path", group) => read_json_group(group, &mut blocks)?,
            (key, _) => return Err(invalid_key(key, 0)),
        }
    }
    Ok(blocks)
}

fn read_json_group(group: Value, blocks: &mut Vec<PathBlock>) -> Result<(), PolicyError> {
    let wrong = |what: &str| PolicyError::Syntax(format!("path: {what}"));
    let Value::Object(group) = group else {
        return Err(wrong("an object of paths is expected"));
    };
    for (path, fields) in group {
        let Value::Object(fields) = fields else {
            return Err(wrong("each path must hold an object"));
        };
        let fields = fields.into_iter().map(|(key, value)| Field {
            key,
            line: 0,
            value,
        });
        blocks.push(PathBlock {
            path,
            fields: fields.collect(),
        });
    }
    Ok(())
}
