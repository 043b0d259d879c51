//! Help for people: the purpose of an engine, and the fields of an endpoint.

use super::pattern::{Part, parts};
use super::{Endpoint, Field, FieldKind, Sheet};
use crate::engine::Operation;
use std::fmt::Write;

const PATHS: &str = "These are its endpoints, as patterns. Ask for help at a path that fits one to \
                     see its\nparameters. Which of them a token may use is up to its policies.";

/// Returns help for `path` below a mount whose endpoints stand in `sheets` and are `there`: for its
/// endpoint, or for the engine where the path is empty. Returns `None` where there is no endpoint.
pub fn help(
    sheets: &[&'static dyn Sheet],
    path: &str,
    there: impl Fn(&Endpoint) -> bool,
) -> Option<String> {
    if path.is_empty() {
        return Some(of_engine(sheets, there));
    }
    let mut found = sheets.iter();
    let endpoint = found.find_map(|sheet| sheet.endpoint(path, Operation::Help))?;
    there(endpoint).then(|| of_endpoint(endpoint, path))
}

fn of_engine(sheets: &[&'static dyn Sheet], there: impl Fn(&Endpoint) -> bool) -> String {
    let about = sheets.first().map_or("", |sheet| sheet.about());
    let shown = sheets.iter().flat_map(|sheet| shown(*sheet));
    let mut shown: Vec<&Endpoint> = shown.filter(|endpoint| there(endpoint)).collect();
    shown.sort_by_key(|endpoint| endpoint.pattern);
    let mut text = format!("## DESCRIPTION\n\n{about}\n\n## PATHS\n\n{PATHS}\n");
    for endpoint in shown {
        // Writing to text cannot fail.
        let _ = write!(
            text,
            "\n    {}\n        {}\n",
            route(endpoint.pattern),
            endpoint.summary
        );
    }
    text
}

fn shown(sheet: &'static dyn Sheet) -> impl Iterator<Item = &'static Endpoint> {
    let endpoints = sheet.endpoints().into_iter();
    let endpoints = endpoints.map(|(endpoint, _)| endpoint);
    endpoints.filter(|endpoint| endpoint.is_shown())
}

fn of_endpoint(endpoint: &Endpoint, path: &str) -> String {
    let route = route(endpoint.pattern);
    let mut text = format!(
        "Request:        {path}\nMatching Route: {route}\n\n{}\n",
        endpoint.summary
    );
    let mut fields: Vec<&Field> = endpoint.fields.iter().collect();
    fields.sort_by_key(|field| field.name);
    if !fields.is_empty() {
        text.push_str("\n## PARAMETERS\n");
    }
    for field in fields {
        let old = field
            .alias_of
            .map(|name| format!("(DEPRECATED) Use '{name}' instead."));
        let about = old.as_deref().unwrap_or(field.help);
        let kind = kind(field.kind);
        // Writing to text cannot fail.
        let _ = write!(text, "\n    {} ({kind})\n\n        {about}\n", field.name);
    }
    if !endpoint.about.is_empty() {
        // Writing to text cannot fail.
        let _ = write!(text, "\n## DESCRIPTION\n\n{}\n", endpoint.about);
    }
    text
}

/// Returns the pattern as the regular expression that it is to clients.
pub(super) fn route(pattern: &'static str) -> String {
    let parts: Vec<Part> = parts(pattern).collect();
    let last = parts.len().saturating_sub(1);
    let segments = parts.iter().enumerate().map(|(at, part)| match part {
        Part::Word(word) => (*word).to_owned(),
        Part::One(name) => format!("(?P<{name}>[^/]+)"),
        Part::Some(name) if at < last => format!("(?P<{name}>.+?)"),
        Part::Some(name) => format!("(?P<{name}>.+)"),
        Part::Any(name) => format!("(?P<{name}>.*)"),
    });
    format!("^{}$", segments.collect::<Vec<_>>().join("/"))
}

/// Returns the name that clients know the kind by.
const fn kind(kind: FieldKind) -> &'static str {
    match kind {
        FieldKind::Plain => "any",
        FieldKind::Text | FieldKind::Lifetime | FieldKind::SystemLifetime => "string",
        FieldKind::Flag => "bool",
        FieldKind::Integer => "int",
        FieldKind::Seconds | FieldKind::SignedSeconds => "duration (sec)",
        FieldKind::Time => "time",
        FieldKind::List
        | FieldKind::CommaList
        | FieldKind::Names
        | FieldKind::CommaNames
        | FieldKind::Networks
        | FieldKind::Integers => "slice",
        FieldKind::Pairs => "keypair",
        FieldKind::Map => "map",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::table::{Op, Row, Table};

    static TABLE: Table<()> = Table::new(
        "Keeps things.",
        &[&[
            Row {
                endpoint: Endpoint {
                    pattern: "things/+path/tune",
                    fields: &[
                        Field::path("path", "Where it is."),
                        Field::new("ttl", FieldKind::Seconds, "Its life."),
                        Field::new("lease", FieldKind::Seconds, "").alias("ttl"),
                    ],
                    summary: "Tunes a thing.",
                    about: "More of it.",
                    ..Endpoint::USUAL
                },
                operations: &[(Op::WRITE, ())],
            },
            Row {
                endpoint: Endpoint {
                    pattern: "*path",
                    ..Endpoint::USUAL
                },
                operations: &[(Op::READ, ())],
            },
        ]],
    );

    #[test]
    fn an_endpoint_tells_its_route_and_parameters() {
        assert_eq!(
            help(&[&TABLE], "things/a/b/tune", |_| true).unwrap(),
            "Request:        things/a/b/tune\n\
             Matching Route: ^things/(?P<path>.+?)/tune$\n\n\
             Tunes a thing.\n\n\
             ## PARAMETERS\n\n    \
             lease (duration (sec))\n\n        (DEPRECATED) Use 'ttl' instead.\n\n    \
             path (string)\n\n        Where it is.\n\n    \
             ttl (duration (sec))\n\n        Its life.\n\n\
             ## DESCRIPTION\n\nMore of it.\n"
        );
        assert_eq!(help(&[&TABLE], "things/a/b/tune", |_| false), None);
        let engine = help(&[&TABLE], "", |_| true).unwrap();
        assert!(engine.starts_with("## DESCRIPTION\n\nKeeps things.\n\n## PATHS\n\n"));
        assert!(engine.ends_with("    ^things/(?P<path>.+?)/tune$\n        Tunes a thing.\n"));
    }
}
