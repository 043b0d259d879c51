//! The text form of a ciphertext: `vault:v<version>:<base64>`.

use super::base;
use crate::engine::Error;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The text in front of each ciphertext, as in Vault.
const PREFIX: &str = "vault:v";

/// Returns the text of a ciphertext.
pub(super) fn write(version: u32, sealed: &[u8]) -> String {
    let mut text = format!("{PREFIX}{version}:");
    STANDARD.encode_string(sealed, &mut text);
    text
}

/// Reads a text, and returns the version of the key with the bytes that it sealed.
///
/// # Errors
/// 400, as Vault words it.
pub(super) fn read(text: &str) -> Result<(i64, Vec<u8>), Error> {
    let invalid = |why: &str| Error::invalid(format!("invalid ciphertext: {why}"));
    let Some(rest) = text.strip_prefix(PREFIX) else {
        return Err(invalid("no prefix"));
    };
    let Some((version, sealed)) = rest.split_once(':') else {
        return Err(invalid("wrong number of fields"));
    };
    let version: i64 = version
        .parse()
        .map_err(|_| invalid("version number could not be decoded"))?;
    let sealed = base::decode(sealed).map_err(|_| invalid("could not decode base64"))?;
    // As in Vault, where zero is the first version of keys that had none.
    Ok((if version == 0 { 1 } else { version }, sealed))
}
