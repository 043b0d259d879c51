//! The seal `static`: a key that the operator brings, in the stanza, a variable or a file. Its
//! settings are OpenBao's.

use super::settings::{Credential, SettingError, Settings};
use super::{Description, Provider, ProviderError};
use crate::barrier::{self, WrappedKey};
use crate::secret::{KEY_BYTES, Key256, Secret};
use crate::store::BoxFuture;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// The stanza's kind.
pub(super) const KIND: &str = "static";

const KEYS: &[&str] = &[
    "current_key",
    "current_key_id",
    "previous_key",
    "previous_key_id",
];

/// A key with its id.
struct Named {
    id: String,
    key: Credential,
}

/// The provider.
pub(super) struct StaticKey {
    which: Description,
    current: Named,
    previous: Option<Named>,
}

impl StaticKey {
    /// Reads the settings; the keys themselves are read when they are needed.
    pub(super) fn new(settings: &Settings) -> Result<Self, SettingError> {
        settings.check_keys(KEYS)?;
        let current = named(settings, "current")?.ok_or_else(|| {
            Settings::missing(
                "current_key and current_key_id",
                "BAO_STATIC_SEAL_CURRENT_KEY and BAO_STATIC_SEAL_CURRENT_KEY_ID",
            )
        })?;
        let previous = named(settings, "previous")?;
        if previous.as_ref().is_some_and(|old| old.id == current.id) {
            let why = "previous_key_id and current_key_id are the same: give a new key a new id";
            return Err(SettingError(why.into()));
        }
        Ok(Self {
            which: Description {
                kind: settings.kind.clone(),
                name: settings.name.clone(),
            },
            current,
            previous,
        })
    }

    fn open(&self, wrapped: &WrappedKey) -> Result<Key256, ProviderError> {
        let mut known = [Some(&self.current), self.previous.as_ref()]
            .into_iter()
            .flatten();
        let Some(named) = known.find(|named| named.id == wrapped.key_id) else {
            return Err(ProviderError::Refused(format!(
                "the key {:?} keeps this cluster's seal key: give it as previous_key, with that \
                 previous_key_id",
                wrapped.key_id
            )));
        };
        let opened = barrier::unwrap_key(&named.key()?, wrapped);
        opened.map_err(|_| {
            ProviderError::Refused(format!(
                "the key {:?} is not the one that keeps this cluster's seal key, although it has \
                 its id",
                named.id
            ))
        })
    }
}

/// Reads the two keys `<which>_key` and `<which>_key_id`. A variable goes before the stanza.
fn named(settings: &Settings, which: &str) -> Result<Option<Named>, SettingError> {
    let (key, id) = (format!("{which}_key"), format!("{which}_key_id"));
    let variable = |key: &str| format!("STATIC_SEAL_{}", key.to_uppercase());
    let found = |key: &str| settings.variable_or(&variable(key), key);
    match (found(&key), found(&id)) {
        (None, None) => Ok(None),
        (Some(key), Some(id)) if id.len() <= usize::from(u8::MAX) => {
            let key = settings.source(key);
            if let Credential::Value(text) = &key
                && decode(text.expose().as_bytes()).is_none()
            {
                return Err(SettingError(format!("{which}_key: {NOT_A_KEY}")));
            }
            Ok(Some(Named { id, key }))
        }
        (Some(_), Some(_)) => Err(SettingError(format!("{id} is longer than 255 bytes"))),
        (Some(_), None) => Err(SettingError(format!("{key} needs {id} beside it"))),
        (None, Some(_)) => Err(SettingError(format!("{id} needs {key} beside it"))),
    }
}

const NOT_A_KEY: &str = "expected 32 bytes, as 64 hexadecimal digits or as base64, or a file:// \
                         or env:// that holds them";

impl Named {
    fn key(&self) -> Result<Key256, ProviderError> {
        let bytes = self.key.bytes()?;
        decode(bytes.expose())
            .ok_or_else(|| ProviderError::Refused(format!("{}: {NOT_A_KEY}", self.key)))
    }
}

/// Reads a key of 32 bytes, as they are or as text.
fn decode(bytes: &[u8]) -> Option<Key256> {
    if bytes.len() == KEY_BYTES {
        return Key256::from_slice(bytes);
    }
    let text = std::str::from_utf8(bytes).ok()?.trim();
    let decoded = match text.len() {
        64 => hex::decode(text).ok(),
        _ => {
            let text = text.trim_end_matches('=');
            let standard = STANDARD_NO_PAD.decode(text);
            standard.or_else(|_| URL_SAFE_NO_PAD.decode(text)).ok()
        }
    };
    Key256::from_slice(Secret::new(decoded?).expose())
}

impl Provider for StaticKey {
    fn describe(&self) -> Description {
        self.which.clone()
    }

