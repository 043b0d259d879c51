//! Another node's API, as a joiner calls it.

use super::place::Place;
use crate::barrier::{SealConfig, SealType};
use crate::outbound::{Address, Answer, Dialer, Route, collect, whole};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hyper::{Request, header};
use serde_json::{Value, json};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// How many redirects are followed: a standby names the active node, which may just have changed.
const REDIRECTS_MAX: usize = 3;
/// For an exchange that only asks.
const ASK_MAX: Duration = Duration::from_secs(10);
/// For an answer, which the leader commits.
const ANSWER_MAX: Duration = Duration::from_secs(30);
/// The longest answer that is read. Whoever is asked may be anyone: nothing has been proved yet.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// The most that is passed on of why an exchange failed, for the other side may have written it.
const REASON_CHARS_MAX: usize = 200;

/// Another node, or who claims to be one.
pub(super) struct Server<'a> {
    place: &'a Place,
    address: Address,
    is_reached: AtomicBool,
}

impl<'a> Server<'a> {
    pub fn new(place: &'a Place, url: &str) -> Result<Self, String> {
        let address = Address::parse(url).map_err(|error| error.to_string())?;
        Ok(Self {
            place,
            address,
            is_reached: AtomicBool::new(false),
        })
    }

    /// Has it answered anything?
    pub fn is_reached(&self) -> bool {
        self.is_reached.load(Relaxed)
    }

    /// How the cluster is sealed, and a challenge for a node of this name.
    pub async fn challenge(&self, node_id: &str) -> Result<(SealConfig, Vec<u8>), String> {
        let body = json!({ "server_id": node_id });
        let path = "sys/storage/raft/bootstrap/challenge";
        let answer = self.post(path, &body, ASK_MAX).await?;
        let seal = answer.pointer("/data/seal_config").and_then(seal_config);
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
    ) -> Result<Vec<u8>, String> {
        let body = json!({
            "server_id": node_id,
            "challenge": BASE64.encode(challenge),
            "statement": BASE64.encode(statement),
            "proof": BASE64.encode(proof),
        });
        let path = "sys/storage/raft/bootstrap/answer";
        let answer = self.post(path, &body, ANSWER_MAX).await?;
        bytes(&answer, "/data/reply")
    }

    /// Whether it is in a cluster.
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
        let exchanged = self.follow(method, path, body);
        let timed = tokio::time::timeout(within, exchanged).await;
        let late = |_| Err(format!("no answer within {} s", within.as_secs()));
        timed.unwrap_or_else(late).map_err(|why| printable(&why))
    }

    async fn follow(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, String> {
        let mut address = self.address.clone();
        let mut target = format!("{}/v1/{path}", address.prefix);
        for _ in 0..=REDIRECTS_MAX {
            let is_tls = matches!(address.route, Route::Tcp { tls: true, .. });
            let dialer = self.place.dialer(is_tls);
            let dialer = dialer.map_err(|error| error.to_string())?;
            let (status, location, answer) = once(&dialer, &address, method, &target, body).await?;
            self.is_reached.store(true, Relaxed);
            match (status, location) {
                (200..=299, _) => {
                    return serde_json::from_slice(&answer)
                        .map_err(|_| format!("{} does not speak this API", address.authority));
                }
                (301 | 302 | 307 | 308, Some(location)) => {
                    (address, target) = redirected(&address, &location)?;
                }
                _ => return Err(refusal(status, &answer)),
            }
        }
        Err("too many redirects: the cluster does not agree on its active node".into())
    }
}

async fn once(
    dialer: &Dialer,
    address: &Address,
    method: &str,
    target: &str,
    body: Option<&Value>,
) -> Result<Answer, String> {
    let text = body.map(Value::to_string).unwrap_or_default();
    let request = Request::builder()
        .method(method)
        .uri(target)
        .header(header::HOST, &address.authority)
        .header(header::CONTENT_TYPE, "application/json")
        .header("X-Vault-Request", "true")
        .body(whole(text))
        .map_err(|error| error.to_string())?;
    let take = async |response| collect(response, ANSWER_BYTES_MAX).await;
    dialer.exchange_with(address, request, take).await
}

/// Fit for a log and a terminal.
fn printable(text: &str) -> String {
    let shown = text.chars().filter(|c| !c.is_control());
    shown.take(REASON_CHARS_MAX).collect()
}

/// What is sent is worth nothing to others, but a redirect from TLS to none is an attack.
fn redirected(from: &Address, location: &str) -> Result<(Address, String), String> {
    if location.starts_with('/') {
        return Ok((from.clone(), location.to_owned()));
    }
    let is_tls = |address: &Address| matches!(address.route, Route::Tcp { tls: true, .. });
    let mut to = Address::parse(location).map_err(|error| error.to_string())?;
    if matches!(to.route, Route::Unix(_)) || is_tls(from) && !is_tls(&to) {
        return Err(format!(
            "redirected to {location}, which is not to be trusted"
        ));
    }
    let target = std::mem::take(&mut to.prefix);
    Ok((to, target))
}

/// The first of the answer's errors.
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

fn seal_config(value: &Value) -> Option<SealConfig> {
    let number = |name: &str| u8::try_from(value.get(name)?.as_u64()?).ok();
    let (shares, threshold) = (number("secret_shares")?, number("secret_threshold")?);
    let known = value.get("type").and_then(Value::as_str) == Some(SealType::Shamir.as_str());
    (known && threshold >= 1 && threshold <= shares).then_some(SealConfig {
        seal_type: SealType::Shamir,
        shares,
        threshold,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seals_that_make_no_sense_are_refused() {
        let seal = |kind: &str, n: i64, t: i64| {
            seal_config(&json!({"type": kind, "secret_shares": n, "secret_threshold": t}))
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

    /// Why a challenge from a server that answers so is none.
    async fn ask_stranger(status: &str, body: &str) -> String {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let length = body.len();
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n{body}");
        let stranger = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _some = stream.read(&mut [0; 1024]).await.unwrap();
            // Whoever asked may hang up before the end.
            let _ = stream.write_all(answer.as_bytes()).await;
        });
        let place = Place::of_request(crate::sys::JoinRequest {
            leader_api_addr: url.clone(),
            ..Default::default()
        });
        let place = place.unwrap();
        let server = Server::new(&place, &url).unwrap();
        let why = server.challenge("b").await.unwrap_err();
        stranger.await.unwrap();
        why
    }

    #[test]
    fn a_redirect_never_leaves_tls() {
        let tls = Address::parse("https://a:8200").unwrap();
        let plain = Address::parse("http://a:8200").unwrap();
        assert!(redirected(&tls, "http://b:8200/v1/x").is_err());
        assert!(redirected(&plain, "unix:///run/x").is_err());
        let (to, target) = redirected(&plain, "https://b:8200/v1/x").unwrap();
        assert_eq!(
            (to.authority.as_str(), target.as_str()),
            ("b:8200", "/v1/x")
        );
        let (to, target) = redirected(&tls, "/v1/y").unwrap();
        assert_eq!((to, target.as_str()), (tls, "/v1/y"));
    }
}
