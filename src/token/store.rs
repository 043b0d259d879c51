//! The tokens in the barrier: making, finding, using and renewing them.

use super::batch;
use super::cache::{Cache, Hot};
use super::fingerprint::Fingerprint;
use super::record::TokenRecord;
use super::text::{BATCH_PREFIX, RANDOM_CHARS, SERVICE_PREFIX, TEXT_BYTES_MAX};
use super::ttl::{Wish, grant};
use super::{Minted, Spec, Token, TokenError};
use crate::barrier::{BarrierError, Batch, Slot, Unsealed, View};
use crate::clock::Timestamp;
use crate::engine::TokenType;
use crate::lease::{self, Lease, Undo};
use crate::memory;
use crate::secret::{Secret, SecretString, random_text};
use crate::store::{Key, Observer, Revision};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Longest line of ancestors.
const DEPTH_MAX: u16 = 128;

/// The place of tokens below the barrier's root.
const PREFIX: &str = "sys/token/";

/// The records of an engine for tokens beside the tokens' own, such as their cubbyholes.
pub trait Belongings: Send + Sync {
    /// Adds the end of all that is kept for the token with `cubbyhole_id` to `batch`. Returns false
    /// when `batch` is full before all is in it; the rest is asked for again.
    ///
    /// # Errors
    /// As the barrier says.
    fn remove(&self, batch: &mut Batch, cubbyhole_id: &str) -> Result<bool, BarrierError>;
}

/// Reads and writes tokens.
pub struct Store {
    pub(super) root: View,
    pub(super) records: View,
    pub(super) accessors: View,
    pub(super) children: View,
    pub(super) pending: View,
    /// The notes that methods keep of logins for their renewal, by the token's id.
    pub(super) logins: View,
    pub(super) leases: Arc<lease::Store>,
    /// The records that engines keep for tokens; `None` where no engine does.
    pub(super) belongings: Option<Arc<dyn Belongings>>,
    /// False once it is known that no revocation waits to be continued.
    pub(super) maybe_pending: Arc<AtomicBool>,
    barrier: Arc<Unsealed>,
    cache: Arc<Cache>,
    /// The observer of the storage, which does not keep it alive.
    _follower: Arc<Follower>,
}

/// The known lives of the ancestors of the tokens that one question is about.
#[derive(Default)]
pub struct Living {
    ancestors: HashMap<String, bool>,
}

impl Store {
    /// Creates the store of the tokens of `barrier`, with a cache that follows its storage. Reads
    /// nothing.
    pub fn new(barrier: &Arc<Unsealed>, leases: Arc<lease::Store>) -> Result<Self, TokenError> {
        Self::sized(barrier, leases, memory::DEFAULT.tokens)
    }

    /// Creates the store as [`Store::new`] does; at most `tokens_max` tokens are cached.
    pub fn sized(
        barrier: &Arc<Unsealed>,
        leases: Arc<lease::Store>,
        tokens_max: usize,
    ) -> Result<Self, TokenError> {
        let root = barrier.view(PREFIX);
        let cache = Arc::new(Cache::new(tokens_max));
        let maybe_pending = Arc::new(AtomicBool::new(true));
        let follower = Arc::new(Follower {
            cache: Arc::clone(&cache),
            leases: Arc::clone(&leases),
            maybe_pending: Arc::clone(&maybe_pending),
            signal: root.key(super::revoke::SIGNAL)?,
        });
        barrier.storage().observe(Arc::downgrade(&follower) as _);
        Ok(Self {
            records: root.sub("id/"),
            accessors: root.sub("accessor/"),
            children: root.sub("parent/"),
            pending: root.sub("pending/"),
            logins: root.sub("login/"),
            root,
            leases,
            belongings: None,
            maybe_pending,
            barrier: Arc::clone(barrier),
            cache,
            _follower: follower,
        })
    }

    /// Returns the same store; the records that `belongings` keeps for a token end with it.
    pub fn with_belongings(self, belongings: Arc<dyn Belongings>) -> Self {
        Self {
            belongings: Some(belongings),
            ..self
        }
    }

    /// Returns the leases, for the `sys/leases/` API.
    pub fn leases(&self) -> &Arc<lease::Store> {
        &self.leases
    }

    /// Finds the token of a text that a client sent; `None` when there is none, or no longer. Takes
    /// one map access for a service token that was asked for before; a batch token is opened each
    /// time.
    pub fn lookup(
        &self,
        text: &SecretString,
        now: Timestamp,
    ) -> Result<Option<Arc<Token>>, TokenError> {
        let text = text.expose().trim();
        if text.starts_with(BATCH_PREFIX) && text.len() <= TEXT_BYTES_MAX {
            return self.open_batch(text, now);
        }
        match self.fingerprint_of(text)? {
            Some(fingerprint) => self.by_fingerprint(fingerprint, now),
            None => Ok(None),
        }
    }

    /// Returns the fingerprint of a service token's text; `None` for a batch token, and for a text
    /// that is no token's.
    pub fn fingerprint(&self, text: &SecretString) -> Result<Option<Fingerprint>, TokenError> {
        self.fingerprint_of(text.expose().trim())
    }

    fn fingerprint_of(&self, text: &str) -> Result<Option<Fingerprint>, TokenError> {
        if text.is_empty() || text.len() > TEXT_BYTES_MAX || text.starts_with(BATCH_PREFIX) {
            return Ok(None);
        }
        Ok(Some(self.hash(text)?))
    }

    fn hash(&self, text: &str) -> Result<Fingerprint, TokenError> {
        Ok(Fingerprint::new(
            &self.barrier.mac("token", text.as_bytes())?,
        ))
    }

