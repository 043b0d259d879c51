//! The flags of `server`.

use crate::cli::environment::VariableError;
use crate::cli::flags::question;
use crate::cli::suggest::near;
use crate::config::{LogFormat, LogLevel};
use std::path::PathBuf;

/// The names of all flags, to suggest one.
const NAMES: [&str; 16] = [
    "config",
    "dev",
    "dev-listen-address",
    "dev-no-kv",
    "dev-no-store-token",
    "dev-path",
    "dev-root-token-id",
    "help",
    "log-file",
    "log-format",
    "log-level",
    "log-rotate-bytes",
    "log-rotate-duration",
    "log-rotate-max-files",
    "recovery",
    "test-verify-only",
];

/// The flags as given.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// `-config`, as often as given.
    pub config: Vec<PathBuf>,
    /// `-dev`.
    pub dev: bool,
    /// `-dev-root-token-id`.
    pub dev_root_token: Option<String>,
    /// `-dev-path`.
    pub dev_path: Option<PathBuf>,
    /// `-dev-listen-address`.
    pub dev_listen_address: Option<String>,
    /// `-dev-no-store-token`.
    pub dev_no_store_token: bool,
    /// `-recovery`.
    pub recovery: bool,
    /// `-dev-no-kv`.
    pub dev_no_kv: bool,
    /// `-log-level`.
    pub log_level: Option<LogLevel>,
    /// `-log-format`.
    pub log_format: Option<LogFormat>,
    /// `-log-file`.
    pub log_file: Option<PathBuf>,
    /// `-log-rotate-bytes`.
    pub log_rotate_bytes: Option<u64>,
    /// `-log-rotate-duration`.
    pub log_rotate_duration: Option<std::time::Duration>,
    /// `-log-rotate-max-files`.
    pub log_rotate_max_files: Option<u64>,
    /// `-test-verify-only`: check the configuration and leave.
    pub verify_only: bool,
    /// `-h`, `-help`.
    pub help: bool,
}

/// The text of `-help`.
pub const USAGE: &str = "\
Usage: coffer server [options]

  Starts a node that answers API requests. It starts sealed: initialise it once
  with \"coffer operator init\", and unseal it after every start with
  \"coffer operator unseal\".

      $ coffer server -config=/etc/coffer.d/coffer.hcl

  To try it out, in memory and unsealed:

      $ coffer server -dev -dev-root-token-id=root

Options:

  -config=<path>                A file, or a directory of .hcl and .json files.
                                May be given more than once. COFFER_CONFIG_PATH.
  -log-level=<level>            trace, debug, info, warn or error.
  -log-format=<format>          standard or json.
  -log-file=<path>              Log there as well.
  -log-rotate-bytes=<n>         Begin a new log file beyond this size.
  -log-rotate-duration=<time>   Begin a new log file after this time.
  -log-rotate-max-files=<n>     Keep this many old log files.
  -recovery                     Serve sys/raw only, to repair the store of a stopped node.
  -test-verify-only             Check the configuration and leave.

Dev options:

  -dev                          In memory, initialised and unsealed.
  -dev-path=<dir>               In the embedded store at this directory instead of in memory.
  -dev-root-token-id=<token>    The root token. COFFER_DEV_ROOT_TOKEN_ID.
  -dev-listen-address=<addr>    Default 127.0.0.1:8200. COFFER_DEV_LISTEN_ADDRESS.
  -dev-no-store-token           Leave ~/.vault-token alone.
  -dev-no-kv                    Mount no kv engine at secret/.
";

/// Reads the words after `server`; one or two dashes, `-flag=value` or `-flag value`.
///
/// # Errors
/// A sentence about the wrong flag.
pub fn parse(
    args: &[String],
    variable: impl Fn(&str) -> Result<Option<String>, VariableError>,
) -> Result<Flags, String> {
    let mut flags = Flags::default();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let body = arg
            .strip_prefix("--")
            .or_else(|| arg.strip_prefix('-'))
            .ok_or_else(|| {
                format!("Too many arguments: \"server\" takes flags only, not {arg:?}")
            })?;
        let (name, given) = match body.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (body, None),
        };
        if flags.set_switch(name, given.as_deref())? {
            continue;
        }
        let mut value = || {
            let next = given.clone().or_else(|| args.next().cloned());
            next.ok_or_else(|| format!("flag needs an argument: -{name}"))
        };
        flags.set_value(name, &mut value)?;
    }
    let filled = flags.fill_from(variable);
    filled.map_err(|error| error.to_string())?;
    Ok(flags)
}

