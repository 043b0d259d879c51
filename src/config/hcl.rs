//! HCL text to a tree.

use super::Notice;
use super::normalise::{Normalised, normalise};
use super::tree::{Entry, Node, Source, Value};
use hcl_edit::Span;
use hcl_edit::expr::{Expression, ObjectKey};
use hcl_edit::structure::{Block, Body, Structure};
use std::ops::Range;

struct Reader<'a> {
    source: &'a Source<'a>,
    normalised: &'a Normalised,
}

pub(super) fn parse(source: &Source<'_>) -> Result<Vec<Entry>, Notice> {
    let normalised = normalise(source.text);
    let reader = Reader {
        source,
        normalised: &normalised,
    };
    let body = hcl_edit::parser::parse_body(&normalised.text).map_err(|error| Notice {
        position: source.position(normalised.original(error.location().offset())),
        // The parser's own message names what it expected, never what it found.
        message: match error.message() {
            "" => String::from("syntax error"),
            message => format!("syntax error: {}", message.replace('\n', "; ")),
        },
    })?;
    reader.body(&body)
}

impl Reader<'_> {
    fn position(&self, span: Option<Range<usize>>) -> super::Position {
        let offset = span.map_or(0, |span| span.start);
        self.source.position(self.normalised.original(offset))
    }

    fn body(&self, body: &Body) -> Result<Vec<Entry>, Notice> {
        body.iter()
            .map(|structure| match structure {
                Structure::Attribute(attribute) => Ok(Entry {
                    key: attribute.key.as_str().to_owned(),
                    position: self.position(attribute.key.span()),
                    node: self.expression(&attribute.value)?,
                }),
                Structure::Block(block) => self.block(block),
            })
            .collect()
    }

    fn block(&self, block: &Block) -> Result<Entry, Notice> {
        let position = self.position(block.ident.span());
        let mut node = Node {
            position: position.clone(),
            value: Value::Object(self.body(&block.body)?),
        };
        for label in block.labels.iter().rev() {
            node = Node {
                position: position.clone(),
                value: Value::Object(vec![Entry {
                    key: label.as_str().to_owned(),
                    position: position.clone(),
                    node,
                }]),
            };
        }
        Ok(Entry {
            key: block.ident.as_str().to_owned(),
            position,
            node,
        })
    }

    fn expression(&self, expression: &Expression) -> Result<Node, Notice> {
        let position = self.position(expression.span());
        let value = match expression {
            Expression::Null(_) => Value::Null,
            Expression::Bool(flag) => Value::Bool(*flag.value()),
            Expression::Number(number) => Value::Number(number.value().to_string()),
            Expression::String(text) => Value::Text(text.value().clone()),
            // Vault knows no interpolation: what looks like one is text.
            Expression::StringTemplate(_) => Value::Text(self.literal(expression.span())),
            Expression::HeredocTemplate(heredoc) => Value::Text(heredoc.template.to_string()),
            Expression::Array(array) => Value::List(
                array
                    .iter()
                    .map(|item| self.expression(item))
                    .collect::<Result<_, _>>()?,
            ),
            Expression::Object(object) => {
                let mut entries = Vec::with_capacity(object.len());
                for (key, value) in object {
                    entries.push(self.object_entry(key, value.expr())?);
                }
                Value::Object(entries)
            }
            Expression::Parenthesis(inner) => return self.expression(inner.inner()),
            Expression::UnaryOp(_)
            | Expression::Variable(_)
            | Expression::Conditional(_)
            | Expression::FuncCall(_)
            | Expression::Traversal(_)
            | Expression::BinaryOp(_)
            | Expression::ForExpr(_) => {
                return Err(Notice {
                    position,
                    message: "expected a literal value (is a quote missing?)".into(),
                });
            }
        };
        Ok(Node { position, value })
    }

    fn object_entry(&self, key: &ObjectKey, value: &Expression) -> Result<Entry, Notice> {
        let (text, span) = match key {
            ObjectKey::Ident(ident) => (Some(ident.as_str().to_owned()), ident.span()),
            ObjectKey::Expression(expression) => {
                (expression.as_str().map(str::to_owned), expression.span())
            }
        };
        let position = self.position(span);
        let key = text.ok_or_else(|| Notice {
            position: position.clone(),
            message: "expected a name or a quoted key".into(),
        })?;
        Ok(Entry {
            key,
            position,
            node: self.expression(value)?,
        })
    }

    fn literal(&self, span: Option<Range<usize>>) -> String {
        let quoted = span.and_then(|span| self.normalised.text.get(span));
        let inside = quoted.unwrap_or_default().trim().trim_matches('"');
        inside.replace("\\\"", "\"").replace("\\\\", "\\")
    }
}