    /// Finds a service token by the fingerprint of its text.
    pub fn by_fingerprint(
        &self,
        fingerprint: Fingerprint,
        now: Timestamp,
    ) -> Result<Option<Arc<Token>>, TokenError> {
        self.by_id(&fingerprint.record_name(), now)
    }

    /// Finds a service token by the name of its record.
    pub fn by_id(&self, id: &str, now: Timestamp) -> Result<Option<Arc<Token>>, TokenError> {
        Ok(self.hot(id, now)?.map(|hot| hot.token))
    }

    /// Finds a service token by its accessor.
    pub fn by_accessor(
        &self,
        accessor: &str,
        now: Timestamp,
    ) -> Result<Option<Arc<Token>>, TokenError> {
        let plain = |c: char| c.is_ascii_alphanumeric();
        if accessor.is_empty() || !accessor.chars().all(plain) || accessor.len() > 64 {
            return Ok(None);
        }
        match self.accessors.get_record::<String>(accessor, "accessor")? {
            Some((_, id)) => self.by_id(&id, now),
            None => Ok(None),
        }
    }

    /// Counts the service tokens that are stored, ended ones included: work in proportion to their
    /// number.
    pub fn count(&self) -> Result<u64, TokenError> {
        Ok(self.records.count()?)
    }

    /// Lists the accessors of all living tokens, at most `limit`. Leaves out tokens whose time has
    /// come, swept away or not. Reads each token, past the cache.
    pub fn list_accessors(&self, limit: usize, now: Timestamp) -> Result<Vec<String>, TokenError> {
        let mut living = Living::default();
        let mut accessors = Vec::new();
        for accessor in self.accessors.walk("", limit)? {
            let found = self.accessors.get_record::<String>(&accessor, "accessor")?;
            if let Some((_, id)) = found
                && self.lives(&id, now, &mut living)?
            {
                accessors.push(accessor);
            }
        }
        accessors.sort_unstable();
        Ok(accessors)
    }

    /// Returns true when the token `id` is alive, and so all its ancestors. Serves questions about
    /// many tokens: it fills no cache, and `living` remembers the ancestors.
    fn lives(&self, id: &str, now: Timestamp, living: &mut Living) -> Result<bool, TokenError> {
        let Some(token) = self.read(id)?.filter(|token| !token.is_expired(now)) else {
            return Ok(false);
        };
        if token.parent.is_empty() {
            return Ok(true);
        }
        if let Some(known) = living.ancestors.get(&token.parent) {
            return Ok(*known);
        }
        let lives = self.lives(&token.parent, now, living)?;
        living.ancestors.insert(token.parent, lives);
        Ok(lives)
    }

    /// Returns true while the subject of `lease` holds: its time has not come, and the token lives
    /// that it is about or that it dies with.
    pub fn holds(
        &self,
        lease: &Lease,
        now: Timestamp,
        living: &mut Living,
    ) -> Result<bool, TokenError> {
        if lease.is_expired(now) {
            return Ok(false);
        }
        match &lease.undo {
            Undo::Token(id) => self.lives(id, now, living),
            Undo::Secret { .. } if lease.owner.is_empty() => Ok(true),
            Undo::Secret { .. } => self.lives(&lease.owner, now, living),
        }
    }

    /// Adds a new token to `batch`. The text in [`Minted`] is good once the batch is committed.
    pub fn create(
        &self,
        batch: &mut Batch,
        spec: Spec,
        now: Timestamp,
    ) -> Result<Minted, TokenError> {
        let depth = self.expect_parent(batch, &spec.parent)?;
        let text = spec.text;
        let mut token = Token {
            parent: spec.parent,
            policies: spec.policies,
            path: spec.path,
            metadata: spec.metadata,
            display_name: spec.display_name,
            num_uses: spec.num_uses,
            creation_time: now,
            expire_time: deadline(now, spec.ttl),
            ttl: spec.ttl,
            explicit_max_ttl: spec.explicit_max_ttl,
            period: spec.period,
            renewable: spec.renewable,
            role: spec.role,
            entity_id: spec.entity_id,
            bound_cidrs: spec.bound_cidrs,
            token_type: spec.token_type,
            max_ttl: spec.max_ttl,
            depth,
            ..Token::default()
        };
        let text = if spec.token_type == TokenType::Batch {
            let text = batch::seal(&self.barrier, &token)?;
            if text.expose().len() > TEXT_BYTES_MAX {
                return Err(TokenError::invalid("token metadata is too long"));
            }
            text
        } else {
            let text = match text {
                Some(text) => text,
                None => {
                    let random = random_text(RANDOM_CHARS);
                    Secret::new(format!("{SERVICE_PREFIX}{}", random.expose()))
                }
            };
            token.id = self.hash(text.expose())?.record_name();
            token.cubbyhole_id.clone_from(&token.id);
            token.accessor = random_text(RANDOM_CHARS).into_inner();
            self.insert(batch, &token)?;
            if !spec.internal.is_empty() {
                let internal = serde_json::Value::from(spec.internal).to_string();
                // As new as the token.
                self.logins
                    .put_record_blindly(batch, &token.id, &internal)?;
            }
            text
        };
        Ok(Minted {
            token: text,
            entry: Arc::new(token),
        })
    }

