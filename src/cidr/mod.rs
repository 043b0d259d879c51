//! Networks in configurations, roles and proxies' rules: `10.0.0.0/8`, or one address.
//!
//! Owns the reading of such a text, and the test whether an address lies in a network. It keeps
//! nothing.

use ipnet::IpNet;
use std::net::IpAddr;

/// Reads a network, or an address as the network of just that one. Bits behind the prefix are
/// ignored.
pub fn parse(text: &str) -> Option<IpNet> {
    match text.contains('/') {
        true => text.parse().ok(),
        false => text.parse::<IpAddr>().ok().map(IpNet::from),
    }
}

/// Returns true if `address` lies in `network`. An IPv4 address that a socket of IPv6 shows
/// (`::ffff:a.b.c.d`) counts as IPv4.
pub fn contains(network: &IpNet, address: IpAddr) -> bool {
    network.contains(&address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_read_or_refused() {
        for text in [
            "10.0.0.0/33",
            "x",
            "10.0.0/8",
            "::/129",
            "",
            "10.0.0.0/",
            "/8",
            "10.0.0.0/-1",
            "10.0.0.0/8/8",
            " 10.0.0.1",
        ] {
            assert!(parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn an_address_lies_in_its_network() {
        for (network, address, expected) in [
            ("10.0.0.0/8", "10.1.2.3", true),
            ("10.0.0.0/8", "11.1.2.3", false),
            ("10.9.9.9/8", "10.1.2.3", true),
            ("10.0.0.1", "10.0.0.1", true),
            ("10.0.0.1", "10.0.0.2", false),
            ("10.0.0.1/32", "10.0.0.1", true),
            ("0.0.0.0/0", "1.2.3.4", true),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "1.2.3.4", false),
            ("::/0", "fe80::1", true),
            ("fd00::/8", "fd12::1", true),
            ("fd00::/8", "fe80::1", false),
            ("10.0.0.0/8", "::ffff:10.1.2.3", true),
        ] {
            let address = address.parse().expect(address);
            let network = parse(network).expect(network);
            assert_eq!(contains(&network, address), expected, "{network} {address}");
        }
    }
}
