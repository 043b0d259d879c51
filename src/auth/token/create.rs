//! `create`, `create-orphan`, `create/<role>`.

use super::TokenEngine;
use super::policies::Choice;
use super::role::{Role, TokenKind};
use crate::barrier::Batch;
use crate::engine::table::{Field, FieldKind, Fields, Matched};
use crate::engine::{Error, Outcome, Request, Response, TokenType};
use crate::policy::ROOT;
use crate::secret::SecretString;
use crate::token::ttl::{Wish, grant};
use crate::token::{Spec, Token};
use std::sync::Arc;
use std::time::Duration;

const DISPLAY_NAME: Field = Field::new("display_name", FieldKind::Text, "What it is called.");
const ENTITY_ALIAS: Field = Field::new("entity_alias", FieldKind::Text, "Whose token it is.");
const EXPLICIT_MAX_TTL: Field = Field::new(
    "explicit_max_ttl",
    FieldKind::Lifetime,
    "Longest life, whatever happens.",
);
const ID: Field = Field::new("id", FieldKind::Text, "Its text; asks for sudo.").secret();
const LEASE: Field = Field::new("lease", FieldKind::Lifetime, "").alias("ttl");
const META: Field = Field::new(
    "meta",
    FieldKind::Pairs,
    "What is known of it, as key=value.",
);
const NO_DEFAULT_POLICY: Field = Field::new(
    "no_default_policy",
    FieldKind::Flag,
    "Leaves the default policy out.",
);
const NO_PARENT: Field = Field::new("no_parent", FieldKind::Flag, "Is it an orphan?");
const NUM_USES: Field = Field::new("num_uses", FieldKind::Integer, "Uses; zero for any number.");
const PERIOD: Field = Field::new("period", FieldKind::Lifetime, "Life after each renewal.");
const POLICIES: Field = Field::new("policies", FieldKind::Names, "Its policies.");
const RENEWABLE: Field =
    Field::new("renewable", FieldKind::Flag, "May it be renewed?").default("true");
const TTL: Field = Field::new("ttl", FieldKind::Lifetime, "Its life.");
const TYPE: Field = Field::new("type", FieldKind::Text, "service or batch.");

/// Fields of a token that is made through a role, the role's name first.
pub(super) const ROLE_FIELDS: &[Field] = &[
    Field::path("role_name", "Name of the role."),
    DISPLAY_NAME,
    ENTITY_ALIAS,
    EXPLICIT_MAX_TTL,
    ID,
    LEASE,
    META,
    NO_DEFAULT_POLICY,
    NO_PARENT,
    NUM_USES,
    PERIOD,
    POLICIES,
    RENEWABLE,
    TTL,
    TYPE,
];
/// Fields of a token.
pub(super) const FIELDS: &[Field] = ROLE_FIELDS.split_at(1).1;
/// Most bytes of metadata.
const METADATA_BYTES_MAX: usize = 8 * 1024;
/// Longest display name in bytes.
const DISPLAY_NAME_BYTES_MAX: usize = 256;
/// Most policies of one token.
const POLICIES_MAX: usize = 256;

pub(super) fn plain(engine: &TokenEngine, matched: &Matched<'_>) -> Result<Outcome, Error> {
    Creation::new(engine, matched, None, "")?.run(false)
}

pub(super) fn orphan(engine: &TokenEngine, matched: &Matched<'_>) -> Result<Outcome, Error> {
    Creation::new(engine, matched, None, "")?.run(true)
}

pub(super) fn with_role(engine: &TokenEngine, matched: &Matched<'_>) -> Result<Outcome, Error> {
    let name = matched.captured("role_name");
    let unknown = || Error::invalid(format!("unknown role {name}"));
    let slot = Role::slot(matched.request, matched.view, name)?;
    let slot = slot.ok_or_else(unknown)?;
    let role = Role::held(&slot)?.ok_or_else(unknown)?;
    let mut expected = Batch::new();
    expected.keep(&slot);
    let mut outcome = Creation::new(engine, matched, Some(role), name)?.run(false)?;
    outcome.batch.append(expected);
    Ok(outcome)
}