    /// Adds one use less of `token` to `batch`; the last use ends the token with all below it. Does
    /// nothing for tokens without a limit. It is called after the request's own changes are in
    /// `batch`: where they renew the token, the use is counted on the renewed one; where they end
    /// it, it stays ended.
    pub fn use_once(
        &self,
        batch: &mut Batch,
        token: &Token,
        now: Timestamp,
    ) -> Result<(), TokenError> {
        match token.num_uses {
            0 => Ok(()),
            _ if self.records.deletes(batch, &token.id) => Ok(()),
            1 => {
                batch.keep(&self.slot(token));
                self.revoke_tree(batch, &token.id, now)
            }
            uses => {
                let mut used = match self.pending_token(batch, &token.id, token.revision)? {
                    Some(changed) => changed,
                    None => token.clone(),
                };
                used.num_uses = uses - 1;
                self.rewrite(batch, &used)
            }
        }
    }

    /// Adds the renewal of `token` to `batch`, for `increment` (zero: as granted first) or the
    /// token's period, within its limits and `max_ttl`, the longest life that its mount allows now.
    /// Returns the renewed token and warnings.
    pub fn renew(
        &self,
        batch: &mut Batch,
        token: &Token,
        increment: Duration,
        max_ttl: Duration,
        now: Timestamp,
    ) -> Result<(Arc<Token>, Vec<String>), TokenError> {
        if token.is_batch() {
            return Err(TokenError::invalid("batch tokens cannot be renewed"));
        }
        let Some(lease_id) = token.lease_id().filter(|_| token.renewable) else {
            let never_leased = token.path == "auth/token/root";
            let message = if never_leased {
                "invalid lease ID"
            } else {
                "lease is not renewable"
            };
            return Err(TokenError::invalid(message));
        };
        let (ttl, warnings) = grant(&Wish {
            ttl: if increment.is_zero() {
                token.ttl
            } else {
                increment
            },
            period: token.period,
            explicit_max_ttl: token.explicit_max_ttl,
            mount_default_ttl: token.ttl,
            mount_max_ttl: token.max_ttl.min(max_ttl),
            start: token.creation_time,
            now,
            ..Wish::default()
        })?;
        let mut renewed = token.clone();
        renewed.expire_time = deadline(now, ttl);
        renewed.last_renewal = now;
        self.rewrite(batch, &renewed)?;
        if ends_sooner(renewed.expire_time, token.expire_time) {
            // Tokens below it are remembered as good until its old end.
            self.root.delete(batch, super::revoke::SIGNAL);
        }
        if let Some(lease) = self.leases.read(&lease_id)? {
            self.leases.renew(batch, &lease, renewed.expire_time, now)?;
        }
        Ok((Arc::new(renewed), warnings))
    }

    /// Returns the note about its login that the method of `token` keeps, see
    /// [`crate::engine::Auth::internal`].
    pub fn login_note(
        &self,
        token: &Token,
    ) -> Result<serde_json::Map<String, serde_json::Value>, TokenError> {
        let found = self.logins.get_record::<String>(&token.id, "login")?;
        let Some((_, internal)) = found else {
            return Ok(serde_json::Map::new());
        };
        let note = serde_json::from_str(&internal);
        Ok(note.map_err(|_| BarrierError::Decode("login"))?)
    }

    /// Adds the precondition to `batch` that `token` is still as it was read. Does nothing for
    /// batch tokens.
    pub fn expect(&self, batch: &mut Batch, token: &Token) {
        if !token.id.is_empty() {
            batch.keep(&self.slot(token));
        }
    }

    /// Returns true when there is a record under the name of `text`, alive or not, or something
    /// left of one.
    pub fn is_taken(&self, text: &SecretString) -> Result<bool, TokenError> {
        let id = self.hash(text.expose())?.record_name();
        // Until all below an earlier one is gone, the sweep goes on ending what has that name.
        Ok(self.read(&id)?.is_some() || self.pending.get(&id)?.is_some())
    }

    /// Returns the slot of the record that `token` was read from.
    fn slot(&self, token: &Token) -> Slot {
        self.records.known(&token.id, token.revision)
    }

    /// Reads the record as it is stored, dead or alive.
    pub(super) fn read(&self, id: &str) -> Result<Option<Token>, TokenError> {
        let found = self.records.get_record::<TokenRecord>(id, "token")?;
        Ok(found.map(|(revision, stored)| stored.into_token(id, revision)))
    }

    /// Returns the token as `batch` will write it, if it does.
    pub(super) fn pending_token(
        &self,
        batch: &Batch,
        id: &str,
        revision: Revision,
    ) -> Result<Option<Token>, TokenError> {
        let Some(record) = self.records.pending(batch, id) else {
            return Ok(None);
        };
        let stored: TokenRecord =
            postcard::from_bytes(record.expose()).map_err(|_| BarrierError::Decode("token"))?;
        Ok(Some(stored.into_token(id, revision)))
    }

    fn open_batch(&self, text: &str, now: Timestamp) -> Result<Option<Arc<Token>>, TokenError> {
        let Some(mut token) = batch::open(&self.barrier, text)? else {
            return Ok(None);
        };
        if token.is_expired(now) {
            return Ok(None);
        }
        if !token.parent.is_empty() {
            let Some(parent) = self.hot(&token.parent, now)? else {
                return Ok(None);
            };
            inherit_bounds(&mut token, &parent.token);
        }
        Ok(Some(Arc::new(token)))
    }

    /// Returns a living token, from the cache or from the store. It lives only as long as its
    /// parent.
    fn hot(&self, id: &str, now: Timestamp) -> Result<Option<Hot>, TokenError> {
        if let Some(hot) = self.cache.get(id, now) {
            return Ok(Some(hot));
        }
        let key = self.records.key(id)?;
        self.cache.get_or_load(id, key, now, || self.load(id, now))
    }

