//! One line: the request, its sender, and its outcome.

use super::hash::Hasher;
use super::headers::HeaderRule;
use crate::clock::Timestamp;
use crate::engine::{Auth, Client, Error, Operation, Response, TokenType, WrapInfo};
use crate::secret::SecretString;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// The sender of a request, as far as it is known.
#[derive(Clone, Copy, Default)]
pub struct Subject<'a> {
    /// The token as sent; only its hash is written.
    pub token: Option<&'a SecretString>,
    /// The token's accessor; empty for batch tokens and where the token is unknown.
    pub accessor: &'a str,
    /// The token's display name, such as `root` or `token`.
    pub display_name: &'a str,
    /// The policies in force.
    pub policies: &'a [String],
    /// The token's type; `None` without a known token.
    pub token_type: Option<TokenType>,
    /// The time at which the token was made; zero is unknown.
    pub issue_time: Timestamp,
    /// The lifetime as granted; zero is for ever.
    pub ttl: Duration,
    /// The id of the identity; empty without one.
    pub entity_id: &'a str,
    /// The metadata that the token's maker gave it.
    pub metadata: Option<&'a BTreeMap<String, String>>,
    /// True if the policies granted the request.
    pub allowed: bool,
}

/// A request, with everything that its two lines hold.
#[derive(Clone, Copy)]
pub struct Exchange<'a> {
    /// The cluster's time.
    pub time: Timestamp,
    /// The request's UUID.
    pub id: &'a str,
    /// The operation.
    pub operation: Operation,
    /// The full path.
    pub path: &'a str,
    /// The mount, such as `secret/`; empty where none matched.
    pub mount_point: &'a str,
    /// The class of the mount: `secret` or `auth`.
    pub mount_class: &'a str,
    /// The kind of the mount, such as `kv`.
    pub mount_kind: &'a str,
    /// The mount's accessor, such as `kv_1a2b3c4d`.
    pub mount_accessor: &'a str,
    /// The fields of body and query.
    pub data: &'a Map<String, Value>,
    /// The headers, with names in lower case; only those with a rule are written.
    pub headers: &'a [(String, String)],
    /// The client's connection.
    pub client: &'a Client,
    /// The wanted lifetime of a wrapping token.
    pub wrap_ttl: Option<Duration>,
    /// The sender.
    pub subject: Subject<'a>,
    /// The request fields to leave in clear.
    pub clear_request_fields: &'a [String],
    /// The response fields to leave in clear.
    pub clear_response_fields: &'a [String],
}

impl Exchange<'_> {
    /// Returns true if the request came without a good token.
    fn is_strangers(&self) -> bool {
        self.subject.token_type.is_none()
    }
}

/// The form of a device's lines.
pub(super) struct Form<'a> {
    pub hasher: &'a Hasher,
    pub elide_lists: bool,
    pub headers: &'a BTreeMap<String, HeaderRule>,
}