/// One request on its way to a token.
struct Creation<'a> {
    engine: &'a TokenEngine,
    request: &'a Request,
    fields: &'a Fields<'a>,
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
        matched: &'a Matched<'a>,
        role: Option<Role>,
        role_name: &'a str,
    ) -> Result<Self, Error> {
        let request = matched.request;
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
            fields: &matched.fields,
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
        let wanted = self.fields.list("policies").unwrap_or_default();
        let policies = Choice {
            wanted,
            without_default: self.fields.flag("no_default_policy").unwrap_or(false),
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
            role: self.role_name.to_owned(),
            token_type,
            num_uses: limits.num_uses,
            period: limits.period,
            explicit_max_ttl: limits.explicit_max_ttl,
            max_ttl: request.mount.max_lease_ttl,
            renewable: self.is_renewable(token_type),
            bound_cidrs: self.bound_cidrs(parent),
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
        let wanted = match self.fields.text("type").unwrap_or_default() {
            "" => None,
            "service" => Some(TokenType::Service),
            "batch" => Some(TokenType::Batch),
            _ => return Err(Error::invalid("invalid 'token_type' value")),
        };
        let kind = self
            .role
            .as_ref()
            .map_or(TokenKind::DefaultService, |role| role.kind);
        let (fixed, usual) = match kind {
            TokenKind::Service => (Some(TokenType::Service), TokenType::Service),
            TokenKind::Batch => (Some(TokenType::Batch), TokenType::Batch),
            TokenKind::DefaultService => (None, TokenType::Service),
            TokenKind::DefaultBatch => (None, TokenType::Batch),
        };
        Ok(fixed.or(wanted).unwrap_or(usual))
    }

    fn limits(&mut self, token_type: TokenType) -> Result<Limits, Error> {
        let fields = self.fields;
        let batch = token_type == TokenType::Batch;
        let uses = fields.integer("num_uses").map(u64::try_from).transpose();
        let uses = uses.map_err(|_| Error::invalid("number of uses cannot be negative"))?;
        let life = |name| fields.seconds(name).map(Duration::from_secs);
        let period = life("period").unwrap_or_default();
        let explicit = life("explicit_max_ttl").unwrap_or_default();
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
        let ttl = life("ttl").or(life("lease"));
        let mut limits = Limits {
            ttl: ttl.unwrap_or_default(),
            period,
            explicit_max_ttl: explicit,
            num_uses: uses.unwrap_or(0),
        };
        if let Some(role) = &self.role {
            refuse_for_batch(role, batch)?;
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
        let Some(text) = self.fields.secret("id") else {
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
        if self.fields.flag("no_parent").unwrap_or(false) && !orphan {
            self.privileged("create orphan token")?;
            return Ok(true);
        }
        Ok(orphan)
    }

    fn is_renewable(&self, token_type: TokenType) -> bool {
        let wanted = self.fields.flag("renewable").unwrap_or(true);
        let allowed = self.role.as_ref().is_none_or(|role| role.renewable);
        wanted && allowed && token_type == TokenType::Service
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
        let metadata = self.fields.pairs("meta").cloned().unwrap_or_default();
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
        let name = self.fields.text("display_name").unwrap_or_default();
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

    /// Returns the addresses that may use the token: the role's own, else those of the parent that
    /// it dies with. As in Vault, a role without bounds frees from the parent's, and so does the
    /// right to make orphans.
    fn bound_cidrs(&self, parent: &str) -> Vec<String> {
        match &self.role {
            Some(role) => role.bound_cidrs.clone(),
            None if parent.is_empty() => Vec::new(),
            None => self.parent.bound_cidrs.clone(),
        }
    }

    /// Sets the entity: the parent's, or none for an orphan. Refuses every alias: entities come
    /// with the identity engine, and until then no alias can be known.
    fn entity(&self, spec: &mut Spec) -> Result<(), Error> {
        let alias = self.fields.text("entity_alias").unwrap_or_default();
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
            // A period replaces the life that was asked for, as in Vault, but does not prolong it.
            spec.ttl = match limits.ttl.is_zero() {
                true => ttl,
                false => ttl.min(limits.ttl),
            };
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
            if !self.engine.policies.exists(name, self.request.now)? {
                self.warnings
                    .push(format!("Policy {name:?} does not exist"));
            }
        }
        if self.role.as_ref().is_some_and(Role::may_lack_names) {
            self.warnings.push(Role::LACKS_NAMES.to_owned());
        }
        let mut batch = Batch::new();
        let tokens = &self.engine.tokens;
        if spec.parent.is_empty() {
            // It outlives its maker, so its maker must still be there when it is made.
            tokens.expect(&mut batch, &self.parent);
        }
        let minted = tokens.create(&mut batch, spec, self.request.now)?;
        let response = Response {
            auth: Some(minted.into_auth()),
            warnings: self.warnings,
            ..Response::default()
        };
        Ok(Outcome { response, batch })
    }
}

/// Refuses a batch token from a role with a number of uses or a period, because the token keeps no
/// count and is never renewed. The role's `token_explicit_max_ttl` is the longest life that it
/// gives one.
fn refuse_for_batch(role: &Role, batch: bool) -> Result<(), Error> {
    let refused = [
        ("token_num_uses", role.num_uses != 0),
        ("token_period", !role.period.is_zero()),
    ];
    match refused.iter().find(|(_, set)| batch && *set) {
        None => Ok(()),
        Some((field, _)) => Err(Error::invalid(format!(
            "the role has {field:?} set, which batch tokens cannot have"
        ))),
    }
}

/// Returns the lesser of the limits of request and role, where zero sets none. Warns where both set
/// one.
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

#[cfg(test)]
mod tests {
    use super::super::harness::Bench;
    use super::*;
    use crate::engine::Operation;
    use serde_json::json;

    #[tokio::test]
    async fn root_makes_root_unless_told_otherwise() {
        let bench = Bench::new();
        let root = bench.root().await;
        let (_, auth) = bench.create(&root, "create", json!({})).await;
        assert_eq!(auth.policies, ["root"]);
        assert!(auth.ttl.is_zero() && !auth.renewable && !auth.orphan);
        let (_, auth) = bench
            .create(
                &root,
                "create",
                json!({"policies": ["B", "a"], "ttl": "1h"}),
            )
            .await;
        assert_eq!(auth.policies, ["a", "b", "default"]);
        assert_eq!(auth.ttl, Duration::from_secs(3600));
        assert!(auth.renewable);
    }

    #[tokio::test]
    async fn warnings_come_as_from_vault() {
        let bench = Bench::new();
        let root = bench.root().await;
        let data = json!({"policies": ["nope"], "ttl": "1000000h", "foo": 1, "bar": 2});
        let response = bench.write(&root, "create", data).await.expect("creates");
        assert_eq!(
            response.warnings,
            [
                "TTL of \"1000000h\" exceeded the effective max_ttl of \"768h\"; \
                 TTL value is capped accordingly",
                "Policy \"nope\" does not exist",
                "Endpoint ignored these unrecognized parameters: [bar foo]",
            ]
        );
    }

    #[tokio::test]
    async fn without_sudo_a_child_is_no_more_than_its_parent() {
        let bench = Bench::new();
        let root = bench.root().await;
        let (dev, _) = bench
            .create(&root, "create", json!({"policies": ["dev"]}))
            .await;
        for (data, message) in [
            (
                json!({"no_parent": true}),
                "root or sudo privileges required to create orphan token",
            ),
            (
                json!({"period": "1h"}),
                "root or sudo privileges required to create periodic token",
            ),
            (
                json!({"id": "foo"}),
                "root or sudo privileges required to specify token id",
            ),
            (
                json!({"policies": ["a"]}),
                "child policies must be subset of parent",
            ),
            (
                json!({"policies": ["root"]}),
                "child policies must be subset of parent",
            ),
            (
                json!({"policies": [" Root"]}),
                "child policies must be subset of parent",
            ),
        ] {
            assert_eq!(
                bench.refusal(&dev, "create", data.clone()).await,
                message,
                "{data}"
            );
        }
        let (_, auth) = bench.create(&dev, "create", json!({})).await;
        assert_eq!(auth.policies, ["default", "dev"]);
        let only = json!({"policies": ["dev"], "no_default_policy": true});
        assert_eq!(bench.create(&dev, "create", only).await.1.policies, ["dev"]);
        let (_, auth) = bench.create(&dev, "create-orphan", json!({})).await;
        assert!(auth.orphan);
    }

    #[tokio::test]
    async fn cve_2024_9180_sudo_alone_attaches_no_root() {
        let bench = Bench::new();
        let root = bench.root().await;
        let (admin, _) = bench
            .create(&root, "create", json!({"policies": ["admin"]}))
            .await;
        for name in ["root", "Root", " root", "root "] {
            let data = json!({"policies": [name]});
            let refused = bench
                .ask(&admin, Operation::Update, "create", data, true)
                .await;
            let error = refused.expect_err("must be refused");
            assert_eq!(
                error.messages,
                ["root tokens may not be created without parent token being root"],
                "{name:?}"
            );
            let role = json!({"allowed_policies": name});
            bench.write(&root, "roles/r", role).await.expect("writes");
            let through = bench
                .ask(&admin, Operation::Update, "create/r", json!({}), true)
                .await;
            assert!(through.is_err(), "{name:?}");
        }
        let wrapping = json!({"policies": ["response-wrapping"]});
        assert_eq!(
            bench.refusal(&root, "create", wrapping).await,
            "cannot assign policy \"response-wrapping\""
        );
    }

    #[tokio::test]
    async fn wrong_fields_are_named() {
        let bench = Bench::new();
        let root = bench.root().await;
        for (data, message) in [
            (json!({"ttl": "bogus"}), "time: invalid duration \"bogus\""),
            (json!({"ttl": "-1h"}), "ttl must be positive"),
            (json!({"num_uses": -1}), "number of uses cannot be negative"),
            (json!({"type": "zz"}), "invalid 'token_type' value"),
            (
                json!({"type": "batch"}),
                "batch tokens cannot be root tokens",
            ),
            (
                json!({"type": "batch", "num_uses": 3}),
                "batch tokens cannot have \"num_uses\" set",
            ),
            (
                json!({"type": "batch", "period": "1h"}),
                "batch tokens cannot have \"period\" set",
            ),
            (
                json!({"id": "a.b"}),
                "custom token ID cannot have a '.' in the value",
            ),
            (
                json!({"id": "hvs.b"}),
                "custom token ID cannot have the 'hvs.' prefix",
            ),
            (
                json!({"entity_alias": "x"}),
                "'entity_alias' is only allowed in combination with token role",
            ),
        ] {
            assert_eq!(
                bench.refusal(&root, "create", data.clone()).await,
                message,
                "{data}"
            );
        }
        assert_eq!(
            bench.refusal(&root, "create/norole", json!({})).await,
            "unknown role norole"
        );
    }

    #[tokio::test]
    async fn what_is_limited_makes_nothing() {
        let bench = Bench::new();
        let root = bench.root().await;
        let data = json!({"policies": ["a"], "num_uses": 3});
        let (limited, _) = bench.create(&root, "create", data).await;
        assert_eq!(
            bench.refusal(&limited, "create", json!({})).await,
            "restricted use token cannot generate child tokens"
        );
        let data = json!({"policies": ["a"], "type": "batch"});
        let (batch, auth) = bench.create(&root, "create", data).await;
        assert!(auth.accessor.is_empty() && batch.starts_with("hvb."));
        assert_eq!(
            bench.refusal(&batch, "create", json!({})).await,
            "batch tokens cannot create more tokens"
        );
        let (ending, _) = bench.create(&root, "create", json!({"ttl": "1h"})).await;
        assert_eq!(
            bench.refusal(&ending, "create", json!({})).await,
            "expiring root tokens cannot create non-expiring root tokens"
        );
    }

    #[tokio::test]
    async fn roles_shape_their_tokens() {
        let bench = Bench::new();
        let root = bench.root().await;
        let role = json!({"token_period": "1h", "token_explicit_max_ttl": "3h",
            "token_num_uses": 4, "orphan": true, "path_suffix": "suffix",
            "token_bound_cidrs": "10.0.0.0/8"});
        bench.write(&root, "roles/r", role).await.expect("writes");
        let data = json!({"policies": ["a"], "period": "30m", "explicit_max_ttl": "9h",
            "num_uses": 20});
        let response = bench.write(&root, "create/r", data).await.expect("creates");
        assert_eq!(
            response.warnings,
            [
                "Explicit max TTL specified both during creation call and in role; \
                 using the lesser value of 10800 seconds",
                "Period specified both during creation call and in role; \
                 using the lesser value of 1800 seconds",
                "Policy \"a\" does not exist",
            ]
        );
        let auth = response.auth.expect("auth");
        assert_eq!(auth.num_uses, 4);
        assert!(auth.orphan);
        let text = auth.client_token.expect("a token").expose().clone();
        let data = bench.lookup(&text).await;
        assert_eq!(data["path"], "auth/token/create/r/suffix");
        assert_eq!(data["role"], "r");
        assert_eq!(data["period"], 1800);
        assert_eq!(data["bound_cidrs"], json!(["10.0.0.0/8"]));
    }

    #[tokio::test]
    async fn a_role_forbids_each_of_its_names_whoever_asks() {
        let bench = Bench::new();
        let root = bench.root().await;
        let role = json!({"disallowed_policies": ["admin", "root"]});
        bench.write(&root, "roles/r", role).await.expect("writes");
        for wanted in [
            json!(["admin"]),
            json!(["Root"]),
            json!(["x", "admin"]),
            json!(["admin", "root"]),
            json!([]),
        ] {
            let data = json!({"policies": wanted});
            let refusal = bench.refusal(&root, "create/r", data).await;
            assert!(refusal.ends_with("is disallowed by this role"), "{wanted}");
        }
        let (_, auth) = bench
            .create(&root, "create/r", json!({"policies": ["x"]}))
            .await;
        assert_eq!(auth.policies, ["default", "x"]);
        let role = json!({"disallowed_policies": ["admin"]});
        bench.write(&root, "roles/r", role).await.expect("writes");
        let both = json!({"policies": ["admin", "root"]});
        let refusal = bench.refusal(&root, "create/r", both).await;
        assert_eq!(refusal, "token policy \"admin\" is disallowed by this role");
        let (_, auth) = bench
            .create(&root, "create/r", json!({"policies": ["root"]}))
            .await;
        assert_eq!(auth.policies, ["root"]);
    }

    #[tokio::test]
    async fn default_is_left_out_wherever_it_comes_from() {
        let bench = Bench::new();
        let root = bench.root().await;
        let data = json!({"policies": ["dev"]});
        let (dev, _) = bench.create(&root, "create", data).await;
        for (role, lists) in [
            ("plain", json!({"token_no_default_policy": true})),
            (
                "listed",
                json!({"token_no_default_policy": true, "disallowed_policies": ["x"]}),
            ),
            ("with", json!({})),
        ] {
            bench
                .write(&root, &format!("roles/{role}"), lists)
                .await
                .expect("writes");
        }
        for wanted in [json!([]), json!(["dev"]), json!(["default", "dev"])] {
            for (path, without) in [
                ("create", true),
                ("create/plain", false),
                ("create/listed", false),
            ] {
                let data = json!({"policies": wanted, "no_default_policy": without});
                let (_, auth) = bench.create(&dev, path, data).await;
                assert_eq!(auth.policies, ["dev"], "{path} {wanted}");
            }
            for path in ["create", "create/with"] {
                let data = json!({"policies": wanted});
                let (_, auth) = bench.create(&dev, path, data).await;
                assert_eq!(auth.policies, ["default", "dev"], "{path} {wanted}");
            }
        }
    }

    #[tokio::test]
    async fn a_batch_token_takes_over_what_its_role_limits_or_is_not_made() {
        let bench = Bench::new();
        let root = bench.root().await;
        for (field, value) in [("token_num_uses", json!(3)), ("token_period", json!("1h"))] {
            let role = json!({"token_type": "default-batch", field: value});
            bench.write(&root, "roles/r", role).await.expect("writes");
            let data = json!({"policies": ["a"]});
            assert_eq!(
                bench.refusal(&root, "create/r", data).await,
                format!("the role has {field:?} set, which batch tokens cannot have")
            );
            let data = json!({"policies": ["a"], "type": "service"});
            bench.create(&root, "create/r", data).await;
            let none = json!({field: 0});
            bench.write(&root, "roles/r", none).await.expect("writes");
            bench
                .create(&root, "create/r", json!({"policies": ["a"]}))
                .await;
        }
        let role = json!({"token_type": "default-batch", "token_explicit_max_ttl": "1h"});
        bench.write(&root, "roles/r", role).await.expect("writes");
        let (text, auth) = bench
            .create(&root, "create/r", json!({"policies": ["a"]}))
            .await;
        assert_eq!(auth.ttl, Duration::from_secs(3600));
        assert!(text.starts_with("hvb."));
    }

    #[tokio::test]
    async fn a_period_does_not_prolong_the_life_that_was_asked_for() {
        let bench = Bench::new();
        let root = bench.root().await;
        for (ttl, granted_s) in [("5m", 300), ("9h", 3600)] {
            let data = json!({"policies": ["a"], "ttl": ttl, "period": "1h"});
            let (text, auth) = bench.create(&root, "create", data).await;
            assert_eq!(auth.ttl, Duration::from_secs(granted_s));
            let renewed = bench.write(&text, "renew-self", json!({})).await;
            let renewed = renewed.expect("renews").auth.expect("auth");
            assert_eq!(renewed.ttl, Duration::from_secs(3600));
        }
    }

    #[tokio::test]
    async fn roles_with_lists_decide_the_policies() {
        let bench = Bench::new();
        let root = bench.root().await;
        let (dev, _) = bench
            .create(&root, "create", json!({"policies": ["dev"]}))
            .await;
        let role = json!({"allowed_policies": "A,b", "allowed_policies_glob": ["x*"],
            "disallowed_policies_glob": "xy*"});
        bench.write(&root, "roles/r", role).await.expect("writes");
        for (wanted, policies) in [
            (json!([]), vec!["a", "b", "default"]),
            (json!(["b"]), vec!["b", "default"]),
            (json!(["x1"]), vec!["default", "x1"]),
        ] {
            let data = json!({"policies": wanted});
            assert_eq!(
                bench.create(&dev, "create/r", data).await.1.policies,
                policies
            );
        }
        assert_eq!(
            bench
                .refusal(&dev, "create/r", json!({"policies": ["zz"]}))
                .await,
            "token policies ([\"default\" \"zz\"]) must be subset of the role's allowed policies \
             ([\"a\" \"b\" \"default\"]) or glob policies ([\"x*\"])"
        );
        assert_eq!(
            bench
                .refusal(&dev, "create/r", json!({"policies": ["xyz"]}))
                .await,
            "token policy \"xyz\" is disallowed by this role"
        );
    }
}
