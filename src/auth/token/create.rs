//! `create`, `create-orphan`, `create/<role>`.

use super::TokenEngine;
use super::field;
use super::policies::Choice;
use super::role::{Kind, Role};
use crate::barrier::{Batch, View};
use crate::engine::{Error, Outcome, Request, Response, TokenType};
use crate::policy::ROOT;
use crate::secret::SecretString;
use crate::token::ttl::{Wish, grant};
use crate::token::{Spec, Token};
use std::sync::Arc;
use std::time::Duration;

/// Fields that the create paths know.
const FIELDS: [&str; 15] = [
    "display_name",
    "entity_alias",
    "explicit_max_ttl",
    "format",
    "id",
    "lease",
    "meta",
    "no_default_policy",
    "no_parent",
    "num_uses",
    "period",
    "policies",
    "renewable",
    "ttl",
    "type",
];
/// Most bytes of metadata.
const METADATA_BYTES_MAX: usize = 8 * 1024;
/// Longest display name in bytes.
const DISPLAY_NAME_BYTES_MAX: usize = 256;
/// Most policies of one token.
const POLICIES_MAX: usize = 256;

pub(super) fn plain(engine: &TokenEngine, request: &Request) -> Result<Outcome, Error> {
    Creation::new(engine, request, None, "")?.run(false)
}

pub(super) fn orphan(engine: &TokenEngine, request: &Request) -> Result<Outcome, Error> {
    Creation::new(engine, request, None, "")?.run(true)
}

pub(super) fn with_role(
    engine: &TokenEngine,
    request: &Request,
    view: &View,
    name: &str,
) -> Result<Outcome, Error> {
    let role = Role::load(view, name)?;
    let role = role.ok_or_else(|| Error::invalid(format!("unknown role {name}")))?;
    Creation::new(engine, request, Some(role), name)?.run(false)
}

/// One request on its way to a token.
struct Creation<'a> {
    engine: &'a TokenEngine,
    request: &'a Request,
    parent: Arc<Token>,
    role: Option<Role>,
    role_name: &'a str,
    warnings: Vec<String>,
}

/// The numbers of a token before the mount's limits.
#[derive(Default)]
struct Limits {
    ttl: Duration,
    period: Duration,
    explicit_max_ttl: Duration,
    num_uses: u64,
}

impl<'a> Creation<'a> {
    fn new(
        engine: &'a TokenEngine,
        request: &'a Request,
        role: Option<Role>,
        role_name: &'a str,
    ) -> Result<Self, Error> {
        if request.caller.is_batch {
            return Err(Error::invalid("batch tokens cannot create more tokens"));
        }
        let parent = engine.tokens.by_id(&request.caller.token_id, request.now)?;
        let Some(parent) = parent else {
            return Err(Error::invalid(
                "parent token lookup failed: no parent found",
            ));
        };
        if parent.num_uses > 0 {
            return Err(Error::invalid(
                "restricted use token cannot generate child tokens",
            ));
        }
        Ok(Self {
            engine,
            request,
            parent,
            role,
            role_name,
            warnings: Vec::new(),
        })
    }

    fn run(mut self, orphan: bool) -> Result<Outcome, Error> {
        let request = self.request;
        let token_type = self.token_type()?;
        let limits = self.limits(token_type)?;
        let text = self.custom_text(token_type)?;
        let wanted = field::list(request, "policies")?.unwrap_or_default();
        let policies = Choice {
            wanted: &wanted,
            without_default: field::flag(request, "no_default_policy")?.unwrap_or(false),
            parent: &self.parent.policies,
            sudo: self.is_privileged(),
            role: self.role.as_ref(),
        }
        .decide()?;
        if policies.len() > POLICIES_MAX {
            return Err(Error::invalid(format!(
                "a token has at most {POLICIES_MAX} policies"
            )));
        }
        let is_root = policies.iter().any(|name| name == ROOT);
        if is_root && token_type == TokenType::Batch {
            return Err(Error::invalid("batch tokens cannot be root tokens"));
        }
        let parent = if self.is_orphan(orphan)? {
            ""
        } else {
            &self.parent.id
        };
        let mut spec = Spec {
            text,
            parent: parent.to_owned(),
            path: self.path(),
            metadata: self.metadata()?,
            display_name: self.display_name()?,
            role: self.role_name.to_lowercase(),
            token_type,
            num_uses: limits.num_uses,
            period: limits.period,
            explicit_max_ttl: limits.explicit_max_ttl,
            max_ttl: request.mount.max_lease_ttl,
            renewable: self.is_renewable(token_type)?,
            bound_cidrs: self
                .role
                .as_ref()
                .map_or(Vec::new(), |r| r.bound_cidrs.clone()),
            policies,
            ..Spec::default()
        };
        self.entity(&mut spec)?;
        self.set_ttl(&mut spec, &limits, is_root)?;
        self.finish(spec)
    }

