//! The seam to providers of the seal key: one file for each kind of `seal` stanza.
//!
//! A provider never sees a root key, a keyring or data. It wraps 32 bytes and gives them back.

use crate::barrier::WrappedKey;
use crate::secret::Key256;
use crate::store::BoxFuture;
use std::fmt;
use std::time::Duration;
use subtle::ConstantTimeEq;

/// The kind and the name of a provider, for records, logs and status.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Description {
    /// The kind as in its `seal` stanza: `transit`. It never changes, since records hold it.
    pub kind: String,
    /// The `name` of the stanza; empty where there is one of its kind.
    pub name: String,
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name.as_str() {
            "" => write!(f, "seal {:?}", self.kind),
            name => write!(f, "seal {:?} named {name:?}", self.kind),
        }
    }
}

/// Reasons why a provider does not wrap or unwrap. The texts are shown to operators and to every
/// client that asks for the seal's status: they name no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProviderError {
    /// The provider is not reached, or does not answer in time. The same call may succeed later.
    #[error("it is away: {0}")]
    Away(String),
    /// The provider answers with a refusal: missing permissions, another key, another cluster's
    /// blob. The same call succeeds only once the operator changes something there.
    #[error("it refuses: {0}")]
    Refused(String),
}

/// Keeps a seal key for a cluster. Calls may take their time: the caller bounds them. Dropping a
/// call gives it up.
pub trait Provider: Send + Sync {
    /// Returns its kind and name.
    fn describe(&self) -> Description;

    /// Wraps the seal key; a member with access to this provider can have it unwrapped.
    fn wrap<'a>(&'a self, key: &'a Key256) -> BoxFuture<'a, Result<WrappedKey, ProviderError>>;

    /// Gives back the key that [`Provider::wrap`] wrapped, also under an older key of its own.
    fn unwrap<'a>(
        &'a self,
        wrapped: &'a WrappedKey,
    ) -> BoxFuture<'a, Result<Key256, ProviderError>>;

    /// Finds out whether the provider would wrap and unwrap now, by having it do so to a key that
    /// nobody uses.
    fn healthy(&self) -> BoxFuture<'_, Result<(), ProviderError>> {
        Box::pin(async {
            let key = Key256::generate();
            let wrapped = self.wrap(&key).await?;
            let opened = self.unwrap(&wrapped).await?;
            match bool::from(opened.expose().ct_eq(key.expose())) {
                true => Ok(()),
                false => Err(ProviderError::Refused("it gives back another key".into())),
            }
        })
    }

    /// Returns true where `wrapped` is what [`Provider::wrap`] would make now: under the current
    /// version of its key.
    fn is_current<'a>(
        &'a self,
        wrapped: &'a WrappedKey,
    ) -> BoxFuture<'a, Result<bool, ProviderError>> {
        Box::pin(async {
            let now = self.wrap(&Key256::generate()).await?;
            Ok(now.key_id == wrapped.key_id)
        })
    }

    /// Does what keeps the provider usable, such as renewing a token. Returns the time until the
    /// next call; `None` where there is nothing to do.
    fn tend(&self) -> BoxFuture<'_, Option<Duration>> {
        Box::pin(async { None })
    }
}
