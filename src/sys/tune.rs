//! What can be tuned about a mount, and how it is shown.

use super::field;
use super::system::{System, doubled};
use crate::engine::kv;
use crate::engine::{Error, Outcome, Request, narrowing};
use crate::mount::{Class, Config, Entry};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

const VISIBILITIES: &[&str] = &["", "unauth", "hidden"];
const TOKEN_TYPES: &[&str] = &["default-service", "default-batch", "service", "batch"];
/// Mounts whose leases nobody may tune.
const FIXED: &[&str] = &["sys/", "cubbyhole/"];

/// Fields of a mount's `config`.
pub(super) const CONFIG_FIELDS: &[&str] = &[
    "allowed_response_headers",
    "audit_non_hmac_request_keys",
    "audit_non_hmac_response_keys",
    "default_lease_ttl",
    "force_no_cache",
    "listing_visibility",
    "max_lease_ttl",
    "passthrough_request_headers",
    "plugin_version",
    "token_type",
];
/// Fields of tuning.
pub(super) const TUNE_FIELDS: &[&str] = &[
    "allowed_response_headers",
    "audit_non_hmac_request_keys",
    "audit_non_hmac_response_keys",
    "default_lease_ttl",
    "description",
    "force_no_cache",
    "listing_visibility",
    "max_lease_ttl",
    "options",
    "passthrough_request_headers",
    "plugin_version",
    "token_type",
];
/// What an engine understands of a mount's `options`.
const OPTIONS: &[&str] = &["version"];

impl System {
    pub(super) fn read_tuning(&self, class: Class, path: &str) -> Result<Outcome, Error> {
        let snapshot = self.mounts.snapshot()?;
        let Some(entry) = snapshot.get(class, path) else {
            let full = format!("{}{path}/", class.api_prefix());
            let message = format!("cannot fetch sysview for path {full:?}");
            return Err(Error::invalid(message));
        };
        let (default_ttl, max_ttl) = self.lifetimes.of(&entry.config);
        let mut data = describe(entry);
        data.insert(
            "default_lease_ttl".into(),
            field::whole_seconds(default_ttl),
        );
        data.insert("max_lease_ttl".into(), field::whole_seconds(max_ttl));
        data.insert("description".into(), json!(entry.description));
        if let Some(options) = entry.options.as_ref().filter(|options| !options.is_empty()) {
            data.insert("options".into(), json!(options));
        }
        Ok(doubled(data))
    }

    pub(super) fn tune(
        &self,
        class: Class,
        request: &Request,
        path: &str,
    ) -> Result<Outcome, Error> {
        let data = &request.data;
        let snapshot = self.mounts.snapshot()?;
        let Some(before) = snapshot.get(class, path) else {
            let full = format!("{}{path}/", class.api_prefix());
            let message = format!("tune of path {full:?} failed: no mount entry found");
            return Err(Error::invalid(message));
        };
        let mut after = Entry::clone(before);
        if class == Class::Secret && FIXED.contains(&before.path.as_str()) {
            for name in ["default_lease_ttl", "max_lease_ttl"] {
                if data.contains_key(name) {
                    let message = format!("cannot tune parameter {name} of {}", before.path);
                    return Err(Error::invalid(message));
                }
            }
        }
        if class == Class::Auth && before.kind == "token" && data.contains_key("token_type") {
            let message = "'token_type' cannot be set for 'token' or 'ns_token' auth mounts";
            return Err(Error::invalid(message));
        }
        apply(&mut after, data, false)?;
        let (default_s, max_s) = (
            after.config.default_lease_ttl_s,
            after.config.max_lease_ttl_s,
        );
        check_lifetimes(&after.config, || {
            format!(
                "backend max lease TTL of {max_s} would be less than backend default lease TTL \
                 of {default_s}"
            )
        })?;
        if let Some(description) = field::text(data, "description")? {
            after.description = description;
        }
        let mut outcome = Outcome::default();
        if let Some(options) = field::texts(data, "options")? {
            outcome = self.change_options(&mut after, options, request)?;
        }
        let change = |entry: &mut Entry| *entry = after;
        self.mounts
            .tune(&mut outcome.batch, &snapshot, class, path, change)?;
        Ok(outcome)
    }

    fn change_options(
        &self,
        entry: &mut Entry,
        options: BTreeMap<String, String>,
        request: &Request,
    ) -> Result<Outcome, Error> {
        check_options(&entry.kind, &options)?;
        let current = entry.options.get_or_insert_default();
        let version = |options: &BTreeMap<String, String>| options.get("version").cloned();
        let from = version(current).unwrap_or_else(|| "1".into());
        let to = version(&options).unwrap_or_else(|| from.clone());
        current.extend(options);
        if from == "2" && to != from {
            return Err(Error::invalid("cannot downgrade mount from version 2"));
        }
        let mut outcome = Outcome::default();
        if entry.kind == "kv" && to == "2" {
            // Also when it is version 2 already: a writer may have been under way at the change.
            let storage = self.barrier.view(&entry.storage_path());
            kv::upgrade(&storage, &mut outcome.batch, request.now)?;
        }
        if from != to {
            outcome.response = outcome.response.warn(format!(
                "Upgrading mount from version {from} to version {to}. This mount will be \
                 unavailable for a brief period and will resume service shortly."
            ));
        }
        Ok(outcome)
    }
}

