//! `sys/policy` (as it was) and `sys/policies/acl`, and what a token may do.

use super::field;
use super::system::{System, doubled, expect_update, is_update};
use crate::clock::{Timestamp, parse_instant};
use crate::engine::kv::{Fields, VALIDATION};
use crate::engine::{Error, Operation, Outcome, Request, Response};
use crate::policy::Draft;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use std::time::Duration;

impl System {
    /// Both trees; `legacy` is the one that says `rules` and answers twice.
    pub(super) fn policy(
        &self,
        request: &Request,
        name: &str,
        legacy: bool,
    ) -> Result<Outcome, Error> {
        if name.is_empty() {
            return self.list_policies(request, legacy);
        }
        let mut outcome = Outcome::default();
        match request.operation {
            Operation::Read => return self.read_policy(name, legacy, request.now),
            Operation::Delete => self.policies.delete(&mut outcome.batch, name)?,
            _ if is_update(request) => {
                let draft = draft(request)?;
                self.policies
                    .put(&mut outcome.batch, name, draft, request.now)?;
            }
            _ => return Err(Error::unsupported_operation()),
        }
        Ok(outcome)
    }

    fn list_policies(&self, request: &Request, legacy: bool) -> Result<Outcome, Error> {
        let listed = request.operation == Operation::List;
        if !(listed || legacy && request.operation == Operation::Read) {
            return Err(Error::unsupported_operation());
        }
        let names = self.policies.list(request.now)?;
        if !legacy {
            return Ok(Response::list(names).into());
        }
        let mut data = Map::new();
        data.insert("keys".into(), json!(names));
        data.insert("policies".into(), json!(names));
        Ok(doubled(data))
    }

    fn read_policy(&self, name: &str, legacy: bool, now: Timestamp) -> Result<Outcome, Error> {
        let policy = self.policies.get(name, now)?;
        let policy = policy.ok_or_else(Error::not_found)?;
        let mut data = Map::new();
        data.insert("name".into(), json!(policy.name));
        let text = if legacy { "rules" } else { "policy" };
        data.insert(text.into(), json!(policy.text));
        data.insert("version".into(), json!(policy.version));
        data.insert("cas_required".into(), json!(policy.cas_required));
        if !policy.modified.is_zero() {
            data.insert("modified".into(), json!(policy.modified.rfc3339()));
        }
        if let Some(expiration) = policy.expiration {
            data.insert("expiration".into(), json!(expiration.rfc3339()));
        }
        match legacy {
            true => Ok(doubled(data)),
            false => Ok(Response::data(data).into()),
        }
    }

    /// `sys/capabilities`, `-self`, `-accessor`.
    pub(super) fn capabilities(&self, request: &Request, which: &str) -> Result<Outcome, Error> {
        expect_update(request)?;
        let data = &request.data;
        let paths = match field::list(data, "paths")? {
            Some(paths) if !paths.is_empty() => paths,
            _ => field::list(data, "path")?.unwrap_or_default(),
        };
        if paths.is_empty() {
            return Err(Error::invalid("paths must be supplied"));
        }
        let policies = self.policies_of(request, which)?;
        let acl = self.policies.acl_for(&policies, request.now)?;
        let mut answer = Map::new();
        for path in &paths {
            answer.insert(path.clone(), json!(acl.capabilities(path)));
        }
        if let [path] = paths.as_slice() {
            answer.insert("capabilities".into(), json!(acl.capabilities(path)));
        }
        Ok(doubled(answer))
    }

    fn policies_of(&self, request: &Request, which: &str) -> Result<Vec<String>, Error> {
        let listed =
            |message: &str| Error::invalid(format!("1 error occurred:\n\t* {message}\n\n"));
        let found = match which {
            "capabilities-self" => return Ok(request.caller.policies.clone()),
            "capabilities-accessor" => {
                let accessor = field::text(&request.data, "accessor")?.unwrap_or_default();
                if accessor.is_empty() {
                    return Err(Error::invalid("missing accessor"));
                }
                let token = self.tokens.by_accessor(&accessor, request.now)?;
                token.ok_or_else(|| listed("invalid accessor"))?
            }
            _ => {
                let text = field::text(&request.data, "token")?.unwrap_or_default();
                if text.is_empty() {
                    return Err(listed("no token found"));
                }
                let text = crate::secret::Secret::new(text);
                let token = self.tokens.lookup(&text, request.now)?;
                token.ok_or_else(|| listed("invalid token"))?
            }
        };
        Ok(found.policies.clone())
    }

    /// `sys/internal/ui/resultant-acl`: every path that the caller's policies speak of.
    pub(super) fn resultant_acl(&self, request: &Request) -> Result<Outcome, Error> {
        let caller = &request.caller;
        let mut data = Map::new();
        data.insert("root".into(), json!(caller.is_root));
        if caller.is_root {
            return Ok(Response::data(data).into());
        }
        let acl = self.policies.acl_for(&caller.policies, request.now)?;
        let (mut exact, mut globs) = (Map::new(), Map::new());
        for policy in self.policies.load(&caller.policies, request.now)? {
            for rule in policy
                .rules()
                .iter()
                .filter(|rule| !rule.path.contains("{{") && rule.counts(request.now))
            {
                let (paths, path) = match rule.path.strip_suffix('*') {
                    Some(prefix) => (&mut globs, prefix),
                    None => (&mut exact, rule.path.as_str()),
                };
                let capabilities = acl.capabilities(path);
                paths.insert(path.to_owned(), json!({"capabilities": capabilities}));
            }
        }
        data.insert("exact_paths".into(), Value::Object(exact));
        data.insert("glob_paths".into(), Value::Object(globs));
        Ok(Response::data(data).into())
    }
}

/// What a write says.
fn draft(request: &Request) -> Result<Draft, Error> {
    let fields = Fields::of(request, VALIDATION);
    let cas_required = fields.bool("cas_required")?.unwrap_or(false);
    Ok(Draft {
        expiration: expiration(request)?,
        text: policy_text(request)?,
        cas: fields.int("cas")?,
        cas_required,
    })
}

/// `expiration`, a time, or `ttl` from now on.
fn expiration(request: &Request) -> Result<Option<Timestamp>, Error> {
    let sent = |name: &str| request.data.get(name).filter(|value| !value.is_null());
    match (sent("expiration"), sent("ttl")) {
        (Some(_), Some(_)) => Err(Error::invalid(
            "cannot supply both 'expiration' and 'ttl' for policies",
        )),
        (Some(_), None) => {
            let text = request.text("expiration").unwrap_or_default();
            let unclear = "error converting input for field \"expiration\": \
                           could not parse string as date and time";
            let parsed = parse_instant(&text);
            let parsed = parsed.ok_or_else(|| Error::invalid(format!("{VALIDATION}{unclear}")));
            parsed.map(Some)
        }
        (None, Some(_)) => {
            let seconds = Fields::of(request, VALIDATION).seconds_from_zero("ttl")?;
            let ttl = Duration::from_secs(seconds.unwrap_or(0));
            Ok(Some(request.now.plus(ttl)))
        }
        (None, None) => Ok(None),
    }
}

/// The text, or its base64 as some clients send it.
fn policy_text(request: &Request) -> Result<String, Error> {
    let mut text = field::text(&request.data, "policy")?.unwrap_or_default();
    if text.is_empty() {
        text = field::text(&request.data, "rules")?.unwrap_or_default();
    }
    if text.is_empty() {
        return Err(Error::invalid("'policy' parameter not supplied or empty"));
    }
    let decoded = STANDARD.decode(text.trim()).ok();
    Ok(decoded
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .unwrap_or(text))
}
