//! Reads one block: typed access to its keys, and a record of the keys that were read.

use super::tree::{Entry, Node, Position, Value};
use super::{ConfigError, Notice};
use crate::clock::parse_duration;
use crate::secret::{Secret, SecretString};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// All errors and warnings so far.
#[derive(Default)]
pub(super) struct Problems {
    errors: RefCell<Vec<Notice>>,
    warnings: RefCell<Vec<Notice>>,
}

impl Problems {
    pub(super) fn error(&self, position: &Position, message: impl Into<String>) {
        self.errors.borrow_mut().push(Notice {
            position: position.clone(),
            message: message.into(),
        });
    }

    pub(super) fn warn(&self, position: &Position, message: impl Into<String>) {
        self.warnings.borrow_mut().push(Notice {
            position: position.clone(),
            message: message.into(),
        });
    }

    /// Returns the warnings, or all the errors.
    pub(super) fn finish(self) -> Result<Vec<Notice>, ConfigError> {
        let errors = self.errors.into_inner();
        if errors.is_empty() {
            Ok(self.warnings.into_inner())
        } else {
            Err(ConfigError::Invalid(errors))
        }
    }
}

/// One block's entries; the last of a repeated key wins.
pub(super) struct Section<'a> {
    /// The name in messages: `listener "tcp"`; empty at the top.
    pub(super) name: String,
    pub(super) position: Position,
    entries: Vec<&'a Entry>,
    asked: RefCell<BTreeSet<String>>,
    pub(super) problems: &'a Problems,
}

impl<'a> Section<'a> {
    pub(super) fn top(entries: &'a [Entry], problems: &'a Problems) -> Self {
        Self {
            name: String::new(),
            position: Position {
                file: "configuration".into(),
                line: 0,
                column: 0,
            },
            entries: entries.iter().collect(),
            asked: RefCell::default(),
            problems,
        }
    }

