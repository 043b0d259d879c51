//! Finds the mount of a secret, and whether that mount keeps versions.

use serde_json::Value;

use crate::cli::call::Call;
use crate::cli::client::Ask;
use crate::cli::failure::Failure;

use super::super::trimmed;

/// A secret's place.
#[derive(Debug, PartialEq, Eq)]
pub struct SecretPath {
    /// The mount, without slashes at its ends.
    pub mount: String,
    /// The secret's path inside the mount.
    pub secret: String,
    /// True if the mount keeps versions.
    pub is_v2: bool,
}

impl SecretPath {
    /// Finds the place of the secret that the first word names, with the help of `-mount`.
    pub fn find(call: &mut Call) -> Result<Self, Failure> {
        let word = trimmed(call.word(0));
        let flag = call
            .flags
            .text("mount")
            .map(trimmed)
            .filter(|mount| !mount.is_empty());
        let asked = flag.clone().unwrap_or_else(|| word.clone());
        // This request is sent even when the verb's own is only shown: its path depends on the
        // answer.
        let ask = Ask::get(&format!("sys/internal/ui/mounts/{asked}")).unwrapped();
        let reply = call.client()?.exchange_now(&ask)?;
        if reply.status == 404 {
            return Ok(Self::from_answer(
                &Value::Null,
                &asked,
                flag.is_some(),
                &word,
            ));
        }
        let answer = reply.accepted()?.json()?;
        let data = answer.get("data").unwrap_or(&answer);
        Ok(Self::from_answer(data, &asked, flag.is_some(), &word))
    }

    fn from_answer(data: &Value, asked: &str, is_flag: bool, word: &str) -> Self {
        let mount = data.get("path").and_then(Value::as_str);
        let mount = trimmed(mount.unwrap_or(if is_flag { asked } else { "" }));
        let version = data
            .get("options")
            .and_then(|options| options.get("version"));
        let secret = match is_flag {
            true => word.to_owned(),
            false => {
                let inside = word.strip_prefix(mount.as_str()).unwrap_or(word);
                inside.trim_start_matches('/').to_owned()
            }
        };
        Self {
            mount,
            secret,
            is_v2: version.and_then(Value::as_str) == Some("2"),
        }
    }

    /// Returns the API's path: `mount/kind/secret` with versions, `mount/secret` without.
    pub fn path(&self, kind: &str) -> String {
        let kind = if self.is_v2 { kind } else { "" };
        let parts = [self.mount.as_str(), kind, self.secret.as_str()];
        let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        parts.join("/")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn places() {
        let v2 = json!({"path": "secret/", "options": {"version": "2"}});
        let v1 = json!({"path": "team/kv/", "options": null});
        for (data, asked, is_flag, word, data_path) in [
            (&v2, "secret/a/b", false, "secret/a/b", "secret/data/a/b"),
            (&v2, "secret", true, "a", "secret/data/a"),
            (&v2, "secret", false, "secret", "secret/data"),
            (
                &v2,
                "secret/data/a",
                false,
                "secret/data/a",
                "secret/data/data/a",
            ),
            (&v1, "team/kv/x", false, "team/kv/x", "team/kv/x"),
            (&v1, "team/kv", true, "x", "team/kv/x"),
            (&Value::Null, "old/x", false, "old/x", "old/x"),
        ] {
            let place = SecretPath::from_answer(data, asked, is_flag, word);
            assert_eq!(place.path("data"), data_path, "{word}");
        }
    }
}
