//! The client: makes requests, and tries again.

use std::cell::Cell;
use std::time::Duration;

use bytes::Bytes;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::http::uri::InvalidUri;
use hyper::{Method, Request};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::cli::token_file::TokenError;
use crate::clock::format_duration;
use crate::outbound::{self, Address, Answer, ExchangeError, Limits, Route};
use crate::secret::SecretString;

use super::ask::Ask;
use super::error::ClientError;
use super::options::{Options, Preview};
use super::preview;
use super::reply::Reply;

/// The wait before the first retry; it doubles from there.
const RETRY_WAIT_MIN: Duration = Duration::from_millis(1000);
/// The longest wait before a retry.
const RETRY_WAIT_MAX: Duration = Duration::from_millis(5000);

/// The wrap TTL of `sys/wrapping/wrap` unless the caller gives one.
const WRAP_TTL_DEFAULT: Duration = Duration::from_secs(300);

/// The longest answer that is not a download, in bytes.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// Makes requests, one at a time.
pub struct Client {
    pub(super) options: Options,
    pub(super) address: Address,
    pub(super) client: outbound::Client,
    runtime: Runtime,
    /// The number of requests made so far.
    sent: Cell<u32>,
}

impl Client {
    /// Checks the options and gets ready; nothing is sent yet.
    pub fn new(mut options: Options) -> Result<Self, ClientError> {
        let address = Address::parse(&options.address)?;
        let tls = std::mem::take(&mut options.tls);
        let proxies = std::mem::take(&mut options.proxies);
        let speaks_tls = matches!(address.route, Route::Tcp { tls: true, .. });
        // Wrong TLS files are reported even when this address does not need them.
        let names_files = tls.ca_cert.is_some() || tls.client_cert.is_some();
        let is_checked = speaks_tls || proxies.speak_tls() || names_files;
        let client = outbound::Client::new(outbound::Options {
            tls: tls.into(),
            server_name: options.tls_server_name.clone(),
            proxies,
        });
        if is_checked {
            client.check_tls()?;
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(ClientError::Runtime)?;
        Ok(Self {
            client,
            options,
            address,
            runtime,
            sent: Cell::new(0),
        })
    }

    /// Uses another token from here on; `None` sends none.
    pub fn set_token(&mut self, token: Option<SecretString>) {
        self.options.token = Ok(token);
    }

    /// Returns the token in use.
    pub fn token(&self) -> Option<&SecretString> {
        self.options.token.as_ref().ok().and_then(Option::as_ref)
    }

    /// Returns the server's address as given.
    pub fn address(&self) -> &str {
        &self.options.address
    }

    /// Makes a request, or returns its preview as an error; any status is an answer.
    pub fn exchange(&self, ask: &Ask) -> Result<Reply, ClientError> {
        match self.options.preview {
            None => self.exchange_now(ask),
            Some(Preview::Policy) => Err(ClientError::Preview(preview::policy(ask))),
            Some(Preview::Curl) => {
                let url = self.address.url(&ask.target(&self.address.prefix));
                let headers = self.headers(ask);
                let command = preview::curl(ask, &self.options, &headers, &url);
                Err(ClientError::Preview(command))
            }
        }
    }

    /// Makes a request even if the caller asked for previews.
    pub fn exchange_now(&self, ask: &Ask) -> Result<Reply, ClientError> {
        let mut tries: u32 = 0;
        loop {
            let result = self.once(ask);
            let again = match &result {
                Ok(reply) => is_worth_another(reply.status),
                Err(ClientError::Transport { retry, .. }) => *retry,
                Err(_) => false,
            };
            if !again || tries >= self.options.retries_max {
                return result;
            }
            let wait = RETRY_WAIT_MIN.saturating_mul(1 << tries.min(8));
            std::thread::sleep(wait.min(RETRY_WAIT_MAX));
            tries += 1;
        }
    }

    /// Makes a request; an error status is an error.
    pub fn send(&self, ask: &Ask) -> Result<Reply, ClientError> {
        self.exchange(ask)?.accepted()
    }

    fn once(&self, ask: &Ask) -> Result<Reply, ClientError> {
        let body = ask.body.as_ref().map(Value::to_string);
        let request = self.request(ask, Bytes::from(body.unwrap_or_default()))?;
        let limits = self.limits(ANSWER_BYTES_MAX);
        self.perform(ask, self.client.send(&self.address, request, &limits))
    }

    /// Returns the limits of one request whose answer has at most `answer_bytes_max` bytes.
    pub(super) fn limits(&self, answer_bytes_max: usize) -> Limits {
        Limits {
            time_max: self.options.timeout,
            answer_bytes_max,
            redirects_max: usize::from(self.options.redirects),
        }
    }

    /// Builds the HTTP request of `ask`, with `body`.
    pub(super) fn request<B>(&self, ask: &Ask, body: B) -> Result<Request<B>, ClientError> {
        let target = ask.target(&self.address.prefix);
        let unsent = |reason: String| ClientError::Transport {
            method: capitalized(ask.method),
            url: self.address.url(&target),
            reason,
            retry: false,
        };
        let mut request = Request::new(body);
        *request.headers_mut() = self.header_map(ask)?;
        let method = Method::from_bytes(ask.method.as_bytes());
        *request.method_mut() = method.map_err(|error| unsent(error.to_string()))?;
        let uri = target.parse();
        *request.uri_mut() = uri.map_err(|error: InvalidUri| unsent(error.to_string()))?;
        Ok(request)
    }

    /// Waits for `exchange`, which makes the HTTP request of `ask`.
    pub(super) fn perform(
        &self,
        ask: &Ask,
        exchange: impl Future<Output = Result<Answer, ExchangeError>>,
    ) -> Result<Reply, ClientError> {
        self.keep_pace();
        let answer = self.runtime.block_on(exchange);
        let answer = answer.map_err(|error| failure(ask, error))?;
        Ok(Reply {
            method: ask.method.to_owned(),
            url: answer.url,
            status: answer.status,
            body: answer.body,
        })
    }

    /// Waits if requests would exceed the rate limit.
    fn keep_pace(&self) {
        let sent = self.sent.get();
        self.sent.set(sent.saturating_add(1));
        if let Some(pace) = &self.options.pace {
            std::thread::sleep(pace.wait(sent));
        }
    }

    fn header_map(&self, ask: &Ask) -> Result<HeaderMap, ClientError> {
        let mut map = HeaderMap::new();
        let agent = concat!("coffer/", env!("CARGO_PKG_VERSION"));
        map.insert(header::USER_AGENT, HeaderValue::from_static(agent));
        for (name, value) in self.headers(ask) {
            let refused = |reason: &'static str| ClientError::Header {
                name: name.clone(),
                reason,
            };
            let key = HeaderName::from_bytes(name.as_bytes());
            let key = key.map_err(|_| refused("invalid header field name"))?;
            let value = HeaderValue::from_str(&value);
            let value = value.map_err(|_| refused("invalid header field value"))?;
            map.append(key, value);
        }
        let token = self.options.token.as_ref().map_err(ClientError::from)?;
        if let Some(token) = token {
            let given = || ClientError::from(&TokenError::Unprintable("what was given".to_owned()));
            let mut value = HeaderValue::from_str(token.expose()).map_err(|_| given())?;
            value.set_sensitive(true);
            map.insert("X-Vault-Token", value);
        }
        Ok(map)
    }

