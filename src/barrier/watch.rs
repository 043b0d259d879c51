//! Notices changes of the keyring or its usage in storage, also those of another node.

use super::reserved;
use crate::store::{Key, Observer, Revision};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Marks that are set on the applying thread and read by each call that needs the keys. Holds no
/// keys.
pub(super) struct Changes {
    usage_key: Key,
    /// The number of changes of the keyring.
    keyring: AtomicU64,
    /// The last of these changes that was followed.
    followed: AtomicU64,
    usage: AtomicBool,
}

impl Changes {
    pub(super) fn new(usage_key: Key) -> Self {
        Self {
            usage_key,
            keyring: AtomicU64::new(0),
            followed: AtomicU64::new(0),
            usage: AtomicBool::new(false),
        }
    }

    pub(super) fn usage_key(&self) -> &Key {
        &self.usage_key
    }

    /// Returns the last change of the keyring unless it was followed. Until a call has followed it
    /// all calls see it: none goes on with the keys from before because another is just reading.
    pub(super) fn keyring(&self) -> Option<u64> {
        let change = self.keyring.load(Ordering::Acquire);
        (change != self.followed.load(Ordering::Acquire)).then_some(change)
    }

    /// Notes that the keyring was read after `change`.
    pub(super) fn keyring_followed(&self, change: u64) {
        self.followed.fetch_max(change, Ordering::AcqRel);
    }

    /// Returns true once after every change of the usage.
    pub(super) fn take_usage(&self) -> bool {
        take(&self.usage)
    }
}

/// Takes a mark. Reads before it writes: in the usual case many threads look and nothing has
/// changed.
fn take(flag: &AtomicBool) -> bool {
    flag.load(Ordering::Acquire) && flag.swap(false, Ordering::AcqRel)
}

impl Observer for Changes {
    fn applied(&self, _revision: Revision, keys: &[Key]) {
        let everything = keys.is_empty();
        if everything || keys.iter().any(|key| key == reserved::KEYRING) {
            self.keyring.fetch_add(1, Ordering::AcqRel);
        }
        if everything || keys.contains(&self.usage_key) {
            self.usage.store(true, Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_the_keyring_is_seen_until_it_is_followed() {
        let changes = Changes::new(Key::from_static(b"usage"));
        assert_eq!(changes.keyring(), None);
        changes.applied(Revision(1), &[Key::from_static(b"usage")]);
        assert_eq!(changes.keyring(), None);
        changes.applied(Revision(2), &[Key::from_static(reserved::KEYRING)]);
        let change = changes.keyring().expect("a change");
        assert_eq!(changes.keyring(), Some(change), "others see it as well");
        changes.applied(Revision(3), &[]);
        changes.keyring_followed(change);
        let later = changes.keyring().expect("one came meanwhile");
        changes.keyring_followed(later);
        assert_eq!(changes.keyring(), None);
    }
}
