//! The seal `awskms`: AWS's key management, or a server that speaks as it does, keeps the seal
//! key.

use super::super::http::{Answered, Wiping, exchange, failure, proxies};
use super::super::settings::{SettingError, Settings};
use super::super::{Description, Provider, ProviderError};
use super::credentials::Chain;
use super::signature::{Scope, Unsigned, amz_date, sign};
use crate::barrier::WrappedKey;
use crate::clock::wall_clock;
use crate::outbound::{Address, Answer, Client, Options};
use crate::secret::{Key256, Secret, SecretBytes};
use crate::store::BoxFuture;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use hyper::Request;
use serde_json::json;

/// The stanza's kind.
pub(in crate::seal) const KIND: &str = "awskms";

const KEYS: &[&str] = &[
    "access_key",
    "endpoint",
    "kms_key_id",
    "region",
    "secret_key",
    "session_token",
    "shared_creds_filename",
    "shared_creds_profile",
];
/// The region where none is named.
const REGION: &str = "us-east-1";
const CONTENT_TYPE: &str = "application/x-amz-json-1.1";

/// The provider.
pub(in crate::seal) struct AwsKms {
    which: Description,
    client: Client,
    endpoint: Address,
    region: String,
    key_id: String,
    credentials: Chain,
}

impl AwsKms {
    /// Reads the settings. Nothing is asked yet.
    pub(in crate::seal) fn new(settings: &Settings) -> Result<Self, SettingError> {
        settings.check_keys(KEYS)?;
        let variables = &settings.variables;
        let key_id = settings.variable_or("AWSKMS_SEAL_KEY_ID", "kms_key_id");
        let key_id =
            key_id.ok_or_else(|| Settings::missing("kms_key_id", "VAULT_AWSKMS_SEAL_KEY_ID"))?;
        let region = settings
            .text("region")
            .or_else(|| variables.get("AWS_REGION"))
            .or_else(|| variables.get("AWS_DEFAULT_REGION"))
            .unwrap_or_else(|| REGION.into());
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if !region.chars().all(fits) {
            return Err(SettingError("region: not the name of a region".into()));
        }
        let endpoint = variables
            .get("AWS_KMS_ENDPOINT")
            .or_else(|| settings.text("endpoint"));
        let endpoint = endpoint.unwrap_or_else(|| {
            let top = if region.starts_with("cn-") { ".cn" } else { "" };
            format!("https://kms.{region}.amazonaws.com{top}")
        });
        // A name alone is one of AWS's.
        let endpoint = match endpoint.contains("://") {
            true => endpoint,
            false => format!("https://{endpoint}"),
        };
        let endpoint = Address::parse(&endpoint);
        Ok(Self {
            which: Description {
                kind: settings.kind.clone(),
                name: settings.name.clone(),
            },
            client: Client::new(Options {
                proxies: proxies(settings)?,
                ..Options::default()
            }),
            endpoint: endpoint.map_err(|error| SettingError(format!("endpoint: {error}")))?,
            region,
            key_id,
            credentials: Chain::new(settings)?,
        })
    }

    async fn call(&self, action: &str, body: SecretBytes) -> Result<Answered, ProviderError> {
        let by = self.credentials.find().await?;
        let target = format!("TrentService.{action}");
        let time = amz_date(wall_clock());
        let path = format!("{}/", self.endpoint.prefix);
        let mut headers = vec![
            ("content-type", CONTENT_TYPE),
            ("host", &self.endpoint.authority),
            ("x-amz-date", &time),
        ];
        if let Some(session) = &by.session {
            headers.push(("x-amz-security-token", session.expose()));
        }
        headers.push(("x-amz-target", &target));
        let unsigned = Unsigned {
            method: "POST",
            path: &path,
            query: "",
            headers: &headers,
            body: body.expose(),
        };
        let scope = Scope {
            region: &self.region,
            service: "kms",
            time: &time,
        };
        let authorization = sign(&unsigned, &scope, &by);
        let mut request = Request::builder().method("POST").uri(&path);
        // The client sets the host.
        for (name, value) in headers.into_iter().filter(|(name, _)| *name != "host") {
            request = request.header(name, value);
        }
        let request = request.header("authorization", authorization);
        let request = request.body(Bytes::from_owner(Wiping(body)));
        let request = request.map_err(|error| ProviderError::Refused(error.to_string()))?;
        let answer = exchange(&self.client, &self.endpoint, request).await?;
        match answer.status {
            200 => Answered::of(&answer),
            _ => Err(refusal(&answer, &time)),
        }
    }