    fn all(&self, key: &str) -> impl Iterator<Item = &'a Entry> {
        self.asked.borrow_mut().insert(key.to_owned());
        let found: Vec<&'a Entry> = self
            .entries
            .iter()
            .filter(|entry| entry.key == key)
            .copied()
            .collect();
        found.into_iter()
    }

    fn last(&self, key: &str) -> Option<&'a Node> {
        let node = &self.all(key).last()?.node;
        (!matches!(node.value, Value::Null)).then_some(node)
    }

    /// Returns the place of `key`, or of the block.
    pub(super) fn place(&self, key: &str) -> Position {
        let entry = self.entries.iter().rev().find(|entry| entry.key == key);
        entry.map_or_else(
            || self.position.clone(),
            |entry| entry.node.position.clone(),
        )
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.last(key).is_some()
    }

    /// Reports an error at `key`.
    pub(super) fn wrong(&self, key: &str, message: impl std::fmt::Display) {
        self.problems
            .error(&self.place(key), format!("{key}: {message}"));
    }

    pub(super) fn text(&self, key: &str) -> Option<String> {
        let node = self.last(key)?;
        let text = text_of(node);
        if text.is_none() {
            self.wrong(
                key,
                format_args!("expected a string, found {}", node.value.kind()),
            );
        }
        text
    }

    pub(super) fn boolean(&self, key: &str) -> Option<bool> {
        let node = self.last(key)?;
        let flag = match &node.value {
            Value::Bool(flag) => Some(*flag),
            Value::Text(text) | Value::Number(text) => parse_bool(text),
            _ => None,
        };
        if flag.is_none() {
            self.wrong(key, "expected true or false");
        }
        flag
    }

    pub(super) fn integer(&self, key: &str) -> Option<u64> {
        let node = self.last(key)?;
        let number = match &node.value {
            Value::Number(text) | Value::Text(text) => text.trim().parse().ok(),
            _ => None,
        };
        if number.is_none() {
            self.wrong(key, "expected a whole number that is not negative");
        }
        number
    }

    pub(super) fn decimal(&self, key: &str) -> Option<f64> {
        let node = self.last(key)?;
        let number = match &node.value {
            Value::Number(text) | Value::Text(text) => text.trim().parse::<f64>().ok(),
            _ => None,
        };
        let number = number.filter(|number| number.is_finite());
        if number.is_none() {
            self.wrong(key, "expected a number");
        }
        number
    }

    pub(super) fn duration(&self, key: &str) -> Option<Duration> {
        let node = self.last(key)?;
        let duration = text_of(node).and_then(|text| parse_duration(&text));
        if duration.is_none() {
            self.wrong(
                key,
                "expected a duration such as 30s, 1h30m or a number of seconds",
            );
        }
        duration
    }

    /// Reads a list of strings, or one string with commas.
    pub(super) fn list(&self, key: &str) -> Option<Vec<String>> {
        let node = self.last(key)?;
        let items: Option<Vec<String>> = match &node.value {
            Value::List(nodes) => nodes.iter().map(text_of).collect(),
            Value::Text(text) => Some(
                text.split(',')
                    .map(|item| item.trim().to_owned())
                    .filter(|item| !item.is_empty())
                    .collect(),
            ),
            _ => None,
        };
        if items.is_none() {
            self.wrong(key, "expected a list of strings");
        }
        items
    }

    /// Reads a block of keys with text values.
    pub(super) fn map(&self, key: &str) -> BTreeMap<String, String> {
        let mut map = BTreeMap::new();
        for block in self.blocks(key) {
            map.extend(
                block
                    .rest()
                    .into_iter()
                    .map(|(key, text)| (key, text.into_inner())),
            );
        }
        map
    }

    /// Reads one of `allowed`, compared without case.
    pub(super) fn choice<T: Copy>(&self, key: &str, allowed: &[(&str, T)]) -> Option<T> {
        let text = self.text(key)?;
        let found = allowed
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(text.trim()));
        if found.is_none() {
            let names: Vec<&str> = allowed.iter().map(|(name, _)| *name).collect();
            self.wrong(key, format_args!("expected one of {}", names.join(", ")));
        }
        found.map(|(_, value)| *value)
    }

    /// Returns all blocks `key {...}`.
    pub(super) fn blocks(&self, key: &str) -> Vec<Section<'a>> {
        let mut blocks = Vec::new();
        for entry in self.all(key) {
            self.collect(&entry.node, &entry.position, key, &mut blocks);
        }
        blocks
    }

    /// Returns all blocks `key "label" {...}` with their labels.
    pub(super) fn labelled(&self, key: &str) -> Vec<(String, Section<'a>)> {
        let mut found = Vec::new();
        for outer in self.blocks(key) {
            let bare = outer
                .entries
                .iter()
                .all(|entry| !entry.node.value.holds_blocks());
            if bare {
                let message = format!("expected a type: {key} \"...\" {{...}}");
                self.problems.error(&outer.position, message);
                continue;
            }
            for entry in &outer.entries {
                let mut blocks = Vec::new();
                let name = format!("{key} \"{}\"", entry.key);
                self.collect(&entry.node, &entry.position, &name, &mut blocks);
                found.extend(blocks.into_iter().map(|block| (entry.key.clone(), block)));
            }
        }
        found
    }

    /// Returns all keys not read so far that hold blocks, with those blocks.
    pub(super) fn only_blocks(&self) -> Vec<(String, Section<'a>)> {
        let mut found = Vec::new();
        for entry in &self.entries {
            let nested = matches!(entry.node.value, Value::Object(_)) && entry.key != "options";
            if nested && self.asked.borrow_mut().insert(entry.key.clone()) {
                let mut blocks = Vec::new();
                self.collect(&entry.node, &entry.position, &entry.key, &mut blocks);
                found.extend(blocks.into_iter().map(|block| (entry.key.clone(), block)));
            }
        }
        found
    }

    /// Returns every key as a header: its text, or the texts of its list joined as headers are.
    pub(super) fn header_values(&self) -> BTreeMap<String, String> {
        let mut headers = BTreeMap::new();
        for entry in &self.entries {
            let value = match &entry.node.value {
                Value::List(_) => self.list(&entry.key).map(|items| items.join("; ")),
                _ => self.text(&entry.key),
            };
            headers.extend(value.map(|value| (entry.key.clone(), value)));
        }
        headers
    }

    fn collect(&self, node: &'a Node, at: &Position, name: &str, into: &mut Vec<Section<'a>>) {
        match &node.value {
            Value::Object(entries) => into.push(Section {
                name: name.to_owned(),
                position: at.clone(),
                entries: entries.iter().collect(),
                asked: RefCell::default(),
                problems: self.problems,
            }),
            Value::List(nodes) => {
                for node in nodes {
                    self.collect(node, &node.position, name, into);
                }
            }
            Value::Null => {}
            Value::Bool(_) | Value::Number(_) | Value::Text(_) => {
                let kind = node.value.kind();
                self.problems.error(
                    &node.position,
                    format!("{name}: expected a block, found {kind}"),
                );
            }
        }
    }

    /// Returns every key not read so far, as text that may be secret.
    pub(super) fn rest(&self) -> BTreeMap<String, SecretString> {
        let mut rest = BTreeMap::new();
        for entry in &self.entries {
            if !self.asked.borrow_mut().insert(entry.key.clone()) {
                continue;
            }
            let text = match &entry.node.value {
                Value::Bool(flag) => Some(flag.to_string()),
                _ => text_of(&entry.node),
            };
            if let Some(text) = text {
                rest.insert(entry.key.clone(), Secret::new(text));
            }
        }
        rest
    }

    /// Marks keys as read that are valid but change nothing in this build, and warns of them.
    pub(super) fn without_effect(&self, keys: &[&str]) {
        for key in keys {
            if let Some(entry) = self.all(key).last() {
                self.problems.warn(
                    &entry.position,
                    format!("{key} has no effect in this build"),
                );
            }
        }
    }

    /// Warns about every key that was not read.
    pub(super) fn finish(&self) {
        let asked = self.asked.borrow();
        for entry in self
            .entries
            .iter()
            .filter(|entry| !asked.contains(&entry.key))
        {
            let place = match self.name.as_str() {
                "" => String::new(),
                name => format!(" in {name}"),
            };
            self.problems.warn(
                &entry.position,
                format!("unknown or unsupported key {:?}{place}", entry.key),
            );
        }
    }
}

impl Value {
    fn holds_blocks(&self) -> bool {
        match self {
            Self::Object(_) => true,
            Self::List(nodes) => nodes.iter().any(|node| node.value.holds_blocks()),
            _ => false,
        }
    }
}

fn text_of(node: &Node) -> Option<String> {
    match &node.value {
        Value::Text(text) | Value::Number(text) => Some(text.clone()),
        _ => None,
    }
}

/// Reads a boolean as Go's `strconv.ParseBool` does.
pub(super) fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}
