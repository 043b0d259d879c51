//! Data on the command line: `key=value`, `key=@file`, `key=-`, `@file.json`, `-`. The part before
//! the first `=` is the key, whatever it begins with.

use std::io::Read;

use serde_json::{Map, Value};

/// The most bytes of one file or of standard input.
const INPUT_BYTES_MAX: u64 = 32 << 20;

/// Reasons to refuse a word of data.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The caller typed a word without `=`.
    #[error("invalid key/value pair {0:?}: format must be key=value")]
    NotPair(String),
    /// The caller typed nothing before the `=`.
    #[error("invalid key/value pair {0:?}: the key is empty")]
    NoKey(String),
    /// The caller's value is not text: JSON cannot carry it as it is.
    #[error(
        "invalid key/value pair {0:?}: the value is not UTF-8 text and would be altered; encode \
         it, for example with base64"
    )]
    NotText(String),
    /// The caller named a file that cannot be read.
    #[error("invalid key/value pair {word:?}: {reason}")]
    Unreadable {
        /// The word as typed.
        word: String,
        /// The system's message.
        reason: String,
    },
    /// The caller's file or standard input holds no JSON object.
    #[error("invalid key/value pair {word:?}: {reason}")]
    NotJson {
        /// The word as typed.
        word: String,
        /// The parser's message.
        reason: serde_json::Error,
    },
    /// The caller asked for standard input twice.
    #[error("stdin already consumed")]
    StdinTwice,
    /// The caller's input is larger than a request may be.
    #[error("input is longer than {INPUT_BYTES_MAX} bytes")]
    TooLong,
}

/// Reads words of data; a repeated key makes a list.
pub fn parse_data(words: &[String], stdin: impl Read) -> Result<Map<String, Value>, DataError> {
    let mut data = Map::new();
    let mut stdin = Some(stdin);
    for word in words {
        let text = |text: Result<Vec<u8>, std::io::Error>| match text {
            Ok(bytes) if bytes.len() as u64 > INPUT_BYTES_MAX => Err(DataError::TooLong),
            Ok(bytes) => String::from_utf8(bytes).map_err(|_| DataError::NotText(word.clone())),
            Err(error) => Err(DataError::Unreadable {
                word: word.clone(),
                reason: error.to_string(),
            }),
        };
        if word == "-" {
            let input = stdin.take().ok_or(DataError::StdinTwice)?;
            merge(&mut data, word, &text(read_bounded(input))?)?;
            continue;
        }
        if let Some(path) = word.strip_prefix('@').filter(|path| !path.contains('=')) {
            merge(&mut data, word, &text(read_file(path))?)?;
            continue;
        }
        let (key, value) = split_pair(word)?;
        let value = if value == "-" {
            let input = stdin.take().ok_or(DataError::StdinTwice)?;
            text(read_bounded(input))?
        } else if let Some(path) = value.strip_prefix('@') {
            text(
                read_file(path)
                    .map_err(|error| std::io::Error::other(format!("error reading file: {error}"))),
            )?
        } else {
            // A backslash lets a value start with an at sign.
            let literal = value
                .strip_prefix('\\')
                .filter(|rest| rest.starts_with('@'));
            literal.unwrap_or(value).to_owned()
        };
        add(&mut data, key, Value::String(value));
    }
    Ok(data)
}

/// Reads words as [`parse_data`] does where only texts are allowed, as in a query string.
pub fn parse_texts(words: &[String]) -> Result<Vec<(String, String)>, DataError> {
    let pair = |word: &String| {
        let (key, value) = split_pair(word)?;
        Ok((key.to_owned(), value.to_owned()))
    };
    words.iter().map(pair).collect()
}

fn split_pair(word: &str) -> Result<(&str, &str), DataError> {
    match word.split_once('=') {
        None => Err(DataError::NotPair(word.to_owned())),
        Some(("", _)) => Err(DataError::NoKey(word.to_owned())),
        Some(pair) => Ok(pair),
    }
}

/// Reads a whole file; the error names it.
pub fn read_file(path: &str) -> std::io::Result<Vec<u8>> {
    let named = |error: std::io::Error| {
        let reason = match error.kind() {
            std::io::ErrorKind::NotFound => String::from("no such file or directory"),
            std::io::ErrorKind::PermissionDenied => String::from("permission denied"),
            _ => error.to_string(),
        };
        std::io::Error::new(error.kind(), format!("open {path}: {reason}"))
    };
    read_bounded(std::fs::File::open(path).map_err(named)?)
}

