//! A server's answer as a table of keys and values.

use serde_json::{Map, Value};

use super::duration::human_duration;
use super::table::map_rows;
use crate::cli::envelope::Envelope;

/// Returns the rows of an answer: lease, auth, wrapping, data.
pub fn secret_rows(secret: &Envelope) -> Vec<(String, String)> {
    let mut rows = Vec::new();
    let mut row = |key: &str, value: String| rows.push((String::from(key), value));
    if secret.lease_duration > 0 {
        let duration = human_duration(secret.lease_duration);
        if secret.lease_id.is_empty() {
            row("refresh_interval", duration);
        } else {
            row("lease_id", secret.lease_id.clone());
            row("lease_duration", duration);
            row("lease_renewable", secret.renewable.to_string());
        }
    }
    if let Some(auth) = &secret.auth {
        auth_rows(auth, &mut row);
    }
    if let Some(wrap) = &secret.wrap_info {
        wrap_rows(wrap, &mut row);
    }
    if let Some(data) = secret.data.as_object() {
        rows.extend(map_rows(data));
    }
    rows
}

fn text<'a>(map: &'a Map<String, Value>, key: &str) -> &'a str {
    map.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// Formats a list of names as Go's `%q` does: `["a" "b"]`.
fn quoted(map: &Map<String, Value>, key: &str) -> String {
    let names = map.get(key).and_then(Value::as_array).into_iter().flatten();
    let names: Vec<String> = names
        .filter_map(Value::as_str)
        .map(|n| format!("{n:?}"))
        .collect();
    format!("[{}]", names.join(" "))
}

fn auth_rows(auth: &Map<String, Value>, row: &mut impl FnMut(&str, String)) {
    row("token", text(auth, "client_token").to_owned());
    row("token_accessor", text(auth, "accessor").to_owned());
    let duration = match auth.get("lease_duration").and_then(Value::as_u64) {
        None | Some(0) => String::from("∞"),
        Some(seconds) => human_duration(seconds),
    };
    row("token_duration", duration);
    let renewable = auth.get("renewable") == Some(&Value::Bool(true));
    row("token_renewable", renewable.to_string());
    row("token_policies", quoted(auth, "token_policies"));
    row("identity_policies", quoted(auth, "identity_policies"));
    row("policies", quoted(auth, "policies"));
    let metadata = auth.get("metadata").and_then(Value::as_object);
    for (key, value) in metadata.into_iter().flatten() {
        row(&format!("token_meta_{key}"), super::plain(value));
    }
}

fn wrap_rows(wrap: &Map<String, Value>, row: &mut impl FnMut(&str, String)) {
    row("wrapping_token:", text(wrap, "token").to_owned());
    row("wrapping_accessor:", text(wrap, "accessor").to_owned());
    let ttl = wrap.get("ttl").and_then(Value::as_u64).unwrap_or(0);
    row("wrapping_token_ttl:", human_duration(ttl));
    let created = go_time(text(wrap, "creation_time"));
    row("wrapping_token_creation_time:", created);
    row(
        "wrapping_token_creation_path:",
        text(wrap, "creation_path").to_owned(),
    );
    let accessor = text(wrap, "wrapped_accessor");
    if !accessor.is_empty() {
        row("wrapped_accessor:", accessor.to_owned());
    }
}

/// Formats an RFC 3339 time as Go's `String` does; any other text stays as it is.
fn go_time(text: &str) -> String {
    match text.strip_suffix('Z').and_then(|text| text.split_once('T')) {
        Some((date, time)) => format!("{date} {time} +0000 UTC"),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::output::pairs;
    use serde_json::json;

    fn shown(answer: Value) -> String {
        pairs(secret_rows(&Envelope::read(&answer).expect("an answer")))
    }

    #[test]
    fn tokens() {
        let answer = json!({"data": null, "auth": {
            "client_token": "s.x", "accessor": "a", "policies": ["default", "mine"],
            "token_policies": ["default", "mine"], "metadata": {"username": "bob"},
            "lease_duration": 2764800, "renewable": true}});
        let expected = "\
Key                    Value
---                    -----
token                  s.x
token_accessor         a
token_duration         768h
token_renewable        true
token_policies         [\"default\" \"mine\"]
identity_policies      []
policies               [\"default\" \"mine\"]
token_meta_username    bob";
        assert_eq!(shown(answer), expected);
    }

    #[test]
    fn wrapped_answers() {
        let answer = json!({"data": null, "wrap_info": {
            "token": "s.w", "accessor": "a", "ttl": 60, "creation_path": "cubbyhole/y",
            "creation_time": "2026-11-22T05:17:39.348704227Z", "wrapped_accessor": ""}});
        let expected = "\
Key                              Value
---                              -----
wrapping_token:                  s.w
wrapping_accessor:               a
wrapping_token_ttl:              1m
wrapping_token_creation_time:    2026-11-22 05:17:39.348704227 +0000 UTC
wrapping_token_creation_path:    cubbyhole/y";
        assert_eq!(shown(answer), expected);
    }

    #[test]
    fn leases_and_refresh_intervals() {
        let answer = json!({"lease_duration": 3600, "data": {"foo": "1"}});
        let expected = "\
Key                 Value
---                 -----
refresh_interval    1h
foo                 1";
        assert_eq!(shown(answer), expected);
        let answer = json!({"lease_id": "a/b", "lease_duration": 60, "renewable": true,
            "data": {"foo": "1"}});
        let expected = "\
Key                Value
---                -----
lease_id           a/b
lease_duration     1m
lease_renewable    true
foo                1";
        assert_eq!(shown(answer), expected);
    }
}
