//! Base64, with the errors that Vault's clients know.

use crate::engine::Error;
use base64::engine::general_purpose::STANDARD;
use base64::{DecodeError, Engine as _};

/// Decodes a field; line ends do not count.
///
/// # Errors
/// 400 with the place of the first character that does not belong there.
pub(super) fn decode(text: &str) -> Result<Vec<u8>, Error> {
    let without_ends: String;
    let text = match text.contains(['\r', '\n']) {
        true => {
            without_ends = text.replace(['\r', '\n'], "");
            &without_ends
        }
        false => text,
    };
    STANDARD.decode(text).map_err(|error| {
        let place = match error {
            DecodeError::InvalidByte(place, _) | DecodeError::InvalidLastSymbol(place, _) => place,
            // The start of the four characters that are cut short.
            DecodeError::InvalidLength(_) | DecodeError::InvalidPadding => text.len() / 4 * 4,
        };
        Error::invalid(format!("illegal base64 data at input byte {place}"))
    })
}
