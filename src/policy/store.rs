//! Policies in the barrier, and the compiled lists of them in memory.

use super::builtin::{DEFAULT, DEFAULT_TEXT, RESPONSE_WRAPPING, RESPONSE_WRAPPING_TEXT, ROOT};
use super::template::Subject;
use super::{Acl, Policy, PolicyError, name};
use crate::barrier::{Batch, Codec, Unsealed, View};
use crate::clock::Timestamp;
use crate::engine::Error;
use crate::store::{Key, Observer, Revision};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Where policies live below the barrier's root.
pub const PREFIX: &str = "sys/policy/";
/// Compiled lists kept; the least interesting ones make room.
const ACLS_MAX: usize = 256;
/// Storage keys watched before everything is forgotten and learnt anew.
const WATCHED_MAX: usize = 4096;
/// The record's first field.
const FORMAT: u8 = 1;

/// A policy as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredPolicy {
    /// Normalized.
    pub name: String,
    /// HCL or JSON; empty for `root`.
    pub text: String,
    /// When it was written; zero for a built-in one.
    pub modified: Timestamp,
    /// How often it was written.
    pub version: u64,
}

#[derive(Serialize, Deserialize)]
struct PolicyRecord {
    format: u8,
    text: String,
    modified: Timestamp,
    version: u64,
}

/// A policy's record as text.
pub const CODEC: Codec = Codec::of::<PolicyRecord>();

/// Reads and writes policies.
pub struct Store {
    view: View,
    cache: Arc<Cache>,
}

impl Store {
    /// Policies of `barrier`, with a cache that follows its storage.
    pub fn new(barrier: &Arc<Unsealed>) -> Self {
        let cache = Arc::new(Cache::default());
        barrier.storage().observe(Arc::downgrade(&cache) as _);
        Self {
            view: barrier.view(PREFIX),
            cache,
        }
    }

    /// A policy's text; built-in ones included. The name is normalized first; an impossible name
    /// is that of no policy.
    pub fn get(&self, name: &str) -> Result<Option<StoredPolicy>, Error> {
        let Ok(name) = name::normalize(name) else {
            return Ok(None);
        };
        if let Some((_, record)) = self.read(&name)? {
            return Ok(Some(StoredPolicy {
                name,
                text: record.text,
                modified: record.modified,
                version: record.version,
            }));
        }
        Ok(built_in(&name).map(|text| StoredPolicy {
            text: text.to_owned(),
            modified: Timestamp::default(),
            version: u64::from(name != ROOT),
            name,
        }))
    }

    /// Does it exist? Asked for the warning about policies that do not.
    pub fn exists(&self, name: &str) -> Result<bool, Error> {
        Ok(self.get(name)?.is_some())
    }

    /// All names, sorted, `default` among them, and `root` after all others as in Vault.
    pub fn list(&self) -> Result<Vec<String>, Error> {
        let mut names = self.view.walk("", usize::MAX)?;
        names.push(DEFAULT.to_owned());
        names.sort_unstable();
        names.dedup();
        names.push(ROOT.to_owned());
        Ok(names)
    }

    /// Adds "write this policy" to `batch`. A text that does not parse is refused.
    pub fn put(
        &self,
        batch: &mut Batch,
        name: &str,
        text: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        let name = name::normalize(name)?;
        refuse_built_in("update", &name, &[ROOT, RESPONSE_WRAPPING])?;
        Policy::parse(&name, text)?;
        let present = self.read(&name)?;
        let (revision, version) = present.map_or((Revision(0), 0), |(revision, record)| {
            (revision, record.version)
        });
        let record = PolicyRecord {
            format: FORMAT,
            text: text.to_owned(),
            modified: now,
            version: version + 1,
        };
        self.view.expect(batch, &name, revision);
        self.view.put_record(batch, &name, &record)?;
        Ok(())
    }

    /// Adds "delete this policy" to `batch`; nothing happens where there is none.
    pub fn delete(&self, batch: &mut Batch, name: &str) -> Result<(), Error> {
        let name = name::normalize(name)?;
        refuse_built_in("delete", &name, &[ROOT, RESPONSE_WRAPPING])?;
        if name == DEFAULT {
            return Err(Error::invalid("cannot delete default policy"));
        }
        self.view.delete(batch, &name);
        Ok(())
    }

