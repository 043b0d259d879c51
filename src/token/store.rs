//! Tokens in the barrier: make, find, use, renew.

use super::batch;
use super::cache::{Cache, Hot};
use super::record::Stored;
use super::text::{BATCH_PREFIX, SERVICE_PREFIX, TEXT_BYTES_MAX, random_text};
use super::ttl::{Wish, grant};
use super::{Minted, Spec, Token, TokenError};
use crate::barrier::{Batch, Unsealed, View};
use crate::clock::Timestamp;
use crate::engine::TokenType;
use crate::lease::{self, Lease, Undo};
use crate::secret::{Secret, SecretString};
use crate::store::{Key, Observer, Revision};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Longest line of ancestors.
const DEPTH_MAX: u16 = 128;

/// Hexadecimal digits of a record's name: 128 bits of a keyed hash.
const NAME_DIGITS: usize = 32;

/// Where tokens live below the barrier's root.
const PREFIX: &str = "sys/token/";

/// Reads and writes tokens.
pub struct Store {
    pub(super) root: View,
    pub(super) records: View,
    pub(super) accessors: View,
    pub(super) children: View,
    pub(super) pending: View,
    pub(super) leases: Arc<lease::Store>,
    pub(super) cubbyhole: OnceLock<View>,
    /// False once it is known that no revocation waits to be continued.
    pub(super) maybe_pending: AtomicBool,
    barrier: Arc<Unsealed>,
    cache: Arc<Cache>,
    /// Storage does not keep it alive.
    _follower: Arc<Follower>,
}

impl Store {
    /// Tokens of `barrier`, with a cache that follows its storage. Reads nothing.
    pub fn new(barrier: &Arc<Unsealed>, leases: Arc<lease::Store>) -> Result<Self, TokenError> {
        let root = barrier.view(PREFIX);
        let cache = Arc::new(Cache::default());
        let follower = Arc::new(Follower {
            cache: Arc::clone(&cache),
            signal: root.key(super::revoke::SIGNAL)?,
        });
        barrier.storage().observe(Arc::downgrade(&follower) as _);
        Ok(Self {
            records: root.sub("id/"),
            accessors: root.sub("accessor/"),
            children: root.sub("parent/"),
            pending: root.sub("pending/"),
            root,
            leases,
            cubbyhole: OnceLock::new(),
            maybe_pending: AtomicBool::new(true),
            barrier: Arc::clone(barrier),
            cache,
            _follower: follower,
        })
    }

    /// The view of the cubbyhole mount, where each token's values lie below
    /// [`Token::cubbyhole_id`]`/`; what is there goes with the token. Set once.
    pub fn set_cubbyhole(&self, view: View) {
        let _ = self.cubbyhole.set(view);
    }

    /// The leases, for the `sys/leases/` API.
    pub fn leases(&self) -> &Arc<lease::Store> {
        &self.leases
    }

    /// The token of a text that a client sent; `None` when there is none, or no longer. One map
    /// access for a service token that was asked for before; a batch token is opened each time.
    pub fn lookup(
        &self,
        text: &SecretString,
        now: Timestamp,
    ) -> Result<Option<Arc<Token>>, TokenError> {
        let text = text.expose().trim();
        if text.is_empty() || text.len() > TEXT_BYTES_MAX {
            return Ok(None);
        }
        if text.starts_with(BATCH_PREFIX) {
            return self.open_batch(text, now);
        }
        self.by_id(&self.name(text)?, now)
    }

    /// A service token by the name of its record.
    pub fn by_id(&self, id: &str, now: Timestamp) -> Result<Option<Arc<Token>>, TokenError> {
        Ok(self.hot(id, now)?.map(|hot| hot.token))
    }

    /// A service token by its accessor.
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