    fn is_privileged(&self) -> bool {
        self.request.caller.is_root || self.request.caller.has_sudo
    }

    fn privileged(&self, to_do: &str) -> Result<(), Error> {
        if self.is_privileged() {
            return Ok(());
        }
        Err(Error::invalid(format!(
            "root or sudo privileges required to {to_do}"
        )))
    }

    fn token_type(&self) -> Result<TokenType, Error> {
        let wanted = match field::text(self.request, "type")?.as_str() {
            "" => None,
            "service" => Some(TokenType::Service),
            "batch" => Some(TokenType::Batch),
            _ => return Err(Error::invalid("invalid 'token_type' value")),
        };
        let kind = self
            .role
            .as_ref()
            .map_or(Kind::DefaultService, |role| role.kind);
        let (fixed, usual) = match kind {
            Kind::Service => (Some(TokenType::Service), TokenType::Service),
            Kind::Batch => (Some(TokenType::Batch), TokenType::Batch),
            Kind::DefaultService => (None, TokenType::Service),
            Kind::DefaultBatch => (None, TokenType::Batch),
        };
        Ok(fixed.or(wanted).unwrap_or(usual))
    }

    fn limits(&mut self, token_type: TokenType) -> Result<Limits, Error> {
        let request = self.request;
        let batch = token_type == TokenType::Batch;
        let uses = field::count(request, "num_uses", "number of uses cannot be negative")?;
        let period = field::duration(request, "period")?.unwrap_or_default();
        let explicit = field::duration(request, "explicit_max_ttl")?.unwrap_or_default();
        let refused = [
            ("explicit_max_ttl", !explicit.is_zero()),
            ("num_uses", uses.unwrap_or(0) != 0),
            ("period", !period.is_zero()),
        ];
        if let Some((field, _)) = refused.iter().find(|(_, given)| batch && *given) {
            return Err(Error::invalid(format!(
                "batch tokens cannot have {field:?} set"
            )));
        }
        if !period.is_zero() {
            self.privileged("create periodic token")?;
        }
        let ttl = match field::duration(request, "ttl")? {
            Some(ttl) => Some(ttl),
            None => field::duration(request, "lease")?,
        };
        let mut limits = Limits {
            ttl: ttl.unwrap_or_default(),
            period,
            explicit_max_ttl: explicit,
            num_uses: uses.unwrap_or(0),
        };
        if let Some(role) = self.role.as_ref().filter(|_| !batch) {
            limits.explicit_max_ttl = lesser(
                "Explicit max TTL",
                explicit,
                role.explicit_max_ttl,
                &mut self.warnings,
            );
            limits.period = lesser("Period", period, role.period, &mut self.warnings);
            limits.num_uses = match (limits.num_uses, role.num_uses) {
                (0, uses) | (uses, 0) => uses,
                (a, b) => a.min(b),
            };
        }
        Ok(limits)
    }

    fn custom_text(&mut self, token_type: TokenType) -> Result<Option<SecretString>, Error> {
        let Some(text) = field::secret(self.request, "id")? else {
            return Ok(None);
        };
        self.privileged("specify token id")?;
        let plain = text.expose();
        if token_type == TokenType::Batch {
            return Err(Error::invalid("batch tokens cannot have a custom ID"));
        }
        if let Some(prefix) = ["hvs.", "hvb.", "hvr.", "s.", "b.", "r."]
            .into_iter()
            .find(|prefix| plain.starts_with(prefix))
        {
            return Err(Error::invalid(format!(
                "custom token ID cannot have the '{prefix}' prefix"
            )));
        }
        if plain.contains('.') {
            return Err(Error::invalid(
                "custom token ID cannot have a '.' in the value",
            ));
        }
        if plain.trim() != plain || plain.chars().any(char::is_control) {
            return Err(Error::invalid(
                "custom token ID cannot hold white space around it",
            ));
        }
        if self.engine.tokens.is_taken(&text)? {
            return Err(Error::invalid("cannot create a token with a duplicate ID"));
        }
        Ok(Some(text))
    }

    fn is_orphan(&self, orphan: bool) -> Result<bool, Error> {
        if let Some(role) = &self.role {
            return Ok(role.orphan);
        }
        if field::flag(self.request, "no_parent")?.unwrap_or(false) && !orphan {
            self.privileged("create orphan token")?;
            return Ok(true);
        }
        Ok(orphan)
    }