    /// The compiled list of a token without an identity. One map access when it was asked for
    /// before and no policy in it changed.
    pub fn acl_for(&self, names: &[String]) -> Result<Arc<Acl>, Error> {
        if let Some(acl) = self.cache.acls.get(names) {
            return Ok(acl);
        }
        let keys = self.keys(names)?;
        let generation = self.cache.watch(keys);
        let acl = Arc::new(Acl::compile(&self.load(names)?));
        self.cache.insert(generation, names, &acl);
        Ok(acl)
    }

    /// The compiled list for an identity; not cached, for templates differ with every subject.
    pub fn acl_for_subject(
        &self,
        names: &[String],
        subject: &dyn Subject,
    ) -> Result<Arc<Acl>, Error> {
        let policies = self.load(names)?;
        if policies.iter().any(|policy| policy.is_templated()) {
            return Ok(Arc::new(Acl::compile_for(&policies, Some(subject))));
        }
        self.acl_for(names)
    }

    /// A name without a policy grants nothing.
    fn load(&self, names: &[String]) -> Result<Vec<Arc<Policy>>, Error> {
        let mut policies = Vec::with_capacity(names.len());
        for name in names {
            if name == ROOT {
                policies.push(Arc::new(Policy::root()));
            } else if let Some(stored) = self.get(name)? {
                let parsed = Policy::parse(&stored.name, &stored.text);
                let policy = parsed
                    .map_err(|error| Error::internal(format!("stored policy {name:?}: {error}")))?;
                policies.push(Arc::new(policy));
            }
        }
        Ok(policies)
    }

    fn keys(&self, names: &[String]) -> Result<Vec<Key>, Error> {
        let names = names.iter().filter_map(|name| name::normalize(name).ok());
        names.map(|name| Ok(self.view.key(&name)?)).collect()
    }

    fn read(&self, name: &str) -> Result<Option<(Revision, PolicyRecord)>, Error> {
        if matches!(name, ROOT | RESPONSE_WRAPPING) {
            return Ok(None);
        }
        Ok(self.view.get_record(name, "policy")?)
    }
}

fn built_in(name: &str) -> Option<&'static str> {
    match name {
        ROOT => Some(""),
        DEFAULT => Some(DEFAULT_TEXT),
        RESPONSE_WRAPPING => Some(RESPONSE_WRAPPING_TEXT),
        _ => None,
    }
}

fn refuse_built_in(verb: &'static str, name: &str, fixed: &[&str]) -> Result<(), PolicyError> {
    if fixed.contains(&name) {
        let name = name.to_owned();
        return Err(PolicyError::BuiltIn { verb, name });
    }
    Ok(())
}

/// Compiled lists, dropped together when any policy in any of them changes: policies change
/// rarely, and the next request compiles what it needs.
struct Cache {
    acls: quick_cache::sync::Cache<Vec<String>, Arc<Acl>>,
    watch: Mutex<Watch>,
}

#[derive(Default)]
struct Watch {
    generation: u64,
    keys: HashSet<Key>,
}

impl Default for Cache {
    fn default() -> Self {
        Self {
            acls: quick_cache::sync::Cache::new(ACLS_MAX),
            watch: Mutex::default(),
        }
    }
}

impl Cache {
    fn lock(&self) -> MutexGuard<'_, Watch> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Watches `keys` from before they are read, so that a change between reading and
    /// [`Cache::insert`] is seen. Gives the generation to insert under.
    fn watch(&self, keys: Vec<Key>) -> u64 {
        let mut watch = self.lock();
        if watch.keys.len() + keys.len() > WATCHED_MAX {
            self.forget(&mut watch);
        }
        watch.keys.extend(keys);
        watch.generation
    }

    fn insert(&self, generation: u64, names: &[String], acl: &Arc<Acl>) {
        let watch = self.lock();
        if watch.generation == generation {
            self.acls.insert(names.to_vec(), Arc::clone(acl));
        }
    }

