//! Binds addresses to sockets, with owners and modes for unix ones.

use super::options::{Address, Listener, ServeError, UnixOwner};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixListener, UnixStream};

/// Most connections that wait in the kernel to be accepted.
const BACKLOG: u32 = 1024;

/// A bound socket.
pub(super) enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener, PathBuf),
}

/// An accepted stream, with the peer's address on a TCP socket.
pub(super) enum Accepted {
    Tcp(TcpStream, SocketAddr),
    Unix(UnixStream),
}

impl Socket {
    pub(super) async fn accept(&self) -> std::io::Result<Accepted> {
        match self {
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                stream.set_nodelay(true)?;
                Ok(Accepted::Tcp(stream, peer))
            }
            Self::Unix(listener, _) => Ok(Accepted::Unix(listener.accept().await?.0)),
        }
    }
}

/// Binds one listener.
pub(super) async fn bind(listener: &Listener) -> Result<Socket, ServeError> {
    match &listener.address {
        Address::Tcp(address) => bind_tcp(address).await.map(Socket::Tcp),
        Address::Unix {
            path,
            mode,
            user,
            group,
        } => {
            let socket = bind_unix(path)?;
            own(path, *mode, user.as_ref(), group.as_ref())?;
            Ok(Socket::Unix(socket, path.clone()))
        }
    }
}

async fn bind_tcp(address: &str) -> Result<TcpListener, ServeError> {
    let mut last = None;
    for candidate in resolve(address).await? {
        match listen(candidate) {
            Ok(listener) => return Ok(listener),
            Err(source) => {
                last = Some(ServeError::Bind {
                    address: candidate.to_string(),
                    source,
                });
            }
        }
    }
    Err(last.unwrap_or_else(|| ServeError::Resolve {
        address: address.to_owned(),
        source: std::io::Error::other("it has no address"),
    }))
}

async fn resolve(address: &str) -> Result<Vec<SocketAddr>, ServeError> {
    let unresolved = |source| ServeError::Resolve {
        address: address.to_owned(),
        source,
    };
    if let Some(port) = address.strip_prefix(':') {
        let port = port
            .parse()
            .map_err(|_| unresolved(std::io::Error::other("the port is not a number")))?;
        return Ok(vec![
            SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), port),
            SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port),
        ]);
    }
    let found = tokio::net::lookup_host(address).await.map_err(unresolved)?;
    Ok(found.collect())
}

fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

fn bind_unix(path: &Path) -> Result<UnixListener, ServeError> {
    let shown = || path.display().to_string();
    match std::fs::symlink_metadata(path) {
        Ok(metadata) if metadata.file_type().is_socket() => {
            // A killed process left the socket behind, unless a process still answers on it.
            if std::os::unix::net::UnixStream::connect(path).is_ok() {
                return Err(ServeError::Bind {
                    address: shown(),
                    source: std::io::ErrorKind::AddrInUse.into(),
                });
            }
            std::fs::remove_file(path).map_err(|source| ServeError::Bind {
                address: shown(),
                source,
            })?;
        }
        Ok(_) => return Err(ServeError::NotASocket(shown())),
        Err(_) => {}
    }
    UnixListener::bind(path).map_err(|source| ServeError::Bind {
        address: shown(),
        source,
    })
}

fn own(
    path: &Path,
    mode: Option<u32>,
    user: Option<&UnixOwner>,
    group: Option<&UnixOwner>,
) -> Result<(), ServeError> {
    let failed = |reason: String| ServeError::SocketOwner {
        path: path.display().to_string(),
        reason,
    };
    let user = user.map(|owner| id_of(owner, "/etc/passwd")).transpose();
    let group = group.map(|owner| id_of(owner, "/etc/group")).transpose();
    let (user, group) = (user.map_err(failed)?, group.map_err(failed)?);
    if user.is_some() || group.is_some() {
        std::os::unix::fs::chown(path, user, group).map_err(|error| failed(error.to_string()))?;
    }
    if let Some(mode) = mode {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
            .map_err(|error| failed(error.to_string()))?;
    }
    Ok(())
}

/// Looks a name up in a colon-separated table: name, password, id.
fn id_of(owner: &UnixOwner, table: &str) -> Result<u32, String> {
    let name = match owner {
        UnixOwner::Id(id) => return Ok(*id),
        UnixOwner::Name(name) => name,
    };
    let text = std::fs::read_to_string(table).map_err(|error| format!("{table}: {error}"))?;
    text.lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .find(|columns| columns.first() == Some(&name.as_str()))
        .and_then(|columns| columns.get(2)?.parse().ok())
        .ok_or_else(|| format!("'{name}' is not in {table}"))
}
