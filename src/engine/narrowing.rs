//! The law that a field which narrows a grant is honoured or refused by name, never passed over.
//!
//! Vault ignores fields that a path does not know, with a warning that scripts do not see. Where
//! such a field would have made less of what is given (a shorter life, fewer addresses, one try
//! only), its sender believes in a limit that is not there. So the router asks the table which
//! fields an endpoint knows ([`super::table::Endpoint::knows`]), and refuses those of
//! [`NARROWING`] that it does not.

use super::Error;
use serde_json::{Map, Value};

/// Names of fields that make less of what is given, anywhere in the APIs of Vault and OpenBao.
/// With `token_` before them they mean the same.
pub const NARROWING: &[&str] = &[
    "allowed_entity_aliases",
    "allowed_managed_keys",
    "allowed_parameters",
    "allowed_policies",
    "allowed_policies_glob",
    "allowed_roles",
    "bound_cidrs",
    "cas",
    "cas_required",
    "cidr_list",
    "default_lease_ttl",
    "default_ttl",
    "delete_version_after",
    "denied_parameters",
    "disallowed_policies",
    "disallowed_policies_glob",
    "entity_alias",
    "expiration",
    "expire_time",
    "explicit_max_ttl",
    "increment",
    "lease",
    "lease_max",
    "max_lease_ttl",
    "max_ttl",
    "max_uses",
    "max_versions",
    "max_wrapping_ttl",
    "metadata_cas",
    "metadata_cas_required",
    "min_wrapping_ttl",
    "no_default_policy",
    "not_after",
    "num_uses",
    "period",
    "policies",
    "renewable",
    "required_parameters",
    "role",
    "role_name",
    "strictly_bind_ip",
    "token_type",
    "ttl",
    "user_lockout_config",
    "uses",
    "version",
    "versions",
    "wrap_ttl",
];

/// Fields that are narrowest at zero, which stands for "nothing before".
const NARROW_AT_ZERO: &[&str] = &["cas", "metadata_cas"];
/// Fields that widen a grant when they are set.
const WIDE_WHEN_TRUE: &[&str] = &["renewable"];

/// Refuses fields of `data` that would narrow what is given and are not `known`.
///
/// # Errors
/// 400 that names the field.
pub fn refuse_unknown(
    data: &Map<String, Value>,
    known: impl Fn(&str) -> bool,
) -> Result<(), Error> {
    let passed_over = data
        .iter()
        .find(|(name, value)| !known(name) && narrows(name, value));
    match passed_over {
        None => Ok(()),
        Some((name, _)) => Err(Error::invalid(format!(
            "{name:?} is no field of this path: it would narrow what is given, so it is refused \
             and not ignored"
        ))),
    }
}

/// Returns true when a field of that name and value makes less of what is given, where it is known.
/// Names count here in any case and with either dash, as a sender may have meant them.
fn narrows(name: &str, value: &Value) -> bool {
    let plain = name.to_ascii_lowercase().replace('-', "_");
    let short = plain.strip_prefix("token_").unwrap_or(&plain);
    let Some(name) = [plain.as_str(), short]
        .into_iter()
        .find(|name| NARROWING.contains(name))
    else {
        return false;
    };
    if WIDE_WHEN_TRUE.contains(&name) {
        return is_empty(value) && !value.is_null();
    }
    !value.is_null() && (NARROW_AT_ZERO.contains(&name) || !is_empty(value))
}

/// Returns true for the values by which clients that send every field say "not given".
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(flag) => !flag,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => matches!(text.trim(), "" | "0" | "0s" | "false"),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refused(data: Value, known: &[&str]) -> bool {
        let Value::Object(data) = data else {
            panic!("an object");
        };
        refuse_unknown(&data, |name| known.contains(&name)).is_err()
    }

    #[test]
    fn what_narrows_is_refused_under_any_of_its_spellings() {
        for name in ["ttl", "TTL", "token_ttl", "Token-TTL", "explicit-max-ttl"] {
            assert!(refused(json!({name: "1h"}), &[]), "{name}");
            assert!(!refused(json!({name: "1h"}), &[name]), "{name}");
        }
        assert!(refused(json!({"TTL": "1h", "ttl": "1h"}), &["ttl"]));
        assert!(!refused(json!({"comment": "1h"}), &[]));
    }

    #[test]
    fn what_says_nothing_is_let_through() {
        for nothing in [
            json!(null),
            json!(""),
            json!(0),
            json!("0"),
            json!("0s"),
            json!(false),
            json!([]),
            json!({}),
        ] {
            assert!(!refused(json!({"max_ttl": nothing}), &[]), "{nothing}");
        }
        assert!(refused(json!({"cas": 0}), &[]), "zero is the narrowest");
        assert!(refused(json!({"renewable": false}), &[]));
        assert!(!refused(json!({"renewable": true}), &[]));
    }
}
