//! The mount table joined with the engines, for the hot path.

use crate::barrier::{BarrierError, Unsealed, View};
use crate::engine::table::Access;
use crate::engine::{Engine, Kind, Kinds, MountContext, Operation};
use crate::mount::{Config, Entry, Snapshot, Table};
use arc_swap::ArcSwap;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// A mount with the engine that answers for it.
pub struct Route {
    /// Its row of the mount table.
    pub entry: Arc<Entry>,
    /// The mount as the engine sees it.
    pub context: Arc<MountContext>,
    /// Its subtree of the barrier.
    pub view: View,
    /// The kind of engine that answers.
    pub kind: &'static Kind,
    /// The engine, which is the mount's own for as long as it is mounted, wherever it is moved.
    pub engine: Arc<dyn Engine>,
}

/// The lives of leases where a mount says nothing.
#[derive(Clone, Copy, Debug)]
pub struct Lifetimes {
    /// The setting `default_lease_ttl`.
    pub default: Duration,
    /// The setting `max_lease_ttl`.
    pub max: Duration,
}

/// Vault's own default: 32 days.
const LIFETIME_DEFAULT: Duration = Duration::from_secs(768 * 3600);

impl Default for Lifetimes {
    fn default() -> Self {
        Self {
            default: LIFETIME_DEFAULT,
            max: LIFETIME_DEFAULT,
        }
    }
}

impl Lifetimes {
    /// Returns the default and the longest life of a lease of a mount with `config`.
    pub fn of(&self, config: &Config) -> (Duration, Duration) {
        let or = |seconds: u64, system| match seconds {
            0 => system,
            _ => Duration::from_secs(seconds),
        };
        let max = or(config.max_lease_ttl_s, self.max);
        (or(config.default_lease_ttl_s, self.default).min(max), max)
    }
}

impl Route {
    /// Returns true when `path` (relative) needs no token.
    pub fn is_open(&self, path: &str) -> bool {
        let one = self.engine.canonical_path(Operation::Read, path);
        let table = self.engine.table(&self.context);
        let endpoint = table.endpoint(one.as_deref().unwrap_or(path), Operation::Read);
        endpoint.is_some_and(|endpoint| endpoint.access == Access::Open)
    }
}

/// The routes of all paths, compiled again when the table changed.
pub(super) struct Routes {
    barrier: Arc<Unsealed>,
    table: Arc<Table>,
    kinds: Kinds,
    lifetimes: Lifetimes,
    compiled: ArcSwap<Compiled>,
}

struct Compiled {
    source: Arc<Snapshot>,
    by_path: HashMap<String, Arc<Route>>,
}

impl Routes {
    pub fn new(
        barrier: Arc<Unsealed>,
        table: Arc<Table>,
        kinds: Kinds,
        lifetimes: Lifetimes,
    ) -> Self {
        Self {
            barrier,
            table,
            kinds,
            lifetimes,
            compiled: ArcSwap::from_pointee(Compiled {
                source: Arc::default(),
                by_path: HashMap::new(),
            }),
        }
    }

    /// Finds the mount that answers for `path`, and the rest of the path below it.
    pub fn resolve<'a>(
        &self,
        path: &'a str,
    ) -> Result<Option<(Arc<Route>, &'a str)>, BarrierError> {
        let snapshot = self.table.snapshot()?;
        let mut compiled = self.compiled.load_full();
        if !Arc::ptr_eq(&compiled.source, &snapshot) {
            compiled = Arc::new(self.compile(snapshot, &compiled));
            self.compiled.store(Arc::clone(&compiled));
        }
        for (at, _) in path.match_indices('/') {
            let (prefix, rest) = path.split_at(at + 1);
            if let Some(route) = compiled.by_path.get(prefix) {
                return Ok(Some((Arc::clone(route), rest)));
            }
        }
        let bare = compiled.by_path.get(&format!("{path}/"));
        Ok(bare.map(|route| (Arc::clone(route), "")))
    }

    /// Compiles `source`. Takes over the engines that stay from `before`: an engine is its mount's,
    /// and keeps what it remembers.
    fn compile(&self, source: Arc<Snapshot>, before: &Compiled) -> Compiled {
        let kept = before.by_path.values();
        let kept: HashMap<&str, &Arc<Route>> = kept
            .map(|route| (route.entry.uuid.as_str(), route))
            .collect();
        let routes = source.entries().iter().filter_map(|entry| {
            let kind = self.kinds.get(&entry.kind)?;
            let context = self.context(entry);
            let engine = match kept.get(entry.uuid.as_str()) {
                Some(route) => Arc::clone(&route.engine),
                None => self.kinds.engine(kind, &context)?,
            };
            let route = Route {
                context: Arc::new(context),
                view: self.barrier.view(&entry.storage_path()),
                kind,
                engine,
                entry: Arc::clone(entry),
            };
            Some((entry.full_path(), Arc::new(route)))
        });
        let by_path = routes.collect();
        Compiled { source, by_path }
    }

    fn context(&self, entry: &Entry) -> MountContext {
        let (default_lease_ttl, max_lease_ttl) = self.lifetimes.of(&entry.config);
        MountContext {
            path: entry.full_path(),
            kind: entry.kind.clone(),
            accessor: entry.accessor.clone(),
            uuid: entry.uuid.clone(),
            options: entry.options.clone().unwrap_or_default(),
            default_lease_ttl,
            max_lease_ttl,
        }
    }
}
