//! Policies in the barrier, and the compiled lists of them in memory.

use super::builtin::{DEFAULT, DEFAULT_TEXT, RESPONSE_WRAPPING, RESPONSE_WRAPPING_TEXT, ROOT};
use super::record::{PolicyRecord, Terms};
use super::template::Subject;
use super::{Acl, Policy, PolicyError, name};
use crate::barrier::{BarrierError, Batch, Codec, Slot, Unsealed, View};
use crate::clock::Timestamp;
use crate::engine::Error;
use crate::memory;
use crate::store::{Key, Observer, Revision};
use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The folder of policies below the barrier's root.
pub const PREFIX: &str = "sys/policy/";
/// Most storage keys that are watched; beyond, all lists are dropped and built anew.
const WATCHED_MAX: usize = 4096;
/// A policy as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredPolicy {
    /// The name, normalized.
    pub name: String,
    /// The text, HCL or JSON; empty for `root`.
    pub text: String,
    /// The time of the last write; zero for a built-in policy.
    pub modified: Timestamp,
    /// The number of writes.
    pub version: u64,
    /// The time at which it ends; `None` for never.
    pub expiration: Option<Timestamp>,
    /// True if it may be written with a [`Draft::cas`] only.
    pub cas_required: bool,
}

/// A policy to be written.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    /// The text, HCL or JSON.
    pub text: String,
    /// The time at which it shall end; `None` for never.
    pub expiration: Option<Timestamp>,
    /// The version that must be present: zero for none, or -1, which requires only that the policy
    /// is absent. `None` requires nothing.
    pub cas: Option<i64>,
    /// True if later writes shall need a `cas`; this one then needs it too.
    pub cas_required: bool,
}

/// The codec that shows a policy's record as text.
pub const CODEC: Codec = Codec::new(PolicyRecord::show, PolicyRecord::take);

/// Reads and writes policies.
pub struct Store {
    view: View,
    cache: Arc<Cache>,
}

impl Store {
    /// Returns the policies of `barrier`, with a cache that follows its storage.
    pub fn new(barrier: &Arc<Unsealed>) -> Self {
        Self::sized(barrier, memory::DEFAULT.policies)
    }

    /// Creates the store as [`Store::new`] does; at most `acls_max` compiled lists are cached.
    pub fn sized(barrier: &Arc<Unsealed>, acls_max: usize) -> Self {
        let cache = Arc::new(Cache::new(acls_max));
        barrier.storage().observe(Arc::downgrade(&cache) as _);
        Self {
            view: barrier.view(PREFIX),
            cache,
        }
    }

    /// Returns a policy's text; built-in ones included. The name is normalized first; an invalid
    /// name is that of no policy, and an expired policy does not exist.
    pub fn get(&self, name: &str, now: Timestamp) -> Result<Option<StoredPolicy>, Error> {
        let Ok(name) = name::normalize(name) else {
            return Ok(None);
        };
        if let (_, Some(record)) = self.read(&name)? {
            return Ok(record.is_good(now).then_some(StoredPolicy {
                name,
                text: record.text,
                modified: record.modified,
                version: record.version,
                expiration: record.terms.expiration,
                cas_required: record.terms.cas_required,
            }));
        }
        Ok(built_in(&name).map(|text| StoredPolicy {
            text: text.to_owned(),
            modified: Timestamp::default(),
            version: u64::from(name != ROOT),
            expiration: None,
            cas_required: false,
            name,
        }))
    }

    /// Returns true if the policy exists; used for the warning about policies that do not.
    pub fn exists(&self, name: &str, now: Timestamp) -> Result<bool, Error> {
        Ok(self.get(name, now)?.is_some())
    }

    /// Returns all names, sorted, `default` among them, and `root` after all others as in Vault.
    /// Expired policies are left out.
    pub fn list(&self, now: Timestamp) -> Result<Vec<String>, Error> {
        let mut names = self.view.walk("", usize::MAX)?;
        names.push(DEFAULT.to_owned());
        names.sort_unstable();
        names.dedup();
        let mut shown = Vec::with_capacity(names.len() + 1);
        for name in names {
            if self.exists(&name, now)? {
                shown.push(name);
            }
        }
        shown.push(ROOT.to_owned());
        Ok(shown)
    }

