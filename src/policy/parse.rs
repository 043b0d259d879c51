//! Reads the rules of a policy from its text.

use super::hcl::{self, Field, PathBlock, Reading};
use super::parameters::Parameters;
use super::template::{self, Subject};
use super::{Capabilities, Capability, PathRule, Permissions, PolicyError, ROOT};
use crate::clock::{Timestamp, parse_duration, parse_instant};
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::Duration;

/// Longest text of a policy in bytes.
pub const POLICY_BYTES_MAX: usize = 128 * 1024;
/// Most paths in one policy.
pub const PATHS_MAX: usize = 4096;

/// The keys that Vault or OpenBao know in addition; all of them narrow a grant.
const NOT_BUILT: [&str; 5] = [
    "control_group",
    "list_scan_response_keys_filter_path",
    "mfa_methods",
    "pagination_limit",
    "subscribe_event_types",
];

/// A parsed policy.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    name: String,
    rules: Vec<PathRule>,
    expiration: Option<Timestamp>,
}

impl Policy {
    /// Reads HCL, or JSON where the text starts with `{`. `name` must be normalized. Refuses
    /// unknown and unclear parts by name: nothing that narrows a grant is ignored.
    pub fn parse(name: &str, text: &str) -> Result<Self, PolicyError> {
        let (policy, complaint) = Self::read(name, text)?;
        complaint.map_or(Ok(policy), Err)
    }

    /// Reads a text that was accepted when it was written, perhaps by an older release that ignored
    /// parts which [`Policy::parse`] refuses today. A rule with an unreadable `expiration` denies.
    pub(super) fn stored(name: &str, text: &str) -> Result<Self, PolicyError> {
        Ok(Self::read(name, text)?.0)
    }

    fn read(name: &str, text: &str) -> Result<(Self, Option<PolicyError>), PolicyError> {
        if text.len() > POLICY_BYTES_MAX {
            return Err(PolicyError::TooLong);
        }
        let mut reading = hcl::read(text)?;
        if reading.blocks.len() > PATHS_MAX {
            return Err(PolicyError::TooManyPaths);
        }
        let mut rules = Vec::with_capacity(reading.blocks.len());
        for block in std::mem::take(&mut reading.blocks) {
            rules.push(read_rule(block, &mut reading)?);
        }
        let policy = Self {
            name: name.to_owned(),
            rules,
            expiration: None,
        };
        Ok((policy, reading.complaint))
    }

    /// Returns the policy, valid until `expiration` only.
    #[must_use]
    pub fn until(mut self, expiration: Option<Timestamp>) -> Self {
        self.expiration = expiration;
        self
    }

    /// Returns the time at which the whole policy ends.
    pub fn expiration(&self) -> Option<Timestamp> {
        self.expiration
    }

    /// Returns the policy that grants everything.
    pub fn root() -> Self {
        Self {
            name: ROOT.to_owned(),
            rules: Vec::new(),
            expiration: None,
        }
    }

    /// Returns the name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns true for `root`.
    pub fn is_root(&self) -> bool {
        self.name == ROOT
    }

    /// Returns the rules, templates as written.
    pub fn rules(&self) -> &[PathRule] {
        &self.rules
    }

    /// Returns true if the rules depend on the caller.
    pub fn is_templated(&self) -> bool {
        self.rules
            .iter()
            .any(|rule| template::is_template(&rule.path))
    }

    /// Returns the rules for `subject`, with their paths. A rule whose template has no value, or
    /// one that could change the meaning of the path (CVE-2026-5006), matches nothing and is left
    /// out.
    pub fn rules_for<'a>(
        &'a self,
        subject: Option<&'a dyn Subject>,
    ) -> impl Iterator<Item = (String, &'a PathRule)> + 'a {
        self.rules.iter().filter_map(move |rule| {
            let path = if template::is_template(&rule.path) {
                template::render(&rule.path, subject).ok()?
            } else {
                rule.path.clone()
            };
            Some((path, rule))
        })
    }
}

