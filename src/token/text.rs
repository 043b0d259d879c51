//! The text of tokens and accessors, and the addresses a token is bound to.

use std::net::IpAddr;

/// The beginning of a service token's text.
pub const SERVICE_PREFIX: &str = "hvs.";
/// The beginning of a batch token's text.
pub(super) const BATCH_PREFIX: &str = "hvb.";
/// Letters and digits of an accessor or a token after its prefix: 142 random bits.
pub const RANDOM_CHARS: usize = 24;
/// Longest text that is looked up; batch tokens with much metadata are the long ones.
pub(super) const TEXT_BYTES_MAX: usize = 16 * 1024;

/// Returns true when `address` lies in `cidr`. A text that is no network holds no address.
pub(super) fn cidr_contains(cidr: &str, address: IpAddr) -> bool {
    crate::cidr::parse(cidr).is_some_and(|network| crate::cidr::contains(&network, address))
}
