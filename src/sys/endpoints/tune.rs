//! The tuning of a mount, and the form in which it is shown.

use super::system::{System, doubled};
use crate::engine::table::{Field, FieldKind, Fields, Matched};
use crate::engine::{Error, Outcome, Request, narrowing};
use crate::mount::{Class, Config, Entry};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

const VISIBILITIES: &[&str] = &["", "unauth", "hidden"];
const TOKEN_TYPES: &[&str] = &["default-service", "default-batch", "service", "batch"];
/// Mounts whose leases nobody may tune.
const FIXED: &[&str] = &["sys/", "cubbyhole/"];

const ALLOWED_RESPONSE_HEADERS: Field = Field::new(
    "allowed_response_headers",
    FieldKind::CommaList,
    "Headers that its engine may set.",
);
const REQUEST_KEYS: Field = Field::new(
    "audit_non_hmac_request_keys",
    FieldKind::CommaList,
    "Fields of requests that are audited in clear.",
);
const RESPONSE_KEYS: Field = Field::new(
    "audit_non_hmac_response_keys",
    FieldKind::CommaList,
    "Fields of answers that are audited in clear.",
);
const DEFAULT_TTL: Field = Field::new(
    "default_lease_ttl",
    FieldKind::SystemLifetime,
    "Usual life of leases.",
);
const FORCE_NO_CACHE: Field =
    Field::new("force_no_cache", FieldKind::Flag, "Kept, without effect.");
const VISIBILITY: Field = Field::new(
    "listing_visibility",
    FieldKind::Text,
    "unauth: shown to who has no token; hidden.",
);
const MAX_TTL: Field = Field::new(
    "max_lease_ttl",
    FieldKind::SystemLifetime,
    "Longest life of leases.",
);
const PASSTHROUGH: Field = Field::new(
    "passthrough_request_headers",
    FieldKind::CommaList,
    "Headers that its engine sees.",
);
const PLUGIN_VERSION: Field =
    Field::new("plugin_version", FieldKind::Text, "Kept, without effect.");
const TOKEN_TYPE: Field = Field::new(
    "token_type",
    FieldKind::Text,
    "Type of the tokens that its logins make.",
);

/// Fields of a mount's `config`.
const CONFIG: &[Field] = &[
    ALLOWED_RESPONSE_HEADERS,
    REQUEST_KEYS,
    RESPONSE_KEYS,
    DEFAULT_TTL,
    FORCE_NO_CACHE,
    VISIBILITY,
    MAX_TTL,
    PASSTHROUGH,
    PLUGIN_VERSION,
    TOKEN_TYPE,
];
/// Fields of tuning.
pub(in crate::sys) const FIELDS: &[Field] = &[
    Field::path("path", "Where it is mounted."),
    ALLOWED_RESPONSE_HEADERS,
    REQUEST_KEYS,
    RESPONSE_KEYS,
    DEFAULT_TTL,
    Field::new("description", FieldKind::Text, "For people."),
    FORCE_NO_CACHE,
    VISIBILITY,
    MAX_TTL,
    Field::new(
        "options",
        FieldKind::Pairs,
        "Settings of its engine: version.",
    ),
    PASSTHROUGH,
    PLUGIN_VERSION,
    TOKEN_TYPE,
];

impl System {
    pub(in crate::sys) fn read_tuning(
        &self,
        class: Class,
        matched: &Matched<'_>,
    ) -> Result<Outcome, Error> {
        let path = matched.captured("path");
        let snapshot = self.mounts.snapshot()?;
        let Some(entry) = snapshot.get(class, path) else {
            let full = format!("{}{path}/", class.api_prefix());
            let message = format!("cannot fetch sysview for path {full:?}");
            return Err(Error::invalid(message));
        };
        let (default_ttl, max_ttl) = self.lifetimes.of(&entry.config);
        let mut data = describe(entry);
        data.insert("default_lease_ttl".into(), json!(default_ttl.as_secs()));
        data.insert("max_lease_ttl".into(), json!(max_ttl.as_secs()));
        data.insert("description".into(), json!(entry.description));
        if let Some(options) = entry.options.as_ref().filter(|options| !options.is_empty()) {
            data.insert("options".into(), json!(options));
        }
        Ok(doubled(data))
    }

