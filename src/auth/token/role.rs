//! A role: settings for the tokens made through `create/<role>`.

use crate::barrier::{BarrierError, Batch, Codec, Slot, View};
use crate::engine::table::{Field, FieldKind, Fields};
use crate::engine::{Error, Request};
use crate::policy::{self, ROOT};
use crate::secret::Secret;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::time::Duration;

/// Longest name or suffix in bytes.
const NAME_BYTES_MAX: usize = 256;
/// Most entries of one list.
const LIST_MAX: usize = 512;

const ALIASES: &str = "Entity aliases that tokens may be made for; with globs.";

/// Fields of a role.
pub(super) const FIELDS: &[Field] = &[
    Field::path("role_name", "Name of the role."),
    Field::new("allowed_entity_aliases", FieldKind::CommaNames, ALIASES),
    Field::new(
        "allowed_policies",
        FieldKind::CommaNames,
        "Policies that tokens may have.",
    ),
    Field::new(
        "allowed_policies_glob",
        FieldKind::CommaNames,
        "The same, with globs.",
    ),
    Field::new("bound_cidrs", FieldKind::Networks, "").alias("token_bound_cidrs"),
    Field::new(
        "disallowed_policies",
        FieldKind::CommaNames,
        "Policies that no token gets.",
    ),
    Field::new(
        "disallowed_policies_glob",
        FieldKind::CommaNames,
        "The same, with globs.",
    ),
    Field::new("explicit_max_ttl", FieldKind::Seconds, "").alias("token_explicit_max_ttl"),
    Field::new("orphan", FieldKind::Flag, "Are tokens without a parent?"),
    Field::new(
        "path_suffix",
        FieldKind::Text,
        "What the path of tokens ends in.",
    ),
    Field::new("period", FieldKind::Seconds, "").alias("token_period"),
    Field::new("renewable", FieldKind::Flag, "May tokens be renewed?").default("true"),
    Field::new(
        "token_bound_cidrs",
        FieldKind::Networks,
        "Addresses that may use tokens.",
    ),
    Field::new(
        "token_explicit_max_ttl",
        FieldKind::Seconds,
        "Longest life, whatever happens.",
    ),
    Field::new(
        "token_no_default_policy",
        FieldKind::Flag,
        "Leaves the default policy out.",
    ),
    Field::new(
        "token_num_uses",
        FieldKind::Integer,
        "Uses of a token; zero for any number.",
    ),
    Field::new(
        "token_period",
        FieldKind::Seconds,
        "Life after each renewal.",
    ),
    Field::new(
        "token_type",
        FieldKind::Text,
        "service, batch, default-service, default-batch.",
    ),
];

/// The kind of token that a role makes, always or unless the request names another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum TokenKind {
    /// Service, unless the request says batch.
    #[default]
    DefaultService,
    /// Batch, unless the request says service.
    DefaultBatch,
    /// Always service.
    Service,
    /// Always batch.
    Batch,
}

