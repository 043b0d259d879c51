//! The kinds of providers.

use super::Provider;
use super::aws::{self, AwsKms};
use super::settings::{SettingError, Settings};
use super::static_key::{self, StaticKey};
use super::stick::{self, Stick};
use super::transit::{self, Transit};
use std::sync::Arc;

/// The kinds of `seal` stanzas that name a provider.
pub const KINDS: &[&str] = &[aws::KIND, stick::KIND, static_key::KIND, transit::KIND];

/// Returns the provider of a stanza. Asks nobody yet.
///
/// # Errors
/// [`SettingError`] names the key that is missing or wrong, or the kinds that there are.
pub fn provider(settings: &Settings) -> Result<Arc<dyn Provider>, SettingError> {
    Ok(match settings.kind.as_str() {
        aws::KIND => Arc::new(AwsKms::new(settings)?),
        stick::KIND => Arc::new(Stick::new(settings)?),
        static_key::KIND => Arc::new(StaticKey::new(settings)?),
        transit::KIND => Arc::new(Transit::new(settings)?),
        kind => {
            return Err(SettingError(format!(
                "{kind} is not in this build, which has shamir, {}: remove the stanza",
                KINDS.join(", ")
            )));
        }
    })
}