impl Form<'_> {
    /// Returns the line that is written before the engine is asked; `error` is set if it will not
    /// be.
    pub fn request(&self, exchange: &Exchange<'_>, error: Option<&Error>) -> Value {
        let mut line = self.common("request", exchange);
        put_error(&mut line, error);
        Value::Object(line)
    }

    /// Returns the line that is written before the client is answered.
    pub fn response(&self, exchange: &Exchange<'_>, result: Result<&Response, &Error>) -> Value {
        let mut line = self.common("response", exchange);
        let mut response = mount_fields(exchange, "mount_running_plugin_version");
        match result {
            Ok(answer) => self.answer(&mut response, exchange, answer),
            Err(error) => {
                if let Some(data) = &error.data {
                    let fields = self.hasher.fields(data, exchange.clear_response_fields);
                    response.insert("data".into(), fields);
                }
            }
        }
        line.insert("response".into(), Value::Object(response));
        put_error(&mut line, result.err());
        Value::Object(line)
    }

    fn common(&self, kind: &str, exchange: &Exchange<'_>) -> Map<String, Value> {
        let mut line = Map::new();
        line.insert("time".into(), json!(exchange.time.rfc3339()));
        line.insert("type".into(), json!(kind));
        line.insert(
            "auth".into(),
            Value::Object(self.subject(&exchange.subject)),
        );
        line.insert("request".into(), Value::Object(self.asked(exchange)));
        line
    }

    fn subject(&self, subject: &Subject<'_>) -> Map<String, Value> {
        let mut auth = Map::new();
        let kind = match subject.token_type {
            Some(TokenType::Service) => "service",
            Some(TokenType::Batch) => "batch",
            None => "default",
        };
        auth.insert("token_type".into(), json!(kind));
        if let Some(token) = subject.token {
            auth.insert(
                "client_token".into(),
                json!(self.hasher.text(token.expose())),
            );
        }
        if subject.token_type.is_none() {
            return auth;
        }
        if !subject.accessor.is_empty() {
            let accessor = self.hasher.accessor(subject.accessor);
            auth.insert("accessor".into(), json!(accessor));
        }
        auth.insert("display_name".into(), json!(subject.display_name));
        auth.insert("policies".into(), json!(subject.policies));
        auth.insert("token_policies".into(), json!(subject.policies));
        auth.insert("policy_results".into(), json!({"allowed": subject.allowed}));
        if !subject.entity_id.is_empty() {
            auth.insert("entity_id".into(), json!(subject.entity_id));
        }
        if let Some(metadata) = subject.metadata.filter(|m| !m.is_empty()) {
            auth.insert("metadata".into(), json!(metadata));
        }
        if !subject.ttl.is_zero() {
            auth.insert("token_ttl".into(), json!(subject.ttl.as_secs()));
        }
        if !subject.issue_time.is_zero() {
            let whole = Timestamp::from_secs(subject.issue_time.as_secs());
            auth.insert("token_issue_time".into(), json!(whole.rfc3339()));
        }
        auth
    }

    fn asked(&self, exchange: &Exchange<'_>) -> Map<String, Value> {
        let mut request = mount_fields(exchange, "mount_running_version");
        request.insert("id".into(), json!(exchange.id));
        request.insert("operation".into(), json!(exchange.operation.name()));
        request.insert("path".into(), json!(exchange.path));
        request.insert("namespace".into(), json!({"id": "root"}));
        if let Some(token) = exchange.subject.token {
            let hashed = self.hasher.text(token.expose());
            request.insert("client_token".into(), json!(hashed));
        }
        if !exchange.subject.accessor.is_empty() {
            let accessor = self.hasher.accessor(exchange.subject.accessor);
            request.insert("client_token_accessor".into(), json!(accessor));
        }
        if exchange.is_strangers() && !exchange.data.is_empty() {
            // Hashed field by field it could be many times as long as it was.
            let text = json!(exchange.data).to_string();
            request.insert("data_size".into(), json!(text.len()));
            request.insert("data_hmac".into(), json!(self.hasher.always(&text)));
        } else if !exchange.data.is_empty() {
            let fields = self
                .hasher
                .fields(exchange.data, exchange.clear_request_fields);
            request.insert("data".into(), fields);
        }
        if let Some(address) = exchange.client.address {
            request.insert("remote_address".into(), json!(address.ip().to_string()));
            request.insert("remote_port".into(), json!(address.port()));
        }
        if let Some(ttl) = exchange.wrap_ttl {
            request.insert("wrap_ttl".into(), json!(ttl.as_secs()));
        }
        let headers = self.headers(exchange);
        if !headers.is_empty() {
            request.insert("headers".into(), Value::Object(headers));
        }
        request
    }

    /// Returns the headers to write. Repeated headers of a stranger are joined to one value.
    fn headers(&self, exchange: &Exchange<'_>) -> Map<String, Value> {
        let mut sent: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (name, value) in exchange.headers {
            if self.headers.contains_key(name) {
                sent.entry(name).or_default().push(value.clone());
            }
        }
        let mut written = Map::new();
        for (name, mut values) in sent {
            if exchange.is_strangers() {
                values = vec![values.join(", ")];
            }
            if self.headers.get(name).is_some_and(|rule| rule.hmac) {
                values = values.iter().map(|value| self.hasher.text(value)).collect();
            }
            written.insert(name.to_owned(), json!(values));
        }
        written
    }

    fn answer(&self, into: &mut Map<String, Value>, exchange: &Exchange<'_>, answer: &Response) {
        if let Some(info) = &answer.wrap_info {
            into.insert("wrap_info".into(), self.wrap_info(info));
            return;
        }
        if let Some(auth) = &answer.auth {
            into.insert("auth".into(), self.auth(auth));
        }
        if let Some(data) = &answer.data {
            let lists = matches!(exchange.operation, Operation::List | Operation::Scan);
            let fields = if lists && self.elide_lists {
                elided(data)
            } else {
                self.hasher.fields(data, exchange.clear_response_fields)
            };
            into.insert("data".into(), fields);
        }
        if !answer.warnings.is_empty() {
            into.insert("warnings".into(), json!(answer.warnings));
        }
    }

    fn auth(&self, auth: &Auth) -> Value {
        let token = auth.client_token.as_ref();
        json!({
            "client_token": token.map(|token| self.hasher.text(token.expose())),
            "accessor": self.hasher.accessor(&auth.accessor),
            "display_name": auth.display_name,
            "policies": auth.policies,
            "token_policies": auth.token_policies,
            "metadata": auth.metadata,
            "entity_id": auth.entity_id,
            "num_uses": auth.num_uses,
            "token_ttl": auth.ttl.as_secs(),
            "token_type": match auth.token_type {
                TokenType::Service => "service",
                TokenType::Batch => "batch",
            },
        })
    }

    fn wrap_info(&self, info: &WrapInfo) -> Value {
        let mut fields = json!({
            "token": self.hasher.text(info.token.expose()),
            "accessor": self.hasher.accessor(&info.accessor),
            "ttl": info.ttl.as_secs(),
            "creation_time": info.creation_time.rfc3339(),
            "creation_path": info.creation_path,
        });
        if let (Some(accessor), Some(fields)) = (&info.wrapped_accessor, fields.as_object_mut()) {
            let accessor = self.hasher.accessor(accessor);
            fields.insert("wrapped_accessor".into(), json!(accessor));
        }
        fields
    }
}

