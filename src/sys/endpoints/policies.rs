//! The endpoints `sys/policy` (the older tree) and `sys/policies/acl`, and the capabilities of a
//! token.

use super::run::Run;
use super::system::{System, doubled};
use crate::clock::Timestamp;
use crate::engine::table::{Endpoint, Field, FieldKind, Fields, Matched, Op, Row};
use crate::engine::{Error, Outcome, Response};
use crate::policy::Draft;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use std::time::Duration;

const NAME: Field = Field::path("name", "Name of the policy.");
const POLICY: Field = Field::new("policy", FieldKind::Text, "Its rules, in HCL or JSON.");
const CAS_REQUIRED: &str = "Refuses writes without \"cas\".";
/// Fields of a policy.
const FIELDS: &[Field] = &[
    NAME,
    Field::new(
        "cas",
        FieldKind::Integer,
        "The version to replace; -1 for none.",
    ),
    Field::new("cas_required", FieldKind::Flag, CAS_REQUIRED),
    Field::new("expiration", FieldKind::Time, "When it ends."),
    POLICY.required(),
    Field::new("rules", FieldKind::Text, "").alias(POLICY.name),
    Field::new("ttl", FieldKind::Seconds, "Its life from now on."),
];

const PATHS: Field = Field::new("paths", FieldKind::CommaList, "Paths that are asked about.");
const OLD_PATHS: Field = Field::new("path", FieldKind::CommaList, "").alias("paths");
const ACCESSOR: Field = Field::new("accessor", FieldKind::Text, "The token's accessor.").required();
const TOKEN: Field = Field::new("token", FieldKind::Text, "The token.").secret();

/// Folders whose names have one spelling.
pub(in crate::sys) const FOLDED: &[&str] = &["policies/acl/", "policy/"];

/// Both trees of policies, and the capabilities of a token.
pub(super) const ROWS: &[Row<Run>] = &[
    Row {
        endpoint: Endpoint {
            pattern: "policy",
            summary: "Lists the policies.",
            ..Endpoint::USUAL
        },
        operations: &[
            (
                Op::READ,
                Run::Answer(|system, m| system.list_policies(m, true)),
            ),
            (
                Op::LIST,
                Run::Answer(|system, m| system.list_policies(m, true)),
            ),
        ],
    },
    Row {
        endpoint: Endpoint {
            pattern: "policy/+name",
            fields: FIELDS,
            summary: "A policy; lists the policies of a folder.",
            ..Endpoint::USUAL
        },
        operations: &[
            (
                Op::READ,
                Run::Answer(|system, m| system.read_policy(m, true)),
            ),
            (
                Op::LIST,
                Run::Answer(|system, m| system.list_policies(m, true)),
            ),
            (Op::WRITE, Run::Answer(System::put_policy)),
            (Op::DELETE, Run::Answer(System::delete_policy)),
        ],
    },
    Row {
        endpoint: Endpoint {
            pattern: "policies/acl",
            summary: "Lists the policies.",
            ..Endpoint::USUAL
        },
        operations: &[(
            Op::LIST,
            Run::Answer(|system, m| system.list_policies(m, false)),
        )],
    },
    Row {
        endpoint: Endpoint {
            pattern: "policies/acl/+name",
            fields: FIELDS,
            summary: "A policy; lists the policies of a folder.",
            ..Endpoint::USUAL
        },
        operations: &[
            (
                Op::READ,
                Run::Answer(|system, m| system.read_policy(m, false)),
            ),
            (
                Op::LIST,
                Run::Answer(|system, m| system.list_policies(m, false)),
            ),
            (Op::WRITE, Run::Answer(System::put_policy)),
            (Op::DELETE, Run::Answer(System::delete_policy)),
        ],
    },
    Row {
        endpoint: Endpoint {
            pattern: "capabilities",
            fields: &[OLD_PATHS, PATHS, TOKEN],
            summary: "Shows what a token may do.",
            ..Endpoint::USUAL
        },
        operations: &[(
            Op::COMPUTE,
            Run::Answer(|system, m| system.capabilities(m, &system.policies_of_token(m)?)),
        )],
    },
    Row {
        endpoint: Endpoint {
            pattern: "capabilities-self",
            fields: &[OLD_PATHS, PATHS, TOKEN],
            summary: "Shows what the caller may do.",
            ..Endpoint::USUAL
        },
        operations: &[(
            Op::COMPUTE,
            Run::Answer(|system, m| system.capabilities(m, &m.request.caller.policies)),
        )],
    },
    Row {
        endpoint: Endpoint {
            pattern: "capabilities-accessor",
            fields: &[ACCESSOR, OLD_PATHS, PATHS],
            summary: "Shows what the token with an accessor may do.",
            ..Endpoint::USUAL
        },
        operations: &[(
            Op::COMPUTE,
            Run::Answer(|system, m| system.capabilities(m, &system.policies_of_accessor(m)?)),
        )],
    },
    Row {
        endpoint: Endpoint {
            pattern: "internal/ui/resultant-acl",
            summary: "Shows every path that the caller's policies speak of.",
            ..Endpoint::USUAL
        },
        operations: &[(Op::READ, Run::Answer(System::resultant_acl))],
    },
];

