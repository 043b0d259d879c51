//! Reads flags as Go does: one dash or two, `-flag value` or `-flag=value`, `-switch=false`, and no
//! flags after the first word that is not one.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::clock::parse_duration;

use super::flag::{Flag, FlagKind};
use super::suggest::near;

/// The most words on one command line.
const WORDS_MAX: usize = 10_000;

/// Flags that Vault finds anywhere on the line, so that they cause no warning.
const FOUND_ANYWHERE: [&str; 5] = [
    "format",
    "output-curl-string",
    "output-policy",
    "field",
    "detailed",
];

/// Reasons why the typed words are no command line of this verb.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum FlagError {
    /// The caller asked for help; print it.
    #[error("flag: help requested")]
    Help,
    /// The caller typed a flag that the verb does not have.
    #[error("flag provided but not defined: -{name}{}", question(.near))]
    Unknown {
        /// The flag as typed.
        name: String,
        /// The nearest flags of the verb.
        near: Vec<&'static str>,
    },
    /// The caller typed dashes with nothing sensible behind.
    #[error("bad flag syntax: {0}")]
    Syntax(String),
    /// The caller left out the value.
    #[error("flag needs an argument: -{0}")]
    NoValue(String),
    /// The caller gave a switch something other than true or false.
    #[error("invalid boolean value {value:?} for -{name}: not true or false")]
    NotBoolean {
        /// The flag.
        name: String,
        /// The value as typed.
        value: String,
    },
    /// The caller gave a value of the wrong kind.
    #[error("invalid value {value:?} for flag -{name}: {reason}")]
    Invalid {
        /// The flag.
        name: String,
        /// The value as typed.
        value: String,
        /// The value's fault.
        reason: String,
    },
    /// The caller typed too many words.
    #[error("Too many words on the command line (at most {WORDS_MAX})")]
    TooLong,
}

/// The flags of one command line, checked, and the words behind them.
#[derive(Debug, Default)]
pub struct Flags {
    values: BTreeMap<&'static str, Vec<String>>,
    /// The words behind the flags.
    pub words: Vec<String>,
}

impl Flags {
    /// Reads the words behind a verb that takes the flags `known`.
    pub fn parse(known: &[&'static Flag], typed: &[String]) -> Result<Self, FlagError> {
        if typed.len() > WORDS_MAX {
            return Err(FlagError::TooLong);
        }
        let mut flags = Self::default();
        let mut rest = typed.iter();
        while let Some(word) = rest.next() {
            if word == "--" {
                break;
            }
            let Some(body) = word.strip_prefix('-').filter(|body| !body.is_empty()) else {
                flags.words.push(word.clone());
                break;
            };
            let body = body.strip_prefix('-').unwrap_or(body);
            if body.starts_with(['-', '=']) {
                return Err(FlagError::Syntax(word.clone()));
            }
            let (name, value) = match body.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (body, None),
            };
            let flag = find(known, name)?;
            let value = match value {
                Some(value) => value,
                None if flag.kind == FlagKind::Switch => String::from("true"),
                None => match rest.next() {
                    Some(next) => next.clone(),
                    None => return Err(FlagError::NoValue(name.to_owned())),
                },
            };
            check(flag, name, &value)?;
            flags.values.entry(flag.name).or_default().push(value);
        }
        flags.words.extend(rest.cloned());
        Ok(flags)
    }

    /// Returns true if the flag was given at all.
    pub fn given(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// Returns a switch; off unless given.
    pub fn switch(&self, name: &str) -> bool {
        self.choice(name).unwrap_or(false)
    }

    /// Returns a switch; `None` unless given.
    pub fn choice(&self, name: &str) -> Option<bool> {
        self.text(name).and_then(parse_bool)
    }

    /// Returns a text, the last one given.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.texts(name).last().map(String::as_str)
    }

    /// Returns all texts given.
    pub fn texts(&self, name: &str) -> &[String] {
        self.values.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    /// Returns an integer.
    pub fn number(&self, name: &str) -> Option<i64> {
        self.text(name).and_then(|text| text.parse().ok())
    }

    /// Returns a duration.
    pub fn time(&self, name: &str) -> Option<Duration> {
        self.text(name).and_then(parse_duration)
    }

    /// Returns all pairs given; a repeated key's last value counts.
    pub fn pairs(&self, name: &str) -> BTreeMap<&str, &str> {
        let pairs = self.texts(name).iter();
        pairs.filter_map(|pair| pair.split_once('=')).collect()
    }

    /// Returns the words behind the flags that look like flags but are not read as such.
    pub fn trailing(&self) -> Vec<&str> {
        let words = self.words.iter().map(String::as_str);
        words
            .filter(|word| word.starts_with('-') && *word != "-")
            .filter(|word| {
                let name = word.trim_start_matches('-');
                let name = name.split_once('=').map_or(name, |(name, _)| name);
                !FOUND_ANYWHERE.contains(&name) || name == "field"
            })
            .collect()
    }
}

/// Returns `Did you mean -field?` on a line of its own; empty when no flag is near.
pub fn question(near: &[&str]) -> String {
    match near.join(", -") {
        near if near.is_empty() => near,
        near => format!("\nDid you mean -{near}?"),
    }
}

fn find<'a>(known: &[&'a Flag], name: &str) -> Result<&'a Flag, FlagError> {
    let flag = known
        .iter()
        .find(|flag| flag.name == name || flag.alias == Some(name));
    match flag {
        Some(flag) => Ok(flag),
        None if name == "h" || name == "help" => Err(FlagError::Help),
        None => Err(FlagError::Unknown {
            name: name.to_owned(),
            near: near(name, known.iter().map(|flag| flag.name)),
        }),
    }
}