fn read_bounded(input: impl Read) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    input.take(INPUT_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn merge(data: &mut Map<String, Value>, word: &str, text: &str) -> Result<(), DataError> {
    let fields: Map<String, Value> =
        serde_json::from_str(text).map_err(|reason| DataError::NotJson {
            word: word.to_owned(),
            reason,
        })?;
    for (key, value) in fields {
        add(data, &key, value);
    }
    Ok(())
}

fn add(data: &mut Map<String, Value>, key: &str, value: Value) {
    match data.get_mut(key) {
        None => {
            data.insert(key.to_owned(), value);
        }
        Some(Value::Array(items)) => items.push(value),
        Some(first) => {
            let items = vec![first.take(), value];
            *first = Value::Array(items);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parse(words: &[&str], stdin: &str) -> Result<Value, DataError> {
        let words: Vec<String> = words.iter().map(|word| String::from(*word)).collect();
        parse_data(&words, stdin.as_bytes()).map(Value::Object)
    }

    #[test]
    fn pairs_files_and_standard_input() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("v");
        std::fs::write(&path, "{\"f\": 1.50}").expect("written");
        let (file, value) = (
            format!("@{}", path.display()),
            format!("k=@{}", path.display()),
        );
        for (words, stdin, expected) in [
            (
                vec!["a=b", "c=d=e", "e="],
                "",
                json!({"a": "b", "c": "d=e", "e": ""}),
            ),
            (vec!["a=1", "a=2", "a=3"], "", json!({"a": ["1", "2", "3"]})),
            (vec!["a=-"], "in\n", json!({"a": "in\n"})),
            (vec!["a=\\@b"], "", json!({"a": "@b"})),
            (
                vec!["-", "x=y"],
                r#"{"n": [1], "x": 0}"#,
                json!({"n": [1], "x": [0, "y"]}),
            ),
            (vec![value.as_str()], "", json!({"k": "{\"f\": 1.50}"})),
            (vec!["@key=v"], "", json!({"@key": "v"})),
            (vec!["-=v"], "", json!({"-": "v"})),
        ] {
            assert_eq!(parse(&words, stdin).expect("valid"), expected, "{words:?}");
        }
        let exact = parse(&[&file], "").expect("valid");
        assert_eq!(exact.to_string(), r#"{"f":1.50}"#);
    }

    #[test]
    fn faults_name_the_word() {
        for (words, stdin, message) in [
            (
                vec!["bad"],
                "",
                "invalid key/value pair \"bad\": format must be key=value",
            ),
            (
                vec!["@/nonexistent"],
                "",
                "invalid key/value pair \"@/nonexistent\": open /nonexistent: no such file or \
                 directory",
            ),
            (
                vec!["a=@/nonexistent"],
                "",
                "invalid key/value pair \"a=@/nonexistent\": error reading file: open \
                 /nonexistent: no such file or directory",
            ),
            (vec!["a=-", "b=-"], "", "stdin already consumed"),
            (
                vec!["=v"],
                "",
                "invalid key/value pair \"=v\": the key is empty",
            ),
            (
                vec!["="],
                "",
                "invalid key/value pair \"=\": the key is empty",
            ),
        ] {
            assert_eq!(
                parse(&words, stdin).expect_err("wrong").to_string(),
                message
            );
        }
        let words = [String::from("=v")];
        assert!(matches!(parse_texts(&words), Err(DataError::NoKey(_))));
        assert!(parse(&["-"], "[1]").is_err());
        assert!(parse(&["-"], "").is_err());
    }

    #[test]
    fn bytes_that_are_no_text_are_refused_and_not_altered() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("v");
        let file = format!("d=@{}", path.display());
        for (bytes, kept) in [
            (&b"\xff\xfe"[..], false),
            ("\u{feff}é\r\n\0".as_bytes(), true),
        ] {
            std::fs::write(&path, bytes).expect("written");
            for words in [vec![file.clone()], vec![String::from("d=-")]] {
                match parse_data(&words, bytes) {
                    Ok(data) => {
                        assert!(kept, "{words:?}");
                        let value = data["d"].as_str().expect("a text");
                        assert_eq!(value.as_bytes(), bytes, "{words:?}");
                    }
                    Err(error) => {
                        assert!(!kept, "{words:?}");
                        assert!(matches!(error, DataError::NotText(_)), "{error}");
                    }
                }
            }
        }
    }
}
