//! A request as a curl command, or as the policy that it needs.

use super::ask::Ask;
use super::options::Options;
use crate::node;

/// Returns the curl command for this request; the token stays out of it.
pub fn curl(ask: &Ask, options: &Options, headers: &[(String, String)], url: &str) -> String {
    let mut command = String::from("curl");
    if ask.method != "GET" {
        command.push_str(&format!(" -X {}", ask.method));
    }
    for (name, value) in headers {
        command.push_str(&format!(" -H \"{name}: {value}\""));
    }
    if matches!(options.token, Ok(Some(_))) {
        let program = &options.program;
        command.push_str(&format!(" -H \"X-Vault-Token: $({program} print token)\""));
    }
    if let Some(body) = &ask.body {
        let body = body.to_string().replace('\'', r#"'"'"'"#);
        command.push_str(&format!(" -d '{body}'"));
    }
    command.push_str(&format!(" \"{url}\""));
    command
}

/// Returns the policy that allows this request.
pub fn policy(ask: &Ask) -> String {
    let lists = ask
        .query
        .iter()
        .any(|(name, value)| name == "list" && value == "true");
    let lists = lists && ask.method == "GET";
    let mut capabilities = match ask.method {
        "GET" if lists => vec!["list"],
        "GET" => vec!["read"],
        "PATCH" => vec!["patch"],
        "DELETE" => vec!["delete"],
        _ => vec!["create", "update"],
    };
    if node::needs_sudo(&ask.path, lists) {
        capabilities.push("sudo");
    }
    let capabilities = capabilities.join("\", \"");
    let path = &ask.path;
    format!("path \"{path}\" {{\n  capabilities = [\"{capabilities}\"]\n}}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;
    use serde_json::json;
    use std::time::Duration;

    fn options() -> Options {
        Options {
            address: String::from("http://127.0.0.1:8200"),
            token: Ok(Some(Secret::new(String::from("s.secret")))),
            namespace: None,
            wrap_ttl: None,
            headers: vec![],
            tls: crate::outbound::TlsOptions::default(),
            tls_server_name: None,
            redirects: true,
            retries_max: 0,
            timeout: Duration::from_secs(60),
            pace: None,
            proxies: crate::outbound::Proxies::default(),
            preview: Some(Preview::Curl),
            program: String::from("vault"),
        }
    }

    use super::super::options::Preview;

    #[test]
    fn curl_quotes_the_body_and_leaves_the_token_out() {
        let ask = Ask::put("cubbyhole/x", json!({"a": "it's", "b": "2"}));
        let headers = [(String::from("X-Vault-Request"), String::from("true"))];
        let url = "http://127.0.0.1:8200/v1/cubbyhole/x";
        assert_eq!(
            curl(&ask, &options(), &headers, url),
            "curl -X PUT -H \"X-Vault-Request: true\" -H \"X-Vault-Token: $(vault print token)\" \
             -d '{\"a\":\"it'\"'\"'s\",\"b\":\"2\"}' \"http://127.0.0.1:8200/v1/cubbyhole/x\""
        );
        assert_eq!(
            curl(
                &Ask::list("a/"),
                &options(),
                &headers,
                "http://h/v1/a?list=true"
            ),
            "curl -H \"X-Vault-Request: true\" -H \"X-Vault-Token: $(vault print token)\" \
             \"http://h/v1/a?list=true\""
        );
    }

    #[test]
    fn policies_name_the_capabilities() {
        for (ask, path, capabilities) in [
            (Ask::get("secret/data/a"), "secret/data/a", r#""read""#),
            (
                Ask::list("secret/metadata/"),
                "secret/metadata",
                r#""list""#,
            ),
            (Ask::put("a", json!({})), "a", r#""create", "update""#),
            (Ask::patch("a", json!({})), "a", r#""patch""#),
            (Ask::delete("a"), "a", r#""delete""#),
            (Ask::get("sys/audit"), "sys/audit", r#""read", "sudo""#),
            (
                Ask::post("sys/rotate", json!({})),
                "sys/rotate",
                r#""create", "update", "sudo""#,
            ),
            (
                Ask::list("auth/token/accessors"),
                "auth/token/accessors",
                r#""list", "sudo""#,
            ),
            (
                Ask::post("sys/mounts/kv", json!({})),
                "sys/mounts/kv",
                r#""create", "update""#,
            ),
        ] {
            let expected = format!("path \"{path}\" {{\n  capabilities = [{capabilities}]\n}}");
            assert_eq!(policy(&ask), expected);
        }
    }
}
