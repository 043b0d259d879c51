//! A whole node in this process, and a client that sends its requests byte for byte.

use coffer::http::Bound;
use coffer::node::{Dev, Node};
use coffer::secret::Secret;
use serde_json::Value;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

/// The root token of every node here.
pub const ROOT: &str = "root-for-tests";
/// Longest wait for anything in these tests.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A node that is unsealed, with kv version 2 at `secret/`.
pub struct Server {
    pub node: Node,
    address: SocketAddr,
}

/// One answer.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub body: String,
}

impl Server {
    /// Starts a node in memory.
    pub async fn start() -> Self {
        Self::with("storage \"inmem\" {}").await
    }

    /// Starts a node with these stanzas beside the listener's.
    pub async fn with(stanzas: &str) -> Self {
        let text = format!(
            "listener \"tcp\" {{\n address = \"127.0.0.1:0\"\n tls_disable = true\n}}\n\
             disable_mlock = true\n{stanzas}\n"
        );
        let loaded = coffer::config::from_text(&[("test.hcl".into(), text)], &[]).unwrap();
        let dev = Dev {
            root_token: Some(Secret::new(ROOT.into())),
            mount_kv: true,
            keys: None,
        };
        let node = Node::start(loaded.config, Some(dev)).await.unwrap();
        let Bound::Tcp(address) = node.bound()[0].clone() else {
            panic!("not a TCP listener");
        };
        Self { node, address }
    }

    /// Connects from the address 127.0.0.`host`.
    pub async fn connect_from(&self, host: u8) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(([127, 0, 0, host], 0).into()).unwrap();
        socket.connect(self.address).await.unwrap()
    }

    /// Sends `request` as it is and reads to the end of the stream.
    pub async fn raw(&self, request: &[u8]) -> Reply {
        let exchange = async {
            let mut stream = TcpStream::connect(self.address).await.unwrap();
            // The server may answer and close before everything is sent.
            let _sent_or_refused = stream.write_all(request).await;
            let mut bytes = Vec::new();
            let _ended_or_reset = stream.read_to_end(&mut bytes).await;
            String::from_utf8_lossy(&bytes).into_owned()
        };
        let text = tokio::time::timeout(PATIENCE, exchange)
            .await
            .expect("an answer in time");
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        Reply {
            status: status.unwrap_or(0),
            body: body.to_owned(),
        }
    }

    /// Makes a call with a token (none when empty) and a JSON body (none when empty).
    pub async fn call(&self, token: &str, method: &str, path: &str, body: &str) -> Reply {
        self.call_with(token, "", method, path, body).await
    }

    /// Makes a call as [`Self::call`] does, with further header lines, each ended by CR LF.
    pub async fn call_with(
        &self,
        token: &str,
        headers: &str,
        method: &str,
        path: &str,
        body: &str,
    ) -> Reply {
        let token = match token {
            "" => String::new(),
            token => format!("X-Vault-Token: {token}\r\n"),
        };
        let content_type = match method {
            "PATCH" => "application/merge-patch+json",
            _ => "application/json",
        };
        let length = body.len();
        let request = format!(
            "{method} /v1/{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{token}{headers}\
             Content-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        self.raw(request.as_bytes()).await
    }

    /// Makes a call as root, which must succeed.
    pub async fn root(&self, method: &str, path: &str, body: &str) -> Reply {
        let reply = self.call(ROOT, method, path, body).await;
        assert!(reply.is_success(), "{method} {path}: {reply:?}");
        reply
    }

    /// Writes a policy.
    pub async fn policy(&self, name: &str, text: &str) {
        let body = serde_json::json!({ "policy": text }).to_string();
        self.root("PUT", &format!("sys/policies/acl/{name}"), &body)
            .await;
    }

    /// Returns a token with one policy of this text.
    pub async fn token(&self, policy: &str) -> String {
        self.policy("for-a-test", policy).await;
        self.token_of(r#"{"policies":["for-a-test"],"ttl":"1h"}"#)
            .await
    }

    /// Returns a token made by root.
    pub async fn token_of(&self, request: &str) -> String {
        let reply = self.root("POST", "auth/token/create", request).await;
        reply.client_token()
    }
}

impl Reply {
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("JSON: {self:?}"))
    }

    pub fn client_token(&self) -> String {
        let token = self.json()["auth"]["client_token"].clone();
        token
            .as_str()
            .unwrap_or_else(|| panic!("a token: {self:?}"))
            .to_owned()
    }

    /// Returns the answer without the field that differs from one request to the next.
    pub fn without_id(&self) -> Value {
        let mut value = self.json();
        if let Some(fields) = value.as_object_mut() {
            fields.remove("request_id");
        }
        value
    }
}

/// Waits for a condition.
pub async fn until(holds: impl AsyncFnMut() -> bool) {
    assert!(
        crate::support::reaches_async(PATIENCE, holds).await,
        "in time"
    );
}