fn listed(message: &str) -> Error {
    Error::invalid(format!("1 error occurred:\n\t* {message}\n\n"))
}

impl System {
    fn put_policy(&self, matched: &Matched<'_>) -> Result<Outcome, Error> {
        let mut outcome = Outcome::default();
        let now = matched.request.now;
        let draft = draft(&matched.fields, now)?;
        let name = matched.captured(NAME.name);
        self.policies.put(&mut outcome.batch, name, draft, now)?;
        Ok(outcome)
    }

    fn delete_policy(&self, matched: &Matched<'_>) -> Result<Outcome, Error> {
        let mut outcome = Outcome::default();
        self.policies
            .delete(&mut outcome.batch, matched.captured(NAME.name))?;
        Ok(outcome)
    }

    /// Lists the policies. `legacy` is the tree that says `rules` and answers twice.
    fn list_policies(&self, matched: &Matched<'_>, legacy: bool) -> Result<Outcome, Error> {
        let mut names = self.policies.list(matched.request.now)?;
        let folder = matched.captured(NAME.name).trim_end_matches('/');
        if !folder.is_empty() {
            let below = |name: &str| {
                name.strip_prefix(folder)
                    .is_some_and(|n| n.starts_with('/'))
            };
            names.retain(|name| below(name));
            if names.is_empty() {
                return Err(Error::not_found());
            }
        }
        if !legacy {
            return Ok(Response::list(names).into());
        }
        let mut data = Map::new();
        data.insert("keys".into(), json!(names));
        data.insert("policies".into(), json!(names));
        Ok(doubled(data))
    }

    fn read_policy(&self, matched: &Matched<'_>, legacy: bool) -> Result<Outcome, Error> {
        let name = matched.captured(NAME.name);
        let policy = self.policies.get(name, matched.request.now)?;
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

    fn capabilities(&self, matched: &Matched<'_>, of: &[String]) -> Result<Outcome, Error> {
        let fields = &matched.fields;
        let paths = match fields.list("paths").unwrap_or_default() {
            [] => fields.list("path").unwrap_or_default(),
            paths => paths,
        };
        if paths.is_empty() {
            return Err(Error::invalid("paths must be supplied"));
        }
        let acl = self.policies.acl_for(of, matched.request.now)?;
        let mut answer = Map::new();
        for path in paths {
            answer.insert(path.clone(), json!(acl.capabilities(path)));
        }
        if let [path] = paths {
            answer.insert("capabilities".into(), json!(acl.capabilities(path)));
        }
        Ok(doubled(answer))
    }

    fn policies_of_accessor(&self, matched: &Matched<'_>) -> Result<Vec<String>, Error> {
        let accessor = matched.fields.text("accessor").unwrap_or_default();
        if accessor.is_empty() {
            return Err(Error::invalid("missing accessor"));
        }
        let token = self.tokens.by_accessor(accessor, matched.request.now)?;
        let token = token.ok_or_else(|| listed("invalid accessor"))?;
        Ok(token.policies.clone())
    }

    fn policies_of_token(&self, matched: &Matched<'_>) -> Result<Vec<String>, Error> {
        let text = matched.fields.secret("token");
        let text = text.ok_or_else(|| listed("no token found"))?;
        let token = self.tokens.lookup(&text, matched.request.now)?;
        let token = token.ok_or_else(|| listed("invalid token"))?;
        Ok(token.policies.clone())
    }

    /// Shows every path that the caller's policies speak of, with the capabilities there.
    fn resultant_acl(&self, matched: &Matched<'_>) -> Result<Outcome, Error> {
        let request = matched.request;
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

/// Reads a policy from the fields of a write.
fn draft(fields: &Fields<'_>, now: Timestamp) -> Result<Draft, Error> {
    Ok(Draft {
        expiration: expiration(fields, now)?,
        text: policy_text(fields)?,
        cas: fields.number("cas"),
        cas_required: fields.flag("cas_required").unwrap_or(false),
    })
}

/// Reads the end of a policy: `expiration`, a time, or `ttl` from now on.
fn expiration(fields: &Fields<'_>, now: Timestamp) -> Result<Option<Timestamp>, Error> {
    match (fields.time("expiration"), fields.seconds("ttl")) {
        (Some(_), Some(_)) => Err(Error::invalid(
            "cannot supply both 'expiration' and 'ttl' for policies",
        )),
        (Some(time), None) => Ok(Some(time)),
        (None, ttl) => Ok(ttl.map(|seconds| now.plus(Duration::from_secs(seconds)))),
    }
}

/// Reads the text of a policy; some clients send it in base64.
fn policy_text(fields: &Fields<'_>) -> Result<String, Error> {
    let mut names = [POLICY.name, "rules"].into_iter();
    let text = names.find_map(|name| fields.text(name).filter(|text| !text.is_empty()));
    let missing = "'policy' parameter not supplied or empty";
    let text = text.ok_or_else(|| Error::invalid(missing))?;
    let decoded = STANDARD.decode(text.trim()).ok();
    Ok(decoded
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .unwrap_or_else(|| text.to_owned()))
}