    fn load(&self, id: &str, now: Timestamp) -> Result<Option<Hot>, TokenError> {
        let Some(mut token) = self.read(id)?.filter(|token| !token.is_expired(now)) else {
            return Ok(None);
        };
        let mut valid_until = token.expire_time;
        if !token.parent.is_empty() {
            let Some(parent) = self.hot(&token.parent, now)? else {
                return Ok(None);
            };
            valid_until = earlier(valid_until, parent.valid_until);
            inherit_bounds(&mut token, &parent.token);
        }
        Ok(Some(Hot {
            token: Arc::new(token),
            valid_until,
        }))
    }

    /// Adds the precondition that the parent stays as it is until the child is written. Returns the
    /// child's depth.
    fn expect_parent(&self, batch: &mut Batch, parent: &str) -> Result<u16, TokenError> {
        if parent.is_empty() {
            return Ok(0);
        }
        let Some(found) = self.read(parent)? else {
            return Err(TokenError::invalid(
                "parent token lookup failed: no parent found",
            ));
        };
        if found.depth >= DEPTH_MAX {
            return Err(TokenError::invalid(format!(
                "the line of parent tokens is longer than {DEPTH_MAX}"
            )));
        }
        batch.keep(&self.slot(&found));
        Ok(found.depth + 1)
    }

    fn insert(&self, batch: &mut Batch, token: &Token) -> Result<(), TokenError> {
        if self.read(&token.id)?.is_some() {
            return Err(TokenError::invalid(
                "cannot create a token with a duplicate ID",
            ));
        }
        let slot = self.records.known(&token.id, Revision(0));
        batch.replace_record(&slot, &TokenRecord::from_token(token))?;
        // The accessor and the entry below the parent are as new as the token.
        self.accessors
            .put_record_blindly(batch, &token.accessor, &token.id)?;
        if !token.parent.is_empty() {
            let entry = child_entry(token);
            self.children
                .put_blindly(batch, &entry, Secret::new(Vec::new()));
        }
        if let Some(id) = token.lease_id() {
            self.leases.register(
                batch,
                &Lease {
                    id,
                    issue_time: token.creation_time,
                    expire_time: token.expire_time,
                    last_renewal: Timestamp::default(),
                    max_expire_time: deadline(token.creation_time, token.explicit_max_ttl),
                    renewable: token.renewable,
                    owner: String::new(),
                    undo: Undo::Token(token.id.clone()),
                    revision: Revision(0),
                },
            )?;
        }
        Ok(())
    }

    pub(super) fn rewrite(&self, batch: &mut Batch, token: &Token) -> Result<(), TokenError> {
        Ok(batch.replace_record(&self.slot(token), &TokenRecord::from_token(token))?)
    }
}

/// Gives a child its parent's addresses, which earlier versions left out when they made one. Tokens
/// of a role have the role's addresses or none.
fn inherit_bounds(child: &mut Token, parent: &Token) {
    if child.bound_cidrs.is_empty() && child.role.is_empty() {
        child.bound_cidrs.clone_from(&parent.bound_cidrs);
    }
}

/// Returns the entry of a child in the index of its parent.
pub(super) fn child_entry(token: &Token) -> String {
    format!("{}/{}", token.parent, token.id)
}

fn deadline(start: Timestamp, life: Duration) -> Timestamp {
    if life.is_zero() {
        Timestamp::default()
    } else {
        start.plus(life)
    }
}

/// Returns the earlier of two ends, where zero is "never".
fn earlier(a: Timestamp, b: Timestamp) -> Timestamp {
    match (a.is_zero(), b.is_zero()) {
        (true, _) => b,
        (_, true) => a,
        _ => a.min(b),
    }
}

/// Returns true when `a` is before `b`, where zero is "never".
fn ends_sooner(a: Timestamp, b: Timestamp) -> bool {
    !a.is_zero() && (b.is_zero() || a < b)
}

/// The observer of the storage. It clears the cache when a tree was revoked or ends sooner: some of
/// its tokens may be removed later, were made while it was being revoked, or are remembered with
/// the later end. After a restore, it also forgets what the sweep remembers of the store.
struct Follower {
    cache: Arc<Cache>,
    leases: Arc<lease::Store>,
    maybe_pending: Arc<AtomicBool>,
    signal: Key,
}

