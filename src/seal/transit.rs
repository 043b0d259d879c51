//! The seal `transit`: another Vault, OpenBao or coffer keeps the seal key by its transit engine.
//!
//! Its token is renewed while the server runs. A cluster's seal key is wrapped under the newest
//! version of the transit key at unsealing, so that old versions may be retired after a restart.

use super::http::{Answered, Wiping, exchange, failure, proxies};
use super::settings::{Credential, SettingError, Settings};
use super::{Description, Provider, ProviderError};
use crate::barrier::WrappedKey;
use crate::outbound::{Address, Answer, Client, Options, Pem, TlsOptions};
use crate::secret::{Key256, Secret, SecretBytes};
use crate::store::BoxFuture;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use hyper::Request;
use hyper::http::uri::PathAndQuery;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// The stanza's kind.
pub(super) const KIND: &str = "transit";

const KEYS: &[&str] = &[
    "address",
    "disable_renewal",
    "key_id_prefix",
    "key_name",
    "mount_path",
    "namespace",
    "tls_ca_cert",
    "tls_ca_path",
    "tls_client_cert",
    "tls_client_key",
    "tls_server_name",
    "tls_skip_verify",
    "token",
];

/// The shortest time between two renewals, also after one that failed.
const RENEW_MIN: Duration = Duration::from_secs(1);
/// The longest.
const RENEW_MAX: Duration = Duration::from_secs(24 * 3600);
/// The time between attempts where the server does not answer.
const RENEW_RETRY: Duration = Duration::from_secs(30);

/// The provider.
pub(super) struct Transit {
    which: Description,
    client: Client,
    address: Address,
    token: Credential,
    namespace: Option<String>,
    /// `<mount>` and `<key>` of the paths below `/v1/`.
    mount: String,
    key: String,
    key_id_prefix: String,
    renews: bool,
}

impl Transit {
    /// Reads the settings. Nothing is asked yet, and no file is read.
    pub(super) fn new(settings: &Settings) -> Result<Self, SettingError> {
        settings.check_keys(KEYS)?;
        let address = settings
            .text("address")
            .or_else(|| settings.variables.own("TRANSIT_SEAL_ADDR"))
            .or_else(|| settings.variables.own("ADDR"));
        let address = address.ok_or_else(|| Settings::missing("address", "VAULT_ADDR"))?;
        let token = settings
            .text("token")
            .or_else(|| settings.variables.own("TRANSIT_SEAL_TOKEN"))
            .or_else(|| settings.variables.own("TOKEN"));
        let token = token.ok_or_else(|| Settings::missing("token", "VAULT_TOKEN"))?;
        let wanted = |variable: &str, key: &str| {
            let found = settings.variable_or(variable, key);
            found.ok_or_else(|| Settings::missing(key, &format!("VAULT_{variable}")))
        };
        let key = wanted("TRANSIT_SEAL_KEY_NAME", "key_name")?;
        let mount = wanted("TRANSIT_SEAL_MOUNT_PATH", "mount_path")?;
        let mount = mount.trim_matches('/').to_owned();
        for (name, value) in [("key_name", &key), ("mount_path", &mount)] {
            let path = format!("/{value}").parse::<PathAndQuery>();
            if path.is_err() || value.contains(['?', '#']) {
                return Err(SettingError(format!("{name}: not a part of a path")));
            }
        }
        let disabled = settings.variable_or("TRANSIT_SEAL_DISABLE_RENEWAL", "disable_renewal");
        Ok(Self {
            which: Description {
                kind: settings.kind.clone(),
                name: settings.name.clone(),
            },
            client: client(settings)?,
            address: Address::parse(&address).map_err(|error| SettingError(error.to_string()))?,
            token: settings.source(token),
            namespace: settings.variable_or("NAMESPACE", "namespace"),
            mount,
            key,
            key_id_prefix: settings.text("key_id_prefix").unwrap_or_default(),
            renews: !settings.flag(disabled, "disable_renewal")?,
        })
    }

    /// Puts `body` to a path below `/v1/`.
    async fn put(&self, path: &str, body: SecretBytes) -> Result<Answered, ProviderError> {
        let answer = self.ask("PUT", path, body).await?;
        let fields = Answered::of(&answer);
        if answer.status == 200 {
            return fields;
        }
        let fields = fields.ok();
        let errors = fields.as_ref().and_then(|fields| fields.at(&["errors"]));
        let said: Vec<&str> = errors
            .and_then(|errors| errors.as_array())
            .into_iter()
            .flatten()
            .filter_map(|error| error.as_str())
            .collect();
        Err(failure(&answer, &said.join("; ")))
    }

