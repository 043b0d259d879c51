//! The text of tokens and accessors, and the addresses a token is bound to.

use std::net::IpAddr;

/// What a service token's text starts with.
pub const SERVICE_PREFIX: &str = "hvs.";
/// What a batch token's text starts with.
pub(super) const BATCH_PREFIX: &str = "hvb.";
/// Letters and digits of an accessor or a token after its prefix: 142 random bits.
pub const RANDOM_CHARS: usize = 24;
/// Longest text that is looked up; batch tokens with much metadata are the long ones.
pub(super) const TEXT_BYTES_MAX: usize = 16 * 1024;

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