fn read_rule(block: PathBlock, reading: &mut Reading) -> Result<PathRule, PolicyError> {
    let path = block.path;
    if path.contains("+*") {
        return Err(PolicyError::Syntax(format!(
            "path {path:?}: path {path:?}: invalid use of wildcards ('+*' is forbidden)"
        )));
    }
    template::check(&path)?;
    let mut permissions = Permissions::default();
    let mut expiration = None;
    let mut seen = BTreeSet::new();
    for field in block.fields {
        let line = field.line;
        // Capabilities add up, as in the peers; of any other key the last would hide the first.
        let adds_up = matches!(field.key.as_str(), "capabilities" | "policy" | "comment");
        if !seen.insert(field.key.clone()) && !adds_up {
            let twice = Problem::Value(format!("{} stands twice", field.key));
            reading.complain(twice.at(&path, line));
        }
        if field.key == "expiration" {
            match instant(field.value) {
                Ok(given) => expiration = given,
                Err(problem) => {
                    permissions.capabilities = Capabilities::DENY;
                    reading.complain(problem.at(&path, line));
                }
            }
            continue;
        }
        read_field(&mut permissions, field).map_err(|problem| problem.at(&path, line))?;
    }
    let (min, max) = (permissions.min_wrapping_ttl, permissions.max_wrapping_ttl);
    if !max.is_zero() && max < min {
        return Err(PolicyError::Syntax(format!(
            "path {path:?}: max_wrapping_ttl cannot be less than min_wrapping_ttl"
        )));
    }
    // The paths of a policy are API paths, with or without the slash that they start with.
    let path = path.strip_prefix('/').map(str::to_owned).unwrap_or(path);
    Ok(PathRule {
        path,
        permissions,
        expiration,
    })
}

/// The fault of a field.
enum Problem {
    UnknownKey(String),
    Value(String),
    /// As `Value`, for faults whose message gives the line.
    Type(String),
}

impl Problem {
    fn at(self, path: &str, line: usize) -> PolicyError {
        PolicyError::Syntax(match self {
            Self::UnknownKey(key) => {
                format!("path {path:?}: {}", hcl::invalid_key_text(&key, line))
            }
            Self::Value(what) => format!("path {path:?}: {what}"),
            Self::Type(what) => format!("path {path:?}: {what} on line {line}"),
        })
    }
}

fn read_field(permissions: &mut Permissions, field: Field) -> Result<(), Problem> {
    let Field { key, value, .. } = field;
    match key.as_str() {
        "capabilities" => {
            for name in strings(&key, value)? {
                let capability = Capability::parse(&name)
                    .ok_or_else(|| Problem::Value(format!("invalid capability {name:?}")))?;
                permissions.capabilities.insert(capability);
            }
        }
        "policy" => {
            let name = text(&key, value)?;
            let legacy =
                legacy(&name).ok_or_else(|| Problem::Value(format!("invalid policy {name:?}")))?;
            permissions.capabilities = permissions.capabilities.union(legacy);
        }
        "allowed_parameters" => permissions.allowed_parameters = parameters(&key, value)?,
        "denied_parameters" => permissions.denied_parameters = parameters(&key, value)?,
        "required_parameters" => {
            let names = strings(&key, value)?;
            permissions.required_parameters = names.iter().map(|n| n.to_lowercase()).collect();
        }
        "min_wrapping_ttl" => permissions.min_wrapping_ttl = duration(&key, value)?,
        "max_wrapping_ttl" => permissions.max_wrapping_ttl = duration(&key, value)?,
        "comment" => {}
        _ if NOT_BUILT.contains(&key.as_str()) => {
            return Err(Problem::Type(format!("{key} is not supported")));
        }
        _ => return Err(Problem::UnknownKey(key)),
    }
    Ok(())
}

/// Returns the capabilities of a word that policies used before capabilities.
fn legacy(name: &str) -> Option<Capabilities> {
    use Capability::{Create, Delete, Deny, List, Read, Sudo, Update};
    Some(match name {
        "deny" => [Deny].into_iter().collect(),
        "read" => [Read, List].into_iter().collect(),
        // Patching is younger than these words.
        "write" => [Create, Read, Update, Delete, List].into_iter().collect(),
        "sudo" => [Create, Read, Update, Delete, List, Sudo]
            .into_iter()
            .collect(),
        _ => return None,
    })
}

