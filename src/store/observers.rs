//! The observers of applied transactions.

use super::{Key, Observer, Revision};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// A list of observers that keeps none alive: a cache that went with its barrier is forgotten.
#[derive(Default)]
pub struct Observers(Mutex<Vec<Weak<dyn Observer>>>);

impl Observers {
    /// Adds an observer, and forgets those that are gone.
    pub fn add(&self, observer: Weak<dyn Observer>) {
        let mut list = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        list.retain(|known| known.strong_count() > 0);
        list.push(observer);
    }

    /// Notifies all observers that are left.
    pub fn notify(&self, revision: Revision, keys: &[Key]) {
        let list = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let alive: Vec<Arc<dyn Observer>> = list.iter().filter_map(Weak::upgrade).collect();
        drop(list);
        for observer in alive {
            observer.applied(revision, keys);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    struct Count(AtomicUsize);

    impl Observer for Count {
        fn applied(&self, _revision: Revision, _keys: &[Key]) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn forgets_who_is_gone() {
        let observers = Observers::default();
        let (stays, goes) = (Arc::new(Count(0.into())), Arc::new(Count(0.into())));
        observers.add(Arc::downgrade(&stays) as _);
        observers.add(Arc::downgrade(&goes) as _);
        observers.notify(Revision(1), &[]);
        drop(goes);
        observers.notify(Revision(2), &[]);
        assert_eq!(stays.0.load(Ordering::SeqCst), 2);
        observers.add(Arc::downgrade(&stays) as _);
        assert_eq!(observers.0.lock().unwrap().len(), 2);
    }
}
