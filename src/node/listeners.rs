//! Translates `listener` stanzas into the edge's options.

use super::descriptors;
use crate::config::{self, MinimumTls};
use crate::http::{
    Address, Bound, ForwardedFor, HeaderSelector, JsonLimits, Listener, Options, ResponseHeaders,
    Tls, TlsError, TlsVersion, UnixOwner,
};
use crate::memory::Sizes;

/// Returns the options for the edge.
pub(super) fn options(listeners: &[config::Listener], memory: &Sizes) -> Options {
    Options {
        listeners: listeners.iter().map(listener).collect(),
        connections_max: descriptors::connections_max(memory.connections),
        requests: memory.requests,
    }
}

/// Returns a bound address as people read it.
pub fn shown(bound: &Bound) -> String {
    match bound {
        Bound::Tcp(address) => address.to_string(),
        Bound::Unix(path) => path.display().to_string(),
    }
}

fn listener(from: &config::Listener) -> Listener {
    let mut listener = Listener::new(address(from));
    listener.tls = from.tls.as_ref().map(tls);
    if from.request_bytes_max > 0 {
        listener.request_bytes_max = from.request_bytes_max;
    }
    if !from.request_duration_max.is_zero() {
        listener.request_duration_max = from.request_duration_max;
    }
    listener.json = json_limits(&from.json);
    if let Some(most) = from.connections_per_client_max {
        listener.connections_per_client_max = Some(whole(most)).filter(|most| *most > 0);
    }
    listener.header_read_timeout = from.header_timeout;
    listener.body_read_timeout = from.read_timeout;
    listener.idle_timeout = from.idle_timeout;
    if !from.forwarded_for_authorized.is_empty() {
        listener.forwarded_for = Some(ForwardedFor {
            authorized_addrs: from.forwarded_for_authorized.clone(),
            hop_skips: whole(from.forwarded_for_hop_skips),
            reject_not_present: from.forwarded_for_reject_missing,
            reject_not_authorized: from.forwarded_for_reject_unauthorized,
        });
    }
    listener.response_headers = response_headers(from);
    listener.unauthenticated_metrics = from.unauthenticated_metrics;
    listener.generate_root_closed = from.generate_root_closed;
    listener.rekey_closed = from.rekey_closed;
    listener
}

fn tls(from: &config::ListenerTls) -> Tls {
    Tls {
        cert_file: from.cert_file.clone(),
        key_file: from.key_file.clone(),
        client_ca_file: from
            .client_ca_file
            .clone()
            .filter(|_| !from.disable_client_certs),
        require_and_verify_client_cert: from.require_client_cert,
        min_version: match from.minimum {
            MinimumTls::Tls12 => TlsVersion::V1_2,
            MinimumTls::Tls13 => TlsVersion::V1_3,
        },
    }
}

/// Reads the certificates of a listener's stanza as a start does, and returns the chain as DER;
/// empty without TLS.
///
/// # Errors
/// The files cannot be read, or do not belong together.
pub fn check_certificate(from: &config::Listener) -> Result<Vec<Vec<u8>>, TlsError> {
    from.tls
        .as_ref()
        .map_or(Ok(Vec::new()), |from| crate::http::check_tls(&tls(from)))
}

fn json_limits(from: &config::JsonLimits) -> JsonLimits {
    let usual = JsonLimits::default();
    let or = |limit: Option<u64>, usual| limit.map_or(usual, whole);
    JsonLimits {
        depth: or(from.depth, usual.depth),
        string_bytes: or(from.string_bytes, usual.string_bytes),
        entries: or(from.entries, usual.entries),
        elements: or(from.elements, usual.elements),
        tokens: or(from.tokens, usual.tokens),
        strings: or(from.strings, usual.strings),
        memory_bytes: or(from.memory_bytes, usual.memory_bytes),
    }
}

fn whole(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn address(from: &config::Listener) -> Address {
    if !from.is_unix {
        return Address::Tcp(from.address.clone());
    }
    Address::Unix {
        path: from.address.clone().into(),
        mode: from.socket.mode,
        user: from.socket.user.as_deref().map(owner),
        group: from.socket.group.as_deref().map(owner),
    }
}

fn owner(text: &str) -> UnixOwner {
    match text.parse() {
        Ok(id) => UnixOwner::Id(id),
        Err(_) => UnixOwner::Name(text.to_owned()),
    }
}

fn response_headers(from: &config::Listener) -> Vec<ResponseHeaders> {
    let mut all = Vec::new();
    for (status, headers) in &from.custom_headers {
        let selector = match (status.as_str(), status.strip_suffix("xx")) {
            ("default", _) => Some(HeaderSelector::Always),
            (_, Some(class)) => class.parse().ok().map(HeaderSelector::Class),
            (code, None) => code.parse().ok().map(HeaderSelector::Status),
        };
        let headers = headers.clone().into_iter().collect();
        match selector {
            Some(selector) => all.push(ResponseHeaders { selector, headers }),
            None => tracing::warn!(%status, "custom_response_headers: not a status"),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_reach_the_edge_and_zero_is_any_number_of_connections() {
        let text = "listener \"tcp\" {\n max_json_depth = 7\n http_max_conns_per_client = 0\n}\n\
                    listener \"tcp\" {}\n";
        let loaded = config::from_text(&[("a.hcl".into(), text.into())], &[]).expect("it loads");
        let [first, second] = loaded.config.listeners.as_slice() else {
            panic!("two listeners");
        };
        let (first, second) = (listener(first), listener(second));
        assert_eq!(first.json.depth, 7);
        assert_eq!(first.json.strings, second.json.strings);
        assert_eq!(first.connections_per_client_max, None);
        assert!(second.connections_per_client_max.is_some());
        assert_eq!(second.json, JsonLimits::default());
    }
}