    pub(in crate::sys) fn tune(
        &self,
        class: Class,
        matched: &Matched<'_>,
    ) -> Result<Outcome, Error> {
        let (request, fields) = (matched.request, &matched.fields);
        let (data, path) = (&request.data, matched.captured("path"));
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
        let is_single = self.kinds.is_single(&before.kind);
        if class == Class::Auth && is_single && data.contains_key("token_type") {
            let message = "'token_type' cannot be set for 'token' or 'ns_token' auth mounts";
            return Err(Error::invalid(message));
        }
        apply(&mut after, fields)?;
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
        if let Some(description) = fields.text("description") {
            description.clone_into(&mut after.description);
        }
        let mut outcome = Outcome::default();
        if let Some(options) = fields.pairs("options") {
            outcome = self.change_options(&mut after, options.clone(), request)?;
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
        let mut outcome = Outcome::default();
        let current = entry.options.get_or_insert_default();
        let Some(kind) = self.kinds.get(&entry.kind) else {
            return Ok(outcome);
        };
        kind.check_options(&options)?;
        let from = kind.version(current).to_owned();
        current.extend(options);
        let to = kind.version(current).to_owned();
        if kind.is_older(&to, &from) {
            let message = format!("cannot downgrade mount from version {from}");
            return Err(Error::invalid(message));
        }
        if let Some(upgrade) = kind.upgrade {
            let storage = self.barrier.view(&entry.storage_path());
            upgrade(&storage, &mut outcome.batch, &to, request.now)?;
        }
        if from != to && !kind.versions.is_empty() {
            outcome.response = outcome.response.warn(format!(
                "Upgrading mount from version {from} to version {to}. This mount will be \
                 unavailable for a brief period and will resume service shortly."
            ));
        }
        Ok(outcome)
    }
}

/// Takes over the `config` of a mount that is made.
pub(in crate::sys) fn configure(
    entry: &mut Entry,
    config: &Map<String, Value>,
) -> Result<(), Error> {
    narrowing::refuse_unknown(config, |name| CONFIG.iter().any(|field| field.name == name))?;
    for (field, what) in [(DEFAULT_TTL, "default"), (MAX_TTL, "max")] {
        Fields::read(&[field], config, "").map_err(|error| {
            Error::invalid(format!(
                "unable to parse {what} TTL of {}: {}",
                config
                    .get(field.name)
                    .and_then(Value::as_str)
                    .unwrap_or_default(),
                error.messages.join("; ")
            ))
        })?;
    }
    apply(entry, &Fields::read(CONFIG, config, "")?)?;
    check_lifetimes(&entry.config, || {
        "given default lease TTL greater than given max lease TTL".into()
    })
}

/// Takes over the fields that stand in a mount's `config`.
fn apply(entry: &mut Entry, fields: &Fields<'_>) -> Result<(), Error> {
    let config = &mut entry.config;
    if let Some(seconds) = fields.seconds("default_lease_ttl") {
        config.default_lease_ttl_s = seconds;
    }
    if let Some(seconds) = fields.seconds("max_lease_ttl") {
        config.max_lease_ttl_s = seconds;
    }
    if let Some(flag) = fields.flag("force_no_cache") {
        config.force_no_cache = flag;
    }
    if let Some(visibility) = fields.text("listing_visibility") {
        if !VISIBILITIES.contains(&visibility) {
            return Err(Error::invalid(format!(
                "invalid listing_visibility {visibility}"
            )));
        }
        visibility.clone_into(&mut config.listing_visibility);
    }
    if let Some(kind) = fields.text("token_type").filter(|kind| !kind.is_empty()) {
        if entry.class != Class::Auth {
            let message = "'token_type' can only be modified on auth mounts";
            return Err(Error::invalid(message));
        }
        if !TOKEN_TYPES.contains(&kind) {
            return Err(Error::invalid(format!(
                "invalid value for 'token_type': {kind}"
            )));
        }
        kind.clone_into(&mut config.token_type);
    }
    if let Some(version) = fields.text("plugin_version") {
        version.clone_into(&mut config.plugin_version);
    }
    for (name, list) in lists(config) {
        if let Some(items) = fields.list(name) {
            *list = items.to_vec();
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

/// Refuses a default above the maximum, with `message`.
fn check_lifetimes(config: &Config, message: impl FnOnce() -> String) -> Result<(), Error> {
    let (default_s, max_s) = (config.default_lease_ttl_s, config.max_lease_ttl_s);
    match max_s > 0 && default_s > max_s {
        true => Err(Error::invalid(message())),
        false => Ok(()),
    }
}

/// Returns the `config` of a row.
pub(in crate::sys) fn describe(entry: &Entry) -> Map<String, Value> {
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
