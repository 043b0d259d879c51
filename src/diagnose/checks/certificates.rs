//! The listeners' certificates: readable, with their keys, and valid for a while.

use super::validity::Validity;
use crate::config::Listener;
use crate::diagnose::finding::Finding;
use crate::diagnose::subject::Examined;
use std::collections::BTreeSet;
use std::net::ToSocketAddrs;
use std::time::{Duration, SystemTime};

const NAME: &str = "Certificate";
const DAY: Duration = Duration::from_secs(86_400);
/// The time before its end at which a certificate should be renewed.
const RENEW_BEFORE: Duration = Duration::from_secs(14 * 86_400);

/// Judges the certificate of each listener, each file once.
pub fn check(subject: &Examined<'_>) -> Vec<Finding> {
    let mut seen = BTreeSet::new();
    let mut findings = Vec::new();
    for listener in &subject.config.listeners {
        match &listener.tls {
            Some(tls) if seen.insert((tls.cert_file.clone(), tls.key_file.clone())) => {
                findings.push(certificate(subject, listener));
            }
            None if !listener.is_unix && !is_loopback(&listener.address) => {
                findings.push(Finding::warn(
                    NAME,
                    format!(
                        "{} has no TLS: tokens and secrets travel readable",
                        listener.address
                    ),
                    "set tls_cert_file and tls_key_file (`ansible-playbook tls.yml` makes them)",
                ));
            }
            _ => {}
        }
    }
    findings
}

fn certificate(subject: &Examined<'_>, listener: &Listener) -> Finding {
    let shown = match &listener.tls {
        Some(tls) => tls.cert_file.display().to_string(),
        None => String::new(),
    };
    if shown.is_empty() {
        let message = format!(
            "{}: tls_cert_file and tls_key_file are missing",
            listener.position
        );
        return Finding::fail(NAME, message, "set both, or tls_disable = true");
    }
    let chain = match crate::node::check_certificate(listener) {
        Ok(chain) => chain,
        Err(error) => {
            let advice = "see that both files are there, belong together, and can be read by the \
                          service's user";
            return Finding::fail(NAME, error.to_string(), advice);
        }
    };
    let validities: Option<Vec<Validity>> = chain.iter().map(|der| Validity::of(der)).collect();
    match validities {
        Some(all) if !all.is_empty() => judged(&shown, &all, subject.world.now()),
        _ => Finding::skip(
            NAME,
            format!("{shown}: its dates cannot be read"),
            "openssl x509 -dates",
        ),
    }
}

/// Judges a chain by the first of its certificates that ends.
fn judged(file: &str, chain: &[Validity], now: SystemTime) -> Finding {
    let from = chain
        .iter()
        .map(|validity| validity.from)
        .max()
        .unwrap_or(now);
    let until = chain
        .iter()
        .map(|validity| validity.until)
        .min()
        .unwrap_or(now);
    let date = |time| humantime::format_rfc3339_seconds(time).to_string();
    let renew = "renew it (`ansible-playbook tls.yml`, then site.yml) and reload: a running server \
                 takes a new one on SIGHUP";
    if now < from {
        let message = format!("{file} is not valid before {}", date(from));
        return Finding::fail(
            NAME,
            message,
            "set the clock (`timedatectl`), or make a new one",
        );
    }
    match until.duration_since(now) {
        Err(_) => Finding::fail(NAME, format!("{file} ended on {}", date(until)), renew),
        Ok(left) => {
            let days = left.as_secs() / DAY.as_secs();
            let message = format!("{file} and its key belong together; {days} days left");
            match left < RENEW_BEFORE {
                true => Finding::warn(NAME, message, renew),
                false => Finding::ok(NAME, message),
            }
        }
    }
}

fn is_loopback(address: &str) -> bool {
    let addresses = address.to_socket_addrs().map(Iterator::collect::<Vec<_>>);
    addresses.is_ok_and(|all| !all.is_empty() && all.iter().all(|one| one.ip().is_loopback()))
}

#[cfg(test)]
mod unit {
    use super::*;
    use crate::diagnose::finding::Grade;

    #[test]
    fn the_first_of_a_chain_to_end_counts() {
        let now = SystemTime::UNIX_EPOCH + 20_000 * DAY;
        let valid = |from: u32, until: u32| Validity {
            from: SystemTime::UNIX_EPOCH + from * DAY,
            until: SystemTime::UNIX_EPOCH + until * DAY,
        };
        let grade = |chain: &[Validity]| judged("f", chain, now);
        let good = grade(&[valid(19_000, 20_090)]);
        assert_eq!(good.grade, Grade::Ok);
        assert!(good.message.contains("90 days left"), "{}", good.message);
        assert_eq!(grade(&[valid(19_000, 20_013)]).grade, Grade::Warn);
        let intermediate = [valid(19_000, 20_090), valid(19_000, 20_002)];
        assert_eq!(grade(&intermediate).grade, Grade::Warn);
        assert_eq!(grade(&[valid(19_000, 19_999)]).grade, Grade::Fail);
        assert_eq!(grade(&[valid(20_001, 20_999)]).grade, Grade::Fail);
    }
}
