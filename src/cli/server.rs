//! The `server` verb: reads the configuration, starts the node, prints the banner, and stays until
//! a signal or a fatal error ends it.

mod banner;
mod dev;
mod flags;

use crate::cli::environment::variable;
use crate::config::{self, Config, Loaded, LogFormat, LogLevel, Logging};
use crate::memory::Sizes;
use crate::node::{self, Node, StartError};
use crate::telemetry::{self, Log, LogFile, Rotation};
use flags::Flags;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// The configuration or the start was refused, and another start would end the same way. The unit
/// in `systemd/` does not try.
const EXIT_START: u8 = 1;
/// The node had to stop, or a listener has no address or port yet; another start may succeed.
const EXIT_FATAL: u8 = 2;

/// The reason why there is no node, with the exit code for it.
struct Refusal {
    message: String,
    code: u8,
}

impl From<String> for Refusal {
    fn from(message: String) -> Self {
        let code = EXIT_START;
        Self { message, code }
    }
}

impl From<StartError> for Refusal {
    fn from(error: StartError) -> Self {
        let code = if error.may_pass() {
            EXIT_FATAL
        } else {
            EXIT_START
        };
        let message = error.to_string();
        Self { message, code }
    }
}

/// Runs the server until it is told to stop. `args` holds the words after `server`, as typed.
pub fn run(args: &[String]) -> ExitCode {
    let flags = match flags::parse(args, variable) {
        Ok(flags) => flags,
        Err(message) => {
            eprintln!("{message}\n\n{}", flags::USAGE);
            return ExitCode::from(EXIT_START);
        }
    };
    if flags.help {
        print!("{}", flags::USAGE);
        return ExitCode::SUCCESS;
    }
    match serve(&flags) {
        Ok(code) => code,
        Err(Refusal { message, code }) => {
            if let Some(log) = Log::installed() {
                log.release();
            }
            eprintln!("{message}");
            ExitCode::from(code)
        }
    }
}

fn serve(flags: &Flags) -> Result<ExitCode, Refusal> {
    node::restrict_umask();
    let Loaded {
        mut config,
        warnings,
    } = load(flags)?;
    if flags.verify_only {
        for warning in &warnings {
            eprintln!("{warning}");
        }
        return Ok(ExitCode::SUCCESS);
    }
    merge_log_flags(&mut config.logging, flags);
    let log = install_log(&config.logging)?;
    log.hold();
    for warning in &warnings {
        tracing::warn!("{warning}");
    }
    node::forbid_dumps();
    let lock = !(config.disable_mlock || flags.dev);
    if lock {
        node::lock_memory().map_err(|error| error.to_string())?;
    }
    let pid_file = config.pid_file.as_deref().map(node::PidFile::write);
    let _pid_file = pid_file
        .transpose()
        .map_err(|error| format!("the pid_file cannot be written: {error}"))?;
    let runtime = runtime(node::memory(&config).sizes())?;
    let code = runtime.block_on(live(config, flags, lock, log));
    runtime.shutdown_background();
    code
}

/// Builds a runtime with as many workers as cores; on one core, with none beside the main thread.
fn runtime(memory: &Sizes) -> Result<tokio::runtime::Runtime, String> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut builder = if cores == 1 {
        tokio::runtime::Builder::new_current_thread()
    } else {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(cores);
        builder
    };
    builder
        .enable_all()
        .max_blocking_threads(memory.blocking_threads)
        .build()
        .map_err(|error| format!("the runtime cannot start: {error}"))
}

async fn live(
    config: Config,
    flags: &Flags,
    memory_locked: bool,
    log: &'static Log,
) -> Result<ExitCode, Refusal> {
    let signals = node::Signals::new().map_err(|error| error.to_string())?;
    if flags.recovery {
        return recover(config, flags, memory_locked, log, signals).await;
    }
    let rows = |node: &Node| {
        let bound: Vec<String> = node.bound().iter().map(node::shown).collect();
        let addresses = node.addresses();
        let pair = (addresses.api.as_str(), addresses.cluster.as_str());
        banner::rows(node.config(), pair, &bound, (memory_locked, false))
    };
    let dev = flags.dev.then(|| dev::options(flags));
    let node = Node::start(config, dev).await?;
    let mut text = banner::render(&rows(&node));
    text.push_str("==> Coffer server started! Log data will stream in below:\n\n");
    if let Some(start) = node.dev_start() {
        text.push_str(&dev::announce(&node, start, flags));
    }
    print(&text);
    log.release();
    let reload = || reload(flags, log);
    Ok(ended(node::run(node, signals, reload).await))
}

