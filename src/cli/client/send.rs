//! The client: makes requests, tries again, follows one redirect.

use std::cell::Cell;
use std::time::Duration;

use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::http::uri::InvalidUri;
use hyper::{Method, Request};
use tokio::runtime::Runtime;

use crate::cli::token_file::TokenError;
use crate::clock::format_duration;
use crate::outbound::{self, Address, Answer, Dialer, RequestBody, Route, whole};
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

/// How long `sys/wrapping/wrap` wraps when nobody says.
const WRAP_TTL_DEFAULT: Duration = Duration::from_secs(300);

/// In the words of Go's client.
pub(super) const TOO_LATE: &str = "context deadline exceeded";

/// Makes requests, one at a time.
pub struct Client {
    pub(super) options: Options,
    address: Address,
    pub(super) dialer: Dialer,
    runtime: Runtime,
    /// Requests made so far.
    sent: Cell<u32>,
}

impl Client {
    /// Checks the options and gets ready; nothing is sent yet.
    pub fn new(mut options: Options) -> Result<Self, ClientError> {
        let address = Address::parse(&options.address)?;
        let proxies = std::mem::take(&mut options.proxies);
        let speaks_tls = matches!(address.route, Route::Tcp { tls: true, .. });
        let speaks_tls = speaks_tls || proxies.speak_tls();
        // Wrong TLS files are told even when this address does not need them.
        let names_files = options.tls.ca_cert.is_some() || options.tls.client_cert.is_some();
        let tls = match speaks_tls || names_files {
            true => Some(outbound::tls_config(&options.tls)?),
            false => None,
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(ClientError::Runtime)?;
        Ok(Self {
            dialer: Dialer {
                tls,
                server_name: options.tls_server_name.clone(),
                proxies,
            },
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

    /// The token in use.
    pub fn token(&self) -> Option<&SecretString> {
        self.options.token.as_ref().ok().and_then(Option::as_ref)
    }

    /// The server's address as given.
    pub fn address(&self) -> &str {
        &self.options.address
    }

    /// Makes a request, or shows it instead; any status is an answer.
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

    /// Makes a request even where others are only shown.
    pub fn exchange_now(&self, ask: &Ask) -> Result<Reply, ClientError> {
        let mut tries: u32 = 0;
        loop {
            let result = self.follow(ask);
            let again = match &result {
                Ok(reply) => (reply.status >= 500 && reply.status != 501) || reply.status == 412,
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

    fn follow(&self, ask: &Ask) -> Result<Reply, ClientError> {
        self.follow_with(ask, &mut |address, target| self.once(address, ask, target))
    }

    /// Makes the request by `once`, and follows one redirect.
    pub(super) fn follow_with(
        &self,
        ask: &Ask,
        once: &mut dyn FnMut(&Address, &str) -> Result<Reply, ClientError>,
    ) -> Result<Reply, ClientError> {
        let target = ask.target(&self.address.prefix);
        let reply = once(&self.address, &target)?;
        let (true, 301 | 302 | 307 | 308) = (self.options.redirects, reply.status) else {
            return Ok(reply);
        };
        let Some(location) = reply.location.as_deref() else {
            return Ok(reply);
        };
        let (address, target) = self.redirect(location, &reply)?;
        once(&address, &target)
    }

    /// Where a redirect leads. The token goes along, so TLS must not be left.
    fn redirect(&self, location: &str, reply: &Reply) -> Result<(Address, String), ClientError> {
        if location.starts_with('/') {
            return Ok((self.address.clone(), location.to_owned()));
        }
        let mut address = Address::parse(location)?;
        let target = match std::mem::take(&mut address.prefix) {
            prefix if prefix.is_empty() => String::from("/"),
            prefix => prefix,
        };
        let is_tls = |address: &Address| matches!(address.route, Route::Tcp { tls: true, .. });
        if is_tls(&self.address) && !is_tls(&address) {
            return Err(ClientError::Transport {
                method: capitalized(&reply.method),
                url: reply.url.clone(),
                reason: String::from("redirect would cause protocol downgrade"),
                retry: false,
            });
        }
        Ok((address, target))
    }

    fn once(&self, address: &Address, ask: &Ask, target: &str) -> Result<Reply, ClientError> {
        let body = ask.body.as_ref().map(|body| body.to_string());
        let body = whole(body.unwrap_or_default());
        let exchange = |request| async {
            let exchange = self.dialer.exchange(address, request);
            let answer = tokio::time::timeout(self.options.timeout, exchange).await;
            answer.unwrap_or_else(|_| Err(TOO_LATE.into()))
        };
        self.perform(address, ask, target, body, exchange)
    }

    /// Has `exchange` make a request with `body`; its error is what the network says.
    pub(super) fn perform<F: Future<Output = Result<Answer, String>>>(
        &self,
        address: &Address,
        ask: &Ask,
        target: &str,
        body: RequestBody,
        exchange: impl FnOnce(Request<RequestBody>) -> F,
    ) -> Result<Reply, ClientError> {
        let url = address.url(target);
        let fail = |reason: String, retry: bool| ClientError::Transport {
            method: capitalized(ask.method),
            url: url.clone(),
            reason,
            retry,
        };
        let unsent = |reason: String| fail(reason, false);
        let mut request = Request::new(body);
        *request.headers_mut() = self.header_map(address, ask)?;
        let method = Method::from_bytes(ask.method.as_bytes());
        *request.method_mut() = method.map_err(|error| unsent(error.to_string()))?;
        let uri = target.parse();
        *request.uri_mut() = uri.map_err(|error: InvalidUri| unsent(error.to_string()))?;
        self.keep_pace();
        let answer = self.runtime.block_on(exchange(request));
        let answer = answer.map_err(|reason| {
            let retry = reason != TOO_LATE;
            fail(reason, retry)
        });
        let (status, location, body) = answer?;
        Ok(Reply {
            method: ask.method.to_owned(),
            url,
            status,
            location,
            body,
        })
    }

    /// Waits where requests would follow each other too fast.
    fn keep_pace(&self) {
        let sent = self.sent.get();
        self.sent.set(sent.saturating_add(1));
        if let Some(pace) = &self.options.pace {
            std::thread::sleep(pace.wait(sent));
        }
    }

    fn header_map(&self, address: &Address, ask: &Ask) -> Result<HeaderMap, ClientError> {
        let mut map = HeaderMap::new();
        let agent = concat!("coffer/", env!("CARGO_PKG_VERSION"));
        map.insert(header::USER_AGENT, HeaderValue::from_static(agent));
        let mut headers = self.headers(ask);
        headers.push((String::from("Host"), address.authority.clone()));
        for (name, value) in headers {
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

    /// Every header but the token.
    fn headers(&self, ask: &Ask) -> Vec<(String, String)> {
        let mut headers = vec![(String::from("X-Vault-Request"), String::from("true"))];
        if let Some(namespace) = &self.options.namespace {
            let namespace = format!("{}/", namespace.trim_matches('/'));
            headers.push((String::from("X-Vault-Namespace"), namespace));
        }
        // This one path answers only when told for how long to wrap.
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

/// `GET` as `Get`, for Go's client prints methods so.
fn capitalized(method: &str) -> String {
    let (first, rest) = method.split_at(method.len().min(1));
    format!("{first}{}", rest.to_ascii_lowercase())
}
