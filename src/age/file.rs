//! Files: header, encrypted text, armor.

use super::recipient::AgeRecipient;
use super::stanza::{self, Chance, FILE_KEY_BYTES, derived};
use super::{AgeError, stanza::encrypt as encrypt_chunk};
use crate::secret::fill_random;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD as BASE64, STANDARD_NO_PAD};
use ring::hmac;
use zeroize::Zeroizing;

/// The most bytes that are encrypted at once: one chunk of the format. Shares are far shorter.
pub const PLAINTEXT_BYTES_MAX: usize = 64 << 10;
const VERSION: &str = "age-encryption.org/v1\n";
const NONCE_BYTES: usize = 16;
const TAG_BYTES: usize = 16;
const BEGIN: &str = "-----BEGIN AGE ENCRYPTED FILE-----";
const END: &str = "-----END AGE ENCRYPTED FILE-----";
const ARMOR_LETTERS: usize = 64;
/// The nonce of the first chunk, which is the last one.
const ONLY_CHUNK: [u8; 12] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

/// Encrypts `plaintext` to all of `recipients`, each of which opens it alone; returns the file in
/// ASCII armor, with a line's end after it.
///
/// # Errors
/// [`AgeError::PlaintextTooLarge`].
pub fn encrypt(recipients: &[AgeRecipient], plaintext: &[u8]) -> Result<String, AgeError> {
    encrypt_by(recipients, plaintext, &mut fill_random)
}

/// Encrypts with the chance that is given.
pub(super) fn encrypt_by(
    recipients: &[AgeRecipient],
    plaintext: &[u8],
    chance: Chance<'_>,
) -> Result<String, AgeError> {
    if plaintext.len() > PLAINTEXT_BYTES_MAX {
        return Err(AgeError::PlaintextTooLarge);
    }
    let mut file_key = Zeroizing::new([0; FILE_KEY_BYTES]);
    chance(file_key.as_mut());
    let mut header = VERSION.to_owned();
    for recipient in recipients {
        stanza::wrap(&mut header, &recipient.0, &file_key, chance)?;
    }
    header.push_str("---");
    let mac_key = derived(file_key.as_ref(), &[], "header");
    let mac_key = hmac::Key::new(hmac::HMAC_SHA256, mac_key.as_ref());
    let mac = hmac::sign(&mac_key, header.as_bytes());
    header.push_str(&format!(" {}\n", STANDARD_NO_PAD.encode(mac)));
    let mut nonce = [0; NONCE_BYTES];
    chance(&mut nonce);
    // Room for the tag: a vector that grows leaves an unwiped copy behind.
    let mut text = Vec::with_capacity(plaintext.len() + TAG_BYTES);
    text.extend_from_slice(plaintext);
    let key = derived(file_key.as_ref(), &nonce, "payload");
    encrypt_chunk(&key, ONLY_CHUNK, &mut text);
    Ok(armored(&[header.as_bytes(), &nonce, &text].concat()))
}

fn armored(file: &[u8]) -> String {
    let body = BASE64.encode(file);
    let mut out = format!("{BEGIN}\n");
    for (at, letter) in body.chars().enumerate() {
        if at > 0 && at % ARMOR_LETTERS == 0 {
            out.push('\n');
        }
        out.push(letter);
    }
    out.push_str(&format!("\n{END}\n"));
    out
}
