//! Hot tokens in memory, bounded, never stale.
//!
//! Two caches: the storage key of a token's record, which follows from the token and so never
//! changes, and the token by that key. The store tells which of its keys changed, and the tokens
//! there are dropped, also those that are just being read: the reader's copy may be the old one.

use super::Token;
use crate::clock::Timestamp;
use crate::store::{Key, Observer, Revision};
use quick_cache::sync::{Cache as Bounded, GuardResult};
use std::sync::Arc;

/// A token, and the time for which it is known to hold without asking its ancestors again.
#[derive(Clone)]
pub(super) struct Hot {
    pub token: Arc<Token>,
    /// The earliest end among the token and its ancestors; zero is never.
    pub valid_until: Timestamp,
}

impl Hot {
    fn holds(&self, now: Timestamp) -> bool {
        self.valid_until.is_zero() || now < self.valid_until
    }
}

pub(super) struct Cache {
    keys: Bounded<Box<str>, Key>,
    tokens: Bounded<Key, Hot>,
}

impl Cache {
    /// Returns a cache of at most `tokens_max` tokens.
    pub fn new(tokens_max: usize) -> Self {
        Self {
            keys: Bounded::new(tokens_max),
            tokens: Bounded::new(tokens_max),
        }
    }

    /// Returns the token of this id, if it is hot and holds.
    pub fn get(&self, id: &str, now: Timestamp) -> Option<Hot> {
        let key = self.keys.get(id)?;
        self.tokens.get(&key).filter(|hot| hot.holds(now))
    }

    /// Returns the token of this id, whose record is at `key`; reads it with `load` if it is not
    /// hot. Does not keep a token that changed while it was read. Others who want the same wait
    /// meanwhile.
    pub fn get_or_load<E>(
        &self,
        id: &str,
        key: Key,
        now: Timestamp,
        load: impl FnOnce() -> Result<Option<Hot>, E>,
    ) -> Result<Option<Hot>, E> {
        let guard = loop {
            match self.tokens.get_value_or_guard(&key, None) {
                GuardResult::Value(hot) if hot.holds(now) => return Ok(Some(hot)),
                // An ancestor may have been renewed.
                GuardResult::Value(_) => drop(self.tokens.remove(&key)),
                GuardResult::Guard(guard) => break Some(guard),
                GuardResult::Timeout => break None,
            }
        };
        let loaded = load()?;
        if let (Some(guard), Some(hot)) = (guard, &loaded)
            && guard.insert(hot.clone()).is_ok()
        {
            self.keys.insert(id.into(), key);
        }
        Ok(loaded)
    }

    /// Forgets everything, for when more changed than the keys tell.
    pub fn clear(&self) {
        self.tokens.clear();
    }
}

impl Observer for Cache {
    fn applied(&self, _: Revision, keys: &[Key]) {
        if keys.is_empty() {
            return self.clear();
        }
        for key in keys {
            self.tokens.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(10);

    fn key() -> Key {
        Key::from(b"token".to_vec())
    }

    fn hot(valid_until: Timestamp) -> Hot {
        Hot {
            token: Arc::new(Token::default()),
            valid_until,
        }
    }

    /// Loads a token while `meanwhile` happens; returns true when it is kept.
    fn kept(loaded: Option<Hot>, meanwhile: impl FnOnce(&Cache)) -> bool {
        let cache = Cache::new(4096);
        let load = || {
            meanwhile(&cache);
            Ok::<_, ()>(loaded.clone())
        };
        let got = cache.get_or_load("a", key(), NOW, load).unwrap();
        assert_eq!(got.is_some(), loaded.is_some());
        cache.get("a", NOW).is_some()
    }

    #[test]
    fn what_changes_while_it_is_read_is_not_kept() {
        let forever = || Some(hot(Timestamp::from_secs(0)));
        let other = Key::from(b"other".to_vec());
        assert!(kept(forever(), |_| {}));
        assert!(kept(forever(), |cache| cache
            .applied(Revision::default(), &[other])));
        assert!(!kept(forever(), |cache| cache
            .applied(Revision::default(), &[key()])));
        assert!(!kept(forever(), |cache| cache.applied(Revision::default(), &[])));
        assert!(!kept(forever(), Cache::clear));
        assert!(!kept(None, |_| {}), "what is not there");
    }

    #[test]
    fn a_change_drops_what_is_hot() {
        for clear in [false, true] {
            let cache = Cache::new(4096);
            let load = || Ok::<_, ()>(Some(hot(Timestamp::from_secs(0))));
            cache.get_or_load("a", key(), NOW, load).unwrap();
            assert!(cache.get("a", NOW).is_some());
            match clear {
                true => cache.clear(),
                false => cache.applied(Revision::default(), &[key()]),
            }
            assert!(cache.get("a", NOW).is_none());
            let gone = cache.get_or_load("a", key(), NOW, || Ok::<_, ()>(None));
            assert!(gone.unwrap().is_none());
        }
    }

    #[test]
    fn what_does_not_hold_any_more_is_read_again() {
        let cache = Cache::new(4096);
        let (soon, late) = (Timestamp::from_secs(20), Timestamp::from_secs(30));
        let load = |until| move || Ok::<_, ()>(Some(hot(until)));
        cache.get_or_load("a", key(), NOW, load(soon)).unwrap();
        assert!(cache.get("a", NOW).is_some());
        assert!(cache.get("a", soon).is_none());
        let again = cache.get_or_load("a", key(), soon, load(late)).unwrap();
        assert_eq!(again.map(|hot| hot.valid_until), Some(late));
        assert!(cache.get("a", soon).is_some());
    }

    #[test]
    fn readers_of_the_same_token_share_what_one_reads() {
        let cache = Cache::new(4096);
        let (loading, started) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            let (first, cache) = (loading, &cache);
            let leader = scope.spawn(move || {
                let load = || {
                    first.send(()).unwrap();
                    Ok::<_, ()>(Some(hot(Timestamp::from_secs(0))))
                };
                cache.get_or_load("a", key(), NOW, load).unwrap()
            });
            started.recv().unwrap();
            let unasked = || Err("read twice");
            let second = cache.get_or_load("a", key(), NOW, unasked).unwrap();
            assert!(second.is_some() && leader.join().unwrap().is_some());
        });
    }
}
