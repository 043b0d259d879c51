//! Public keys as text: base64 of the packets, or ASCII armor (RFC 9580, section 6).

use super::PgpError;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The most bytes of a key, decoded.
pub const KEY_BYTES_MAX: usize = 64 << 10;
const BEGIN_PUBLIC: &str = "-----BEGIN PGP PUBLIC KEY BLOCK-----";
const END_PUBLIC: &str = "-----END PGP PUBLIC KEY BLOCK-----";
const BEGIN_PRIVATE: &str = "-----BEGIN PGP PRIVATE KEY BLOCK-----";
const BEGIN: &str = "-----BEGIN";
/// The longest text that is looked at: base64 of the largest key, with line ends and headers.
const TEXT_BYTES_MAX: usize = 2 * KEY_BYTES_MAX;

/// Returns the packets that `text` holds.
pub(super) fn decode(text: &str) -> Result<Vec<u8>, PgpError> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(PgpError::TooLarge);
    }
    let text = text.trim();
    if text.starts_with("keybase:") {
        return Err(PgpError::Keybase);
    }
    let bytes = match text.starts_with(BEGIN) {
        true => dearmor(text)?,
        false => base64(text)?,
    };
    match bytes.len() {
        0 => Err(PgpError::Text),
        length if length > KEY_BYTES_MAX => Err(PgpError::TooLarge),
        _ => Ok(bytes),
    }
}

fn base64(text: &str) -> Result<Vec<u8>, PgpError> {
    let text: String = text.split_ascii_whitespace().collect();
    STANDARD.decode(text).map_err(|_| PgpError::Text)
}

fn dearmor(text: &str) -> Result<Vec<u8>, PgpError> {
    let mut lines = text.lines().map(str::trim);
    match lines.next() {
        Some(BEGIN_PUBLIC) => {}
        Some(BEGIN_PRIVATE) => return Err(PgpError::PrivateKey),
        _ => return Err(PgpError::NotAKey),
    }
    // Headers, such as a version or a comment, and the blank line that ends them.
    let mut lines = lines.skip_while(|line| line.contains(": ")).peekable();
    lines.next_if(|line| line.is_empty());
    let mut body = String::with_capacity(text.len());
    let mut checksum = None;
    loop {
        match lines.next() {
            None => return Err(PgpError::Malformed("its armor is cut short")),
            Some(END_PUBLIC) => break,
            Some(line) => match line.strip_prefix('=') {
                Some(sum) => checksum = Some(sum),
                None => body.push_str(line),
            },
        }
    }
    if lines.any(|line| line.starts_with(BEGIN)) {
        return Err(PgpError::SeveralKeys);
    }
    let bytes = base64(&body)?;
    let Some(checksum) = checksum else {
        return Ok(bytes);
    };
    match base64(checksum)? == crc24(&bytes) {
        true => Ok(bytes),
        false => Err(PgpError::Checksum),
    }
}

/// Computes the armor's checksum (RFC 9580, section 6.1).
fn crc24(bytes: &[u8]) -> [u8; 3] {
    let mut crc: u32 = 0x00b7_04ce;
    for byte in bytes {
        crc ^= u32::from(*byte) << 16;
        for _ in 0..8 {
            crc <<= 1;
            if crc & 0x0100_0000 != 0 {
                crc ^= 0x0186_4cfb;
            }
        }
    }
    let [_, sum @ ..] = crc.to_be_bytes();
    sum
}
