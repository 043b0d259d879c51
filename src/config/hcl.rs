//! Reads HCL text into a tree.

use super::Notice;
use super::normalise::normalise;
use super::tree::{Entry, Node, Source, Value};
use crate::hcl::{self, Form, ReadError};

pub(super) fn parse(source: &Source<'_>) -> Result<Vec<Entry>, Notice> {
    let normalised = normalise(source.text);
    let position = |offset| source.position(normalised.original(offset));
    let read = hcl::read(&normalised.text, &position);
    let entries = read.map_err(|error| Notice {
        position: position(error.offset()),
        // The parser's own message names the text that it expected, never the text that it found.
        message: match error {
            ReadError::Syntax { message, .. } if message.is_empty() => "syntax error".to_owned(),
            ReadError::Syntax { message, .. } => {
                format!("syntax error: {}", message.replace('\n', "; "))
            }
            ReadError::Value { message, .. } => message.to_owned(),
        },
    })?;
    Ok(entries.into_iter().map(nested).collect())
}

/// Turns a block `listener "tcp" {...}` into the entry `listener` with an object that has the entry
/// `tcp`, which is the form of JSON.
fn nested(entry: Entry) -> Entry {
    let Entry {
        key,
        position,
        form: Form::Block(labels),
        node,
    } = entry
    else {
        return entry;
    };
    let value = match node.value {
        Value::Object(entries) => Value::Object(entries.into_iter().map(nested).collect()),
        other => other,
    };
    let mut node = Node { value, ..node };
    for label in labels.into_iter().rev() {
        let inner = Entry {
            key: label,
            position: position.clone(),
            form: Form::Attribute,
            node,
        };
        node = Node {
            position: position.clone(),
            value: Value::Object(vec![inner]),
        };
    }
    Entry {
        key,
        position,
        form: Form::Attribute,
        node,
    }
}
