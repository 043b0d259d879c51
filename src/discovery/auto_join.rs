//! Parses `provider=mdns service=_coffer._tcp domain=local`, in the notation of go-discover.

use super::DiscoveryError;
use crate::clock::parse_duration;
use std::time::Duration;

/// The service that nodes look for by default.
const SERVICE_DEFAULT: &str = "_coffer._tcp";
/// The default time for which a search waits for answers, as in go-discover.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(5);
/// The longest time for which a search waits.
const TIMEOUT_MAX: Duration = Duration::from_secs(60);
/// The longest label of a DNS name, in bytes.
const LABEL_BYTES_MAX: usize = 63;

/// The providers of go-discover that ask a cloud or an orchestrator.
const OTHERS: &[&str] = &[
    "aliyun",
    "aws",
    "azure",
    "digitalocean",
    "gce",
    "hcp",
    "k8s",
    "linode",
    "os",
    "packet",
    "scaleway",
    "softlayer",
    "tencentcloud",
    "triton",
    "vsphere",
];

/// The place of a search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AutoJoin {
    /// The local network.
    Mdns(Mdns),
}

/// A search of the local network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mdns {
    /// The service: `_coffer._tcp`.
    pub service: String,
    /// The domain: `local`.
    pub domain: String,
    /// The time to wait for answers.
    pub timeout: Duration,
    /// True to search over IPv4, for IPv4 addresses.
    pub v4: bool,
    /// True to search over IPv6, for IPv6 addresses.
    pub v6: bool,
}

impl Default for Mdns {
    fn default() -> Self {
        Self {
            service: SERVICE_DEFAULT.into(),
            domain: "local".into(),
            timeout: TIMEOUT_DEFAULT,
            v4: true,
            v6: true,
        }
    }
}

impl AutoJoin {
    /// Reads `auto_join`. The error is for the operator.
    pub fn parse(text: &str) -> Result<Self, DiscoveryError> {
        let pairs = pairs(text)?;
        let provider = pairs.iter().find(|(key, _)| key == "provider");
        match provider.map(|(_, value)| value.as_str()) {
            Some("mdns") => Mdns::of(&pairs).map(Self::Mdns),
            None | Some("") => wrong("no provider given: write provider=mdns".into()),
            Some(other) if OTHERS.contains(&other) => wrong(format!(
                "provider {other:?} is not in this build: use provider=mdns on one network, or a \
                 retry_join stanza with leader_api_addr for each server"
            )),
            Some(other) => wrong(format!("unknown provider {other:?}: use provider=mdns")),
        }
    }
}

impl Mdns {
    /// Takes `service`, `domain`, `timeout`, `v4` and `v6` from pairs of names and values.
    pub fn of(pairs: &[(String, String)]) -> Result<Self, DiscoveryError> {
        let mut mdns = Self::default();
        for (key, value) in pairs {
            match key.as_str() {
                "provider" => {}
                "service" => mdns.service = name(key, value)?,
                "domain" => mdns.domain = name(key, value)?,
                "timeout" => mdns.timeout = timeout(value)?,
                "v4" => mdns.v4 = switch(key, value)?,
                "v6" => mdns.v6 = switch(key, value)?,
                _ => return wrong(format!("provider mdns knows no {key:?}")),
            }
        }
        if !mdns.service.ends_with("._tcp") && !mdns.service.ends_with("._udp") {
            return wrong(format!(
                "service: {:?} is not of the form _name._tcp",
                mdns.service
            ));
        }
        if !mdns.v4 && !mdns.v6 {
            return wrong("one of v4 and v6 must be true".into());
        }
        Ok(mdns)
    }

    /// Returns the full name, such as `_coffer._tcp.local.`
    pub(super) fn full_name(&self) -> String {
        format!("{}.{}.", self.service, self.domain)
    }
}

fn wrong<T>(message: String) -> Result<T, DiscoveryError> {
    Err(DiscoveryError::Invalid(message))
}

