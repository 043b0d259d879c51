//! The way from the seal that a cluster has to the one that a node's configuration names.
//!
//! The record of the seal key's holders tells where a cluster is, the stanzas where it is to be; a
//! disabled stanza is a seal that the cluster leaves. Nothing else is remembered: a migration that
//! was cut short is the same one at the next start.
//!
//! ```text
//! the key is kept by     enabled stanzas       disabled stanzas      so
//! shares                 none                  any                   nothing is to be done
//! shares                 some                  any                   to providers
//! providers              one of these          any                   nothing is to be done
//! providers              none of these         one of these          between providers
//! providers              none                  one of these          to shares
//! providers              none of these         none of these         strange: refused
//! ```

use super::Providers;
use crate::barrier::SealRecord;
use std::fmt;

/// The seals of a node's configuration.
#[derive(Clone, Default)]
pub struct SealSet {
    /// The providers that are to keep the seal key; none where people are to keep it.
    pub enabled: Providers,
    /// The providers of disabled stanzas, which are asked for the key only to move away from them.
    pub disabled: Providers,
}

/// The holders before a migration, and after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From unseal keys, which become recovery keys.
    ToProviders,
    /// From one set of providers to another.
    BetweenProviders,
    /// From providers. The recovery keys become unseal keys.
    ToShares,
}

/// A migration from one seal to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealMigration {
    /// The holders before it, and after it.
    pub direction: Direction,
    /// The kind of the seal that the cluster has.
    pub from: String,
    /// The kind of the seal that it is to have.
    pub to: String,
}

/// The relation of a cluster's seal to a node's configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SealRoute {
    /// The seal is the one that the configuration names.
    #[default]
    Stays,
    /// The cluster is to be moved from one seal to another.
    Migrates(SealMigration),
    /// The configuration has no stanza of the cluster's seal: the fault, and the remedy.
    Strange(String),
}

impl From<Providers> for SealSet {
    fn from(enabled: Providers) -> Self {
        Self {
            enabled,
            disabled: Providers::default(),
        }
    }
}

impl SealSet {
    /// Returns the kind of the seal that the configuration names.
    pub fn kind(&self) -> String {
        self.enabled.kind().unwrap_or_else(|| "shamir".into())
    }

    /// Returns all providers, those of disabled stanzas last: where any one may open.
    pub fn all(&self) -> Providers {
        let both = [&self.enabled, &self.disabled];
        Providers::new(both.iter().flat_map(|set| set.each()).cloned().collect())
    }

    /// Returns the way from the seal of `record` to this configuration.
    pub fn route(&self, record: &SealRecord) -> SealRoute {
        let is_kept = self.enabled.keep_any(&record.wrapped);
        let is_left = self.disabled.keep_any(&record.wrapped);
        let to_shares = self.enabled.is_empty();
        let direction = match (record.is_auto(), is_kept, is_left) {
            (false, ..) if to_shares => return SealRoute::Stays,
            (false, ..) => Direction::ToProviders,
            (true, true, _) => return SealRoute::Stays,
            (true, false, true) if to_shares => Direction::ToShares,
            (true, false, true) => Direction::BetweenProviders,
            (true, false, false) => return SealRoute::Strange(self.strange(record)),
        };
        SealRoute::Migrates(SealMigration {
            direction,
            from: record.kind().to_owned(),
            to: self.kind(),
        })
    }

    /// Tells that no stanza is of the cluster's seal, as OpenBao begins to, and the remedy.
    fn strange(&self, record: &SealRecord) -> String {
        let target = match self.enabled.kind() {
            Some(kind) => format!("{kind:?}"),
            None => "Shamir".into(),
        };
        let kept: Vec<String> = record.wrapped.iter().map(describe).collect();
        format!(
            "cannot seal migrate from {:?} to {target}, no disabled seal in configuration: this \
             cluster's key is kept by {}; give that stanza, as it was to unseal with it, or with \
             disabled = \"true\" to move away from it",
            record.kind(),
            kept.join(" and "),
        )
    }
}

fn describe(one: &crate::barrier::WrappedKey) -> String {
    let which = super::Description {
        kind: one.kind.clone(),
        name: one.name.clone(),
    };
    which.to_string()
}

impl SealRoute {
    /// Returns the migration, where there is to be one.
    pub fn migration(self) -> Option<SealMigration> {
        match self {
            Self::Migrates(migration) => Some(migration),
            Self::Stays | Self::Strange(_) => None,
        }
    }

    /// Returns the fault of the configuration, where there is one.
    pub fn fault(self) -> Option<String> {
        match self {
            Self::Strange(fault) => Some(fault),
            Self::Stays | Self::Migrates(_) => None,
        }
    }
}

impl fmt::Display for SealMigration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "from {} to {}", self.from, self.to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::barrier::{SealConfig, SealType};
    use crate::seal::Provider;
    use crate::seal::testing::TestProvider;
    use crate::secret::Key256;
    use std::sync::Arc;

    fn of(names: &[&'static str]) -> Providers {
        let all = names.iter().map(|name| TestProvider::new(name));
        Providers::new(all.map(|one| one as Arc<dyn Provider>).collect())
    }

    #[tokio::test]
    async fn the_way_follows_from_the_record_and_the_stanzas() {
        use Direction::{BetweenProviders, ToProviders, ToShares};
        let shares = SealRecord::from(SealConfig {
            seal_type: SealType::Shamir,
            shares: 3,
            threshold: 2,
        });
        let kept = of(&["a", "b"]).wrap(&Key256::generate()).await.unwrap();
        let kept = SealRecord::of_providers(kept);
        let none: &[&'static str] = &[];
        for (record, enabled, disabled, wanted) in [
            (&shares, none, none, None),
            (&shares, none, &["a"][..], None),
            (&shares, &["a"], none, Some(ToProviders)),
            (&shares, &["a"], &["b"], Some(ToProviders)),
            (&kept, &["a"], none, None),
            (&kept, &["c", "b"], &["a"], None),
            (&kept, &["c"], &["d", "b"], Some(BetweenProviders)),
            (&kept, none, &["a"], Some(ToShares)),
        ] {
            let set = SealSet {
                enabled: of(enabled),
                disabled: of(disabled),
            };
            let route = set.route(record);
            assert_eq!(route.clone().fault(), None);
            let found = route.migration().map(|migration| migration.direction);
            assert_eq!(found, wanted, "{enabled:?} {disabled:?}");
            assert_eq!(set.all().each().len(), enabled.len() + disabled.len());
        }
        for (enabled, disabled, words) in [
            (none, none, "from \"test\" to Shamir, no disabled seal"),
            (&["c"], none, "from \"test\" to \"test\", no disabled seal"),
            (&["c"], &["d"], "kept by seal \"test\" named \"a\" and seal"),
        ] {
            let set = SealSet {
                enabled: of(enabled),
                disabled: of(disabled),
            };
            let fault = set.route(&kept).fault().unwrap();
            assert!(fault.contains(words), "{fault}");
        }
    }
}