/// Runs the server in recovery mode, otherwise as [`live`].
async fn recover(
    config: Config,
    flags: &Flags,
    memory_locked: bool,
    log: &'static Log,
    signals: node::Signals,
) -> Result<ExitCode, Refusal> {
    let node = node::Recovery::start(config).await?;
    let bound: Vec<String> = node.bound().iter().map(node::shown).collect();
    let rows = banner::rows(node.config(), ("", ""), &bound, (memory_locked, true));
    let rows: Vec<_> = rows.into_iter().filter(|row| !row.1.is_empty()).collect();
    let mut text = banner::render(&rows);
    text.push_str("==> Coffer server started! Log data will stream in below:\n\n");
    print(&text);
    log.release();
    let reload = || reload(flags, log);
    Ok(ended(node::run(node, signals, reload).await))
}

fn ended(result: Result<(), String>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("coffer stopped: {reason}");
            ExitCode::from(EXIT_FATAL)
        }
    }
}

/// Prints the text; a closed standard output must not stop the server.
fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

fn load(flags: &Flags) -> Result<Loaded, String> {
    if flags.dev && flags.recovery {
        return Err("Give one of -dev and -recovery, not both".into());
    }
    if flags.dev {
        return dev::config(flags);
    }
    if flags.config.is_empty() {
        return Err("Must specify at least one config path using -config".into());
    }
    let loaded = config::load(&flags.config).map_err(|error| error.to_string())?;
    if loaded.config.storage.is_none() {
        return Err(
            "A storage backend must be specified: storage \"raft\" { path = \"...\" }".into(),
        );
    }
    Ok(loaded)
}

/// Applies the log's level and file on SIGHUP. Other changes to the configuration need a restart.
fn reload(flags: &Flags, log: &'static Log) {
    if let Err(error) = log.reopen() {
        tracing::error!(%error, "the log file cannot be opened again");
    }
    match load(flags) {
        Ok(Loaded { mut config, .. }) => {
            merge_log_flags(&mut config.logging, flags);
            log.set_level(level(config.logging.level));
        }
        Err(error) => tracing::error!(%error, "the configuration cannot be read again"),
    }
}

fn merge_log_flags(logging: &mut Logging, flags: &Flags) {
    logging.level = flags.log_level.or(logging.level);
    logging.format = flags.log_format.unwrap_or(logging.format);
    logging.file = flags.log_file.clone().or(logging.file.take());
    logging.rotate_bytes = flags.log_rotate_bytes.or(logging.rotate_bytes);
    logging.rotate_duration = flags.log_rotate_duration.or(logging.rotate_duration);
    logging.rotate_files_max = flags.log_rotate_max_files.or(logging.rotate_files_max);
}

fn install_log(logging: &Logging) -> Result<&'static Log, String> {
    let rotation = Rotation {
        bytes: logging.rotate_bytes,
        age: logging.rotate_duration,
        files_max: logging.rotate_files_max,
    };
    let open = |path: &PathBuf| {
        LogFile::open(path, rotation)
            .map_err(|error| format!("the log_file {} cannot be opened: {error}", path.display()))
    };
    let file = logging.file.as_ref().map(open).transpose()?;
    let format = match logging.format {
        LogFormat::Standard => telemetry::Format::Standard,
        LogFormat::Json => telemetry::Format::Json,
    };
    Ok(telemetry::install(level(logging.level), format, file))
}

fn level(level: Option<LogLevel>) -> telemetry::Level {
    match level.unwrap_or_default() {
        LogLevel::Trace => telemetry::Level::TRACE,
        LogLevel::Debug => telemetry::Level::DEBUG,
        LogLevel::Info => telemetry::Level::INFO,
        LogLevel::Warn => telemetry::Level::WARN,
        LogLevel::Error => telemetry::Level::ERROR,
    }
}