fn name(key: &str, value: &str) -> Result<String, DiscoveryError> {
    let name = value.trim_matches('.');
    let is_label = |label: &str| !label.is_empty() && label.len() <= LABEL_BYTES_MAX;
    match name.is_ascii() && name.split('.').all(is_label) {
        true => Ok(name.to_owned()),
        false => wrong(format!("{key}: {value:?} is no DNS name")),
    }
}

fn timeout(value: &str) -> Result<Duration, DiscoveryError> {
    match parse_duration(value) {
        Some(timeout) if !timeout.is_zero() && timeout <= TIMEOUT_MAX => Ok(timeout),
        _ => wrong(format!("timeout: {value:?} is not between 1s and 60s")),
    }
}

fn switch(key: &str, value: &str) -> Result<bool, DiscoveryError> {
    match value {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => wrong(format!("{key}: {value:?} is neither true nor false")),
    }
}

/// Splits `key=value key="a value"`, with `\` before a quote or a backslash inside quotes.
fn pairs(text: &str) -> Result<Vec<(String, String)>, DiscoveryError> {
    let mut pairs = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let Some((key, tail)) = rest.split_once('=') else {
            return wrong(format!("{rest:?} is not of the form key=value"));
        };
        if key.is_empty() || key.contains(char::is_whitespace) {
            return wrong(format!("{key:?} is not of the form key=value"));
        }
        let (value, tail) = match tail.strip_prefix('"') {
            Some(quoted) => unquoted(quoted)?,
            None => {
                let end = tail.find(char::is_whitespace).unwrap_or(tail.len());
                let (value, tail) = tail.split_at(end);
                (value.to_owned(), tail)
            }
        };
        pairs.push((key.to_owned(), value));
        rest = tail.trim_start();
    }
    Ok(pairs)
}

/// Reads up to the closing quote; returns the value, and the text after the quote.
fn unquoted(text: &str) -> Result<(String, &str), DiscoveryError> {
    let mut value = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => return Ok((value, chars.as_str())),
            '\\' => value.extend(chars.next()),
            c => value.push(c),
        }
    }
    wrong("a quoted value does not end".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        AutoJoin::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn mdns_with_and_without_its_options() {
        let found = AutoJoin::parse("provider=mdns service=_coffer._tcp domain=local").unwrap();
        assert_eq!(found, AutoJoin::Mdns(Mdns::default()));
        let found = AutoJoin::parse(
            "domain=\"home.arpa\"  provider=mdns service=_vault._tcp. timeout=500ms v6=false",
        );
        let expected = Mdns {
            service: "_vault._tcp".into(),
            domain: "home.arpa".into(),
            timeout: Duration::from_millis(500),
            v4: true,
            v6: false,
        };
        assert_eq!(found.unwrap(), AutoJoin::Mdns(expected.clone()));
        assert_eq!(expected.full_name(), "_vault._tcp.home.arpa.");
    }

    #[test]
    fn every_other_provider_is_refused_by_name() {
        for other in OTHERS {
            let told = error(&format!("provider={other} region=eu-west-1"));
            assert!(told.contains(&format!("{other:?}")), "{told}");
            assert!(told.contains("leader_api_addr"), "{told}");
        }
        assert!(error("provider=carrier-pigeon").contains("unknown provider"));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for (text, told) in [
            ("", "no provider"),
            ("service=_coffer._tcp", "no provider"),
            ("mdns", "key=value"),
            ("provider=mdns and more", "key=value"),
            ("provider=mdns colour=red", "knows no \"colour\""),
            ("provider=mdns v4=false v6=false", "one of v4 and v6"),
            ("provider=mdns v4=maybe", "neither true nor false"),
            ("provider=mdns timeout=5m", "between 1s and 60s"),
            ("provider=mdns timeout=0", "between 1s and 60s"),
            ("provider=mdns service=coffer", "_name._tcp"),
            ("provider=mdns service=a..b._tcp", "no DNS name"),
            ("provider=mdns domain=\"local", "does not end"),
        ] {
            assert!(error(text).contains(told), "{text}: {}", error(text));
        }
    }
}