    fn forget(&self, watch: &mut Watch) {
        watch.generation += 1;
        watch.keys.clear();
        self.acls.clear();
    }
}

impl Observer for Cache {
    fn applied(&self, _: Revision, keys: &[Key]) {
        let mut watch = self.lock();
        if keys.is_empty() || keys.iter().any(|key| watch.keys.contains(key)) {
            self.forget(&mut watch);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Inmem;

    const READ_A: &str = r#"path "a" { capabilities = ["read"] }"#;
    const LIST_A: &str = r#"path "a" { capabilities = ["list"] }"#;

    struct World {
        barrier: Arc<Unsealed>,
        policies: Store,
    }

    impl World {
        fn new() -> Self {
            let barrier = Unsealed::for_test(Arc::new(Inmem::new()));
            Self {
                policies: Store::new(&barrier),
                barrier,
            }
        }

        async fn commit(&self, batch: Batch) {
            let committed = self.barrier.commit(batch, Timestamp::from_secs(1)).await;
            committed.expect("commits");
        }

        async fn put(&self, name: &str, text: &str) {
            let mut batch = Batch::new();
            let now = Timestamp::from_secs(1);
            self.policies
                .put(&mut batch, name, text, now)
                .expect("puts");
            self.commit(batch).await;
        }

        fn capabilities(&self, names: &[&str]) -> Vec<&'static str> {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            self.policies
                .acl_for(&names)
                .expect("compiles")
                .capabilities("a")
        }
    }

    #[tokio::test]
    async fn a_change_is_seen_by_the_next_question() {
        let world = World::new();
        assert_eq!(world.capabilities(&["x", "y"]), ["deny"]);
        world.put(" X ", READ_A).await;
        assert_eq!(world.capabilities(&["x", "y"]), ["read"], "it exists now");
        world.put("y", LIST_A).await;
        assert_eq!(world.capabilities(&["x", "y"]), ["list", "read"]);
        let mut batch = Batch::new();
        world.policies.delete(&mut batch, "x").expect("deletes");
        world.commit(batch).await;
        assert_eq!(world.capabilities(&["x", "y"]), ["list"]);
    }

    #[tokio::test]
    async fn an_unchanged_list_is_compiled_once() {
        let world = World::new();
        world.put("x", READ_A).await;
        let names = ["x".to_owned()];
        let first = world.policies.acl_for(&names).expect("compiles");
        world.put("unrelated", READ_A).await;
        let second = world.policies.acl_for(&names).expect("finds");
        assert!(Arc::ptr_eq(&first, &second));
    }

    #[tokio::test]
    async fn built_in_policies_are_there_and_stay() {
        let world = World::new();
        assert_eq!(world.policies.list().expect("lists"), ["default", "root"]);
        assert_eq!(world.capabilities(&["root"]), ["root"]);
        let now = Timestamp::from_secs(1);
        for name in ["root", "Root ", "response-wrapping"] {
            let mut batch = Batch::new();
            assert!(
                world.policies.put(&mut batch, name, READ_A, now).is_err(),
                "{name}"
            );
            assert!(world.policies.delete(&mut batch, name).is_err(), "{name}");
        }
        assert!(world.policies.delete(&mut Batch::new(), "default").is_err());
        world.put("default", READ_A).await;
        assert_eq!(
            world.capabilities(&["default"]),
            ["read"],
            "it may be rewritten"
        );
        let stored = world
            .policies
            .get("DEFAULT")
            .expect("reads")
            .expect("is there");
        assert_eq!((stored.text.as_str(), stored.version), (READ_A, 1));
    }

    #[tokio::test]
    async fn what_does_not_parse_changes_nothing() {
        let world = World::new();
        world.put("x", READ_A).await;
        let mut batch = Batch::new();
        let wrong = "path \"a\" { capabilities = [\"fly\"] }";
        let refused = world
            .policies
            .put(&mut batch, "x", wrong, Timestamp::from_secs(2));
        assert!(
            refused
                .expect_err("is refused")
                .messages
                .join("")
                .contains("fly")
        );
        assert!(batch.is_empty());
    }
}