    fn wrap<'a>(&'a self, key: &'a Key256) -> BoxFuture<'a, Result<WrappedKey, ProviderError>> {
        Box::pin(async move {
            let place = WrappedKey {
                kind: self.which.kind.clone(),
                name: self.which.name.clone(),
                key_id: self.current.id.clone(),
                ciphertext: Vec::new(),
            };
            Ok(barrier::wrap_key(&self.current.key()?, key, place))
        })
    }

    fn unwrap<'a>(
        &'a self,
        wrapped: &'a WrappedKey,
    ) -> BoxFuture<'a, Result<Key256, ProviderError>> {
        Box::pin(async move { self.open(wrapped) })
    }
}

#[cfg(test)]
mod tests {
    use super::super::settings::test_settings;
    use super::*;

    fn provider(fields: &[(&str, &str)]) -> Result<StaticKey, SettingError> {
        StaticKey::new(&test_settings(KIND, fields))
    }

    fn hex_of(byte: u8) -> String {
        hex::encode([byte; 32])
    }

    #[tokio::test]
    async fn the_key_changes_while_the_previous_one_is_at_hand() {
        let (one, two) = (hex_of(1), hex_of(2));
        let first = provider(&[("current_key", &one), ("current_key_id", "1")]).unwrap();
        let key = Key256::generate();
        let wrapped = first.wrap(&key).await.unwrap();
        assert_eq!((&*wrapped.kind, &*wrapped.key_id), ("static", "1"));
        assert_eq!(first.unwrap(&wrapped).await.unwrap().expose(), key.expose());
        let both = provider(&[
            ("current_key", &two),
            ("current_key_id", "2"),
            ("previous_key", &one),
            ("previous_key_id", "1"),
        ]);
        let both = both.unwrap();
        assert_eq!(both.unwrap(&wrapped).await.unwrap().expose(), key.expose());
        let again = both.wrap(&key).await.unwrap();
        assert_eq!(again.key_id, "2");
        let second = provider(&[("current_key", &two), ("current_key_id", "2")]).unwrap();
        assert_eq!(second.unwrap(&again).await.unwrap().expose(), key.expose());
        let why = second.unwrap(&wrapped).await.unwrap_err().to_string();
        assert!(why.contains("previous_key"), "{why}");
        let impostor = provider(&[("current_key", &two), ("current_key_id", "1")]).unwrap();
        let why = impostor.unwrap(&wrapped).await.unwrap_err().to_string();
        assert!(why.contains("is not the one"), "{why}");
        assert!(first.healthy().await.is_ok());
    }

    #[tokio::test]
    async fn a_wrapped_key_is_bound_to_the_place_it_was_made_for() {
        let one = hex_of(1);
        let first = provider(&[("current_key", &one), ("current_key_id", "1")]).unwrap();
        let mut wrapped = first.wrap(&Key256::generate()).await.unwrap();
        wrapped.ciphertext[40] ^= 1;
        assert!(first.unwrap(&wrapped).await.is_err());
        wrapped.ciphertext[40] ^= 1;
        assert!(first.unwrap(&wrapped).await.is_ok());
        wrapped.name = "other".into();
        assert!(first.unwrap(&wrapped).await.is_err());
    }

    #[tokio::test]
    async fn a_key_has_several_spellings_and_may_lie_in_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let place = format!("file://{}", path.display());
        let filed = provider(&[("current_key", &place), ("current_key_id", "f")]).unwrap();
        assert!(matches!(filed.healthy().await, Err(ProviderError::Away(_))));
        let key = [9; 32];
        let base64 = STANDARD_NO_PAD.encode(key);
        for text in [
            key.to_vec(),
            format!("{}\n", hex::encode(key)).into_bytes(),
            format!("{base64}=\n").into_bytes(),
            base64.into_bytes(),
        ] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(filed.current.key().unwrap().expose(), &key);
        }
        std::fs::write(&path, "short").unwrap();
        let why = filed.healthy().await.unwrap_err().to_string();
        assert!(why.contains("expected 32 bytes"), "{why}");
    }

    #[test]
    fn what_cannot_be_right_is_refused_by_name() {
        let one = hex_of(1);
        for (fields, word) in [
            (vec![], "BAO_STATIC_SEAL_CURRENT_KEY"),
            (vec![("current_key", &*one)], "current_key_id beside it"),
            (vec![("current_key_id", "1")], "needs current_key"),
            (
                vec![("current_key", "s3cret"), ("current_key_id", "1")],
                "current_key: expected 32 bytes",
            ),
            (
                vec![("current_key", &one), ("current_key_id", "1"), ("kye", "")],
                "kye is not a key",
            ),
            (
                vec![
                    ("current_key", &one),
                    ("current_key_id", "1"),
                    ("previous_key", &one),
                    ("previous_key_id", "1"),
                ],
                "are the same",
            ),
        ] {
            let why = provider(&fields).err().unwrap().to_string();
            assert!(why.contains(word) && !why.contains("s3cret"), "{why}");
        }
    }
}
