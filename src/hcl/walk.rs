//! Reads a text into the tree.

use super::tree::{Entry, Form, Node, Value};
use hcl_edit::Span;
use hcl_edit::expr::{Expression, ObjectKey};
use hcl_edit::structure::{Block, Body, Structure};
use std::ops::Range;

/// Reasons why a text cannot be read; its author's to mend. The message repeats no part of the
/// text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The text is not HCL.
    #[error("{message}")]
    Syntax {
        /// The offset, in bytes.
        offset: usize,
        /// The text that the parser expected; may be empty.
        message: String,
    },
    /// A value is more than a literal, or a key is no name.
    #[error("{message}")]
    Value {
        /// The offset, in bytes.
        offset: usize,
        /// The form that was expected.
        message: &'static str,
    },
}

impl ReadError {
    /// Returns the place, in bytes from the start of the text.
    pub const fn offset(&self) -> usize {
        match self {
            Self::Syntax { offset, .. } | Self::Value { offset, .. } => *offset,
        }
    }
}

/// Reads `text`. `position` turns an offset in it into a position.
pub fn read<P>(text: &str, position: &dyn Fn(usize) -> P) -> Result<Vec<Entry<P>>, ReadError> {
    let body = hcl_edit::parser::parse_body(text).map_err(|error| ReadError::Syntax {
        offset: error.location().offset(),
        message: error.message().to_owned(),
    })?;
    Walk { text, position }.body(&body)
}

/// Checks that `text` is HCL. The error is written for its author, and shows the line.
pub fn check(text: &str) -> Result<(), String> {
    let parsed = hcl_edit::parser::parse_body(text);
    parsed.map(drop).map_err(|error| error.to_string())
}

struct Walk<'a, P> {
    text: &'a str,
    position: &'a dyn Fn(usize) -> P,
}

impl<P> Walk<'_, P> {
    fn at(&self, span: Option<Range<usize>>) -> P {
        (self.position)(span.map_or(0, |span| span.start))
    }

    fn body(&self, body: &Body) -> Result<Vec<Entry<P>>, ReadError> {
        body.iter()
            .map(|structure| match structure {
                Structure::Attribute(attribute) => Ok(Entry {
                    key: attribute.key.as_str().to_owned(),
                    position: self.at(attribute.key.span()),
                    form: Form::Attribute,
                    node: self.expression(&attribute.value)?,
                }),
                Structure::Block(block) => self.block(block),
            })
            .collect()
    }

    fn block(&self, block: &Block) -> Result<Entry<P>, ReadError> {
        let labels = block.labels.iter().map(|label| label.as_str().to_owned());
        Ok(Entry {
            key: block.ident.as_str().to_owned(),
            position: self.at(block.ident.span()),
            form: Form::Block(labels.collect()),
            node: Node {
                position: self.at(block.ident.span()),
                value: Value::Object(self.body(&block.body)?),
            },
        })
    }

    fn expression(&self, expression: &Expression) -> Result<Node<P>, ReadError> {
        let value = match expression {
            Expression::Null(_) => Value::Null,
            Expression::Bool(flag) => Value::Bool(*flag.value()),
            Expression::Number(number) => Value::Number(number.value().to_string()),
            Expression::String(text) => Value::Text(text.value().clone()),
            // Vault knows no interpolation: its form is plain text.
            Expression::StringTemplate(_) => Value::Text(self.literal(expression.span())),
            Expression::HeredocTemplate(heredoc) => Value::Text(heredoc.template.to_string()),
            Expression::Array(items) => {
                let nodes = items.iter().map(|item| self.expression(item));
                Value::List(nodes.collect::<Result<_, _>>()?)
            }
            Expression::Object(object) => {
                let entries = object
                    .iter()
                    .map(|(key, value)| self.pair(key, value.expr()));
                Value::Object(entries.collect::<Result<_, _>>()?)
            }
            Expression::Parenthesis(inner) => return self.expression(inner.inner()),
            Expression::UnaryOp(_)
            | Expression::Variable(_)
            | Expression::Conditional(_)
            | Expression::FuncCall(_)
            | Expression::Traversal(_)
            | Expression::BinaryOp(_)
            | Expression::ForExpr(_) => {
                let expected = "expected a literal value (is a quote missing?)";
                return Err(refused(expression.span(), expected));
            }
        };
        Ok(Node {
            position: self.at(expression.span()),
            value,
        })
    }

    fn pair(&self, key: &ObjectKey, value: &Expression) -> Result<Entry<P>, ReadError> {
        let (name, span) = match key {
            ObjectKey::Ident(ident) => (Some(ident.as_str()), ident.span()),
            ObjectKey::Expression(expression) => (expression.as_str(), expression.span()),
        };
        let expected = "expected a name or a quoted key";
        let name = name.ok_or_else(|| refused(span.clone(), expected))?;
        Ok(Entry {
            key: name.to_owned(),
            position: self.at(span),
            form: Form::Attribute,
            node: self.expression(value)?,
        })
    }

    fn literal(&self, span: Option<Range<usize>>) -> String {
        let quoted = span.and_then(|span| self.text.get(span));
        let inside = quoted.unwrap_or_default().trim().trim_matches('"');
        inside.replace("\\\"", "\"").replace("\\\\", "\\")
    }
}

fn refused(span: Option<Range<usize>>, message: &'static str) -> ReadError {
    ReadError::Value {
        offset: span.map_or(0, |span| span.start),
        message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(text: &str) -> Vec<Entry<usize>> {
        read(text, &|offset| offset).expect(text)
    }

    #[test]
    fn attributes_and_blocks_keep_their_form_and_place() {
        let read = entries("a = 1\nb \"x\" \"y\" {\n  c = [true, null]\n}\n");
        let [a, b] = read.as_slice() else {
            panic!("{read:?}");
        };
        assert_eq!((a.key.as_str(), a.position, a.node.position), ("a", 0, 4));
        assert!(matches!(&a.node.value, Value::Number(one) if one == "1"));
        assert_eq!(a.form, Form::Attribute);
        assert_eq!((b.key.as_str(), b.position), ("b", 6));
        assert_eq!(b.form, Form::Block(vec!["x".into(), "y".into()]));
        let Value::Object(inside) = &b.node.value else {
            panic!("{b:?}");
        };
        let Value::List(items) = &inside[0].node.value else {
            panic!("{inside:?}");
        };
        assert!(matches!(items[0].value, Value::Bool(true)));
        assert!(matches!(items[1].value, Value::Null));
    }

    #[test]
    fn what_is_more_than_a_literal_is_refused_where_it_stands() {
        for (text, offset) in [
            ("a = b", 4),
            ("a = [1, f(2)]", 8),
            ("a = { b = 1 + 2 }", 10),
            ("a = { (b) = 1 }", 6),
        ] {
            let error = read(text, &|offset| offset).expect_err(text);
            assert!(matches!(error, ReadError::Value { .. }), "{error:?}");
            assert_eq!(error.offset(), offset, "{text}");
        }
        let error = read("a = ]", &|offset| offset).expect_err("no HCL");
        assert!(matches!(error, ReadError::Syntax { .. }), "{error:?}");
    }

    #[test]
    fn what_looks_like_interpolation_is_text() {
        for (text, expected) in [
            ("a = \"x ${y} z\"", "x ${y} z"),
            ("a = (\"x\")", "x"),
            ("a = <<E\nx\ny\nE\n", "x\ny\n"),
        ] {
            let read = entries(text);
            let Value::Text(found) = &read[0].node.value else {
                panic!("{read:?}");
            };
            assert_eq!(found, expected);
        }
    }
}
