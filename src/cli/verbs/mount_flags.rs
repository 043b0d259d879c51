//! The flags and the long table that `secrets` and `auth` share.

use serde_json::{Map, Value, json};

use crate::cli::call::Call;
use crate::cli::client::{Ask, ClientError};
use crate::cli::output::{Order, plain};
use crate::cli::verb::{Flag, FlagKind, flag};
use crate::clock::format_duration;

/// The order of a mount's fields in JSON.
pub static MOUNTS: Order = Order {
    keys: &[],
    inner: &[],
    others: Some(&MOUNT),
};

static MOUNT: Order = Order {
    keys: &[
        "uuid",
        "type",
        "description",
        "accessor",
        "config",
        "options",
        "local",
        "seal_wrap",
        "external_entropy_access",
        "plugin_version",
        "running_plugin_version",
        "running_sha256",
        "deprecation_status",
    ],
    inner: &[("config", &CONFIG)],
    others: None,
};

static CONFIG: Order = Order::of(&["default_lease_ttl", "max_lease_ttl", "force_no_cache"]);

/// The flag for keys of requests that audit records do not HMAC.
pub const AUDIT_REQUEST: Flag = flag(
    "audit-non-hmac-request-keys",
    FlagKind::Texts,
    "A request key to leave readable in audit logs. May be repeated.",
);
/// The flag for keys of responses that audit records do not HMAC.
pub const AUDIT_RESPONSE: Flag = flag(
    "audit-non-hmac-response-keys",
    FlagKind::Texts,
    "A response key to leave readable in audit logs. May be repeated.",
);
/// The flag for headers that engines may set.
pub const ALLOWED_HEADERS: Flag = flag(
    "allowed-response-headers",
    FlagKind::Texts,
    "A header that the engine may set. May be repeated.",
);
/// The flag for headers that engines may see.
pub const PASSTHROUGH: Flag = flag(
    "passthrough-request-headers",
    FlagKind::Texts,
    "A request header that the engine sees. May be repeated.",
);
/// The flag for the default lease lifetime.
pub const DEFAULT_TTL: Flag = flag(
    "default-lease-ttl",
    FlagKind::Time,
    "The lifetime of leases and tokens that ask for none.",
);
/// The flag for the longest lease lifetime.
pub const MAX_TTL: Flag = flag("max-lease-ttl", FlagKind::Time, "The longest lifetime.");
/// The flag for a mount's description.
pub const DESCRIPTION: Flag = flag("description", FlagKind::Text, "What it is for.");
/// The flag for the visibility of a mount in listings.
pub const VISIBILITY: Flag = flag(
    "listing-visibility",
    FlagKind::Text,
    "unauth shows the mount to anyone; hidden does not.",
);
/// The flag for options of the engine.
pub const OPTIONS: Flag = flag(
    "options",
    FlagKind::Pairs,
    "A key=value for the engine. May be repeated.",
);
/// The flag for the engine's version.
pub const VERSION: Flag = flag("version", FlagKind::Number, "The version of the engine.");
/// The flag for the path of a mount.
pub const PATH: Flag = flag(
    "path",
    FlagKind::Text,
    "Where to enable it; its type unless given.",
);
/// The flag for a mount that is not replicated.
pub const LOCAL: Flag = flag("local", FlagKind::Switch, "Only on this cluster.");
/// The flag for seal wrapping, which is sent for Vault's sake.
pub const SEAL_WRAP: Flag = flag("seal-wrap", FlagKind::Switch, "Sent for Vault's sake.");
/// The flag for the kind of token that an auth method gives.
pub const TOKEN_TYPE: Flag = flag(
    "token-type",
    FlagKind::Text,
    "default-service, default-batch, service or batch.",
);
/// The flag against caching, which is sent for Vault's sake.
pub const NO_CACHE: Flag = flag("force-no-cache", FlagKind::Switch, "Sent for Vault's sake.");
/// The flag for more columns.
pub const DETAILED: Flag = flag(
    "detailed",
    FlagKind::Switch,
    "Print lifetimes, options and versions as well.",
);

