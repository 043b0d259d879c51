//! Notices when the keyring or its usage changes in storage, also by another node's hand.

use super::reserved;
use crate::store::{Key, Observer, Revision};
use std::sync::atomic::{AtomicBool, Ordering};

/// Flags set on the applying thread and taken by the next call that needs the keys. Holds none.
pub(super) struct Changes {
    usage_key: Key,
    keyring: AtomicBool,
    usage: AtomicBool,
}

impl Changes {
    pub(super) fn new(usage_key: Key) -> Self {
        Self {
            usage_key,
            keyring: AtomicBool::new(false),
            usage: AtomicBool::new(false),
        }
    }

    pub(super) fn usage_key(&self) -> &Key {
        &self.usage_key
    }

    /// True once after every change of the keyring.
    pub(super) fn take_keyring(&self) -> bool {
        take(&self.keyring)
    }

    /// The change could not be followed yet.
    pub(super) fn keyring_again(&self) {
        self.keyring.store(true, Ordering::Release);
    }

    /// True once after every change of the usage.
    pub(super) fn take_usage(&self) -> bool {
        take(&self.usage)
    }
}

/// Reads before it writes: in the usual case many threads look and nothing has changed.
fn take(flag: &AtomicBool) -> bool {
    flag.load(Ordering::Acquire) && flag.swap(false, Ordering::AcqRel)
}

impl Observer for Changes {
    fn applied(&self, _revision: Revision, keys: &[Key]) {
        let everything = keys.is_empty();
        if everything || keys.iter().any(|key| key == reserved::KEYRING) {
            self.keyring.store(true, Ordering::Release);
        }
        if everything || keys.contains(&self.usage_key) {
            self.usage.store(true, Ordering::Release);
        }
    }
}