fn check(flag: &Flag, name: &str, value: &str) -> Result<(), FlagError> {
    let invalid = |reason: String| {
        Err(FlagError::Invalid {
            name: name.to_owned(),
            value: value.to_owned(),
            reason,
        })
    };
    match flag.kind {
        FlagKind::Text | FlagKind::Texts => Ok(()),
        FlagKind::Switch if parse_bool(value).is_some() => Ok(()),
        FlagKind::Switch => Err(FlagError::NotBoolean {
            name: name.to_owned(),
            value: value.to_owned(),
        }),
        FlagKind::Number if value.parse::<i64>().is_ok() => Ok(()),
        FlagKind::Number => invalid(String::from("not an integer")),
        FlagKind::Time if parse_duration(value).is_some() => Ok(()),
        FlagKind::Time => invalid(format!("time: invalid duration {value:?}")),
        FlagKind::Pairs => match value.split_once('=') {
            None => invalid(format!("missing = in KV pair: {value:?}")),
            Some(("", _)) => invalid(format!("the key is empty in KV pair: {value:?}")),
            Some(_) => Ok(()),
        },
    }
}

/// Reads Go's words for true and false.
pub fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::verb::{Arity, SharedFlags, Verb, flag};
    use super::*;

    static VERB: Verb = Verb {
        name: "try",
        about: "",
        usage: "",
        arity: Arity::at_least(0),
        flags: &[
            Flag {
                name: "force",
                alias: Some("f"),
                kind: FlagKind::Switch,
                help: "",
            },
            flag("cas", FlagKind::Number, ""),
            flag("ttl", FlagKind::Time, ""),
            flag("meta", FlagKind::Pairs, ""),
            flag("policy", FlagKind::Texts, ""),
        ],
        shared: SharedFlags::Field,
        run: |_| Ok(0),
    };

    fn parse(line: &str) -> Result<Flags, FlagError> {
        let typed: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Flags::parse(&VERB.every_flag(), &typed)
    }

    #[test]
    fn one_dash_or_two_with_or_without_an_equals_sign() {
        for line in [
            "-format json -f a b=c",
            "--format=json --force a b=c",
            "-force=true -format=yaml -format=json -- a b=c",
        ] {
            let flags = parse(line).expect(line);
            assert_eq!(flags.text("format"), Some("json"), "{line}");
            assert!(flags.switch("force"), "{line}");
            assert_eq!(flags.words, ["a", "b=c"], "{line}");
        }
        assert!(!parse("-f=false").expect("valid").switch("force"));
    }

    #[test]
    fn values_may_look_like_flags() {
        let flags = parse("-field -x -cas -1 -policy a -policy b").expect("valid");
        assert_eq!(flags.text("field"), Some("-x"));
        assert_eq!(flags.number("cas"), Some(-1));
        assert_eq!(flags.texts("policy"), ["a", "b"]);
    }

    #[test]
    fn flags_end_at_the_first_word() {
        let flags = parse("a -field=x -format=json -").expect("valid");
        assert_eq!(flags.words, ["a", "-field=x", "-format=json", "-"]);
        assert_eq!(flags.trailing(), ["-field=x"]);
        assert!(!flags.given("format"));
    }

    #[test]
    fn faults_are_named() {
        for (line, message) in [
            ("-bogus=1", "flag provided but not defined: -bogus"),
            (
                "-feild=x",
                "flag provided but not defined: -feild\nDid you mean -field?",
            ),
            ("---x", "bad flag syntax: ---x"),
            ("-ttl", "flag needs an argument: -ttl"),
            (
                "-f=maybe",
                "invalid boolean value \"maybe\" for -f: not true or false",
            ),
            (
                "-cas=abc",
                "invalid value \"abc\" for flag -cas: not an integer",
            ),
            (
                "-ttl abc",
                "invalid value \"abc\" for flag -ttl: time: invalid duration \"abc\"",
            ),
            (
                "-meta a",
                "invalid value \"a\" for flag -meta: missing = in KV pair: \"a\"",
            ),
            (
                "-meta =a",
                "invalid value \"=a\" for flag -meta: the key is empty in KV pair: \"=a\"",
            ),
        ] {
            assert_eq!(parse(line).expect_err(line).to_string(), message);
        }
        assert_eq!(parse("-h").expect_err("help"), FlagError::Help);
        assert_eq!(parse("--help").expect_err("help"), FlagError::Help);
    }
}
