//! A state that comes in from a peer: written to keyspaces of its own, and in force only once it is
//! whole and raft adopts it.

use super::overlay::Overlay;
use super::restore::Staged;
use super::tree::Tree;
use super::{Image, Mark, State, StateError};
use std::sync::{Arc, PoisonError};

/// A whole state beside the one in force. Dropping it without [`State::adopt`] leaves nothing.
pub struct Arrival {
    mark: Mark,
    /// The keyspaces, taken out when the state is adopted.
    trees: Option<Trees>,
}

struct Trees {
    fresh: Arc<Tree>,
    /// The records that a restore has gathered.
    staged: Option<Arc<Tree>>,
}

impl Arrival {
    /// Returns the mark of the state: the last entry that is in it.
    pub fn mark(&self) -> &Mark {
        &self.mark
    }
}

impl Drop for Arrival {
    fn drop(&mut self) {
        let Some(Trees { fresh, staged }) = self.trees.take() else {
            return;
        };
        for tree in staged.iter().chain([&fresh]) {
            if let Err(error) = tree.retire() {
                tracing::warn!(%error, "a state that was not needed stays until the next start");
            }
        }
    }
}

impl State {
    /// Fills keyspaces of their own with `image`, whose mark is `mark`. The state in force stays as
    /// it is, and is read and written meanwhile. A failure leaves nothing behind.
    pub fn receive(&self, mark: &Mark, image: Image) -> Result<Arrival, StateError> {
        let mut arrival = Arrival {
            mark: mark.clone(),
            trees: None,
        };
        let fresh = Arc::new(self.tree().sibling(self.next_number())?);
        let staged = match mark.staging {
            Some(_) => Some(Arc::new(self.tree().sibling(self.next_number())?)),
            None => None,
        };
        let trees = arrival.trees.insert(Trees { fresh, staged });
        trees.fresh.fill(image, trees.staged.as_deref())?;
        Ok(arrival)
    }

    /// Replaces the state in force by the one that arrived.
    pub fn adopt(&self, mut arrival: Arrival) -> Result<(), StateError> {
        let _one = self
            .checkpointing
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let Some(trees) = &arrival.trees else {
            return Err(StateError::Damaged("a state adopted twice"));
        };
        let mark = arrival.mark.clone();
        trees.fresh.make_whole(&mark, trees.staged.as_deref())?;
        let Some(Trees { fresh, staged }) = arrival.trees.take() else {
            return Err(StateError::Damaged("a state adopted twice"));
        };
        let mut memory = self.write();
        let mut tree = self.tree.write().unwrap_or_else(PoisonError::into_inner);
        memory.active = Overlay::default();
        memory.frozen = None;
        memory.mark = mark.clone();
        memory.saved = mark.clone();
        memory.generation += 1;
        self.hot.forget_all();
        let old = std::mem::replace(&mut *tree, fresh);
        let retiring = std::mem::take(&mut memory.retiring);
        let mut retired: Vec<_> = retiring.into_iter().map(|(_, tree)| tree).collect();
        retired.push(old);
        retired.extend(memory.staged.take().and_then(|staged| staged.tree));
        memory.staged = mark.staging.map(|_| Staged {
            tree: staged,
            overlay: Overlay::default(),
        });
        drop(tree);
        drop(memory);
        retired.iter().try_for_each(|old| old.retire())
    }

    /// Replaces the state in force by `image`, whose mark is `mark`.
    pub fn install(&self, mark: &Mark, image: Image) -> Result<(), StateError> {
        self.adopt(self.receive(mark, image)?)
    }
}
