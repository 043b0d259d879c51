//! A store in memory, for dev mode and tests. Nothing survives the process.

use super::{
    BoxFuture, CommitError, Key, Observer, Observers, Op, ReadError, Record, Revision, Storage,
    StorageStatus, Transaction, Visit,
};
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError, Weak};

const CLOSED: &str = "the store is closed";

/// A map behind a lock.
#[derive(Default)]
pub struct Inmem {
    state: Mutex<InmemState>,
    observers: Observers,
}

#[derive(Default)]
struct InmemState {
    map: BTreeMap<Key, Record>,
    status: StorageStatus,
    closed: bool,
}

impl Inmem {
    /// Makes an empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn state(&self) -> MutexGuard<'_, InmemState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Locks the state, unless the store is closed.
    fn open(&self) -> Result<MutexGuard<'_, InmemState>, ReadError> {
        let state = self.state();
        match state.closed {
            true => Err(ReadError::Unavailable(CLOSED.into())),
            false => Ok(state),
        }
    }

    fn apply(&self, transaction: &Transaction) -> Result<Revision, CommitError> {
        let mut state = self.state();
        if state.closed {
            return Err(CommitError::Unavailable(CLOSED.into()));
        }
        let holds = transaction.preconditions.iter().all(|precondition| {
            let found = state
                .map
                .get(&precondition.key)
                .map_or(Revision(0), |r| r.revision);
            found == precondition.revision
        });
        state.status.applied_index += 1;
        state.status.committed_index = state.status.applied_index;
        state.status.time_floor = state.status.time_floor.max(transaction.time);
        if !holds {
            return Err(CommitError::Conflict);
        }
        let revision = Revision(state.status.applied_index);
        let mut keys = Vec::with_capacity(transaction.ops.len());
        for op in &transaction.ops {
            match op {
                Op::Put { key, value } => {
                    state.map.insert(
                        key.clone(),
                        Record {
                            revision,
                            value: value.clone(),
                        },
                    );
                    keys.push(key.clone());
                }
                Op::Delete { key } => {
                    state.map.remove(key);
                    keys.push(key.clone());
                }
            }
        }
        drop(state);
        self.observers.notify(revision, &keys);
        Ok(revision)
    }
}

impl Storage for Inmem {
    fn get(&self, key: &[u8]) -> Result<Option<Record>, ReadError> {
        Ok(self.open()?.map.get(key).cloned())
    }

    fn scan(&self, prefix: &[u8], visit: &mut dyn FnMut(&[u8]) -> Visit) -> Result<(), ReadError> {
        let mut from = Bound::Included(Key::copy_from_slice(prefix));
        loop {
            let next = {
                let state = self.open()?;
                let found = state.map.range((from.clone(), Bound::Unbounded)).next();
                found.map(|(key, _)| key.clone())
            };
            let Some(key) = next.filter(|key| key.starts_with(prefix)) else {
                return Ok(());
            };
            from = match visit(&key) {
                Visit::Next => Bound::Excluded(key),
                Visit::Seek(target) => Bound::Included(Key::from(target)),
                Visit::Stop => return Ok(()),
            };
        }
    }

    fn commit(&self, transaction: Transaction) -> BoxFuture<'_, Result<Revision, CommitError>> {
        Box::pin(async move { self.apply(&transaction) })
    }

    fn read_barrier(&self) -> BoxFuture<'_, Result<(), ReadError>> {
        Box::pin(async { Ok(()) })
    }

    fn observe(&self, observer: Weak<dyn Observer>) {
        self.observers.add(observer);
    }

    fn status(&self) -> StorageStatus {
        let mut status = self.state().status.clone();
        status.leads = true;
        status
    }

    fn shutdown(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move { self.state().closed = true })
    }
}

#[cfg(test)]
mod tests {
    use super::super::conformance;
    use super::*;
    use std::sync::Arc;

    #[tokio::test]
    async fn it_is_a_storage() {
        conformance::holds(async || ((), Arc::new(Inmem::new()) as Arc<dyn Storage>)).await;
    }
}