impl Observer for Follower {
    fn applied(&self, revision: Revision, keys: &[Key]) {
        self.leases.applied(keys);
        if keys.is_empty() {
            self.leases.replaced();
            self.maybe_pending.store(true, Ordering::Release);
        }
        if keys.contains(&self.signal) {
            self.cache.clear();
        } else {
            self.cache.applied(revision, keys);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock, ManualClock};
    use crate::engine::cubbyhole;
    use crate::store::Inmem;
    use crate::token::{REVOKE_BATCH_MAX, Sweep};

    const HOUR: Duration = Duration::from_secs(3600);
    const MAX: Duration = Duration::MAX;

    struct Kept(View);

    impl Belongings for Kept {
        fn remove(&self, batch: &mut Batch, cubbyhole_id: &str) -> Result<bool, BarrierError> {
            cubbyhole::purge(&self.0, batch, cubbyhole_id)
        }
    }

    struct World {
        barrier: Arc<Unsealed>,
        tokens: Store,
        clock: ManualClock,
    }

    impl World {
        /// Creates a world as [`World::new`] does, with a cubbyhole below `path`.
        fn with_cubbyhole(path: &str) -> (Self, View) {
            let mut world = Self::new();
            let view = world.barrier.view(path);
            let kept = Arc::new(Kept(view.clone()));
            world.tokens = world.tokens.with_belongings(kept);
            (world, view)
        }

        fn new() -> Self {
            let barrier = Unsealed::for_test(Arc::new(Inmem::new()));
            let leases = Arc::new(lease::Store::new(&barrier));
            Self {
                tokens: Store::new(&barrier, leases).expect("opens"),
                clock: ManualClock::new(Timestamp::from_secs(1_800_000_000)),
                barrier,
            }
        }

        async fn commit(&self, batch: Batch) {
            let committed = self.barrier.commit(batch, self.clock.now()).await;
            committed.expect("commits");
        }

        async fn create(&self, spec: Spec) -> Minted {
            let mut batch = Batch::new();
            let minted = self.tokens.create(&mut batch, spec, self.clock.now());
            self.commit(batch).await;
            minted.expect("creates")
        }

        async fn child(&self, parent: &Minted, ttl: Duration) -> Minted {
            self.create(Spec {
                parent: parent.entry.id.clone(),
                ..spec(ttl)
            })
            .await
        }

        fn find(&self, minted: &Minted) -> Option<Arc<Token>> {
            let found = self.tokens.lookup(&minted.token, self.clock.now());
            found.expect("reads")
        }

        fn alive(&self, minted: &Minted) -> bool {
            self.find(minted).is_some()
        }

        async fn revoke(&self, minted: &Minted) {
            let mut batch = Batch::new();
            let now = self.clock.now();
            let revoked = self.tokens.revoke_tree(&mut batch, &minted.entry.id, now);
            revoked.expect("revokes");
            self.commit(batch).await;
        }

        async fn sweep(&self) -> usize {
            let mut sweeps = 0;
            loop {
                let swept = self.tokens.sweep(self.clock.now(), 64);
                let Sweep { batch, more, .. } = swept.expect("sweeps");
                if batch.is_empty() {
                    return sweeps;
                }
                self.commit(batch).await;
                sweeps += 1;
                assert!(sweeps < 1000, "the sweep ends");
                if !more {
                    return sweeps;
                }
            }
        }

        fn records(&self) -> usize {
            let walked = self.barrier.view("sys/").walk("", usize::MAX);
            walked.expect("walks").len()
        }
    }

    fn spec(ttl: Duration) -> Spec {
        Spec {
            policies: vec!["default".into()],
            path: "auth/token/create".into(),
            ttl,
            max_ttl: 100 * HOUR,
            renewable: true,
            ..Spec::default()
        }
    }

    #[tokio::test]
    async fn a_token_is_found_by_its_text_alone() {
        let world = World::new();
        let minted = world.create(spec(HOUR)).await;
        let found = world.find(&minted).expect("alive");
        assert_eq!(
            *found,
            Token {
                revision: found.revision,
                ..(*minted.entry).clone()
            }
        );
        assert!(minted.token.expose().starts_with("hvs."));
        let other = Secret::new(format!("{}x", minted.token.expose()));
        for text in [
            other,
            Secret::new(String::new()),
            Secret::new(minted.entry.id.clone()),
        ] {
            assert!(
                world
                    .tokens
                    .lookup(&text, world.clock.now())
                    .expect("reads")
                    .is_none()
            );
        }
        let by_accessor = world
            .tokens
            .by_accessor(&minted.entry.accessor, world.clock.now());
        assert_eq!(by_accessor.expect("reads"), Some(found));
    }

    #[tokio::test]
    async fn the_text_is_stored_nowhere() {
        let world = World::new();
        let minted = world.create(spec(HOUR)).await;
        let view = world.barrier.view("");
        for path in view.walk("", usize::MAX).expect("walks") {
            assert!(!path.contains(minted.token.expose()));
            let entry = view.get(&path).expect("reads").expect("is there");
            let text = minted.token.expose().as_bytes();
            assert!(
                !entry
                    .value
                    .expose()
                    .windows(text.len())
                    .any(|part| part == text)
            );
        }
        assert!(!format!("{minted:?}").contains(minted.token.expose()));
    }

    #[tokio::test]
    async fn a_token_dies_when_its_time_comes_swept_or_not() {
        let world = World::new();
        let before = world.records();
        let minted = world.create(spec(HOUR)).await;
        world.clock.advance(HOUR - Duration::from_nanos(1));
        assert!(world.alive(&minted));
        assert_eq!(world.sweep().await, 0);
        world.clock.advance(Duration::from_nanos(1));
        assert!(!world.alive(&minted));
        assert_eq!(world.sweep().await, 1);
        assert_eq!(world.records(), before, "nothing is left of it");
        assert_eq!(world.sweep().await, 0);
    }

    #[tokio::test]
    async fn children_die_with_their_parent() {
        let world = World::new();
        let before = world.records();
        let parent = world.create(spec(HOUR)).await;
        let child = world.child(&parent, 5 * HOUR).await;
        let grandchild = world.child(&child, 5 * HOUR).await;
        let stranger = world.create(spec(5 * HOUR)).await;
        assert!(world.alive(&grandchild));
        world.clock.advance(HOUR);
        assert!(!world.alive(&grandchild), "its grandparent's time has come");
        assert!(!world.alive(&child));
        world.sweep().await;
        assert!(world.alive(&stranger));
        world.revoke(&stranger).await;
        assert!(!world.alive(&stranger));
        assert_eq!(world.records(), before);
    }

    #[tokio::test]
    async fn revoking_orphans_leaves_the_children() {
        let world = World::new();
        let parent = world.create(spec(HOUR)).await;
        let child = world.child(&parent, 5 * HOUR).await;
        let grandchild = world.child(&child, 5 * HOUR).await;
        let mut batch = Batch::new();
        let token = world.find(&parent).expect("alive");
        let now = world.clock.now();
        let revoked = world.tokens.revoke_orphan(&mut batch, &token, now);
        revoked.expect("revokes");
        world.commit(batch).await;
        assert!(!world.alive(&parent));
        assert!(world.find(&child).expect("alive").parent.is_empty());
        world.clock.advance(2 * HOUR);
        assert!(world.alive(&grandchild));
    }

    #[tokio::test]
    async fn a_tree_larger_than_a_batch_dies_at_once_and_goes_bit_by_bit() {
        let world = World::new();
        let before = world.records();
        let parent = world.create(spec(HOUR)).await;
        let mut children = Vec::new();
        for _ in 0..REVOKE_BATCH_MAX + 20 {
            children.push(world.child(&parent, HOUR).await);
        }
        assert!(children.iter().all(|child| world.alive(child)));
        world.revoke(&parent).await;
        assert!(children.iter().all(|child| !world.alive(child)));
        assert!(world.records() > before, "the rest waits for the sweep");
        world.sweep().await;
        assert_eq!(world.records(), before);
    }

    #[tokio::test]
    async fn a_token_with_a_huge_cubbyhole_dies_at_once_and_goes_bit_by_bit() {
        let (world, view) = World::with_cubbyhole("cubbyhole/");
        let minted = world.create(spec(HOUR)).await;
        let child = world.child(&minted, HOUR).await;
        let long = ["x".repeat(500), "y".repeat(500), "z".repeat(500)].join("/");
        for n in 0..cubbyhole::RECORDS_MAX {
            let mut batch = Batch::new();
            let path = format!("{}/{long}/{n}", minted.entry.id);
            view.put_blindly(&mut batch, &path, Secret::new(vec![1]));
            world.commit(batch).await;
        }
        let mut batch = Batch::new();
        let now = world.clock.now();
        let revoked = world.tokens.revoke_tree(&mut batch, &minted.entry.id, now);
        revoked.expect("revokes");
        world.commit(batch).await;
        assert!(!world.alive(&minted) && !world.alive(&child));
        let left = view.walk("", 1).expect("walks");
        assert!(!left.is_empty(), "the rest waits for the sweep");
        world.sweep().await;
        assert!(view.walk("", 1).expect("walks").is_empty());
        assert_eq!(world.records(), 0);
    }

    #[tokio::test]
    async fn a_renewal_that_commits_first_keeps_the_token_from_the_sweep() {
        let world = World::new();
        let minted = world.create(spec(HOUR)).await;
        let child = world.child(&minted, 5 * HOUR).await;
        world.clock.advance(HOUR - Duration::from_nanos(1));
        let token = world.find(&minted).expect("alive");
        let (mut renewal, now) = (Batch::new(), world.clock.now());
        let renewed = world.tokens.renew(&mut renewal, &token, HOUR, MAX, now);
        renewed.expect("renews");
        world.clock.advance(Duration::from_nanos(1));
        let swept = world.tokens.sweep(world.clock.now(), 64).expect("sweeps");
        assert!(!swept.batch.is_empty());
        world.commit(renewal).await;
        let late = world.barrier.commit(swept.batch, world.clock.now()).await;
        assert!(late.is_err(), "what it would end was renewed");
        assert!(world.alive(&minted) && world.alive(&child));
        world.sweep().await;
        assert!(world.alive(&minted), "and is not swept by its old deadline");
        world.clock.advance(HOUR);
        world.sweep().await;
        assert_eq!(world.records(), 0, "its own time does end it");
    }

    #[tokio::test]
    async fn who_revokes_wins_over_a_renewal_and_leaves_no_deadline() {
        let world = World::new();
        let minted = world.create(spec(HOUR)).await;
        let token = world.find(&minted).expect("alive");
        let (mut revoked, now) = (Batch::new(), world.clock.now());
        let ended = world.tokens.revoke_tree(&mut revoked, &token.id, now);
        ended.expect("revokes");
        let mut renewal = Batch::new();
        let renewed = world.tokens.renew(&mut renewal, &token, 2 * HOUR, MAX, now);
        renewed.expect("renews");
        world.commit(renewal).await;
        world.commit(revoked).await;
        assert!(!world.alive(&minted));
        world.clock.advance(3 * HOUR);
        world.sweep().await;
        assert_eq!(world.records(), 0);
    }

    #[tokio::test]
    async fn the_sweep_ends_nothing_that_took_an_ended_tokens_name() {
        let world = World::new();
        let custom = || Spec {
            text: Some(Secret::new("mine".into())),
            ..spec(HOUR)
        };
        let first = world.create(custom()).await;
        for _ in 0..REVOKE_BATCH_MAX + 20 {
            world.child(&first, HOUR).await;
        }
        world.revoke(&first).await;
        assert!(!world.alive(&first));
        let text = Secret::new("mine".to_owned());
        assert!(world.tokens.is_taken(&text).expect("reads"));
        world.sweep().await;
        assert!(!world.tokens.is_taken(&text).expect("reads"));
    }

    #[tokio::test]
    async fn uses_are_counted_and_the_last_ends_the_token() {
        let world = World::new();
        let minted = world
            .create(Spec {
                num_uses: 2,
                ..spec(HOUR)
            })
            .await;
        for left in [2, 1] {
            let token = world.find(&minted).expect("alive");
            assert_eq!(token.num_uses, left);
            let mut batch = Batch::new();
            let used = world.tokens.use_once(&mut batch, &token, world.clock.now());
            used.expect("counts");
            world.commit(batch).await;
        }
        assert!(!world.alive(&minted));
    }

    #[tokio::test]
    async fn a_use_that_renews_counts_and_renews() {
        let world = World::new();
        let minted = world
            .create(Spec {
                num_uses: 5,
                ..spec(HOUR)
            })
            .await;
        world.clock.advance(HOUR / 2);
        let token = world.find(&minted).expect("alive");
        let (mut batch, now) = (Batch::new(), world.clock.now());
        let renewed = world
            .tokens
            .renew(&mut batch, &token, Duration::ZERO, MAX, now);
        renewed.expect("renews");
        world
            .tokens
            .use_once(&mut batch, &token, now)
            .expect("counts");
        world.commit(batch).await;
        let token = world.find(&minted).expect("alive");
        assert_eq!((token.num_uses, token.ttl_left(now)), (4, HOUR));
    }

    #[tokio::test]
    async fn a_use_that_ends_the_token_does_not_bring_it_back() {
        let world = World::new();
        let before = world.records();
        for uses in [1, 2, 5] {
            let minted = world
                .create(Spec {
                    num_uses: uses,
                    ..spec(HOUR)
                })
                .await;
            let token = world.find(&minted).expect("alive");
            let (mut batch, now) = (Batch::new(), world.clock.now());
            let revoked = world.tokens.revoke_tree(&mut batch, &token.id, now);
            revoked.expect("revokes");
            let used = world.tokens.use_once(&mut batch, &token, now);
            used.expect("counts");
            world.commit(batch).await;
            assert!(!world.alive(&minted));
            assert_eq!(world.records(), before, "nothing is left of it");
        }
    }

    #[tokio::test]
    async fn a_last_use_leaves_nothing_of_what_it_gave_the_token() {
        let (world, cubbyhole) = World::with_cubbyhole("sys/cubbyhole/");
        let before = world.records();
        let minted = world
            .create(Spec {
                num_uses: 1,
                ..spec(HOUR)
            })
            .await;
        world.clock.advance(HOUR / 2);
        let token = world.find(&minted).expect("alive");
        let (mut batch, now) = (Batch::new(), world.clock.now());
        let renewed = world
            .tokens
            .renew(&mut batch, &token, Duration::ZERO, MAX, now);
        renewed.expect("renews");
        let path = format!("{}/a", token.cubbyhole_id);
        cubbyhole.put_blindly(&mut batch, &path, Secret::new(vec![1]));
        let child = Spec {
            parent: token.id.clone(),
            ..spec(HOUR)
        };
        let child = world.tokens.create(&mut batch, child, now);
        let child = child.expect("creates");
        let used = world.tokens.use_once(&mut batch, &token, now);
        used.expect("counts");
        world.commit(batch).await;
        assert!(!world.alive(&minted) && !world.alive(&child));
        assert_eq!(world.records(), before, "nothing is left");
    }

    #[tokio::test]
    async fn a_shorter_renewal_holds_for_the_children_too() {
        let world = World::new();
        let parent = world.create(spec(5 * HOUR)).await;
        let child = world.child(&parent, 9 * HOUR).await;
        assert!(world.alive(&child), "and is remembered");
        let token = world.find(&parent).expect("alive");
        let (mut batch, now) = (Batch::new(), world.clock.now());
        let renewed = world.tokens.renew(&mut batch, &token, HOUR, MAX, now);
        renewed.expect("renews");
        world.commit(batch).await;
        assert!(world.alive(&child));
        world.clock.advance(HOUR);
        assert!(!world.alive(&parent) && !world.alive(&child));
    }

    #[tokio::test]
    async fn one_use_is_not_two_when_two_ask_at_once() {
        let world = World::new();
        for uses in [1, 2] {
            let minted = world
                .create(Spec {
                    num_uses: uses,
                    ..spec(HOUR)
                })
                .await;
            let token = world.find(&minted).expect("alive");
            let now = world.clock.now();
            let (mut first, mut second) = (Batch::new(), Batch::new());
            world
                .tokens
                .use_once(&mut first, &token, now)
                .expect("counts");
            world
                .tokens
                .use_once(&mut second, &token, now)
                .expect("counts");
            world.commit(first).await;
            assert!(world.barrier.commit(second, now).await.is_err());
        }
    }

    #[tokio::test]
    async fn renewals_stay_within_their_limits() {
        let world = World::new();
        let minted = world
            .create(Spec {
                max_ttl: 3 * HOUR,
                ..spec(HOUR)
            })
            .await;
        for (wait_s, increment, ttl_s) in
            [(1800, HOUR, 3600), (3000, 9 * HOUR, 6000), (1, HOUR, 3600)]
        {
            world.clock.advance(Duration::from_secs(wait_s));
            let token = world.find(&minted).expect("alive");
            let mut batch = Batch::new();
            let now = world.clock.now();
            let renewed = world.tokens.renew(&mut batch, &token, increment, MAX, now);
            world.commit(batch).await;
            let (renewed, warnings) = renewed.expect("renews");
            assert_eq!(renewed.ttl_left(now), Duration::from_secs(ttl_s));
            assert_eq!(warnings.is_empty(), increment == HOUR);
            let leases = world.tokens.leases();
            let lease = leases.lookup(&renewed.lease_id().expect("has one"), now);
            assert_eq!(
                lease.expect("reads").expect("is there").expire_time,
                renewed.expire_time
            );
        }
        world.clock.advance(HOUR - Duration::from_secs(1));
        assert!(world.alive(&minted));
        world.sweep().await;
        assert!(world.alive(&minted), "old deadlines are forgotten");
        world.clock.advance(Duration::from_secs(1));
        assert!(!world.alive(&minted));
    }

    #[tokio::test]
    async fn what_cannot_be_renewed_says_so() {
        let world = World::new();
        let refused = |token: &Token| {
            let now = world.clock.now();
            let renewed = world.tokens.renew(&mut Batch::new(), token, HOUR, MAX, now);
            renewed.expect_err("must not renew").to_string()
        };
        let root = world.create(Spec::root()).await;
        assert_eq!(refused(&root.entry), "invalid lease ID");
        let fixed = world
            .create(Spec {
                renewable: false,
                ..spec(HOUR)
            })
            .await;
        assert_eq!(refused(&fixed.entry), "lease is not renewable");
        let batch = world.create(batch_spec(HOUR)).await;
        assert_eq!(refused(&batch.entry), "batch tokens cannot be renewed");
    }

    fn batch_spec(ttl: Duration) -> Spec {
        Spec {
            token_type: TokenType::Batch,
            renewable: false,
            ..spec(ttl)
        }
    }

    #[tokio::test]
    async fn batch_tokens_are_stored_nowhere_and_open_here_only() {
        let world = World::new();
        let before = world.records();
        let minted = world.create(batch_spec(HOUR)).await;
        assert_eq!(world.records(), before);
        let token = world.find(&minted).expect("alive");
        assert!(token.accessor.is_empty() && token.id.is_empty() && token.is_batch());
        let stranger = World::new();
        assert!(!stranger.alive(&minted));
        let text = minted.token.expose();
        for broken in [
            text.replacen("hvb.", "hvb.A", 1),
            format!("{text}A"),
            text.chars().rev().collect(),
            "hvb.".to_owned(),
            format!("hvb.{}", "A".repeat(100_000)),
        ] {
            let found = world.tokens.lookup(&Secret::new(broken), world.clock.now());
            assert!(found.expect("no error of ours").is_none());
        }
    }

    #[tokio::test]
    async fn cve_2020_25816_batch_tokens_close_to_their_end_still_end() {
        let world = World::new();
        let parent = world.create(spec(2 * HOUR)).await;
        let minted = world
            .create(Spec {
                parent: parent.entry.id.clone(),
                ..batch_spec(HOUR)
            })
            .await;
        world.clock.advance(HOUR - Duration::from_secs(1));
        assert!(world.alive(&minted));
        world.clock.advance(Duration::from_secs(1));
        assert!(!world.alive(&minted));
        let longer = world
            .create(Spec {
                parent: parent.entry.id.clone(),
                ..batch_spec(9 * HOUR)
            })
            .await;
        assert!(world.alive(&longer));
        world.revoke(&parent).await;
        assert!(!world.alive(&longer), "it dies with its parent");
    }

    #[tokio::test]
    async fn a_custom_text_is_taken_once() {
        let world = World::new();
        let custom = || Spec {
            text: Some(Secret::new("mine".into())),
            ..spec(HOUR)
        };
        let minted = world.create(custom()).await;
        assert!(world.alive(&minted));
        let again = world
            .tokens
            .create(&mut Batch::new(), custom(), world.clock.now());
        assert!(
            again
                .expect_err("is taken")
                .to_string()
                .contains("duplicate ID")
        );
    }

    #[tokio::test]
    async fn a_child_of_a_token_revoked_meanwhile_does_not_come_to_be() {
        let world = World::new();
        let parent = world.create(spec(HOUR)).await;
        let mut batch = Batch::new();
        let child = Spec {
            parent: parent.entry.id.clone(),
            ..spec(HOUR)
        };
        let created = world.tokens.create(&mut batch, child, world.clock.now());
        created.expect("creates");
        world.revoke(&parent).await;
        assert!(
            world
                .barrier
                .commit(batch, world.clock.now())
                .await
                .is_err()
        );
    }

    #[tokio::test]
    async fn children_that_were_made_without_bounds_have_their_parents() {
        let world = World::new();
        let bounds = vec!["10.0.0.0/8".to_owned()];
        let parent = world
            .create(Spec {
                bound_cidrs: bounds.clone(),
                ..spec(HOUR)
            })
            .await;
        let child = world.child(&parent, HOUR).await;
        let grandchild = world.child(&child, HOUR).await;
        let batch = world
            .create(Spec {
                parent: child.entry.id.clone(),
                ..batch_spec(HOUR)
            })
            .await;
        for minted in [&child, &grandchild, &batch] {
            let token = world.find(minted).expect("alive");
            assert_eq!(token.bound_cidrs, bounds);
        }
        for spec in [
            Spec {
                parent: parent.entry.id.clone(),
                role: "r".into(),
                ..spec(HOUR)
            },
            spec(HOUR),
        ] {
            let free = world.create(spec).await;
            assert!(world.find(&free).expect("alive").bound_cidrs.is_empty());
        }
    }

    #[tokio::test]
    async fn addresses_are_held_to_the_bounds() {
        let bound = Token {
            bound_cidrs: vec!["10.0.0.0/8".into(), "fd00::/16".into(), "1.2.3.4".into()],
            ..Token::default()
        };
        for (address, permitted) in [
            ("10.9.8.7", true),
            ("11.0.0.1", false),
            ("1.2.3.4", true),
            ("1.2.3.5", false),
            ("::ffff:10.1.1.1", true),
            ("fd00::1", true),
            ("fd01::1", false),
        ] {
            let address = address.parse().expect("an address");
            assert_eq!(bound.permits_address(Some(address)), permitted, "{address}");
        }
        assert!(!bound.permits_address(None));
        assert!(Token::default().permits_address(None));
    }
}