/// Returns the lists, lifetimes and texts that enabling and tuning both send.
pub fn config(call: &Call) -> Map<String, Value> {
    let mut config = Map::new();
    for name in ["default-lease-ttl", "max-lease-ttl"] {
        if let Some(time) = call.flags.time(name) {
            config.insert(name.replace('-', "_"), json!(format_duration(time)));
        }
    }
    for name in ["listing-visibility", "token-type"] {
        if let Some(text) = call.flags.text(name) {
            config.insert(name.replace('-', "_"), json!(text));
        }
    }
    for flag in [AUDIT_REQUEST, AUDIT_RESPONSE, PASSTHROUGH, ALLOWED_HEADERS] {
        if call.flags.given(flag.name) {
            let texts = call.flags.texts(flag.name);
            config.insert(flag.name.replace('-', "_"), json!(texts));
        }
    }
    if call.flags.switch("force-no-cache") {
        config.insert(String::from("force_no_cache"), json!(true));
    }
    config
}

/// Returns the body that enables an engine or a method of this type.
pub fn enabling(call: &Call, kind: &str) -> Value {
    json!({
        "type": kind,
        "description": call.flags.text("description").unwrap_or_default(),
        "config": config(call),
        "local": call.flags.switch("local"),
        "seal_wrap": call.flags.switch("seal-wrap"),
        "options": options(call),
    })
}

/// Returns the body that tunes an engine or a method.
pub fn tuning(call: &Call) -> Value {
    let mut body = config(call);
    if let Some(description) = call.flags.text("description") {
        body.insert(String::from("description"), json!(description));
    }
    if let options @ Value::Object(_) = options(call) {
        body.insert(String::from("options"), options);
    }
    Value::Object(body)
}

fn options(call: &Call) -> Value {
    let mut options: Map<String, Value> = Map::new();
    for (key, value) in call.flags.pairs("options") {
        options.insert(key.to_owned(), json!(value));
    }
    if let Some(version) = call.flags.number("version").filter(|version| *version > 0) {
        options.insert(String::from("version"), json!(version.to_string()));
    }
    if options.is_empty() {
        Value::Null
    } else {
        Value::Object(options)
    }
}

/// Returns the mounts that a path lists.
pub fn fetch(call: &mut Call, path: &str) -> Result<Map<String, Value>, ClientError> {
    let answer = call.send(&Ask::get(path))?.json()?;
    let data = answer.get("data").and_then(Value::as_object);
    Ok(data.cloned().unwrap_or_default())
}

/// Returns a field of a mount as text; empty when there is none.
pub fn text(mount: &Value, name: &str) -> String {
    let value = mount.get(name).filter(|value| !value.is_null());
    value.map(plain).unwrap_or_default()
}

/// Returns a lifetime of a mount: seconds, or `system` for the system's default.
pub fn lifetime(mount: &Value, name: &str) -> String {
    if matches!(text(mount, "type").as_str(), "system" | "cubbyhole") {
        return String::new();
    }
    let value = mount
        .get("config")
        .and_then(|config| config.get(name))
        .map(plain);
    value
        .filter(|value| value != "0")
        .unwrap_or_else(|| String::from("system"))
}

/// Returns the columns of the long table behind the description.
pub fn tail(mount: &Value) -> Vec<String> {
    let names = [
        "uuid",
        "plugin_version",
        "running_plugin_version",
        "running_sha256",
        "deprecation_status",
    ];
    names.iter().map(|name| text(mount, name)).collect()
}

/// Returns `local` or `replicated`.
pub fn replication(mount: &Value) -> String {
    let local = mount.get("local") == Some(&Value::Bool(true));
    String::from(if local { "local" } else { "replicated" })
}

/// Returns the options as one cell.
pub fn options_cell(mount: &Value) -> String {
    let options = mount.get("options").filter(|options| !options.is_null());
    options.map_or_else(|| String::from("map[]"), plain)
}
