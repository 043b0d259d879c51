//! The addresses to listen on: free, or held by the server that uses this data.

use crate::diagnose::finding::Finding;
use crate::diagnose::subject::Examined;
use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::net::{TcpListener, ToSocketAddrs};
use std::path::Path;

const NAME: &str = "Ports";

/// Judges the addresses of all listeners, for clients and for other nodes.
pub fn check(subject: &Examined<'_>) -> Vec<Finding> {
    let mut addresses = BTreeSet::new();
    let mut findings = Vec::new();
    for listener in &subject.config.listeners {
        if listener.is_unix {
            findings.push(socket(Path::new(&listener.address)));
            continue;
        }
        addresses.insert(listener.address.clone());
        if subject.raft().is_some() && !listener.cluster_address.is_empty() {
            addresses.insert(listener.cluster_address.clone());
        }
    }
    findings.extend(addresses.iter().map(|address| port(subject, address)));
    findings
}

/// Judges the place of a unix socket.
fn socket(path: &Path) -> Finding {
    let shown = path.display();
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    match folder {
        Some(folder) if !folder.is_dir() => Finding::fail(
            NAME,
            format!("{shown}: the folder of the socket does not exist"),
            format!(
                "make {}, or let RuntimeDirectory= of the unit make it",
                folder.display()
            ),
        ),
        _ => Finding::ok(NAME, format!("{shown}: a unix socket can be made there")),
    }
}

/// Binds a TCP address for a moment. No client can connect to it: nothing accepts there.
fn port(subject: &Examined<'_>, address: &str) -> Finding {
    let whole = match address.strip_prefix(':') {
        Some(port) => format!("0.0.0.0:{port}"),
        None => address.to_owned(),
    };
    let resolved = whole.to_socket_addrs().map(Iterator::collect::<Vec<_>>);
    let resolved = match resolved {
        Ok(resolved) if !resolved.is_empty() => resolved,
        Ok(_) => return unresolved(address, "no address"),
        Err(error) => return unresolved(address, &error.to_string()),
    };
    let error = match TcpListener::bind(resolved.as_slice()) {
        Ok(_) => return Finding::ok(NAME, format!("{address} is free")),
        Err(error) => error,
    };
    let number = resolved.first().map_or(0, |resolved| resolved.port());
    match error.kind() {
        ErrorKind::AddrInUse => taken(subject, address, number),
        ErrorKind::AddrNotAvailable => Finding::fail(
            NAME,
            format!("{address} is not an address of this machine"),
            "name an address of this machine, or 0.0.0.0 for all of them",
        ),
        ErrorKind::PermissionDenied => Finding::fail(
            NAME,
            format!("{address} takes a privilege: {error}"),
            "use a port from 1024 on, or grant CAP_NET_BIND_SERVICE as systemd/coffer.service says",
        ),
        _ => Finding::fail(
            NAME,
            format!("{address} cannot be bound: {error}"),
            "correct the address",
        ),
    }
}

fn unresolved(address: &str, reason: &str) -> Finding {
    let message = format!("{address} does not resolve: {reason}");
    Finding::fail(
        NAME,
        message,
        "write the address as a number, or see to the name in /etc/hosts",
    )
}

fn taken(subject: &Examined<'_>, address: &str, number: u16) -> Finding {
    if subject.server_is_hidden() {
        let message = format!("{address} is taken; by which program cannot be seen");
        return Finding::skip(NAME, message, "run this as root or as the service's user");
    }
    let Some(server) = subject.server() else {
        return Finding::fail(
            NAME,
            format!("{address} is taken, and not by a server with this data"),
            format!("`ss -ltnp sport = :{number}` names the program: stop it, or use another port"),
        );
    };
    let pid = server.pid;
    match server.listens_on(&subject.machine, number) {
        Some(true) => Finding::ok(
            NAME,
            format!("{address} is held by the running server ({pid})"),
        ),
        Some(false) => Finding::fail(
            NAME,
            format!("{address} is taken, and not by the running server ({pid})"),
            format!("`ss -ltnp sport = :{number}` names the program: stop it, or use another port"),
        ),
        None => Finding::skip(
            NAME,
            format!("{address} is taken; whether by the running server ({pid}) cannot be seen"),
            "run this as root",
        ),
    }
}
