//! The addresses in a configuration.

use super::section::Section;
use std::net::{IpAddr, UdpSocket};

/// Reads a URL such as `https://node-a:8201`: spaces around it are dropped, scheme and port are
/// checked, an empty host stays empty (the node then puts its own name there).
pub(super) fn url(section: &Section<'_>, key: &str) -> Option<String> {
    let text = expand(section, key)?;
    let text = text.trim().trim_end_matches('/').to_owned();
    if text.is_empty() {
        return None;
    }
    let host_port = match text.split_once("://") {
        Some(("http" | "https", rest)) => rest,
        Some(("unix", _)) => return Some(text),
        Some(_) | None => {
            section.wrong(key, "expected a URL that starts with http:// or https://");
            return None;
        }
    };
    match split_host_port(host_port) {
        Some(_) => Some(text),
        None => {
            section.wrong(key, "expected scheme://host:port");
            None
        }
    }
}

/// Reads `host:port`, `:port` or `[v6]:port`.
pub(super) fn host_port(section: &Section<'_>, key: &str) -> Option<String> {
    let text = expand(section, key)?;
    let text = text.trim();
    if split_host_port(text).is_some_and(|(_, port)| port.is_some()) {
        return Some(text.to_owned());
    }
    section.wrong(key, "expected host:port");
    None
}

fn expand(section: &Section<'_>, key: &str) -> Option<String> {
    let text = section.text(key)?;
    match expand_template(&text) {
        Ok(text) => Some(text),
        Err(message) => {
            section.wrong(key, message);
            None
        }
    }
}

/// Splits host and port; returns `None` when the port is not a number or brackets do not match. A
/// path behind the port has no meaning and is refused.
pub(super) fn split_host_port(text: &str) -> Option<(&str, Option<u16>)> {
    if text.contains('/') || text.contains(char::is_whitespace) {
        return None;
    }
    if let Some(rest) = text.strip_prefix('[') {
        let (host, tail) = rest.split_once(']')?;
        return match tail.strip_prefix(':') {
            Some(port) => Some((host, Some(port.parse().ok()?))),
            None => tail.is_empty().then_some((host, None)),
        };
    }
    match text.split_once(':') {
        Some((host, port)) if !port.contains(':') => Some((host, Some(port.parse().ok()?))),
        Some(_) => None,
        None => Some((text, None)),
    }
}

/// Expands `{{ GetPrivateIP }}`, the one template that needs no table of interfaces; refuses every
/// other one by name. Text without a template comes back as it is.
pub fn expand_template(text: &str) -> Result<String, String> {
    let Some((before, rest)) = text.split_once("{{") else {
        return Ok(text.to_owned());
    };
    let (template, after) = rest
        .split_once("}}")
        .ok_or("the address template is not closed with }}")?;
    if template.trim() != "GetPrivateIP" {
        return Err(format!(
            "the address template {{{{{template}}}}} is not supported by this build: \
             write the address out, or use {{{{ GetPrivateIP }}}}"
        ));
    }
    let address = private_address().ok_or("{{ GetPrivateIP }} found no private address")?;
    Ok(format!("{before}{address}{after}"))
}

/// Returns the address from which the kernel would send to a private network. Nothing is sent.
fn private_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("10.255.255.255:9").ok()?;
    match socket.local_addr().ok()?.ip() {
        IpAddr::V4(address) if address.is_private() => Some(IpAddr::V4(address)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_hosts_and_ports() {
        assert_eq!(split_host_port("a.b:80"), Some(("a.b", Some(80))));
        assert_eq!(split_host_port(":80"), Some(("", Some(80))));
        assert_eq!(split_host_port("[::1]:80"), Some(("::1", Some(80))));
        assert_eq!(split_host_port("host"), Some(("host", None)));
        for wrong in ["a:b", "::1:80", "[::1", "a:80/x", "a b:80", "a:99999"] {
            assert_eq!(split_host_port(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn unknown_templates_are_refused_by_name() {
        assert_eq!(expand_template("a:1"), Ok("a:1".into()));
        let error = expand_template("{{ GetInterfaceIP \"eth0\" }}:8200").unwrap_err();
        assert!(error.contains("GetInterfaceIP"), "{error}");
    }
}