    /// Returns every header but the token.
    fn headers(&self, ask: &Ask) -> Vec<(String, String)> {
        let mut headers = vec![(String::from("X-Vault-Request"), String::from("true"))];
        if let Some(namespace) = &self.options.namespace {
            let namespace = format!("{}/", namespace.trim_matches('/'));
            headers.push((String::from("X-Vault-Namespace"), namespace));
        }
        // The server refuses this one path without a wrap TTL.
        let default = (ask.path == "sys/wrapping/wrap").then_some(WRAP_TTL_DEFAULT);
        if let Some(ttl) = self.options.wrap_ttl.or(default).filter(|_| ask.wraps) {
            headers.push((String::from("X-Vault-Wrap-Ttl"), format_duration(ttl)));
        }
        if ask.method == "PATCH" {
            let kind = "application/merge-patch+json";
            headers.push((String::from("Content-Type"), String::from(kind)));
        }
        headers.extend(self.options.headers.iter().cloned());
        headers
    }
}

fn failure(ask: &Ask, error: ExchangeError) -> ClientError {
    let (url, reason, retry) = match error {
        ExchangeError::Setup(error) => return ClientError::Setup(error),
        ExchangeError::Body(error) => return ClientError::File(error),
        // The words are those of Go's client.
        ExchangeError::Late { url } => (url, "context deadline exceeded".to_owned(), false),
        ExchangeError::Redirect { url, .. } => (
            url,
            "redirect would cause protocol downgrade".to_owned(),
            false,
        ),
        ExchangeError::Network { url, reason } => (url, reason, true),
    };
    ClientError::Transport {
        method: capitalized(ask.method),
        url,
        reason,
        retry,
    }
}

/// Writes `GET` as `Get`, as Go's client prints methods.
fn capitalized(method: &str) -> String {
    let (first, rest) = method.split_at(method.len().min(1));
    format!("{first}{}", rest.to_ascii_lowercase())
}
/// Returns true for a status that another try may change. A full disk (507) stays full.
fn is_worth_another(status: u16) -> bool {
    (status >= 500 && status != 501 && status != 507) || status == 412
}
