//! The text of tokens and accessors, and the addresses a token is bound to.

use super::TokenError;
use ring::rand::{SecureRandom, SystemRandom};
use std::net::IpAddr;

/// What a service token's text starts with.
pub(super) const SERVICE_PREFIX: &str = "hvs.";
/// What a batch token's text starts with.
pub(super) const BATCH_PREFIX: &str = "hvb.";
/// Letters and digits of an accessor or a token after its prefix: 142 random bits.
const RANDOM_LEN: usize = 24;
/// Longest text that is looked up; batch tokens with much metadata are the long ones.
pub(super) const TEXT_BYTES_MAX: usize = 16 * 1024;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Random letters and digits, each equally likely.
pub(super) fn random_text() -> Result<String, TokenError> {
    let random = SystemRandom::new();
    let mut text = String::with_capacity(RANDOM_LEN);
    let mut bytes = [0_u8; 2 * RANDOM_LEN];
    while text.len() < RANDOM_LEN {
        random.fill(&mut bytes).map_err(|_| TokenError::Random)?;
        // 248 = 4 * 62: the bytes above would favour the first letters.
        let fair = bytes.iter().filter(|byte| **byte < 248);
        let letters = fair.filter_map(|byte| ALPHABET.get(usize::from(byte % 62)));
        text.extend(
            letters
                .take(RANDOM_LEN - text.len())
                .map(|b| char::from(*b)),
        );
    }
    zeroize::Zeroize::zeroize(&mut bytes);
    Ok(text)
}

/// Is `text` an address (`10.0.0.1`) or a network (`10.0.0.0/8`)?
pub fn is_cidr(text: &str) -> bool {
    parse_cidr(text).is_some()
}

/// Does `address` lie in `cidr`? A text that is no network holds no address.
pub(super) fn cidr_contains(cidr: &str, address: IpAddr) -> bool {
    let Some((network, bits)) = parse_cidr(cidr) else {
        return false;
    };
    match (network, address.to_canonical()) {
        (IpAddr::V4(network), IpAddr::V4(address)) => {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            u32::from(network) & mask == u32::from(address) & mask
        }
        (IpAddr::V6(network), IpAddr::V6(address)) => {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            u128::from(network) & mask == u128::from(address) & mask
        }
        _ => false,
    }
}

fn parse_cidr(text: &str) -> Option<(IpAddr, u32)> {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, Some(bits)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().ok()?;
    let width = if address.is_ipv4() { 32 } else { 128 };
    let bits = match bits {
        Some(bits) => bits.parse().ok().filter(|bits| *bits <= width)?,
        None => width,
    };
    Some((address, bits))
}