impl Flags {
    /// Sets a flag without a value, or with `=true` or `=false`.
    fn set_switch(&mut self, name: &str, value: Option<&str>) -> Result<bool, String> {
        let target = match name {
            "dev" => &mut self.dev,
            "dev-no-store-token" => &mut self.dev_no_store_token,
            "dev-no-kv" => &mut self.dev_no_kv,
            "test-verify-only" => &mut self.verify_only,
            "h" | "help" => &mut self.help,
            "exit-on-core-shutdown" => &mut true,
            "recovery" => &mut self.recovery,
            "dev-tls" | "dev-tls-cert-dir" => {
                return Err(format!(
                    "-{name} is not in this build: configure a listener with tls_cert_file"
                ));
            }
            _ => return Ok(false),
        };
        *target = match value {
            None | Some("true" | "1") => true,
            Some("false" | "0") => false,
            Some(_) => return Err(format!("invalid boolean value for -{name}")),
        };
        Ok(true)
    }

    fn set_value(
        &mut self,
        name: &str,
        value: &mut dyn FnMut() -> Result<String, String>,
    ) -> Result<(), String> {
        match name {
            "config" => self.config.push(value()?.into()),
            "dev-root-token-id" => self.dev_root_token = Some(value()?),
            "dev-path" => self.dev_path = Some(value()?.into()),
            "dev-listen-address" => self.dev_listen_address = Some(value()?),
            "log-level" => self.log_level = Some(checked(name, &value()?, LogLevel::parse)?),
            "log-format" => self.log_format = Some(checked(name, &value()?, format)?),
            "log-file" => self.log_file = Some(value()?.into()),
            "log-rotate-bytes" => {
                self.log_rotate_bytes = Some(checked(name, &value()?, |text| text.parse().ok())?);
            }
            "log-rotate-duration" => {
                let duration = checked(name, &value()?, crate::clock::parse_duration)?;
                self.log_rotate_duration = Some(duration);
            }
            "log-rotate-max-files" => {
                self.log_rotate_max_files = Some(checked(name, &value()?, |t| t.parse().ok())?);
            }
            _ => {
                let near = question(&near(name, NAMES));
                return Err(format!("flag provided but not defined: -{name}{near}"));
            }
        }
        Ok(())
    }

    fn fill_from(
        &mut self,
        variable: impl Fn(&str) -> Result<Option<String>, VariableError>,
    ) -> Result<(), VariableError> {
        let path = variable("CONFIG_PATH")?;
        if self.config.is_empty() && !self.dev {
            self.config.extend(path.map(PathBuf::from));
        }
        let given = variable("DEV_ROOT_TOKEN_ID")?;
        self.dev_root_token = self.dev_root_token.take().or(given);
        let given = variable("DEV_LISTEN_ADDRESS")?;
        self.dev_listen_address = self.dev_listen_address.take().or(given);
        Ok(())
    }
}

fn checked<T>(name: &str, text: &str, read: impl Fn(&str) -> Option<T>) -> Result<T, String> {
    read(text).ok_or_else(|| format!("invalid value {text:?} for flag -{name}"))
}

fn format(text: &str) -> Option<LogFormat> {
    match text.to_ascii_lowercase().as_str() {
        "standard" => Some(LogFormat::Standard),
        "json" => Some(LogFormat::Json),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(args: &[&str]) -> Result<Flags, String> {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        parse(&args, |_| Ok(None))
    }

    #[test]
    fn one_and_two_dashes_with_and_without_equals() {
        let expected = Flags {
            config: vec!["a.hcl".into(), "b".into()],
            dev: true,
            dev_root_token: Some("root".into()),
            log_level: Some(LogLevel::Debug),
            ..Flags::default()
        };
        let flags = read(&[
            "-config=a.hcl",
            "--config",
            "b",
            "-dev",
            "-dev-root-token-id",
            "root",
            "--log-level=DEBUG",
        ]);
        assert_eq!(flags, Ok(expected));
        assert!(!read(&["-dev=false"]).unwrap().dev);
    }

    #[test]
    fn wrong_flags_are_named() {
        for (args, message) in [
            (
                &["-nonsense"][..],
                "flag provided but not defined: -nonsense",
            ),
            (
                &["-confg=a"],
                "flag provided but not defined: -confg\nDid you mean -config?",
            ),
            (&["-config"], "flag needs an argument: -config"),
            (
                &["-log-level=loud"],
                "invalid value \"loud\" for flag -log-level",
            ),
            (&["-dev=perhaps"], "invalid boolean value for -dev"),
        ] {
            assert_eq!(read(args).unwrap_err(), message);
        }
        assert!(read(&["word"]).is_err());
    }

    #[test]
    fn variables_fill_what_flags_leave_open() {
        let variable = |name: &str| match name {
            "DEV_ROOT_TOKEN_ID" => Ok(Some("from-vault".to_owned())),
            "CONFIG_PATH" => Ok(Some("/c".to_owned())),
            _ => Ok(None),
        };
        let flags = parse(&[], variable).unwrap();
        assert_eq!(flags.dev_root_token.as_deref(), Some("from-vault"));
        assert_eq!(flags.config, [PathBuf::from("/c")]);
    }
}
