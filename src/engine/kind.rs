//! Describes the kinds of engines that can be mounted; `node/kinds.rs` lists them all.

use super::table::Sheet;
use super::{Engine, Error, MountContext, narrowing};
use crate::barrier::{Batch, View};
use crate::clock::Timestamp;
use crate::mount::Class;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A mount's `options`.
pub type Options = BTreeMap<String, String>;

/// Adds to the batch the changes that move the records of a mount's subtree to version `to`.
pub type Upgrade = fn(&View, &mut Batch, to: &str, now: Timestamp) -> Result<(), Error>;

/// A kind of engine, with everything that all engines of the kind share; no room compares a kind's
/// name.
pub struct Kind {
    /// Name as mounts show it: `kv`.
    pub name: &'static str,
    /// Decides which paths it is mounted at: secrets engines anywhere, methods below `auth/`.
    pub class: Class,
    /// Other names that it can be asked for by.
    pub aliases: &'static [Alias],
    /// True when it exists once, from the first entry on, at a path that does not change.
    pub is_single: bool,
    /// True when its engine is told the text of the caller's token.
    pub sees_token: bool,
    /// The values of a mount's option `version`, oldest first; none where there is no such option.
    pub versions: &'static [&'static str],
    /// Moves a mount's records when its option `version` is given; none where versions share them.
    pub upgrade: Option<Upgrade>,
    /// The endpoints of a mount, for help and documents: those that the engine answers, and those
    /// that others answer below its path.
    pub sheets: fn(&MountContext) -> Vec<&'static dyn Sheet>,
    /// Gives a mount its engine.
    pub make: Make,
}

/// Another name of a kind, and the version that it stands for.
pub struct Alias {
    /// `kv-v2`.
    pub name: &'static str,
    /// `2`.
    pub version: Option<&'static str>,
}

/// Gives a mount its engine.
#[derive(Clone, Copy)]
pub enum Make {
    /// Each mount has an engine of its own, for as long as it is mounted.
    ForMount(fn(&MountContext) -> Arc<dyn Engine>),
    /// One engine for all mounts, made before: see [`Kinds::with`].
    Before,
}

impl Kind {
    /// Returns the kind of a secrets engine that is mounted any number of times, without options.
    pub const fn usual(
        name: &'static str,
        sheets: fn(&MountContext) -> Vec<&'static dyn Sheet>,
        make: Make,
    ) -> Self {
        Self {
            name,
            class: Class::Secret,
            aliases: &[],
            is_single: false,
            sees_token: false,
            versions: &[],
            upgrade: None,
            sheets,
            make,
        }
    }

    /// Returns the kind of an auth method that is enabled any number of times, without options.
    pub const fn method(
        name: &'static str,
        sheets: fn(&MountContext) -> Vec<&'static dyn Sheet>,
        make: Make,
    ) -> Self {
        Self {
            class: Class::Auth,
            ..Self::usual(name, sheets, make)
        }
    }

    /// Returns the version that `name` stands for, if it stands for one; the outer `None` says that
    /// the kind has no such name.
    fn answers_to(&self, name: &str) -> Option<Option<&'static str>> {
        if self.name == name {
            return Some(None);
        }
        let alias = self.aliases.iter().find(|alias| alias.name == name)?;
        Some(alias.version)
    }

    /// Refuses options that narrow and are not known, and versions that do not exist.
    ///
    /// # Errors
    /// 400, naming the option.
    pub fn check_options(&self, options: &Options) -> Result<(), Error> {
        let fields = options.iter();
        let fields = fields.map(|(name, text)| (name.clone(), Value::from(text.as_str())));
        narrowing::refuse_unknown(&fields.collect(), |name| name == VERSION)?;
        match options.get(VERSION) {
            Some(version)
                if !self.versions.is_empty() && !self.versions.contains(&version.as_str()) =>
            {
                Err(Error::invalid(format!(
                    "unknown version {version:?} of {:?}: it is {}",
                    self.name,
                    self.versions.join(" or ")
                )))
            }
            _ => Ok(()),
        }
    }

    /// Returns the version of a mount with `options`: the oldest where they name none.
    pub fn version<'a>(&self, options: &'a Options) -> &'a str {
        let given = options.get(VERSION).map(String::as_str);
        given.or(self.versions.first().copied()).unwrap_or_default()
    }

    /// Returns true when `to` is an older version than `from`.
    pub fn is_older(&self, to: &str, from: &str) -> bool {
        let place = |version| self.versions.iter().position(|known| *known == version);
        place(to) < place(from)
    }
}

/// The option that chooses among versions.
const VERSION: &str = "version";

/// All kinds, with the engines that were made before any mount.
#[derive(Clone, Default)]
pub struct Kinds {
    kinds: Vec<&'static Kind>,
    made: Vec<(&'static str, Arc<dyn Engine>)>,
}

impl Kinds {
    /// Returns the kinds of a list, without any engine made before.
    pub fn new(kinds: &[&'static Kind]) -> Self {
        Self {
            kinds: kinds.to_vec(),
            made: Vec::new(),
        }
    }

    /// Adds the engine that answers at each mount of `kind`.
    pub fn with(mut self, kind: &Kind, engine: Arc<dyn Engine>) -> Self {
        self.made.push((kind.name, engine));
        self
    }

    /// Returns the kind `name`; aliases do not count.
    pub fn get(&self, name: &str) -> Option<&'static Kind> {
        self.kinds.iter().copied().find(|kind| kind.name == name)
    }

    /// Returns the kind of `class` that a mount asks for by `name`, and the version that the name
    /// stands for.
    pub fn asked(&self, class: Class, name: &str) -> Option<(&'static Kind, Option<&'static str>)> {
        let of_class = self.kinds.iter().filter(|kind| kind.class == class);
        of_class
            .filter_map(|kind| Some((*kind, kind.answers_to(name)?)))
            .next()
    }

    /// Returns true for the name of a kind that exists once.
    pub fn is_single(&self, name: &str) -> bool {
        self.get(name).is_some_and(|kind| kind.is_single)
    }

    /// Returns the names of the kinds of `class` that can be mounted, sorted.
    pub fn mountable(&self, class: Class) -> Vec<&'static str> {
        let kinds = self.kinds.iter();
        let kinds = kinds.filter(|kind| kind.class == class && !kind.is_single);
        let mut names: Vec<_> = kinds.map(|kind| kind.name).collect();
        names.sort_unstable();
        names
    }

    /// Returns an engine for a mount of `kind`; `None` when it should have been made before.
    pub fn engine(&self, kind: &Kind, mount: &MountContext) -> Option<Arc<dyn Engine>> {
        match kind.make {
            Make::ForMount(make) => Some(make(mount)),
            Make::Before => {
                let mut made = self.made.iter();
                let (_, engine) = made.find(|(name, _)| *name == kind.name)?;
                Some(Arc::clone(engine))
            }
        }
    }
}
