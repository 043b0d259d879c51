//! Walks keys over overlay and fjall at once.

use super::{Memory, State, StateError};
use crate::store::{Key, Visit};
use std::collections::BTreeMap;
use std::ops::Bound;

/// The number of overlay keys that are copied at a time, so that `visit` runs without a lock.
const CHUNK_KEYS: usize = 128;

/// Keys of the overlay in order (`false`: deleted), and the end of the part that was copied.
struct Chunk {
    keys: BTreeMap<Key, bool>,
    /// The first key not looked at; `None` when the overlay ended.
    next: Option<Key>,
    generation: u64,
}

/// Walks keys as [`State::scan`] does. Every key that is there all through the walk is visited
/// once.
pub(super) fn scan(
    state: &State,
    prefix: &[u8],
    visit: &mut dyn FnMut(&[u8]) -> Visit,
) -> Result<(), StateError> {
    let mut from = Bound::Included(Key::copy_from_slice(prefix));
    'walk: loop {
        // The chunk first and fjall after it: a record that moves from one to the other in
        // between is then in both, never in neither.
        let mut chunk = Chunk::copy(&state.read(), prefix, &from);
        let (Bound::Included(start) | Bound::Excluded(start)) = &from else {
            return Ok(());
        };
        let mut saved = state.tree().walk(prefix, start).peekable();
        loop {
            if let Some(Err(_)) = saved.peek() {
                return saved.next().map_or(Ok(()), |key| key.map(drop));
            }
            let below = saved.peek().and_then(|key| key.as_ref().ok());
            let above = chunk.keys.first_key_value().map(|(key, _)| key);
            let Some(key) = [below, above].into_iter().flatten().min().cloned() else {
                match chunk.next {
                    Some(next) => from = Bound::Included(next),
                    None => return Ok(()),
                }
                continue 'walk;
            };
            if chunk.next.as_ref().is_some_and(|next| key >= *next) {
                from = Bound::Included(key);
                continue 'walk;
            }
            if below == Some(&key) {
                saved.next();
            }
            let alive = chunk.keys.remove(&key).unwrap_or(true);
            if !alive || matches!(&from, Bound::Excluded(last) if last == &key) {
                continue;
            }
            match visit(&key) {
                Visit::Next => {}
                Visit::Stop => return Ok(()),
                Visit::Seek(target) => {
                    let target = Key::from(target);
                    if !target.starts_with(prefix) && target.as_ref() > prefix {
                        return Ok(());
                    }
                    // Going back would visit keys twice.
                    from = if target > key {
                        Bound::Included(target)
                    } else {
                        Bound::Excluded(key)
                    };
                    continue 'walk;
                }
            }
            if state.read().generation != chunk.generation {
                from = Bound::Excluded(key);
                continue 'walk;
            }
        }
    }
}

impl Chunk {
    fn copy(memory: &Memory, prefix: &[u8], from: &Bound<Key>) -> Self {
        let mut keys = BTreeMap::new();
        let mut next: Option<Key> = None;
        let frozen = memory.frozen.iter().map(|frozen| &frozen.map);
        // The older overlay first, so that the newer one has the last word.
        for map in frozen.chain([memory.active.map()]) {
            let range = map.range((from.clone(), Bound::Unbounded));
            let range = range.take_while(|(key, _)| key.starts_with(prefix));
            for (count, (key, record)) in range.enumerate() {
                if count == CHUNK_KEYS {
                    let limit = next.get_or_insert_with(|| key.clone());
                    if *key < *limit {
                        *limit = key.clone();
                    }
                    break;
                }
                keys.insert(key.clone(), record.is_some());
            }
        }
        if let Some(limit) = &next {
            keys.split_off(limit);
        }
        Self {
            keys,
            next,
            generation: memory.generation,
        }
    }
}