    /// All accessors, at most `limit`.
    pub fn list_accessors(&self, limit: usize) -> Result<Vec<String>, TokenError> {
        let mut accessors = self.accessors.walk("", limit)?;
        accessors.sort_unstable();
        Ok(accessors)
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
                None => Secret::new(format!("{SERVICE_PREFIX}{}", random_text()?)),
            };
            token.id = self.name(text.expose())?;
            token.cubbyhole_id.clone_from(&token.id);
            token.accessor = random_text()?;
            self.insert(batch, &token)?;
            text
        };
        Ok(Minted {
            token: text,
            entry: Arc::new(token),
        })
    }

    /// Adds "one use less" to `batch`; the last use ends the token with all below it. Nothing
    /// for tokens without a limit. Append it after what the request itself writes.
    pub fn use_once(
        &self,
        batch: &mut Batch,
        token: &Token,
        now: Timestamp,
    ) -> Result<(), TokenError> {
        match token.num_uses {
            0 => Ok(()),
            1 => {
                self.records.expect(batch, &token.id, token.revision);
                self.revoke_tree(batch, &token.id, now)
            }
            uses => {
                let mut used = token.clone();
                used.num_uses = uses - 1;
                self.rewrite(batch, &used)
            }
        }
    }

    /// Adds "live on from now" to `batch`, for `increment` (zero: as granted first) or the
    /// token's period, within its limits. Gives the renewed token and warnings.
    pub fn renew(
        &self,
        batch: &mut Batch,
        token: &Token,
        increment: Duration,
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
            mount_max_ttl: token.max_ttl,
            start: token.creation_time,
            now,
            ..Wish::default()
        })?;
        let mut renewed = token.clone();
        renewed.expire_time = deadline(now, ttl);
        renewed.last_renewal = now;
        self.rewrite(batch, &renewed)?;
        if let Some(lease) = self.leases.read(&lease_id)? {
            self.leases.renew(batch, &lease, renewed.expire_time, now)?;
        }
        Ok((Arc::new(renewed), warnings))
    }

    /// Is there a record under the name of `text`, alive or not?
    pub fn is_taken(&self, text: &SecretString) -> Result<bool, TokenError> {
        Ok(self.read(&self.name(text.expose())?)?.is_some())
    }

    /// The record as it is stored, dead or alive.
    pub(super) fn read(&self, id: &str) -> Result<Option<Token>, TokenError> {
        let found = self.records.get_record::<Stored>(id, "token")?;
        Ok(found.map(|(revision, stored)| stored.into_token(id, revision)))
    }

    /// The name of the record of the token `text`.
    fn name(&self, text: &str) -> Result<String, TokenError> {
        let mut name = hex::encode(self.barrier.mac("token", text.as_bytes())?);
        name.truncate(NAME_DIGITS);
        name.insert(0, 'h');
        Ok(name)
    }

    fn open_batch(&self, text: &str, now: Timestamp) -> Result<Option<Arc<Token>>, TokenError> {
        let Some(token) = batch::open(&self.barrier, text)? else {
            return Ok(None);
        };
        if token.is_expired(now) {
            return Ok(None);
        }
        let alive = token.parent.is_empty() || self.hot(&token.parent, now)?.is_some();
        Ok(alive.then(|| Arc::new(token)))
    }

    /// A living token, from the cache or from the store. It lives only as long as its parent.
    fn hot(&self, id: &str, now: Timestamp) -> Result<Option<Hot>, TokenError> {
        if let Some(hot) = self.cache.get(id, now) {
            return Ok(Some(hot));
        }
        let ticket = self.cache.start(self.records.key(id)?);
        let Some(token) = self.read(id)?.filter(|token| !token.is_expired(now)) else {
            return Ok(None);
        };
        let mut valid_until = token.expire_time;
        if !token.parent.is_empty() {
            let Some(parent) = self.hot(&token.parent, now)? else {
                return Ok(None);
            };
            valid_until = earlier(valid_until, parent.valid_until);
        }
        let hot = Hot {
            token: Arc::new(token),
            valid_until,
        };
        ticket.keep(hot.clone());
        Ok(Some(hot))
    }

    /// The parent must stay as it is until the child is written. Gives the child's depth.
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
        self.records.expect(batch, parent, found.revision);
        Ok(found.depth + 1)
    }

    fn insert(&self, batch: &mut Batch, token: &Token) -> Result<(), TokenError> {
        if self.read(&token.id)?.is_some() {
            return Err(TokenError::invalid(
                "cannot create a token with a duplicate ID",
            ));
        }
        self.records.expect(batch, &token.id, Revision(0));
        self.records
            .put_record(batch, &token.id, &Stored::from_token(token))?;
        self.accessors
            .put_record(batch, &token.accessor, &token.id)?;
        if !token.parent.is_empty() {
            let entry = child_entry(token);
            self.children.put(batch, &entry, Secret::new(Vec::new()));
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
        self.records.expect(batch, &token.id, token.revision);
        self.records
            .put_record(batch, &token.id, &Stored::from_token(token))?;
        Ok(())
    }
}

/// Where a child stands in the index of its parent.
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

/// The earlier of two ends, where zero is "never".
fn earlier(a: Timestamp, b: Timestamp) -> Timestamp {
    match (a.is_zero(), b.is_zero()) {
        (true, _) => b,
        (_, true) => a,
        _ => a.min(b),
    }
}

/// Clears the cache when a tree was revoked: some of its tokens may be removed later, or were
/// made while it was being revoked.
struct Follower {
    cache: Arc<Cache>,
    signal: Key,
}

impl Observer for Follower {
    fn applied(&self, revision: Revision, keys: &[Key]) {
        if keys.contains(&self.signal) {
            self.cache.clear();
        } else {
            self.cache.applied(revision, keys);
        }
    }
}