    async fn ask(
        &self,
        method: &str,
        path: &str,
        body: SecretBytes,
    ) -> Result<Answer, ProviderError> {
        let wrong = |error: hyper::http::Error| ProviderError::Refused(error.to_string());
        let token = self.token.text()?;
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}/v1/{path}", self.address.prefix))
            .header("X-Vault-Token", token.expose())
            .header("X-Vault-Request", "true");
        if let Some(namespace) = &self.namespace {
            request = request.header("X-Vault-Namespace", namespace);
        }
        let request = request.body(Bytes::from_owner(Wiping(body)));
        exchange(&self.client, &self.address, request.map_err(wrong)?).await
    }

    async fn encrypt(&self, key: &Key256) -> Result<WrappedKey, ProviderError> {
        let path = format!("{}/encrypt/{}", self.mount, self.key);
        let plaintext = Secret::new(BASE64.encode(key.expose()));
        // Base64 needs no escapes, and this leaves no copy behind.
        let body = format!(r#"{{"plaintext":"{}"}}"#, plaintext.expose());
        let answered = self.put(&path, Secret::new(body.into_bytes())).await?;
        let ciphertext = answered.text(&["data", "ciphertext"]).unwrap_or_default();
        let key_id = self.key_id(ciphertext)?;
        Ok(WrappedKey {
            kind: self.which.kind.clone(),
            name: self.which.name.clone(),
            key_id,
            ciphertext: ciphertext.as_bytes().to_vec(),
        })
    }

    async fn decrypt(&self, wrapped: &WrappedKey) -> Result<Key256, ProviderError> {
        let path = format!("{}/decrypt/{}", self.mount, self.key);
        let text = std::str::from_utf8(&wrapped.ciphertext).unwrap_or_default();
        self.key_id(text)?;
        let body = json!({ "ciphertext": text }).to_string();
        let answered = self.put(&path, Secret::new(body.into_bytes())).await?;
        let plaintext = answered.secret(&["data", "plaintext"]);
        let key = plaintext.and_then(|text| BASE64.decode(text.expose()).ok());
        let key = key.and_then(|bytes| Key256::from_slice(Secret::new(bytes).expose()));
        key.ok_or_else(|| {
            ProviderError::Refused("what it decrypts is not a key of 32 bytes".into())
        })
    }

    /// Returns the version of the transit key that made a ciphertext: `v3` of `vault:v3:...`.
    fn key_id(&self, ciphertext: &str) -> Result<String, ProviderError> {
        let mut parts = ciphertext.splitn(3, ':');
        let (Some("vault" | "bao"), Some(version), Some(_)) =
            (parts.next(), parts.next(), parts.next())
        else {
            let why = "what it gives is not a transit engine's ciphertext: check mount_path";
            return Err(ProviderError::Refused(why.into()));
        };
        Ok(format!("{}{version}", self.key_id_prefix))
    }

    /// Renews the token. Returns the time until the next renewal; `None` for one that cannot be
    /// renewed or never ends.
    async fn renew(&self) -> Result<Option<Duration>, ProviderError> {
        let found = self
            .ask("GET", "auth/token/lookup-self", Secret::new(Vec::new()))
            .await?;
        if found.status != 200 {
            return Err(failure(&found, "the token cannot be looked up"));
        }
        let fields = Answered::of(&found)?;
        let number = |path: &[&str]| fields.at(path).and_then(|value| value.as_u64());
        let renewable = fields
            .at(&["data", "renewable"])
            .and_then(|flag| flag.as_bool());
        let ttl_s = number(&["data", "ttl"]).unwrap_or(0);
        if ttl_s == 0 || renewable != Some(true) {
            if ttl_s > 0 {
                tracing::warn!(
                    seal = %self.which, ttl_s,
                    "the seal's token cannot be renewed: give another before it ends"
                );
            }
            return Ok(None);
        }
        let renewed = self
            .put("auth/token/renew-self", Secret::new(b"{}".to_vec()))
            .await?;
        let lease = renewed.at(&["auth", "lease_duration"]);
        let lease_s = lease.and_then(|lease| lease.as_u64()).unwrap_or(0);
        // At its max TTL a token grows no more, and is renewed ever more often until it ends.
        Ok(Some(Duration::from_secs(lease_s) / 3 * 2))
    }
}

fn client(settings: &Settings) -> Result<Client, SettingError> {
    let file = |key: &str, variable: &str| {
        let path = settings.text_or(key, variable);
        path.map(Pem::Trusted)
    };
    let skips = settings.text_or("tls_skip_verify", "SKIP_VERIFY");
    let tls = TlsOptions {
        ca_cert: file("tls_ca_cert", "CACERT"),
        ca_path: settings.text_or("tls_ca_path", "CAPATH"),
        client_cert: file("tls_client_cert", "CLIENT_CERT"),
        client_key: file("tls_client_key", "CLIENT_KEY"),
        skip_verify: settings.flag(skips, "tls_skip_verify")?,
    };
    Ok(Client::new(Options {
        tls: Arc::new(tls),
        server_name: settings.text_or("tls_server_name", "TLS_SERVER_NAME"),
        proxies: proxies(settings)?,
    }))
}

impl Provider for Transit {
    fn describe(&self) -> Description {
        self.which.clone()
    }

    fn wrap<'a>(&'a self, key: &'a Key256) -> BoxFuture<'a, Result<WrappedKey, ProviderError>> {
        Box::pin(self.encrypt(key))
    }

    fn unwrap<'a>(
        &'a self,
        wrapped: &'a WrappedKey,
    ) -> BoxFuture<'a, Result<Key256, ProviderError>> {
        Box::pin(self.decrypt(wrapped))
    }

    fn tend(&self) -> BoxFuture<'_, Option<Duration>> {
        Box::pin(async {
            if !self.renews {
                return None;
            }
            match self.renew().await {
                Ok(next) => next.map(|next| next.clamp(RENEW_MIN, RENEW_MAX)),
                Err(error) => {
                    tracing::warn!(seal = %self.which, %error, "the seal's token is not renewed");
                    Some(RENEW_RETRY)
                }
            }
        })
    }
}
