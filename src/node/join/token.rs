//! The token with which a node joins that is never to be unsealed.
//!
//! ```text
//! token:  base64url of: version 1 | id (16) | key (32)
//! ```
//!
//! The active node keeps what it made in memory, so a token is good with that process alone. The id
//! travels in clear and says which key a challenge is to be made for; the key never travels.

use crate::barrier::JoinKey;
use crate::secret::{KEY_BYTES, Key256, Secret, SecretString, fill_random};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;

const VERSION: u8 = 1;
const ID_BYTES: usize = 16;
/// The longest text that is looked at, in bytes.
const TEXT_BYTES_MAX: usize = 128;

/// The id of a token.
pub(super) type TokenId = [u8; ID_BYTES];

/// A join token.
pub(super) struct JoinToken {
    pub id: TokenId,
    key: Key256,
}

impl JoinToken {
    /// Makes one.
    pub fn generate() -> Self {
        let mut id = TokenId::default();
        fill_random(&mut id);
        Self {
            id,
            key: Key256::generate(),
        }
    }

    /// Returns the text that the operator takes to the joiner.
    pub fn text(&self) -> SecretString {
        let mut bytes = Secret::new(Vec::with_capacity(1 + ID_BYTES + KEY_BYTES));
        bytes.expose_mut().push(VERSION);
        bytes.expose_mut().extend(self.id);
        bytes.expose_mut().extend(self.key.expose());
        Secret::new(BASE64URL.encode(bytes.expose()))
    }

    /// Reads such a text; `None` for any other.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.len() > TEXT_BYTES_MAX {
            return None;
        }
        let bytes = Secret::new(BASE64URL.decode(text).ok()?);
        let (version, rest) = bytes.expose().split_first()?;
        let (id, key) = rest.split_first_chunk()?;
        let key = Key256::from_slice(key)?;
        (*version == VERSION).then_some(Self { id: *id, key })
    }

    /// Returns the key by which both sides prove that they have the token.
    pub fn join_key(&self) -> JoinKey {
        JoinKey::of_token(&self.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_as_it_was_written_and_nothing_else_is_one() {
        let token = JoinToken::generate();
        let text = token.text();
        let read = JoinToken::parse(&format!(" {}\n", text.expose())).unwrap();
        assert_eq!(read.id, token.id);
        assert_eq!(read.key.expose(), token.key.expose());
        let bytes = BASE64URL.decode(text.expose()).unwrap();
        let longer = [&bytes[..], &[0]].concat();
        let other = [&[2], &bytes[1..]].concat();
        for wrong in [&bytes[..48], &longer, &other] {
            assert!(JoinToken::parse(&BASE64URL.encode(wrong)).is_none());
        }
        for wrong in ["", "s.token", &"A".repeat(1000)] {
            assert!(JoinToken::parse(wrong).is_none(), "{wrong}");
        }
    }
}
