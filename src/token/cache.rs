//! Hot tokens in memory, bounded, never stale.
//!
//! Two generations: a token asked for moves into the young one; when that is full it becomes the
//! old one and what was old is forgotten. A token whose record changes in the store is dropped,
//! also one that is just being read (the reader's copy may be the old one).

use super::Token;
use crate::clock::Timestamp;
use crate::store::{Key, Observer, Revision};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Tokens in one generation.
const GENERATION_MAX: usize = 2048;

/// A token and how long that is known to hold without asking its ancestors again.
#[derive(Clone)]
pub(super) struct Hot {
    pub token: Arc<Token>,
    /// The earliest end among the token and its ancestors; zero is never.
    pub valid_until: Timestamp,
}

#[derive(Default)]
pub(super) struct Cache(Mutex<State>);

#[derive(Default)]
struct State {
    young: Generation,
    old: Generation,
    /// Reads under way, by the storage key they read.
    loading: HashMap<Key, Loading>,
}

#[derive(Default)]
struct Generation {
    by_id: HashMap<Box<str>, (Key, Hot)>,
    by_key: HashMap<Key, Box<str>>,
}

#[derive(Default)]
struct Loading {
    readers: usize,
    changed: bool,
}

/// A read under way; tells the cache when it is done.
pub(super) struct Ticket<'a> {
    cache: &'a Cache,
    key: Key,
}

impl Cache {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn get(&self, id: &str, now: Timestamp) -> Option<Hot> {
        let mut state = self.lock();
        let hot = match state.young.by_id.get(id) {
            Some((_, hot)) => hot.clone(),
            None => {
                let (key, hot) = state.old.remove(id)?;
                state.insert(id, key, hot.clone());
                hot
            }
        };
        (hot.valid_until.is_zero() || now < hot.valid_until).then_some(hot)
    }

    /// Call before the record is read.
    pub fn start(&self, key: Key) -> Ticket<'_> {
        self.lock().loading.entry(key.clone()).or_default().readers += 1;
        Ticket { cache: self, key }
    }

    /// Forgets everything, for when more changed than its keys tell.
    pub fn clear(&self) {
        let mut state = self.lock();
        state.young = Generation::default();
        state.old = Generation::default();
        for loading in state.loading.values_mut() {
            loading.changed = true;
        }
    }
}

impl Ticket<'_> {
    /// Keeps what was read, unless it changed meanwhile.
    pub fn keep(self, hot: Hot) {
        let mut state = self.cache.lock();
        let fresh = state
            .loading
            .get(&self.key)
            .is_some_and(|loading| !loading.changed);
        if fresh {
            let id = hot.token.id.clone();
            state.insert(&id, self.key.clone(), hot);
        }
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        let mut state = self.cache.lock();
        if let Some(loading) = state.loading.get_mut(&self.key) {
            loading.readers -= 1;
            if loading.readers == 0 {
                state.loading.remove(&self.key);
            }
        }
    }
}

impl State {
    fn insert(&mut self, id: &str, key: Key, hot: Hot) {
        if self.young.by_id.len() >= GENERATION_MAX {
            self.old = std::mem::take(&mut self.young);
        }
        self.old.remove(id);
        self.young.by_key.insert(key.clone(), id.into());
        self.young.by_id.insert(id.into(), (key, hot));
    }
}

impl Generation {
    fn remove(&mut self, id: &str) -> Option<(Key, Hot)> {
        let found = self.by_id.remove(id)?;
        self.by_key.remove(&found.0);
        Some(found)
    }

    fn remove_key(&mut self, key: &Key) {
        if let Some(id) = self.by_key.remove(key) {
            self.by_id.remove(&id);
        }
    }
}

impl Observer for Cache {
    fn applied(&self, _: Revision, keys: &[Key]) {
        if keys.is_empty() {
            return self.clear();
        }
        let mut state = self.lock();
        for key in keys {
            state.young.remove_key(key);
            state.old.remove_key(key);
            if let Some(loading) = state.loading.get_mut(key) {
                loading.changed = true;
            }
        }
    }
}