    /// Adds "write this policy" to `batch`. Refuses a text that does not parse, and a draft that
    /// ends before it begins or expects another version.
    pub fn put(
        &self,
        batch: &mut Batch,
        name: &str,
        draft: Draft,
        now: Timestamp,
    ) -> Result<(), Error> {
        let name = name::normalize(name)?;
        refuse_built_in("update", &name, &[ROOT, RESPONSE_WRAPPING])?;
        if draft.expiration.is_some_and(|expiration| expiration <= now) {
            return Err(PolicyError::Elapsed.into());
        }
        Policy::parse(&name, &draft.text)?;
        let (slot, present) = self.read(&name)?;
        // An expired policy does not exist: the next one of its name is another policy.
        let present = present.filter(|record| record.is_good(now));
        draft.check(present.as_ref())?;
        let record = PolicyRecord {
            text: draft.text,
            modified: now,
            version: present.map_or(0, |record| record.version) + 1,
            terms: Terms {
                expiration: draft.expiration,
                cas_required: draft.cas_required,
            },
        };
        batch.replace(&slot, record.encode()?);
        Ok(())
    }

    /// Adds "delete this policy" to `batch`; does nothing where there is none.
    pub fn delete(&self, batch: &mut Batch, name: &str) -> Result<(), Error> {
        let name = name::normalize(name)?;
        refuse_built_in("delete", &name, &[ROOT, RESPONSE_WRAPPING])?;
        if name == DEFAULT {
            return Err(Error::invalid("cannot delete default policy"));
        }
        self.view.delete(batch, &name);
        Ok(())
    }

    /// Returns the compiled list of a token without an identity. Costs one map access if it was
    /// asked for before and no policy in it changed or expired.
    pub fn acl_for(&self, names: &[String], now: Timestamp) -> Result<Arc<Acl>, Error> {
        let known = self.cache.acls.get(names);
        if let Some(acl) = known.filter(|acl| acl.is_current(now)) {
            return Ok(acl);
        }
        let keys = self.keys(names)?;
        let generation = self.cache.watch(keys);
        let acl = Arc::new(Acl::compile(&self.load(names, now)?, now));
        self.cache.insert(generation, names, &acl);
        Ok(acl)
    }

    /// Returns the compiled list for an identity. It is not cached if a policy in it has templates,
    /// whose paths differ with every subject.
    pub fn acl_for_subject(
        &self,
        names: &[String],
        subject: &dyn Subject,
        now: Timestamp,
    ) -> Result<Arc<Acl>, Error> {
        let policies = self.load(names, now)?;
        if policies.iter().any(|policy| policy.is_templated()) {
            return Ok(Arc::new(Acl::compile_for(&policies, Some(subject), now)));
        }
        self.acl_for(names, now)
    }

    /// Returns the policies of `names` that exist at `now`: a name without a policy grants nothing.
    pub fn load(&self, names: &[String], now: Timestamp) -> Result<Vec<Arc<Policy>>, Error> {
        let mut policies = Vec::with_capacity(names.len());
        for name in names {
            if name == ROOT {
                policies.push(Arc::new(Policy::root()));
            } else if let Some(stored) = self.get(name, now)? {
                let parsed = Policy::stored(&stored.name, &stored.text);
                let policy = parsed
                    .map_err(|error| Error::internal(format!("stored policy {name:?}: {error}")))?;
                policies.push(Arc::new(policy.until(stored.expiration)));
            }
        }
        Ok(policies)
    }

    fn keys(&self, names: &[String]) -> Result<Vec<Key>, Error> {
        let names = names.iter().filter_map(|name| name::normalize(name).ok());
        names.map(|name| Ok(self.view.key(&name)?)).collect()
    }

