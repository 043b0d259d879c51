//! `X-Forwarded-For`: the client's address as an authorized proxy gives it.

use super::limits::FORWARDED_LINKS_MAX;
use super::options::{ForwardedFor, ServeError};
use crate::cidr;
use hyper::HeaderMap;
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};

/// Reasons why the forwarding rules refuse a request; the proxy's or the operator's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ForwardedError {
    /// The header is missing; the proxy must send it.
    #[error("missing x-forwarded-for header and configured to reject when not present")]
    NotPresent,
    /// The peer is not authorized; the operator authorizes it, or the client connects through a
    /// peer that is.
    #[error(
        "client address not authorized for x-forwarded-for and configured to reject connection"
    )]
    NotAuthorized,
    /// There are fewer links than are to be skipped: lower `x_forwarded_for_hop_skips`, or repair
    /// the proxy.
    #[error("malformed x-forwarded-for configuration or request, too few links in the chain")]
    TooFewLinks,
    /// The proxy sends something other than an address.
    #[error("malformed x-forwarded-for header")]
    Malformed,
}

/// [`ForwardedFor`] ready for use.
#[derive(Debug)]
pub(super) struct Rules {
    networks: Vec<IpNet>,
    hop_skips: usize,
    reject_not_present: bool,
    reject_not_authorized: bool,
}

impl Rules {
    pub(super) fn new(options: &ForwardedFor) -> Result<Self, ServeError> {
        let networks = options
            .authorized_addrs
            .iter()
            .map(|text| cidr::parse(text).ok_or_else(|| ServeError::Network(text.clone())))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            networks,
            hop_skips: options.hop_skips,
            reject_not_present: options.reject_not_present,
            reject_not_authorized: options.reject_not_authorized,
        })
    }

    /// Returns true if a peer at `address` may name its client.
    pub(super) fn believes(&self, address: IpAddr) -> bool {
        let mut networks = self.networks.iter();
        networks.any(|network| cidr::contains(network, address))
    }

    /// Returns the client's address: the peer's own, or the one that the peer speaks for.
    pub(super) fn client(
        &self,
        peer: SocketAddr,
        headers: &HeaderMap,
    ) -> Result<SocketAddr, ForwardedError> {
        let mut links = Vec::new();
        for value in headers.get_all("x-forwarded-for") {
            let text = value.to_str().map_err(|_| ForwardedError::Malformed)?;
            links.extend(text.split(',').map(str::trim));
            if links.len() > FORWARDED_LINKS_MAX {
                return Err(ForwardedError::Malformed);
            }
        }
        if links.is_empty() {
            return if self.reject_not_present {
                Err(ForwardedError::NotPresent)
            } else {
                Ok(peer)
            };
        }
        if !self.believes(peer.ip()) {
            return if self.reject_not_authorized {
                Err(ForwardedError::NotAuthorized)
            } else {
                Ok(peer)
            };
        }
        let index = links
            .len()
            .checked_sub(self.hop_skips.saturating_add(1))
            .ok_or(ForwardedError::TooFewLinks)?;
        let link = links.get(index).ok_or(ForwardedError::TooFewLinks)?;
        let client: IpAddr = link.parse().map_err(|_| ForwardedError::Malformed)?;
        Ok(SocketAddr::new(client, peer.port()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(hop_skips: usize, strict: bool) -> Rules {
        Rules::new(&ForwardedFor {
            authorized_addrs: vec!["10.0.0.0/8".into(), "::1".into()],
            hop_skips,
            reject_not_present: strict,
            reject_not_authorized: strict,
        })
        .unwrap()
    }

    fn headers(values: &[&str]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for value in values {
            map.append("x-forwarded-for", value.parse().unwrap());
        }
        map
    }

    #[test]
    fn an_authorized_proxy_is_believed() {
        let proxy: SocketAddr = "10.1.2.3:99".parse().unwrap();
        let chain = headers(&["1.1.1.1, 2.2.2.2", "3.3.3.3"]);
        for (skips, client) in [(0, "3.3.3.3:99"), (1, "2.2.2.2:99"), (2, "1.1.1.1:99")] {
            let got = rules(skips, true).client(proxy, &chain);
            assert_eq!(got, Ok(client.parse().unwrap()));
        }
        let got = rules(3, true).client(proxy, &chain);
        assert_eq!(got, Err(ForwardedError::TooFewLinks));
        let got = rules(0, true).client(proxy, &headers(&["nobody"]));
        assert_eq!(got, Err(ForwardedError::Malformed));
    }

    #[test]
    fn others_are_refused_or_taken_for_themselves() {
        let stranger: SocketAddr = "9.9.9.9:99".parse().unwrap();
        let chain = headers(&["1.1.1.1"]);
        assert_eq!(
            rules(0, true).client(stranger, &chain),
            Err(ForwardedError::NotAuthorized)
        );
        assert_eq!(rules(0, false).client(stranger, &chain), Ok(stranger));
        let proxy: SocketAddr = "[::ffff:10.0.0.1]:1".parse().unwrap();
        assert_eq!(
            rules(0, true).client(proxy, &headers(&[])),
            Err(ForwardedError::NotPresent)
        );
        assert_eq!(rules(0, false).client(proxy, &headers(&[])), Ok(proxy));
        assert!(rules(0, true).client(proxy, &chain).is_ok());
    }
}
