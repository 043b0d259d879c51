//! A client with one connection a request, which hides nothing of the server's answer.

use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Longest wait for one answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// A client of one server, with its token.
#[derive(Clone, Debug)]
pub struct Client {
    /// The server's address: `127.0.0.1:8200`.
    pub address: String,
    /// The token, which is sent when it is not empty.
    pub token: String,
}

/// Status and body.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: String,
}

impl Answer {
    /// Returns the body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }

    /// Returns the answer, after checking its status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.body);
        self
    }
}

impl Client {
    pub fn new(address: &str) -> Self {
        Self {
            address: address.to_owned(),
            token: String::new(),
        }
    }

    pub fn with_token(&self, token: &str) -> Self {
        Self {
            address: self.address.clone(),
            token: token.to_owned(),
        }
    }

    pub fn get(&self, path: &str) -> Answer {
        self.send("GET", path, None).unwrap()
    }

    pub fn list(&self, path: &str) -> Answer {
        self.send("LIST", path, None).unwrap()
    }

    pub fn put(&self, path: &str, body: Value) -> Answer {
        self.send("PUT", path, Some(&body.to_string())).unwrap()
    }

    pub fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, None).unwrap()
    }

    /// Sends a request; `path` is without `/v1/`. An error means that there was no answer.
    pub fn send(&self, method: &str, path: &str, body: Option<&str>) -> std::io::Result<Answer> {
        self.send_with("", method, path, body)
    }

    /// Sends a PUT that a standby must not hand on to the active node.
    pub fn put_here(&self, path: &str, body: Value) -> Answer {
        let line = "X-Vault-No-Request-Forwarding: true\r\n";
        let body = body.to_string();
        self.send_with(line, "PUT", path, Some(&body)).unwrap()
    }

    fn send_with(
        &self,
        lines: &str,
        method: &str,
        path: &str,
        body: Option<&str>,
    ) -> std::io::Result<Answer> {
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let body = body.unwrap_or_default();
        let token = match self.token.as_str() {
            "" => String::new(),
            token => format!("X-Vault-Token: {token}\r\n"),
        };
        let request = format!(
            "{method} /v1/{path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n{token}{lines}\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes())?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        let (head, body) = text
            .split_once("\r\n\r\n")
            .ok_or(std::io::ErrorKind::UnexpectedEof)?;
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        Ok(Answer {
            status: status.ok_or(std::io::ErrorKind::InvalidData)?,
            body: body.to_owned(),
        })
    }
}

/// Returns the certificate that a TLS server shows, as DER.
pub fn hello(address: &str, root: &[u8]) -> Vec<u8> {
    use rustls::pki_types::{CertificateDer, ServerName};
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from(root.to_vec())).unwrap();
    let config = rustls::ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let mut tls = rustls::ClientConnection::new(std::sync::Arc::new(config), name).unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    while tls.is_handshaking() {
        if tls.complete_io(&mut stream).is_err() {
            return Vec::new();
        }
    }
    let shown = tls.peer_certificates().and_then(<[_]>::first);
    shown.map(|cert| cert.to_vec()).unwrap_or_default()
}
