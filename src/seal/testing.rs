//! A provider for tests: keeps its key in memory, and can be unplugged.

use super::provider::{Description, Provider, ProviderError};
use crate::barrier::WrappedKey;
use crate::secret::Key256;
use crate::store::BoxFuture;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// A provider that keeps its key in memory.
pub(crate) struct TestProvider {
    name: &'static str,
    pad: [u8; 32],
    away: AtomicBool,
    hanging: AtomicBool,
    unwraps: AtomicUsize,
}

impl TestProvider {
    /// Returns a provider with a key of its own.
    pub(crate) fn new(name: &'static str) -> Arc<Self> {
        Arc::new(Self {
            name,
            pad: *Key256::generate().expose(),
            away: AtomicBool::new(false),
            hanging: AtomicBool::new(false),
            unwraps: AtomicUsize::new(0),
        })
    }

    /// Unplugs the provider, or plugs it in again.
    pub(crate) fn set_away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }

    /// Makes the provider never answer, or answer again.
    pub(crate) fn set_hanging(&self, hanging: bool) {
        self.hanging.store(hanging, Ordering::SeqCst);
    }

    /// Returns the number of calls to unwrap.
    pub(crate) fn unwraps(&self) -> usize {
        self.unwraps.load(Ordering::SeqCst)
    }

    fn padded(&self, bytes: &[u8]) -> Vec<u8> {
        bytes.iter().zip(self.pad).map(|(a, b)| a ^ b).collect()
    }

    /// Returns two bytes of its own key, which tell it from others of the same name.
    fn key_id(&self) -> String {
        let [one, two, ..] = self.pad;
        format!("{one:02x}{two:02x}")
    }

    async fn answer(&self) -> Result<(), ProviderError> {
        if self.hanging.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        match self.away.load(Ordering::SeqCst) {
            true => Err(ProviderError::Away("unplugged".into())),
            false => Ok(()),
        }
    }
}

impl Provider for TestProvider {
    fn describe(&self) -> Description {
        Description {
            kind: "test".into(),
            name: self.name.into(),
        }
    }

    fn wrap<'a>(&'a self, key: &'a Key256) -> BoxFuture<'a, Result<WrappedKey, ProviderError>> {
        Box::pin(async move {
            self.answer().await?;
            Ok(WrappedKey {
                kind: "test".into(),
                name: self.name.into(),
                key_id: self.key_id(),
                ciphertext: self.padded(key.expose()),
            })
        })
    }

    fn unwrap<'a>(
        &'a self,
        wrapped: &'a WrappedKey,
    ) -> BoxFuture<'a, Result<Key256, ProviderError>> {
        Box::pin(async move {
            self.unwraps.fetch_add(1, Ordering::SeqCst);
            self.answer().await?;
            let opened = Key256::from_slice(&self.padded(&wrapped.ciphertext));
            match opened {
                Some(key) if wrapped.key_id == self.key_id() => Ok(key),
                _ => Err(ProviderError::Refused("another key wrapped it".into())),
            }
        })
    }

    fn healthy(&self) -> BoxFuture<'_, Result<(), ProviderError>> {
        Box::pin(self.answer())
    }
}
