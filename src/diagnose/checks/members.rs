//! Other members: whether they are reached, and how long that takes; and this node's own address.

use crate::diagnose::finding::Finding;
use crate::diagnose::subject::Examined;
use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

const NAME: &str = "Members";
const OWN: &str = "Own address";
/// The longest wait for a connection, and the round trip from which a member is called far.
const CONNECT_WITHIN: Duration = Duration::from_secs(2);
const FAR: Duration = Duration::from_millis(200);
/// The most members that are tried.
const TRIED_MAX: usize = 16;

/// Judges this node's own address and the way to the others.
pub fn check(subject: &Examined<'_>) -> Vec<Finding> {
    let Some(raft) = subject.raft() else {
        return Vec::new();
    };
    let mut findings: Vec<Finding> = own(subject).into_iter().collect();
    let own_api = subject.config.api_address.as_deref().unwrap_or_default();
    let mut others = BTreeMap::new();
    for join in &raft.retry_join {
        if let Some(url) = join
            .leader_api_address
            .as_deref()
            .filter(|url| *url != own_api)
        {
            others.insert(authority(url, 8200), format!("{url} (retry_join)"));
        }
        if let Some(auto_join) = &join.auto_join {
            let message = format!("auto_join {auto_join:?} is not searched here");
            let advice = "a starting server searches; its log has what it found";
            findings.push(Finding::skip(NAME, message, advice));
        }
    }
    match subject
        .server()
        .map(|_| subject.world.ask("sys/storage/raft/configuration"))
    {
        Some(Ok(answer)) => others.extend(members(&answer, raft.node_id.as_str())),
        Some(Err(reason)) => findings.push(Finding::skip(
            NAME,
            format!("the cluster's own list of members was not read: {reason}"),
            "set VAULT_ADDR, and VAULT_TOKEN to one that may read sys/storage/raft/configuration",
        )),
        None => {}
    }
    let count = others.len();
    let tried = others.into_iter().take(TRIED_MAX);
    findings.extend(tried.map(|(address, shown)| reach(&address, &shown)));
    if count == 0 && !findings.iter().any(|finding| finding.name == NAME) {
        findings.push(Finding::ok(
            NAME,
            "none are configured: a cluster of one, or joined by hand",
        ));
    }
    findings
}

/// Judges the address at which other nodes find this one.
fn own(subject: &Examined<'_>) -> Option<Finding> {
    let config = &subject.config;
    let url = config
        .cluster_address
        .as_deref()
        .or(config.api_address.as_deref())?;
    let address = authority(url, 8201);
    let advice = "set cluster_addr to an address that the other nodes reach";
    let is_alone = subject.raft().is_none_or(|raft| raft.retry_join.is_empty());
    let resolved = resolve(&address);
    Some(match resolved {
        Err(error) => Finding::fail(OWN, format!("{url} does not resolve: {error}"), advice),
        Ok(all) if all.iter().all(|one| one.ip().is_loopback()) && !is_alone => {
            let message =
                format!("{url} is this machine's own loopback address: no other node reaches it");
            Finding::fail(OWN, message, advice)
        }
        Ok(_) => Finding::ok(OWN, format!("other nodes find this one at {url}")),
    })
}

/// Returns the members of the cluster but this one: address and text.
fn members(answer: &serde_json::Value, own_name: &str) -> Vec<(String, String)> {
    let servers = answer.pointer("/data/config/servers");
    let servers = servers.and_then(serde_json::Value::as_array);
    let others = servers.into_iter().flatten().filter_map(|server| {
        let text = |name: &str| server.get(name).and_then(serde_json::Value::as_str);
        let (name, address) = (text("node_id")?, text("address")?);
        (name != own_name).then(|| (address.to_owned(), format!("{name} at {address}")))
    });
    others.collect()
}

/// Connects to a member and judges the time that it took: one round trip.
fn reach(address: &str, shown: &str) -> Finding {
    let advice = "see that it runs, that its address is right, and no firewall is between; this \
                  node starts without it";
    let resolved = match resolve(address) {
        Ok(resolved) => resolved,
        Err(error) => {
            return Finding::warn(NAME, format!("{shown} does not resolve: {error}"), advice);
        }
    };
    let mut reason = String::from("no address");
    for one in resolved {
        let begun = Instant::now();
        match TcpStream::connect_timeout(&one, CONNECT_WITHIN) {
            Ok(_) => return judged(shown, begun.elapsed()),
            Err(error) => reason = error.to_string(),
        }
    }
    Finding::warn(NAME, format!("{shown} is not reached: {reason}"), advice)
}

fn judged(shown: &str, took: Duration) -> Finding {
    let message = format!(
        "{shown} is reached in {:.1} ms",
        took.as_secs_f64() * 1000.0
    );
    match took > FAR {
        true => {
            let advice = "each write waits for a round trip to a quorum: move them closer, or set \
                          performance_multiplier so that leadership does not change for it";
            Finding::warn(NAME, message, advice)
        }
        false => Finding::ok(NAME, message),
    }
}

fn resolve(address: &str) -> Result<Vec<SocketAddr>, String> {
    let found = address
        .to_socket_addrs()
        .map_err(|error| error.to_string())?;
    let found: Vec<SocketAddr> = found.collect();
    match found.is_empty() {
        true => Err("no address".into()),
        false => Ok(found),
    }
}

/// Returns host and port of a URL, with `port` where it names none.
fn authority(url: &str, port: u16) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = rest.split('/').next().unwrap_or(rest);
    let behind = rest.rsplit_once(']').map_or(rest, |(_, behind)| behind);
    match behind.contains(':') {
        true => rest.to_owned(),
        false => format!("{rest}:{port}"),
    }
}

#[cfg(test)]
mod unit {
    use super::*;
    use crate::diagnose::finding::Grade;
    use serde_json::json;

    #[test]
    fn urls_become_addresses() {
        for (url, address) in [
            ("https://pi-1.home:8300", "pi-1.home:8300"),
            ("http://pi-1.home", "pi-1.home:8200"),
            ("https://[fd00::1]", "[fd00::1]:8200"),
            ("https://[fd00::1]:8300/x", "[fd00::1]:8300"),
            ("10.0.0.1:8201", "10.0.0.1:8201"),
        ] {
            assert_eq!(authority(url, 8200), address);
        }
    }

    #[test]
    fn a_member_that_listens_is_reached_and_one_that_does_not_is_named() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let found = reach(&address, "pi-2");
        assert_eq!(found.grade, Grade::Ok);
        assert!(
            found.message.starts_with("pi-2 is reached in "),
            "{}",
            found.message
        );
        drop(listener);
        assert_eq!(reach(&address, "pi-2").grade, Grade::Warn);
        assert_eq!(judged("far", Duration::from_millis(201)).grade, Grade::Warn);
    }

    #[test]
    fn the_cluster_tells_its_members() {
        let answer = json!({"data": {"config": {"servers": [
            {"node_id": "a", "address": "10.0.0.1:8201"},
            {"node_id": "b", "address": "10.0.0.2:8201"},
        ]}}});
        let expected = vec![("10.0.0.2:8201".to_owned(), "b at 10.0.0.2:8201".to_owned())];
        assert_eq!(members(&answer, "a"), expected);
    }
}
