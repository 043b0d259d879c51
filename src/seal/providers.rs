//! All providers of one node, by priority: each keeps the whole seal key, and any one opens.

use super::provider::{Description, Provider, ProviderError};
use crate::barrier::WrappedKey;
use crate::secret::Key256;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The longest time of one call to one provider.
pub const CALL_WITHIN: Duration = Duration::from_secs(10);

/// The providers that the configuration names, in the order in which they are asked.
#[derive(Clone, Default)]
pub struct Providers(Vec<Arc<dyn Provider>>);

/// The providers that failed, each with its reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unkept(pub Vec<(Description, ProviderError)>);

/// The copies of a seal key after [`Providers::renew`].
#[derive(Debug, Default)]
pub struct Renewed {
    /// The copies to keep, in the order in which their providers are asked.
    pub wrapped: Vec<WrappedKey>,
    /// True where one is new.
    pub changes: bool,
    /// The providers that could not renew theirs.
    pub failed: Vec<(Description, ProviderError)>,
}

fn is_of(one: &WrappedKey, which: &Description) -> bool {
    one.kind == which.kind && one.name == which.name
}

impl fmt::Display for Unkept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (which, why)) in self.0.iter().enumerate() {
            let between = if index == 0 { "" } else { "; " };
            write!(f, "{between}{which}: {why}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Unkept {}

impl Providers {
    /// Returns the providers in this order.
    pub fn new(providers: Vec<Arc<dyn Provider>>) -> Self {
        Self(providers)
    }

    /// Returns true where there are no providers, and shares alone open the seal.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the kind of the provider that is asked first.
    pub fn kind(&self) -> Option<String> {
        self.0.first().map(|first| first.describe().kind)
    }

    /// Returns true where one of `wrapped` is a copy that one of these providers made.
    pub fn keep_any(&self, wrapped: &[WrappedKey]) -> bool {
        let is_ours = |one: &WrappedKey| self.0.iter().any(|p| is_of(one, &p.describe()));
        wrapped.iter().any(is_ours)
    }

    /// Asks every provider to wrap `key`. One that cannot fails the whole call: its copy would be
    /// missed only on the day when the others are away.
    ///
    /// # Errors
    /// [`Unkept`] names the providers that failed.
    pub async fn wrap(&self, key: &Key256) -> Result<Vec<WrappedKey>, Unkept> {
        let mut wrapped = Vec::with_capacity(self.0.len());
        let mut failed = Vec::new();
        for provider in &self.0 {
            match within(provider.wrap(key)).await {
                Ok(one) => wrapped.push(one),
                Err(why) => failed.push((provider.describe(), why)),
            }
        }
        match failed.is_empty() {
            true => Ok(wrapped),
            false => Err(Unkept(failed)),
        }
    }

    /// Asks one provider after the other until one gives the key back.
    ///
    /// # Errors
    /// [`Unkept`] gives the reason of each provider.
    pub async fn unwrap(&self, wrapped: &[WrappedKey]) -> Result<Key256, Unkept> {
        let mut failed = Vec::new();
        for provider in &self.0 {
            let which = provider.describe();
            let Some(one) = wrapped.iter().find(|one| is_of(one, &which)) else {
                let why = "this cluster's seal key was never given to it".into();
                failed.push((which, ProviderError::Refused(why)));
                continue;
            };
            match within(provider.unwrap(one)).await {
                Ok(key) => return Ok(key),
                Err(why) => failed.push((which, why)),
            }
        }
        Err(Unkept(failed))
    }

    /// Returns the copies of `key` that should be kept in place of `kept`: one of each provider,
    /// under the current version of its key, and those of providers that this node does not have.
    /// A provider that is away keeps the copy that it has.
    pub async fn renew(&self, key: &Key256, kept: &[WrappedKey]) -> Renewed {
        let mut renewed = Renewed::default();
        for provider in &self.0 {
            let which = provider.describe();
            let old = kept.iter().find(|one| is_of(one, &which));
            let is_current = match old {
                Some(old) => within(provider.is_current(old)).await,
                None => Ok(false),
            };
            let made = match is_current {
                Ok(true) => Ok(None),
                Ok(false) => within(provider.wrap(key)).await.map(Some),
                Err(why) => Err(why),
            };
            match made {
                Ok(Some(new)) => {
                    renewed.changes = true;
                    renewed.wrapped.push(new);
                }
                Ok(None) => renewed.wrapped.extend(old.cloned()),
                Err(why) => {
                    renewed.wrapped.extend(old.cloned());
                    renewed.failed.push((which, why));
                }
            }
        }
        let is_ours = |one: &WrappedKey| self.0.iter().any(|p| is_of(one, &p.describe()));
        let others = kept.iter().filter(|one| !is_ours(one));
        renewed.wrapped.extend(others.cloned());
        renewed
    }

    /// Returns the providers, in the order in which they are asked.
    pub fn each(&self) -> &[Arc<dyn Provider>] {
        &self.0
    }

    /// Asks each provider whether it would answer now; returns the results in their order.
    pub async fn health(&self) -> Vec<(Description, Result<(), ProviderError>)> {
        let mut told = Vec::with_capacity(self.0.len());
        for provider in &self.0 {
            told.push((provider.describe(), within(provider.healthy()).await));
        }
        told
    }
}

async fn within<T>(
    call: impl Future<Output = Result<T, ProviderError>>,
) -> Result<T, ProviderError> {
    let late = || {
        let why = format!("no answer within {} s", CALL_WITHIN.as_secs());
        Err(ProviderError::Away(why))
    };
    let answered = tokio::time::timeout(CALL_WITHIN, call).await;
    answered.unwrap_or_else(|_| late())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::testing::TestProvider;

    fn providers(all: &[&Arc<TestProvider>]) -> Providers {
        let dynamic = all.iter().map(|one| Arc::clone(*one) as Arc<dyn Provider>);
        Providers::new(dynamic.collect())
    }

    #[tokio::test]
    async fn any_one_opens_what_all_keep() {
        let (first, second) = (TestProvider::new("a"), TestProvider::new("b"));
        let both = providers(&[&first, &second]);
        let key = Key256::generate();
        let wrapped = both.wrap(&key).await.unwrap();
        assert_eq!(wrapped.len(), 2);
        let opens = async |set: &Providers| {
            let opened = set.unwrap(&wrapped).await;
            opened.map(|opened| *opened.expose() == *key.expose())
        };
        assert_eq!(opens(&both).await, Ok(true));
        assert_eq!((first.unwraps(), second.unwraps()), (1, 0), "by priority");
        first.set_away(true);
        assert_eq!(opens(&both).await, Ok(true));
        second.set_away(true);
        let told = opens(&both).await.unwrap_err().to_string();
        let expected = "seal \"test\" named \"a\": it is away: unplugged; \
                        seal \"test\" named \"b\": it is away: unplugged";
        assert_eq!(told, expected);
        let health = both.health().await;
        assert!(health.iter().all(|(_, healthy)| healthy.is_err()));
        second.set_away(false);
        assert!(
            both.health()
                .await
                .iter()
                .any(|(_, healthy)| healthy.is_ok())
        );
    }

    #[tokio::test]
    async fn nothing_is_wrapped_by_some_only_and_nothing_foreign_is_opened() {
        let (first, second) = (TestProvider::new("a"), TestProvider::new("b"));
        let both = providers(&[&first, &second]);
        let key = Key256::generate();
        second.set_away(true);
        let Unkept(failed) = both.wrap(&key).await.unwrap_err();
        assert_eq!(failed.len(), 1, "only the one that is away is named");
        let wrapped = providers(&[&first]).wrap(&key).await.unwrap();
        let stranger = providers(&[&TestProvider::new("a")]);
        let Unkept(failed) = stranger.unwrap(&wrapped).await.unwrap_err();
        assert!(matches!(&failed[..], [(_, ProviderError::Refused(_))]));
        second.set_away(false);
        let Unkept(failed) = providers(&[&second]).unwrap(&wrapped).await.unwrap_err();
        assert!(matches!(&failed[..], [(_, ProviderError::Refused(_))]));
        assert_eq!(second.unwraps(), 0, "it is not asked for what it never had");
    }

    #[tokio::test]
    async fn copies_are_renewed_one_by_one_and_none_is_lost() {
        let (first, second) = (TestProvider::new("a"), TestProvider::new("b"));
        let (alone, both) = (providers(&[&first]), providers(&[&first, &second]));
        let key = Key256::generate();
        let kept = alone.wrap(&key).await.unwrap();
        assert!(!alone.renew(&key, &kept).await.changes);
        second.set_away(true);
        let renewed = both.renew(&key, &kept).await;
        assert_eq!((renewed.changes, renewed.failed.len()), (false, 1));
        assert_eq!(renewed.wrapped, kept);
        second.set_away(false);
        let renewed = both.renew(&key, &kept).await;
        assert_eq!((renewed.changes, renewed.wrapped.len()), (true, 2));
        let other = providers(&[&second]);
        assert!(other.unwrap(&renewed.wrapped).await.is_ok());
        let kept = renewed.wrapped;
        let renewed = other.renew(&key, &kept).await;
        assert!(!renewed.changes, "another node's provider keeps its copy");
        assert_eq!(renewed.wrapped.len(), 2);
        assert_eq!(renewed.wrapped[0].name, "b", "the own ones first");
        let changed = providers(&[&TestProvider::new("a"), &second]);
        let renewed = changed.renew(&key, &kept).await;
        assert!(renewed.changes, "its key is another one now");
        assert!(changed.unwrap(&renewed.wrapped).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_provider_that_hangs_is_given_up_and_the_next_one_asked() {
        let (first, second) = (TestProvider::new("a"), TestProvider::new("b"));
        let both = providers(&[&first, &second]);
        let key = Key256::generate();
        let wrapped = both.wrap(&key).await.unwrap();
        first.set_hanging(true);
        let begun = tokio::time::Instant::now();
        assert!(both.unwrap(&wrapped).await.is_ok());
        assert_eq!(begun.elapsed(), CALL_WITHIN);
    }
}