fn text(key: &str, value: Value) -> Result<String, Problem> {
    match value {
        Value::String(text) => Ok(text),
        _ => Err(Problem::Type(format!("{key} must be a string"))),
    }
}

fn strings(key: &str, value: Value) -> Result<Vec<String>, Problem> {
    let wrong = || Problem::Type(format!("{key} must be a list of strings"));
    match value {
        Value::Array(items) => items
            .into_iter()
            .map(|item| text(key, item).map_err(|_| wrong()))
            .collect(),
        _ => Err(wrong()),
    }
}

/// Reads RFC 3339 or seconds since 1970; an empty text is none.
fn instant(value: Value) -> Result<Option<Timestamp>, Problem> {
    let text = match value {
        Value::String(text) => text,
        Value::Number(number) => number.to_string(),
        _ => return Err(Problem::Type("expiration must be a time".to_owned())),
    };
    if text.is_empty() {
        return Ok(None);
    }
    let unclear = || "invalid expiration time: could not parse string as date and time";
    let parsed = parse_instant(&text).ok_or_else(|| Problem::Value(unclear().to_owned()))?;
    Ok(Some(parsed))
}

fn duration(key: &str, value: Value) -> Result<Duration, Problem> {
    let parsed = match &value {
        Value::String(text) => parse_duration(text),
        Value::Number(number) => parse_duration(&number.to_string()),
        _ => None,
    };
    parsed.ok_or_else(|| Problem::Value(format!("error parsing {key}: invalid duration {value}")))
}