fn mount_fields(exchange: &Exchange<'_>, version_field: &str) -> Map<String, Value> {
    let mut fields = Map::new();
    if !exchange.mount_point.is_empty() {
        fields.insert("mount_point".into(), json!(exchange.mount_point));
        fields.insert("mount_type".into(), json!(exchange.mount_kind));
        fields.insert("mount_accessor".into(), json!(exchange.mount_accessor));
        fields.insert("mount_class".into(), json!(exchange.mount_class));
        let version = concat!("v", env!("CARGO_PKG_VERSION"), "+builtin");
        fields.insert(version_field.into(), json!(version));
    }
    fields
}

fn put_error(line: &mut Map<String, Value>, error: Option<&Error>) {
    if let Some(error) = error {
        let text = match error.messages.as_slice() {
            [] => format!("{:?}", error.kind),
            messages => messages.join("; "),
        };
        line.insert("error".into(), json!(text));
    }
}

/// Returns the lengths of lists and objects instead of their contents: lists of names can be long
/// and are of little use when hashed.
fn elided(data: &Map<String, Value>) -> Value {
    let fields = data.iter().map(|(name, value)| {
        let count = match value {
            Value::Array(items) => items.len(),
            Value::Object(fields) => fields.len(),
            _ => 1,
        };
        (name.clone(), json!(count))
    });
    Value::Object(fields.collect())
}