impl TokenKind {
    fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "" | "default" | "default-service" => Self::DefaultService,
            "default-batch" => Self::DefaultBatch,
            "service" => Self::Service,
            "batch" => Self::Batch,
            _ => return None,
        })
    }

    fn name(self) -> &'static str {
        match self {
            Self::DefaultService => "default-service",
            Self::DefaultBatch => "default-batch",
            Self::Service => "service",
            Self::Batch => "batch",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Role {
    pub allowed_policies: Vec<String>,
    pub allowed_policies_glob: Vec<String>,
    pub disallowed_policies: Vec<String>,
    pub disallowed_policies_glob: Vec<String>,
    pub allowed_entity_aliases: Vec<String>,
    pub bound_cidrs: Vec<String>,
    /// True when the field's old name set it; it is shown under both.
    pub old_bound_cidrs: bool,
    pub orphan: bool,
    pub renewable: bool,
    pub no_default_policy: bool,
    pub path_suffix: String,
    pub kind: TokenKind,
    pub num_uses: u64,
    pub period: Duration,
    pub old_period: bool,
    pub explicit_max_ttl: Duration,
    pub old_explicit_max_ttl: bool,
    /// True when the lists are as they were given. See [`AS_GIVEN`].
    #[serde(skip)]
    pub as_given: bool,
}

impl Default for Role {
    fn default() -> Self {
        Self {
            allowed_policies: Vec::new(),
            allowed_policies_glob: Vec::new(),
            disallowed_policies: Vec::new(),
            disallowed_policies_glob: Vec::new(),
            allowed_entity_aliases: Vec::new(),
            bound_cidrs: Vec::new(),
            old_bound_cidrs: false,
            orphan: false,
            renewable: true,
            no_default_policy: false,
            path_suffix: String::new(),
            kind: TokenKind::default(),
            num_uses: 0,
            period: Duration::ZERO,
            old_period: false,
            explicit_max_ttl: Duration::ZERO,
            old_explicit_max_ttl: false,
            as_given: true,
        }
    }
}

/// The stored form; the variant is the version.
#[derive(Serialize, Deserialize)]
enum Stored {
    V1(Box<Role>),
}

/// The record as text, with its lists as they were given.
pub(super) const CODEC: Codec = Codec::new(show, take);

fn show(bytes: &[u8]) -> Option<String> {
    let (role, rest) = postcard::take_from_bytes::<Stored>(bytes).ok()?;
    (rest == [AS_GIVEN]).then(|| serde_json::to_string(&role).ok())?
}

fn take(text: &str) -> Result<Vec<u8>, String> {
    let role: Stored = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let mut bytes = postcard::to_stdvec(&role).map_err(|error| error.to_string())?;
    bytes.push(AS_GIVEN);
    Ok(bytes)
}

/// The byte behind a record whose lists are as they were given. Versions before it kept
/// `["root"]` for every list with `root` in it, and read past the byte.
const AS_GIVEN: u8 = 1;

impl Role {
    /// The warning about a role that [`Role::may_lack_names`].
    pub const LACKS_NAMES: &str = "the role's disallowed_policies were stored as [\"root\"] by \
         a version that forgot the other names: until they are written again, it gives no policy \
         that the parent lacks, except to root and sudo";

    /// Returns the place of the role `name`; `None` for a name that no role can have. Case matters:
    /// a name has one spelling, so that a policy's deny of `create/admin` cannot be got around
    /// (CVE-2026-89322).
    pub fn slot(request: &Request, view: &View, name: &str) -> Result<Option<Slot>, Error> {
        match record_path(name) {
            Some(path) => Ok(Some(request.slot(view, &path)?)),
            None => Ok(None),
        }
    }

    /// Reads the role in a slot.
    pub fn held(slot: &Slot) -> Result<Option<Self>, Error> {
        let Some(value) = slot.value() else {
            return Ok(None);
        };
        let (Stored::V1(mut role), rest) = postcard::take_from_bytes(value.expose())
            .map_err(|_| BarrierError::Decode("token role"))?;
        role.as_given = rest.first() == Some(&AS_GIVEN);
        Ok(Some(*role))
    }

    /// Adds "write this role in place of what was read" to `batch`.
    pub fn store(self, batch: &mut Batch, slot: &Slot) -> Result<(), Error> {
        let as_given = !self.may_lack_names();
        let mut bytes = postcard::to_stdvec(&Stored::V1(Box::new(self)))
            .map_err(|_| BarrierError::Decode("outgoing"))?;
        if as_given {
            bytes.push(AS_GIVEN);
        }
        batch.replace(slot, Secret::new(bytes));
        Ok(())
    }

    /// Returns true when names may have been lost from `disallowed_policies`; nothing tells which.
    pub fn may_lack_names(&self) -> bool {
        !self.as_given && self.disallowed_policies == [ROOT]
    }

    /// Takes over the settings that the fields give; the others stay.
    pub fn update(&mut self, fields: &Fields<'_>) -> Result<(), Error> {
        let policies = |name| -> Result<_, Error> {
            let names = bounded(name, fields.list(name))?;
            Ok(names.map(|names| policy::normalize_list(names, false)))
        };
        set(&mut self.allowed_policies, policies("allowed_policies")?);
        if let Some(names) = policies("disallowed_policies")? {
            self.disallowed_policies = names;
            self.as_given = true;
        }
        let globs = |name| -> Result<_, Error> {
            let names = bounded(name, fields.list(name))?;
            Ok(names.map(|names| names.iter().map(|n| n.to_lowercase()).collect()))
        };
        for (name, list) in [
            ("allowed_policies_glob", &mut self.allowed_policies_glob),
            (
                "disallowed_policies_glob",
                &mut self.disallowed_policies_glob,
            ),
            ("allowed_entity_aliases", &mut self.allowed_entity_aliases),
        ] {
            set(list, globs(name)?);
        }
        set(&mut self.orphan, fields.flag("orphan"));
        set(&mut self.renewable, fields.flag("renewable"));
        set(
            &mut self.no_default_policy,
            fields.flag("token_no_default_policy"),
        );
        if let Some(uses) = fields.integer("token_num_uses") {
            let uses = u64::try_from(uses);
            self.num_uses =
                uses.map_err(|_| Error::invalid("'token_num_uses' cannot be negative"))?;
        }
        self.update_suffix(fields)?;
        self.update_kind(fields)?;
        self.update_doubly_named(fields)?;
        self.check()
    }

    fn update_suffix(&mut self, fields: &Fields<'_>) -> Result<(), Error> {
        if !fields.has("path_suffix") && !fields.is_null("path_suffix") {
            return Ok(());
        }
        let suffix = fields.text("path_suffix").unwrap_or_default();
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let fits = suffix.len() >= 3
            && suffix.len() <= NAME_BYTES_MAX
            && suffix.starts_with(word)
            && suffix.ends_with(word)
            && suffix.chars().all(|c| word(c) || c == '-' || c == '.')
            && !suffix.contains("..");
        if !suffix.is_empty() && !fits {
            return Err(Error::invalid(
                "given role path suffix contains invalid characters; must match \\w[\\w-.]+\\w",
            ));
        }
        suffix.clone_into(&mut self.path_suffix);
        Ok(())
    }

    fn update_kind(&mut self, fields: &Fields<'_>) -> Result<(), Error> {
        if fields.has("token_type") || fields.is_null("token_type") {
            let name = fields.text("token_type").unwrap_or_default();
            self.kind = TokenKind::parse(name)
                .ok_or_else(|| Error::invalid(format!("invalid 'token_type' value {name:?}")))?;
        }
        Ok(())
    }

    /// Takes over the fields with an old and a new name: the new one counts where both are given.
    fn update_doubly_named(&mut self, fields: &Fields<'_>) -> Result<(), Error> {
        let given = |name| match fields.is_blank(name) {
            true => None,
            false => fields.seconds(name).map(Duration::from_secs),
        };
        let (new, old) = (given("token_period"), given("period"));
        if let Some(period) = new.or(old) {
            self.period = period;
            self.old_period = new.is_none() && !period.is_zero();
        }
        let (new, old) = (given("token_explicit_max_ttl"), given("explicit_max_ttl"));
        if let Some(max) = new.or(old) {
            self.explicit_max_ttl = max;
            self.old_explicit_max_ttl = new.is_none() && !max.is_zero();
        }
        let new = fields.networks("token_bound_cidrs", "role fields")?;
        let old = fields.networks("bound_cidrs", "bound_cidrs")?;
        let is_new = new.is_some();
        if let Some(cidrs) = bounded("token_bound_cidrs", new.or(old))? {
            self.old_bound_cidrs = !is_new && !cidrs.is_empty();
            self.bound_cidrs = cidrs.to_vec();
        }
        Ok(())
    }

    fn check(&self) -> Result<(), Error> {
        if self.kind != TokenKind::Batch {
            return Ok(());
        }
        let conflict = if !self.period.is_zero() {
            "periodic tokens"
        } else if self.num_uses != 0 {
            "tokens with limited use count"
        } else if !self.explicit_max_ttl.is_zero() {
            "tokens with explicit maximum TTL"
        } else if self.renewable {
            "renewable tokens"
        } else if !self.orphan {
            "non-orphan tokens"
        } else {
            return Ok(());
        };
        Err(Error::invalid(format!(
            "'token_type' cannot be 'batch' when role is set to generate {conflict}"
        )))
    }

    /// Returns the fields that `GET roles/<name>` shows.
    pub fn describe(&self, name: &str) -> Map<String, Value> {
        let old = |set: bool, seconds: Duration| if set { seconds.as_secs() } else { 0 };
        let aliases = &self.allowed_entity_aliases;
        let mut data = Map::new();
        for (field, value) in [
            (
                "allowed_entity_aliases",
                if aliases.is_empty() {
                    Value::Null
                } else {
                    json!(aliases)
                },
            ),
            ("allowed_policies", json!(self.allowed_policies)),
            ("allowed_policies_glob", json!(self.allowed_policies_glob)),
            ("disallowed_policies", json!(self.disallowed_policies)),
            (
                "disallowed_policies_glob",
                json!(self.disallowed_policies_glob),
            ),
            (
                "explicit_max_ttl",
                json!(old(self.old_explicit_max_ttl, self.explicit_max_ttl)),
            ),
            ("name", json!(name)),
            ("orphan", json!(self.orphan)),
            ("path_suffix", json!(self.path_suffix)),
            ("period", json!(old(self.old_period, self.period))),
            ("renewable", json!(self.renewable)),
            (
                "token_explicit_max_ttl",
                json!(self.explicit_max_ttl.as_secs()),
            ),
            ("token_no_default_policy", json!(self.no_default_policy)),
            ("token_period", json!(self.period.as_secs())),
            ("token_type", json!(self.kind.name())),
        ] {
            data.insert(field.to_owned(), value);
        }
        if self.num_uses > 0 {
            data.insert("token_num_uses".to_owned(), json!(self.num_uses));
        }
        if !self.bound_cidrs.is_empty() {
            data.insert("token_bound_cidrs".to_owned(), json!(self.bound_cidrs));
            if self.old_bound_cidrs {
                data.insert("bound_cidrs".to_owned(), json!(self.bound_cidrs));
            }
        }
        data
    }
}

/// Returns the place of a role's record; `None` for a name that no role can have.
pub(super) fn record_path(name: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '@');
    let fits = !name.is_empty()
        && name.len() <= NAME_BYTES_MAX
        && name.chars().all(plain)
        && !matches!(name, "." | "..");
    fits.then(|| format!("role/{name}"))
}

fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

fn bounded<'a>(field: &str, list: Option<&'a [String]>) -> Result<Option<&'a [String]>, Error> {
    match list {
        Some(items) if items.len() > LIST_MAX => Err(Error::invalid(format!(
            "{field} has more than {LIST_MAX} entries"
        ))),
        _ => Ok(list),
    }
}