fn parameters(key: &str, value: Value) -> Result<Parameters, Problem> {
    let wrong = || Problem::Type(format!("{key} must map names to lists of values"));
    let Value::Object(map) = value else {
        return Err(wrong());
    };
    map.into_iter()
        .map(|(name, values)| match values {
            Value::Array(values) => Ok((name, values)),
            _ => Err(wrong()),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        Policy::parse("p", text)
            .expect_err("must not parse")
            .to_string()
    }

    #[test]
    fn hcl_and_json_say_the_same() {
        let hcl = Policy::parse(
            "p",
            "# comment\npath \"secret/*\" {\n  capabilities = [\"read\", \"list\",]\n}\n",
        );
        let map = Policy::parse(
            "p",
            r#"{"path":{"secret/*":{"capabilities":["read","list"]}}}"#,
        );
        let list = Policy::parse(
            "p",
            r#" {"path":[{"secret/*":{"capabilities":["read","list"]}}]}"#,
        );
        assert!(hcl.is_ok());
        assert_eq!(hcl, map);
        assert_eq!(hcl, list);
    }

    #[test]
    fn line_breaks_may_be_left_out() {
        let terse = r#"path "a" { capabilities = ["read"] min_wrapping_ttl = "1s" policy = "read"
            allowed_parameters = { "x" = [] "y" = ["1"] z = [true, 2] } } path "b" { } # end
            path "c" { min_wrapping_ttl = 5 capabilities = [/* none } */] }"#;
        let policy = Policy::parse("p", terse).expect("parses");
        let paths: Vec<&str> = policy.rules().iter().map(|r| r.path.as_str()).collect();
        assert_eq!(paths, ["a", "b", "c"]);
        let rule = policy.rules().first().expect("a rule");
        assert_eq!(rule.permissions.allowed_parameters.len(), 3);
        let broken = "path \"a\" { capabilities = [\"read\"] bogus = 1 }";
        assert!(error(broken).contains("invalid key \"bogus\" on line 1"));
        assert!(error("path \"b\" {\n} nope = 1").contains("on line 2"));
        assert!(error("path \"b\" { x = 1 y = ] }").contains("At 1:22"));
    }

    #[test]
    fn files_from_other_systems_say_the_same() {
        let text = "# why\npath \"a/*\" {\n  capabilities = [\"read\"]\n}\n";
        let expected = Policy::parse("p", text);
        assert!(expected.is_ok());
        let windows = text.replace('\n', "\r\n");
        // `$(cat file)` leaves it like this: the last line feed is gone.
        let cut = windows.trim_end_matches('\n').to_owned();
        let marked = format!("\u{feff}{windows}");
        let json = r#"{"path":{"a/*":{"capabilities":["read"]}}}"#;
        let (json_cut, json_marked) = (format!("{json}\r"), format!("\u{feff}{json}"));
        let comment = format!("{cut}\r\n# the end\r");
        for text in [windows, cut, marked, json_cut, json_marked, comment] {
            assert_eq!(Policy::parse("p", &text), expected, "{text:?}");
        }
        let mac = text.replace("# why\n", "").replace('\n', "\r");
        assert_eq!(Policy::parse("p", &mac), expected);
    }

    #[test]
    fn a_rule_behind_a_carriage_return_is_no_comment() {
        let text = "# all\rpath \"a\" { capabilities = [\"deny\"] }\npath \"b\" { }";
        let message = error(text);
        assert!(message.contains("a comment goes on behind a carriage return"));
        assert!(message.contains("At 1:"), "{message}");
        assert!(Policy::parse("p", "/* all\rof it */ path \"b\" { }").is_ok());
    }

    #[test]
    fn legacy_words_stand_for_capabilities() {
        for (word, names) in [
            ("deny", vec!["deny"]),
            ("read", vec!["list", "read"]),
            ("write", vec!["create", "delete", "list", "read", "update"]),
            (
                "sudo",
                vec!["create", "delete", "list", "read", "sudo", "update"],
            ),
        ] {
            let policy = Policy::parse("p", &format!("path \"a\" {{ policy = \"{word}\" }}"));
            let policy = policy.expect("parses");
            let rule = policy.rules().first().expect("one rule");
            assert_eq!(rule.permissions.capabilities.names(), names, "{word}");
        }
    }

    #[test]
    fn errors_name_the_place() {
        for (text, wanted) in [
            (
                "path \"x\" { capabilities = [\"foo\"] }",
                "invalid capability \"foo\"",
            ),
            ("path \"x\" { policy = \"foo\" }", "invalid policy \"foo\""),
            (
                "path \"x\" {\n bogus = 1\n}",
                "invalid key \"bogus\" on line 2",
            ),
            ("\npat \"x\" { }", "invalid key \"pat\" on line 2"),
            ("path \"x\" { capabilities = [\"read\" }", "At 1:"),
            ("path \"x/+*\" { }", "'+*' is forbidden"),
            (
                "path \"x\" { capabilities = \"read\" }",
                "list of strings on line 1",
            ),
            (
                "path \"x\" {\nmin_wrapping_ttl = \"1h\"\nmax_wrapping_ttl = \"1m\"\n}",
                "max_wrapping_ttl cannot be less than min_wrapping_ttl",
            ),
            (
                "path \"x\" {\nmin_wrapping_ttl = \"zz\"\n}",
                "error parsing min_wrapping_ttl",
            ),
            (
                "path \"{{identity.entity.id\" { }",
                "unbalanced templating characters",
            ),
            ("path \"a}}\" { }", "unbalanced templating characters"),
            (
                "{\"path\": {\"a\": {\"capabilities\": [\"foo\"]}}}",
                "invalid capability",
            ),
            ("{\"path\": ", "At 1:"),
            ("{\"pat\": {}}", "invalid key \"pat\""),
            ("{\"path\": {\"a\": 1}}", "each path must hold an object"),
            ("hello", "At 1:"),
        ] {
            let error = error(text);
            assert!(error.starts_with("failed to parse policy: "), "{error}");
            assert!(error.contains(wanted), "{text}: {error}");
        }
    }

    #[test]
    fn what_stands_twice_is_seen_twice() {
        let both = r#"{"path":{"a":{"capabilities":["deny"]},"a":{"capabilities":["read"]}}}"#;
        let both = Policy::parse("p", both).expect("as in OpenBao, both count");
        let deny = both
            .rules()
            .iter()
            .any(|rule| rule.permissions.capabilities.denies());
        assert!(deny && both.rules().len() == 2);
        let added = r#"{"path":{"a":{"capabilities":["read"],"capabilities":["list"]}}}"#;
        let added = Policy::parse("p", added).expect("capabilities add up");
        let rule = added.rules().first().expect("a rule");
        assert_eq!(rule.permissions.capabilities.names(), ["list", "read"]);
        for (text, wanted) in [
            (
                r#"{"path":{"a":{"denied_parameters":{"x":[]},"denied_parameters":{}}}}"#,
                "denied_parameters stands twice",
            ),
            (
                r#"{"path":{"a":{"denied_parameters":{"x":[],"x":["1"]}}}}"#,
                "\"x\" stands twice in denied_parameters",
            ),
            (
                r#"{"path":{"a":{"expiration":"1","expiration":""}}}"#,
                "expiration stands twice",
            ),
            (
                "path \"a\" { denied_parameters { x = [] } denied_parameters { y = [] } }",
                "denied_parameters stands twice",
            ),
            ("path \"a\" { expiration = 1 expiration = 2 }", "At 1:"),
            (
                "path \"a\" { allowed_parameters = { x = [] x = [1] } }",
                "At 1:",
            ),
            ("path \"a\" \"b\" { }", "\"b\" on line 1 is a second"),
            (
                "path \"a\" {\n allowed_parameters \"x\" { }\n}",
                "no place for \"x\" on line 2",
            ),
        ] {
            assert!(error(text).contains(wanted), "{text}: {}", error(text));
        }
    }

    #[test]
    fn an_expiration_is_a_time() {
        for (text, wanted) in [
            ("\"2020-01-01T00:00:00Z\"", Some(1_577_836_800)),
            ("\"2020-01-01T02:00:00+02:00\"", Some(1_577_836_800)),
            ("1577836800", Some(1_577_836_800)),
            ("\"1577836800\"", Some(1_577_836_800)),
            ("\"\"", None),
        ] {
            let policy = Policy::parse("p", &format!("path \"a\" {{ expiration = {text} }}"));
            let policy = policy.expect("parses");
            let rule = policy.rules().first().expect("a rule");
            assert_eq!(rule.expiration, wanted.map(Timestamp::from_secs), "{text}");
        }
        for (text, wanted) in [
            (
                "\"soon\"",
                "invalid expiration time: could not parse string as date and time",
            ),
            ("\"2020-01-01\"", "invalid expiration time"),
            ("true", "expiration must be a time on line 1"),
            ("[1]", "expiration must be a time on line 1"),
        ] {
            let text = format!("path \"a\" {{ expiration = {text} }}");
            assert!(error(&text).contains(wanted), "{text}: {}", error(&text));
        }
    }

    #[test]
    fn what_narrows_and_is_not_built_is_refused_by_name() {
        for key in NOT_BUILT {
            let text = format!("path \"a\" {{\n {key} = 5 }}");
            let wanted = format!("{key} is not supported on line 2");
            assert!(error(&text).contains(&wanted), "{}", error(&text));
        }
    }

    #[test]
    fn what_could_exhaust_the_parser_is_refused() {
        let deep = format!("path \"a\" {{ capabilities = {} }}", "[".repeat(100_000));
        assert!(error(&deep).contains("nested too deeply"));
        for text in [
            format!("path \"a\" {{ x = {}1 }}", "-".repeat(50_000)),
            format!("path \"a\" {{ x = {}1 }}", "!".repeat(50_000)),
            format!("path \"a\" {{ x = {} }}", "(".repeat(50_000)),
            format!("path \"{}\" {{ }}", "${".repeat(10_000)),
        ] {
            error(&text);
        }
        assert_eq!(
            Policy::parse("p", &" ".repeat(POLICY_BYTES_MAX + 1)),
            Err(PolicyError::TooLong)
        );
        let many = "path \"a\" {}\n".repeat(PATHS_MAX + 1);
        assert_eq!(Policy::parse("p", &many), Err(PolicyError::TooManyPaths));
        let json = "[".repeat(100_000);
        error(&format!("{{\"path\": {json}"));
        let closed = format!("{}{}", "[".repeat(60_000), "]".repeat(60_000));
        error(&format!(
            "{{\"path\": {{\"a\": {{\"comment\": {closed}}}}}}}"
        ));
        error(&format!("{{\"path\": {closed}}}"));
    }

    #[test]
    fn built_in_policies_parse() {
        for text in [
            super::super::builtin::DEFAULT_TEXT,
            super::super::builtin::RESPONSE_WRAPPING_TEXT,
        ] {
            assert!(Policy::parse("b", text).is_ok());
        }
    }
}