    fn is_renewable(&self, token_type: TokenType) -> Result<bool, Error> {
        let wanted = field::flag(self.request, "renewable")?.unwrap_or(true);
        let allowed = self.role.as_ref().is_none_or(|role| role.renewable);
        Ok(wanted && allowed && token_type == TokenType::Service)
    }

    fn path(&self) -> String {
        let suffix = self.role.as_ref().map_or("", |role| &role.path_suffix);
        let path = self.request.full_path();
        let path = path.trim_end_matches('/');
        if suffix.is_empty() {
            path.to_owned()
        } else {
            format!("{path}/{suffix}")
        }
    }

    fn metadata(&self) -> Result<std::collections::BTreeMap<String, String>, Error> {
        let metadata = field::pairs(self.request, "meta")?;
        let bytes: usize = metadata
            .iter()
            .map(|(key, value)| key.len() + value.len())
            .sum();
        if bytes > METADATA_BYTES_MAX {
            return Err(Error::invalid(format!(
                "metadata is longer than {METADATA_BYTES_MAX} bytes"
            )));
        }
        Ok(metadata)
    }

    fn display_name(&self) -> Result<String, Error> {
        let name = field::text(self.request, "display_name")?;
        if name.len() > DISPLAY_NAME_BYTES_MAX {
            return Err(Error::invalid(format!(
                "display_name is longer than {DISPLAY_NAME_BYTES_MAX} bytes"
            )));
        }
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        let name: String = name.chars().map(plain).collect();
        let name = name.trim_matches('-');
        Ok(if name.is_empty() {
            "token".to_owned()
        } else {
            format!("token-{name}")
        })
    }

    /// Entities come with the identity engine; until then no alias can be known.
    fn entity(&self, spec: &mut Spec) -> Result<(), Error> {
        let alias = field::text(self.request, "entity_alias")?;
        if alias.is_empty() {
            // A child acts for the same person as its parent; an orphan made by sudo does not.
            spec.entity_id = if spec.parent.is_empty() {
                String::new()
            } else {
                self.parent.entity_id.clone()
            };
            return Ok(());
        }
        let message = match &self.role {
            None => "'entity_alias' is only allowed in combination with token role",
            Some(_) => "invalid 'entity_alias' value",
        };
        Err(Error::invalid(message))
    }

    fn set_ttl(&mut self, spec: &mut Spec, limits: &Limits, root: bool) -> Result<(), Error> {
        let now = self.request.now;
        let endless = root && limits.ttl.is_zero() && limits.period.is_zero();
        if !endless {
            let (ttl, warnings) = grant(&Wish {
                ttl: limits.ttl,
                period: limits.period,
                explicit_max_ttl: limits.explicit_max_ttl,
                mount_default_ttl: self.request.mount.default_lease_ttl,
                mount_max_ttl: self.request.mount.max_lease_ttl,
                start: now,
                now,
                ..Wish::default()
            })?;
            spec.ttl = ttl;
            self.warnings.extend(warnings);
        } else if limits.explicit_max_ttl.is_zero() {
            if !self.parent.expire_time.is_zero() {
                return Err(Error::invalid(
                    "expiring root tokens cannot create non-expiring root tokens",
                ));
            }
            spec.renewable = false;
            spec.bound_cidrs.clear();
        } else {
            spec.ttl = limits.explicit_max_ttl;
        }
        Ok(())
    }

    fn finish(mut self, spec: Spec) -> Result<Outcome, Error> {
        for name in &spec.policies {
            if !self.engine.policies.exists(name)? {
                self.warnings
                    .push(format!("Policy {name:?} does not exist"));
            }
        }
        let mut batch = Batch::new();
        let minted = self
            .engine
            .tokens
            .create(&mut batch, spec, self.request.now)?;
        let response = Response {
            auth: Some(minted.into_auth()),
            warnings: self.warnings,
            ..Response::default()
        };
        let response = field::warn_ignored(response, self.request, &FIELDS);
        Ok(Outcome { response, batch })
    }
}

/// The lesser of what request and role say, where zero says nothing.
fn lesser(what: &str, wanted: Duration, role: Duration, warnings: &mut Vec<String>) -> Duration {
    match (wanted.is_zero(), role.is_zero()) {
        (true, _) => role,
        (_, true) => wanted,
        _ => {
            let least = wanted.min(role);
            warnings.push(format!(
                "{what} specified both during creation call and in role; \
                 using the lesser value of {} seconds",
                least.as_secs()
            ));
            least
        }
    }
}
