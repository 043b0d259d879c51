//! `indicator test`, `indicator off`: the status lights, without a server.

use crate::cli::call::Call;
use crate::cli::environment::variable;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::verb::{Arity, Flag, FlagKind, Group, SharedFlags, Verb, VerbNode, flag};
use crate::config;
use crate::hardware::{Condition, Indicator, Rehearsal, switch_off};
use crate::node::Signals;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// `indicator`.
pub static INDICATOR: Group = Group {
    name: "indicator",
    about: "Tests the status lights, or switches them off",
    nodes: &[VerbNode::Verb(&OFF), VerbNode::Verb(&TEST)],
};

/// The configuration of an installed service.
const CONFIG: &str = "/etc/coffer.d";
/// The time for which each pattern is shown; the slowest has begun anew by then.
const EACH: Duration = Duration::from_secs(6);

const CONFIG_FLAG: Flag = flag(
    "config",
    FlagKind::Texts,
    "The server's configuration, a file or directory. May be repeated. Also from \
     COFFER_CONFIG_PATH; the default is /etc/coffer.d.",
);

static TEST: Verb = Verb {
    name: "test",
    about: "Shows every pattern of the configured status lights",
    usage: "",
    arity: Arity::exactly(0),
    flags: &[
        CONFIG_FLAG,
        flag(
            "each",
            FlagKind::Time,
            "How long each pattern is shown. The default is 6s.",
        ),
    ],
    shared: SharedFlags::Nothing,
    run: test,
};

static OFF: Verb = Verb {
    name: "off",
    about: "Switches the configured status lights off, as after a crash",
    usage: "",
    arity: Arity::exactly(0),
    flags: &[CONFIG_FLAG],
    shared: SharedFlags::Nothing,
    run: off,
};

fn test(call: &mut Call) -> Outcome {
    let indicators = indicators(call).map_err(Failure::Usage)?;
    if indicators.is_empty() {
        return Err(Failure::usage(
            "No status light is configured: add a stanza such as indicator \"gpio\" { led = 17 }",
        ));
    }
    let mut rehearsal = Rehearsal::default();
    let mut code = 0;
    for indicator in &indicators {
        match rehearsal.add(indicator) {
            Ok(()) => call.out(&format!("{indicator}: ready")),
            Err(error) => {
                call.err(&format!("{indicator}: {error}"));
                code = 2;
            }
        }
    }
    if rehearsal.is_empty() {
        return Ok(code);
    }
    let played = play(call, &mut rehearsal);
    for (name, error) in rehearsal.off() {
        call.err(&format!("{name} may still be lit: {error}"));
        code = 2;
    }
    played.map(|()| code)
}

/// Shows the patterns until all were shown, or the operator presses Ctrl-C.
fn play(call: &Call, rehearsal: &mut Rehearsal) -> Result<(), Failure> {
    let local = |error: std::io::Error| Failure::Local(error.to_string());
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().build().map_err(local)?;
    let inside = runtime.enter();
    let mut signals = Signals::new().map_err(local)?;
    drop(inside);
    let mut pause = |during: Duration| {
        let pause = async { tokio::time::timeout(during, signals.next()).await };
        runtime.block_on(pause).is_err()
    };
    let each = call.flags.time("each").unwrap_or(EACH);
    for condition in Condition::examples() {
        call.out(&condition.name());
        let shown = rehearsal.show(&condition, each, &mut pause);
        if !shown.map_err(|error| Failure::Local(error.to_string()))? {
            break;
        }
    }
    Ok(())
}

/// Switches the lights off. A supervisor calls this verb whenever the server has ended, so no error
/// here is a failure.
fn off(call: &mut Call) -> Outcome {
    let indicators = match indicators(call) {
        Ok(indicators) => indicators,
        Err(message) => {
            call.err(&message);
            return Ok(0);
        }
    };
    for (name, error) in switch_off(&indicators) {
        call.err(&format!("{name}: {error}"));
    }
    Ok(0)
}

/// Returns the indicators of the configuration; none where there is none.
fn indicators(call: &Call) -> Result<Vec<Indicator>, String> {
    let mut paths: Vec<PathBuf> = call
        .flags
        .texts("config")
        .iter()
        .map(PathBuf::from)
        .collect();
    if paths.is_empty() {
        let path = variable("CONFIG_PATH").map_err(|error| error.to_string())?;
        paths.extend(path.map(PathBuf::from));
    }
    if paths.is_empty() && Path::new(CONFIG).exists() {
        paths.push(CONFIG.into());
    }
    if paths.is_empty() {
        return Ok(Vec::new());
    }
    let loaded = config::load(&paths).map_err(|error| error.to_string())?;
    Ok(loaded.config.indicators)
}
