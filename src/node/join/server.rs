//! Another node's API, as a joiner calls it.

use super::place::JoinTarget;
use super::token::TokenId;
use crate::barrier::{SealConfig, SealRecord, SealType};
use crate::outbound::{Address, Client, ExchangeError, Limits, SetupError};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use hyper::{Request, header};
use serde_json::{Value, json};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// The most redirects that are followed: a standby names the active node, which may just have
/// changed.
const REDIRECTS_MAX: usize = 3;
/// The longest exchange that only asks.
const ASK_MAX: Duration = Duration::from_secs(10);
/// The longest exchange of an answer, which the leader commits.
const ANSWER_MAX: Duration = Duration::from_secs(30);
/// The longest answer that is read, in bytes. The server may be anyone: nothing has been proved
/// yet.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// The most characters of a failure's reason that are passed on, for the other side may have
/// written it.
const REASON_CHARS_MAX: usize = 200;

/// Another node, or a server that claims to be one.
pub(super) struct Server {
    client: Client,
    address: Address,
    is_reached: AtomicBool,
}

impl Server {
    pub fn new(place: &JoinTarget, url: &str) -> Result<Self, String> {
        let address = Address::parse(url).map_err(|error| error.to_string())?;
        Ok(Self {
            client: place.client(),
            address,
            is_reached: AtomicBool::new(false),
        })
    }

    /// Returns true once the server has answered anything.
    pub fn is_reached(&self) -> bool {
        self.is_reached.load(Relaxed)
    }

    /// Returns the cluster's seal, and a challenge for a node of this name: one that has the token,
    /// or else the unseal keys.
    pub async fn challenge(
        &self,
        node_id: &str,
        token: Option<&TokenId>,
    ) -> Result<(SealRecord, Vec<u8>), String> {
        let body = with_token(json!({ "server_id": node_id }), token);
        let path = "sys/storage/raft/bootstrap/challenge";
        let answer = self.post(path, &body, ASK_MAX).await?;
        let seal = answer.pointer("/data/seal_config").and_then(seal_record);
        let seal = seal.ok_or("the challenge names no seal that this build knows")?;
        Ok((seal, bytes(&answer, "/data/challenge")?))
    }

    /// Gives the answer to a challenge and returns the sealed reply.
    pub async fn answer(
        &self,
        node_id: &str,
        challenge: &[u8],
        statement: &[u8],
        proof: &[u8],
        token: Option<&TokenId>,
    ) -> Result<Vec<u8>, String> {
        let body = json!({
            "server_id": node_id,
            "challenge": BASE64.encode(challenge),
            "statement": BASE64.encode(statement),
            "proof": BASE64.encode(proof),
        });
        let body = with_token(body, token);
        let path = "sys/storage/raft/bootstrap/answer";
        let answer = self.post(path, &body, ANSWER_MAX).await?;
        bytes(&answer, "/data/reply")
    }

    /// Returns true when the server is in a cluster.
    pub async fn is_initialized(&self) -> Result<bool, String> {
        let answer = self
            .exchange("GET", "sys/seal-status", None, ASK_MAX)
            .await?;
        Ok(answer.get("initialized") == Some(&Value::Bool(true)))
    }

    async fn post(&self, path: &str, body: &Value, within: Duration) -> Result<Value, String> {
        self.exchange("POST", path, Some(body), within).await
    }

    async fn exchange(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
        within: Duration,
    ) -> Result<Value, String> {
        let exchanged = self.ask(method, path, body, within).await;
        exchanged.map_err(|why| printable(&why))
    }

    async fn ask(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
        within: Duration,
    ) -> Result<Value, String> {
        let text = body.map(Value::to_string).unwrap_or_default();
        let target = format!("{}/v1/{path}", self.address.prefix);
        let request = Request::builder()
            .method(method)
            .uri(&target)
            .header(header::CONTENT_TYPE, "application/json")
            .header("X-Vault-Request", "true")
            .body(Bytes::from(text))
            .map_err(|error| error.to_string())?;
        let limits = Limits {
            time_max: within,
            answer_bytes_max: ANSWER_BYTES_MAX,
            redirects_max: REDIRECTS_MAX,
        };
        let answer = self.client.send(&self.address, request, &limits).await;
        let url = self.address.url(&target);
        let answer = answer.map_err(|error| self.failed(error, &url, within))?;
        self.is_reached.store(true, Relaxed);
        match (answer.status, answer.location()) {
            (200..=299, _) => serde_json::from_slice(&answer.body)
                .map_err(|_| format!("{} does not speak this API", self.address.authority)),
            (_, Some(_)) => {
                Err("too many redirects: the cluster does not agree on its active node".into())
            }
            (status, None) => Err(refusal(status, &answer.body)),
        }
    }