    /// Reads the place of `name` and its record, if one is there; built-in policies whose text is
    /// fixed have none.
    fn read(&self, name: &str) -> Result<(Slot, Option<PolicyRecord>), Error> {
        let slot = self.view.read(name)?;
        if matches!(name, ROOT | RESPONSE_WRAPPING) {
            return Ok((slot.as_absent(), None));
        }
        let Some(value) = slot.value() else {
            return Ok((slot, None));
        };
        let record = PolicyRecord::decode(value.expose());
        let record = record.ok_or(BarrierError::Decode("policy"))?;
        Ok((slot, Some(record)))
    }
}

impl Draft {
    /// Refuses the draft if it may not replace `present`.
    fn check(&self, present: Option<&PolicyRecord>) -> Result<(), PolicyError> {
        let version = present.map_or(0, |record| record.version);
        let needed = present.is_some_and(|record| record.terms.cas_required);
        match self.cas {
            None if needed || self.cas_required => Err(PolicyError::CasMissing),
            Some(-1) if present.is_some() => Err(PolicyError::CasExists),
            None | Some(-1) => Ok(()),
            Some(cas) if u64::try_from(cas) == Ok(version) => Ok(()),
            Some(cas) => Err(PolicyError::Cas { cas, version }),
        }
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

/// Compiled lists, dropped together when any policy in any of them changes: policies change rarely,
/// and the next request compiles the list that it needs.
struct Cache {
    acls: quick_cache::sync::Cache<Vec<String>, Arc<Acl>>,
    watch: Mutex<Watch>,
}

#[derive(Default)]
struct Watch {
    generation: u64,
    keys: HashSet<Key>,
}

impl Cache {
    fn new(acls_max: usize) -> Self {
        Self {
            acls: quick_cache::sync::Cache::new(acls_max),
            watch: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Watch> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Watches `keys` from before they are read, so that a change between reading and
    /// [`Cache::insert`] is seen. Returns the generation to insert under.
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

    const NOW: Timestamp = Timestamp::from_secs(1);

    fn draft(text: &str) -> Draft {
        Draft {
            text: text.to_owned(),
            ..Draft::default()
        }
    }

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
            self.put_draft(name, draft(text)).await.expect("puts");
        }

        async fn put_draft(&self, name: &str, draft: Draft) -> Result<(), Error> {
            let mut batch = Batch::new();
            self.policies.put(&mut batch, name, draft, NOW)?;
            self.commit(batch).await;
            Ok(())
        }

        fn capabilities(&self, names: &[&str]) -> Vec<&'static str> {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            self.policies
                .acl_for(&names, NOW)
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
        let first = world.policies.acl_for(&names, NOW).expect("compiles");
        world.put("unrelated", READ_A).await;
        let second = world.policies.acl_for(&names, NOW).expect("finds");
        assert!(Arc::ptr_eq(&first, &second));
    }

    #[tokio::test]
    async fn built_in_policies_are_there_and_stay() {
        let world = World::new();
        assert_eq!(
            world.policies.list(NOW).expect("lists"),
            ["default", "root"]
        );
        assert_eq!(world.capabilities(&["root"]), ["root"]);
        for name in ["root", "Root ", "response-wrapping"] {
            let mut batch = Batch::new();
            assert!(
                world
                    .policies
                    .put(&mut batch, name, draft(READ_A), NOW)
                    .is_err(),
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
            .get("DEFAULT", NOW)
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
            .put(&mut batch, "x", draft(wrong), Timestamp::from_secs(2));
        assert!(
            refused
                .expect_err("is refused")
                .messages
                .join("")
                .contains("fly")
        );
        assert!(batch.is_empty());
    }

    #[tokio::test]
    async fn an_expired_policy_is_not_there() {
        let world = World::new();
        let end = Timestamp::from_secs(100);
        let short = Draft {
            expiration: Some(end),
            cas_required: true,
            cas: Some(0),
            ..draft(READ_A)
        };
        world.put_draft("x", short.clone()).await.expect("puts");
        world.put_draft("default", short).await.expect("puts");
        world.put("y", LIST_A).await;
        let names = ["default", "x", "y"].map(str::to_owned);
        let at = |now| world.policies.acl_for(&names, now).expect("compiles");
        let before = Timestamp(end.0 - 1);
        assert_eq!(at(before).capabilities("a"), ["list", "read"]);
        assert_eq!(
            at(end).capabilities("a"),
            ["list"],
            "also when it was compiled before"
        );
        assert_eq!(
            world.policies.list(before).expect("lists"),
            ["default", "x", "y", "root"]
        );
        assert_eq!(world.policies.list(end).expect("lists"), ["y", "root"]);
        assert!(world.policies.exists("x", before).expect("reads"));
        for name in ["x", "default"] {
            assert!(!world.policies.exists(name, end).expect("reads"), "{name}");
        }
        // The next policy of that name needs no version, and begins anew.
        let mut batch = Batch::new();
        world
            .policies
            .put(&mut batch, "x", draft(LIST_A), end)
            .expect("puts");
        world.commit(batch).await;
        let stored = world
            .policies
            .get("x", end)
            .expect("reads")
            .expect("is there");
        assert_eq!((stored.version, stored.cas_required), (1, false));
    }

    #[tokio::test]
    async fn a_version_is_expected_and_may_be_demanded() {
        let world = World::new();
        let write = |cas: Option<i64>, cas_required: bool| {
            let draft = Draft {
                cas,
                cas_required,
                ..draft(READ_A)
            };
            world.put_draft("x", draft)
        };
        for (cas, required, refusal) in [
            (
                Some(5),
                false,
                Some("parameter 5 did not match the current version 0"),
            ),
            (
                None,
                true,
                Some("check-and-set parameter required for this call"),
            ),
            (Some(-1), false, None),
            (Some(-1), false, Some("set to -1 on existing entry")),
            (
                Some(0),
                false,
                Some("parameter 0 did not match the current version 1"),
            ),
            (None, false, None),
            (Some(2), true, None),
            (
                None,
                false,
                Some("check-and-set parameter required for this call"),
            ),
            (Some(3), false, None),
            (None, false, None),
        ] {
            let done = write(cas, required).await;
            let message = done.err().map(|error| error.messages.join(""));
            let fits = match (&message, refusal) {
                (Some(message), Some(wanted)) => message.contains(wanted),
                (None, None) => true,
                _ => false,
            };
            assert!(fits, "{cas:?} {required}: {message:?}");
        }
        let late = Draft {
            expiration: Some(NOW),
            ..draft(READ_A)
        };
        let refused = world.put_draft("y", late).await.expect_err("is refused");
        assert!(refused.messages.join("").contains("already elapsed"));
    }

    /// Tests that stored texts with parts that older releases ignored count as they did, except for
    /// an unreadable expiration.
    #[tokio::test]
    async fn what_older_releases_accepted_is_still_read() {
        let world = World::new();
        let texts = [
            (
                "labels",
                r#"path "a" "b" { capabilities = ["read"] }"#,
                "read",
            ),
            (
                "comment",
                "# x\rpath \"a\" { policy = \"deny\" }\npath \"a\" { capabilities = [\"list\"] }",
                "list",
            ),
            (
                "twice",
                r#"{"path":{"a":{"capabilities":["read"],"expiration":"","expiration":""}}}"#,
                "read",
            ),
            (
                "unclear",
                r#"path "a" { capabilities = ["read"] expiration = "soon" }"#,
                "deny",
            ),
        ];
        for (name, text, granted) in texts {
            let mut batch = Batch::new();
            let refused = world.policies.put(&mut batch, name, draft(text), NOW);
            assert!(refused.is_err(), "{name}");
            let record = PolicyRecord {
                text: text.to_owned(),
                modified: NOW,
                version: 1,
                terms: Terms::default(),
            };
            let bytes = record.encode().expect("encodes");
            world.policies.view.put_blindly(&mut batch, name, bytes);
            world.commit(batch).await;
            assert_eq!(world.capabilities(&[name]), [granted], "{name}");
        }
    }
}
