//! One log line.

use crate::clock::Timestamp;
use std::fmt::{Debug, Write};
use tracing::field::{Field, Visit};

/// The form of a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// `2024-06-28T06:32:45.761Z [INFO]  core: text: key=value`.
    #[default]
    Standard,
    /// `{"@level":"info","@message":"text","@module":"core","@timestamp":"...","key":"value"}`.
    Json,
}

/// Message and fields of an event.
#[derive(Default)]
pub(super) struct Parts {
    message: String,
    fields: Vec<(&'static str, String)>,
}

impl Visit for Parts {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.add(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field.name(), value.to_owned());
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.add(field.name(), value.to_string());
    }
}

impl Parts {
    fn add(&mut self, name: &'static str, text: String) {
        if name == "message" {
            self.message = text;
        } else if !name.starts_with("log.") {
            self.fields.push((name, text));
        }
    }

    /// Returns the line with its end.
    pub(super) fn line(
        &self,
        format: Format,
        now: Timestamp,
        level: &tracing::Level,
        module: &str,
    ) -> String {
        match format {
            Format::Standard => self.standard(now, level, module),
            Format::Json => self.json(now, level, module),
        }
    }

    fn standard(&self, now: Timestamp, level: &tracing::Level, module: &str) -> String {
        let mut line = format!("{} {:<7} {module}: ", millis(now), format!("[{level}]"));
        push_clean(&mut line, &self.message);
        for (at, (name, text)) in self.fields.iter().enumerate() {
            line.push_str(if at == 0 { ": " } else { " " });
            let plain = !text.is_empty() && !text.contains([' ', '"', '=', '\n', '\t']);
            // Writing to a String cannot fail.
            let _ = match plain {
                true => write!(line, "{name}={text}"),
                false => write!(line, "{name}={text:?}"),
            };
        }
        line.push('\n');
        line
    }

    fn json(&self, now: Timestamp, level: &tracing::Level, module: &str) -> String {
        let mut object = serde_json::Map::new();
        let level = level.as_str().to_ascii_lowercase();
        object.insert("@level".into(), level.into());
        object.insert("@message".into(), self.message.clone().into());
        object.insert("@module".into(), module.into());
        object.insert("@timestamp".into(), millis(now).into());
        for (name, text) in &self.fields {
            object.insert((*name).into(), text.clone().into());
        }
        let mut line = serde_json::Value::Object(object).to_string();
        line.push('\n');
        line
    }
}

/// Appends a text so that a client's text cannot start a line of its own.
fn push_clean(line: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '\n' => line.push_str("\\n"),
            c if c.is_control() => line.push('\u{fffd}'),
            c => line.push(c),
        }
    }
}

fn millis(now: Timestamp) -> String {
    let whole = Timestamp::from_secs(now.as_secs()).rfc3339();
    let millis = now.0 / 1_000_000 % 1000;
    format!("{}.{millis:03}Z", whole.trim_end_matches('Z'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts() -> Parts {
        Parts {
            message: "vault is unsealed".into(),
            fields: vec![("term", "3".into()), ("path", "a b".into())],
        }
    }

    #[test]
    fn standard_lines_look_like_vaults() {
        let now = Timestamp(1_719_556_365_761_000_000);
        assert_eq!(
            parts().line(Format::Standard, now, &tracing::Level::INFO, "core"),
            "2024-06-28T06:32:45.761Z [INFO]  core: vault is unsealed: term=3 path=\"a b\"\n"
        );
        assert_eq!(
            Parts::default().line(Format::Standard, now, &tracing::Level::ERROR, "raft"),
            "2024-06-28T06:32:45.761Z [ERROR] raft: \n"
        );
    }

    #[test]
    fn json_lines_look_like_vaults() {
        let now = Timestamp(1_719_556_365_001_000_000);
        assert_eq!(
            parts().line(Format::Json, now, &tracing::Level::WARN, "core"),
            "{\"@level\":\"warn\",\"@message\":\"vault is unsealed\",\"@module\":\"core\",\
             \"@timestamp\":\"2024-06-28T06:32:45.001Z\",\"path\":\"a b\",\"term\":\"3\"}\n"
        );
    }

    #[test]
    fn a_text_cannot_forge_a_line() {
        let parts = Parts {
            message: "x\n2024 [INFO] core: forged\u{1b}[2J".into(),
            fields: Vec::new(),
        };
        let line = parts.line(
            Format::Standard,
            Timestamp(0),
            &tracing::Level::INFO,
            "core",
        );
        assert_eq!(line.matches('\n').count(), 1);
        assert!(!line.contains('\u{1b}'));
    }
}
