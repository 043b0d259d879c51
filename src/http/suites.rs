//! The order of a listener's cipher suites: the server's, the cheapest for this machine first.
//!
//! A client's own order mostly begins with AES-256 and SHA-384, whose key schedule takes most of a
//! handshake's time after the signature: few processors have instructions for SHA-512, and on 32
//! bits it is slow. SHA-256 and keys of 128 bits are as safe for traffic. A client that offers only
//! the others gets them.

use rustls::crypto::CryptoProvider;

/// Returns ring's provider with its cipher suites in this machine's order.
pub(super) fn provider() -> CryptoProvider {
    let mut provider = rustls::crypto::ring::default_provider();
    sort(&mut provider, has_aes());
    provider
}

/// Puts suites with SHA-256 first; among those ChaCha20 where AES is done without instructions.
fn sort(provider: &mut CryptoProvider, has_aes: bool) {
    provider.cipher_suites.sort_by_key(|suite| {
        let name = suite.suite().as_str().unwrap_or_default();
        let is_stream = name.contains("CHACHA20");
        // TLS 1.3 first: rustls negotiates the version before, but tells clients in this order.
        (
            !name.starts_with("TLS13"),
            name.contains("SHA384"),
            is_stream == has_aes,
        )
    });
}

/// Returns true where the processor has instructions for AES, as no Pi before the fifth has.
fn has_aes() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("aes");
    #[cfg(target_arch = "aarch64")]
    return std::arch::is_aarch64_feature_detected!("aes");
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    return false;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(has_aes: bool) -> Vec<&'static str> {
        let mut provider = rustls::crypto::ring::default_provider();
        sort(&mut provider, has_aes);
        let suites = provider.cipher_suites.iter();
        suites.filter_map(|suite| suite.suite().as_str()).collect()
    }

    #[test]
    fn the_cheapest_comes_first_and_none_is_left_out() {
        let (with, without) = (order(true), order(false));
        let aes = "TLS13_AES_128_GCM_SHA256";
        let stream = "TLS13_CHACHA20_POLY1305_SHA256";
        let large = "TLS13_AES_256_GCM_SHA384";
        assert_eq!(with[..3], [aes, stream, large]);
        assert_eq!(without[..3], [stream, aes, large]);
        let all = rustls::crypto::ring::default_provider().cipher_suites.len();
        assert_eq!([with.len(), without.len()], [all, all]);
    }
}