/// Takes over the fields of `data` that stand in a mount's `config`.
pub(super) fn apply(
    entry: &mut Entry,
    data: &Map<String, Value>,
    fresh: bool,
) -> Result<(), Error> {
    let lifetime = |name: &str, what: &str| {
        field::seconds(data, name).map_err(|error| match fresh {
            true => Error::invalid(format!(
                "unable to parse {what} TTL of {}: {}",
                data.get(name).and_then(Value::as_str).unwrap_or_default(),
                error.messages.join("; ")
            )),
            false => error,
        })
    };
    let config = &mut entry.config;
    if let Some(seconds) = lifetime("default_lease_ttl", "default")? {
        config.default_lease_ttl_s = seconds;
    }
    if let Some(seconds) = lifetime("max_lease_ttl", "max")? {
        config.max_lease_ttl_s = seconds;
    }
    if let Some(flag) = field::flag(data, "force_no_cache")? {
        config.force_no_cache = flag;
    }
    if let Some(visibility) = field::text(data, "listing_visibility")? {
        if !VISIBILITIES.contains(&visibility.as_str()) {
            return Err(Error::invalid(format!(
                "invalid listing_visibility {visibility}"
            )));
        }
        config.listing_visibility = visibility;
    }
    if let Some(kind) = field::text(data, "token_type")?.filter(|kind| !kind.is_empty()) {
        if entry.class != Class::Auth {
            let message = "'token_type' can only be modified on auth mounts";
            return Err(Error::invalid(message));
        }
        if !TOKEN_TYPES.contains(&kind.as_str()) {
            return Err(Error::invalid(format!(
                "invalid value for 'token_type': {kind}"
            )));
        }
        config.token_type = kind;
    }
    if let Some(version) = field::text(data, "plugin_version")? {
        config.plugin_version = version;
    }
    for (name, list) in lists(config) {
        if let Some(items) = field::list(data, name)? {
            *list = items;
        }
    }
    Ok(())
}

fn lists(config: &mut Config) -> [(&'static str, &mut Vec<String>); 4] {
    [
        (
            "audit_non_hmac_request_keys",
            &mut config.audit_non_hmac_request_keys,
        ),
        (
            "audit_non_hmac_response_keys",
            &mut config.audit_non_hmac_response_keys,
        ),
        (
            "passthrough_request_headers",
            &mut config.passthrough_request_headers,
        ),
        (
            "allowed_response_headers",
            &mut config.allowed_response_headers,
        ),
    ]
}

/// A default above the maximum is refused with `message`.
pub(super) fn check_lifetimes(
    config: &Config,
    message: impl FnOnce() -> String,
) -> Result<(), Error> {
    let (default_s, max_s) = (config.default_lease_ttl_s, config.max_lease_ttl_s);
    match max_s > 0 && default_s > max_s {
        true => Err(Error::invalid(message())),
        false => Ok(()),
    }
}

/// kv knows two versions; other engines have none. Settings of kv's `config` are no options.
pub(super) fn check_options(kind: &str, options: &BTreeMap<String, String>) -> Result<(), Error> {
    let fields = options.iter();
    let fields = fields.map(|(name, text)| (name.clone(), Value::from(text.as_str())));
    narrowing::refuse_unknown(&fields.collect(), OPTIONS)?;
    match options.get("version").map(String::as_str) {
        None | Some("1" | "2") => Ok(()),
        Some(other) => Err(Error::invalid(format!(
            "unknown version {other:?} of {kind:?}: it is 1 or 2"
        ))),
    }
}

/// The `config` of a row.
pub(super) fn describe(entry: &Entry) -> Map<String, Value> {
    let mut config = entry.config.clone();
    let mut fields = Map::new();
    fields.insert(
        "default_lease_ttl".into(),
        json!(config.default_lease_ttl_s),
    );
    fields.insert("max_lease_ttl".into(), json!(config.max_lease_ttl_s));
    fields.insert("force_no_cache".into(), json!(config.force_no_cache));
    if !config.listing_visibility.is_empty() {
        fields.insert(
            "listing_visibility".into(),
            json!(config.listing_visibility),
        );
    }
    if !config.token_type.is_empty() {
        fields.insert("token_type".into(), json!(config.token_type));
    }
    for (name, list) in lists(&mut config) {
        if !list.is_empty() {
            fields.insert(name.into(), json!(list));
        }
    }
    fields
}
