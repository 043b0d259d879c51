//! Reads files and environment into a [`Config`].

use super::environment::{self, Environment};
use super::section::{Problems, Section};
use super::tree::Source;
use super::{Config, ConfigError, Notice, files, hcl, json, server};
use std::path::PathBuf;

/// A configuration, with remarks about it.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration, ready to use.
    pub config: Config,
    /// The remarks, for the log.
    pub warnings: Vec<Notice>,
}

/// Reads all files behind `paths` and the process's environment.
///
/// # Errors
/// Names every problem with its file, line and column.
pub fn load(paths: &[PathBuf]) -> Result<Loaded, ConfigError> {
    let texts = files::read_all(paths)?;
    let variables = environment::texts(std::env::vars_os()).map_err(ConfigError::Invalid)?;
    read(&texts, &Environment::new(variables))
}

/// Reads texts given as `(file name, text)`; names that end in `.json` are JSON, all others HCL or
/// JSON as their first character shows. `variables` stand for the environment.
///
/// # Errors
/// As [`load`].
pub fn from_text(
    texts: &[(String, String)],
    variables: &[(&str, &str)],
) -> Result<Loaded, ConfigError> {
    let variables = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    read(texts, &Environment::new(variables))
}

fn read(texts: &[(String, String)], environment: &Environment) -> Result<Loaded, ConfigError> {
    let mut entries = Vec::new();
    let mut broken = Vec::new();
    for (file, text) in texts {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let source = Source {
            file: file.as_str().into(),
            text,
        };
        let is_json = file.ends_with(".json") || text.trim_start().starts_with('{');
        let parsed = if is_json {
            json::parse(&source)
        } else {
            hcl::parse(&source)
        };
        match parsed {
            Ok(found) => entries.extend(found),
            Err(notice) => broken.push(notice),
        }
    }
    if !broken.is_empty() {
        return Err(ConfigError::Invalid(broken));
    }
    environment.refuse_unbuilt().map_err(ConfigError::Invalid)?;
    entries.extend(environment.entries());
    let problems = Problems::default();
    let config = server::read(&Section::top(&entries, &problems), environment);
    let warnings = problems.finish()?;
    Ok(Loaded { config, warnings })
}