    async fn encrypt(&self, key: &Key256) -> Result<WrappedKey, ProviderError> {
        let plaintext = Secret::new(BASE64.encode(key.expose()));
        let key_id = json!(self.key_id);
        // Base64 needs no escapes, and this leaves no copy behind.
        let body = format!(
            r#"{{"KeyId":{key_id},"Plaintext":"{}"}}"#,
            plaintext.expose()
        );
        let answered = self.call("Encrypt", Secret::new(body.into_bytes())).await?;
        let ciphertext = answered.text(&["CiphertextBlob"]);
        let ciphertext = ciphertext.and_then(|text| BASE64.decode(text).ok());
        match (ciphertext, answered.text(&["KeyId"])) {
            (Some(ciphertext), Some(key_id)) if !ciphertext.is_empty() => Ok(WrappedKey {
                kind: self.which.kind.clone(),
                name: self.which.name.clone(),
                key_id: key_id.to_owned(),
                ciphertext,
            }),
            _ => Err(ProviderError::Refused(HALF.into())),
        }
    }

    async fn decrypt(&self, wrapped: &WrappedKey) -> Result<Key256, ProviderError> {
        let ciphertext = BASE64.encode(&wrapped.ciphertext);
        let mut fields = json!({ "CiphertextBlob": ciphertext });
        if !wrapped.key_id.is_empty()
            && let Some(fields) = fields.as_object_mut()
        {
            fields.insert("KeyId".into(), json!(wrapped.key_id));
        }
        let body = Secret::new(fields.to_string().into_bytes());
        let answered = self.call("Decrypt", body).await?;
        let plaintext = answered.secret(&["Plaintext"]);
        let key = plaintext.and_then(|text| BASE64.decode(text.expose()).ok());
        let key = key.and_then(|bytes| Key256::from_slice(Secret::new(bytes).expose()));
        key.ok_or_else(|| ProviderError::Refused(HALF.into()))
    }
}

const HALF: &str = "the answer is not what AWS's key management gives: check endpoint";

/// Returns the error of an answer, with AWS's own kind and message of it.
fn refusal(answer: &Answer, time: &str) -> ProviderError {
    let fields = Answered::of(answer).ok();
    let text = |names: &[&str]| {
        let fields = fields.as_ref()?;
        names.iter().find_map(|name| fields.text(&[name]))
    };
    let kind = text(&["__type"]).unwrap_or_default();
    let kind = kind.rsplit('#').next().unwrap_or_default();
    let message = text(&["message", "Message"]).unwrap_or_default();
    let is_late = ["RequestExpired", "RequestTimeTooSkewed"].contains(&kind)
        || message.contains("Signature expired")
        || message.contains("Signature not yet current");
    let hint = match is_late {
        true => format!("; this node's clock says {time}: set it"),
        false => String::new(),
    };
    let error = failure(answer, &format!("{kind}: {message}{hint}"));
    let passes = matches!(
        kind,
        "ThrottlingException"
            | "LimitExceededException"
            | "KMSInternalException"
            | "KeyUnavailableException"
            | "DependencyTimeoutException"
    );
    match error {
        ProviderError::Refused(why) if passes => ProviderError::Away(why),
        error => error,
    }
}

impl Provider for AwsKms {
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
}