    /// Returns the reason of a failure. A failure after a redirect shows that the server at `asked`
    /// was reached.
    fn failed(&self, error: ExchangeError, asked: &str, within: Duration) -> String {
        let (reached, why) = match error {
            ExchangeError::Late { url } => (
                url != asked,
                format!("no answer within {} s", within.as_secs()),
            ),
            ExchangeError::Network { url, reason } => (url != asked, reason),
            ExchangeError::Redirect { location, .. } => (
                true,
                format!("redirected to {location}, which is not to be trusted"),
            ),
            // An address that is none is the redirect's: ours was read before.
            ExchangeError::Setup(error) => {
                (!matches!(error, SetupError::Tls(_)), error.to_string())
            }
            ExchangeError::Body(error) => (false, error.to_string()),
        };
        if reached {
            self.is_reached.store(true, Relaxed);
        }
        why
    }
}

/// Names the token, where there is one. A release before tokens does not know the field.
fn with_token(mut body: Value, token: Option<&TokenId>) -> Value {
    if let (Some(id), Value::Object(fields)) = (token, &mut body) {
        fields.insert("token_id".into(), BASE64.encode(id).into());
    }
    body
}

/// Returns `text` fit for a log and a terminal.
fn printable(text: &str) -> String {
    let shown = text.chars().filter(|c| !c.is_control());
    shown.take(REASON_CHARS_MAX).collect()
}

/// Returns the first of the answer's errors.
fn refusal(status: u16, body: &[u8]) -> String {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    match body.pointer("/errors/0").and_then(Value::as_str) {
        Some(told) => format!("{told} ({status})"),
        None => format!("status {status}"),
    }
}

fn bytes(answer: &Value, pointer: &str) -> Result<Vec<u8>, String> {
    let text = answer.pointer(pointer).and_then(Value::as_str);
    let bytes = BASE64
        .decode(text.unwrap_or_default())
        .ok()
        .filter(|bytes| !bytes.is_empty());
    bytes.ok_or_else(|| "the answer is not a coffer's".into())
}

/// Reads the cluster's seal from a challenge. A seal of shares alone is told in fields that release
/// 0.2 has, too.
fn seal_record(value: &Value) -> Option<SealRecord> {
    if let Some(record) = value.get("record") {
        let record = BASE64.decode(record.as_str()?).ok()?;
        return SealRecord::decode(&record).ok();
    }
    let number = |name: &str| u8::try_from(value.get(name)?.as_u64()?).ok();
    let (shares, threshold) = (number("secret_shares")?, number("secret_threshold")?);
    let known = value.get("type").and_then(Value::as_str) == Some("shamir");
    let config = SealConfig {
        seal_type: SealType::Shamir,
        shares,
        threshold,
    };
    (known && threshold >= 1 && threshold <= shares).then(|| config.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seals_that_make_no_sense_are_refused() {
        let seal = |kind: &str, n: i64, t: i64| {
            seal_record(&json!({"type": kind, "secret_shares": n, "secret_threshold": t}))
        };
        assert!(seal("shamir", 5, 3).is_some());
        for (kind, n, t) in [
            ("awskms", 1, 1),
            ("shamir", 3, 5),
            ("shamir", 3, 0),
            ("shamir", 300, 3),
            ("shamir", -1, 3),
        ] {
            assert!(seal(kind, n, t).is_none(), "{kind} {n} {t}");
        }
    }

    #[tokio::test]
    async fn a_stranger_neither_fills_the_memory_nor_writes_to_the_terminal() {
        let told = format!("{{\"errors\":[\"\\u001b[2J{}\"]}}", "x".repeat(1000));
        let why = ask_stranger("403 Forbidden", &told).await;
        assert_eq!(why.chars().count(), REASON_CHARS_MAX);
        assert!(why.starts_with("[2Jxxx"), "{why}");
        let why = ask_stranger("200 OK", &" ".repeat(ANSWER_BYTES_MAX + 1)).await;
        assert!(why.starts_with("reading the answer: "), "{why}");
    }

    /// Asks for a challenge from a server that answers so, and returns the reason why that is none.
    async fn ask_stranger(status: &str, body: &str) -> String {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let length = body.len();
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n{body}");
        let stranger = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _some = stream.read(&mut [0; 1024]).await.unwrap();
            // The client may hang up before the end.
            let _ = stream.write_all(answer.as_bytes()).await;
        });
        let place = JoinTarget::of_request(crate::sys::JoinRequest {
            leader_api_addr: url.clone(),
            ..Default::default()
        });
        let place = place.unwrap();
        let server = Server::new(&place, &url).unwrap();
        let why = server.challenge("b", None).await.unwrap_err();
        stranger.await.unwrap();
        why
    }
}
