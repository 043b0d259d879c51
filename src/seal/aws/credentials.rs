//! The credentials for AWS: those of the stanza, of variables, of the shared file, or of the
//! machine's role, in this order. They are looked for at each call, so that those that were
//! replaced count at once.

use super::super::http::{Answered, exchange, failure};
use super::super::settings::{Credential, SettingError, Settings, Variables};
use super::super::{Description, ProviderError};
use crate::outbound::{Address, Answer, Client, Options};
use crate::secret::{Secret, SecretString};
use bytes::Bytes;
use hyper::Request;

/// The server of a machine's metadata.
const METADATA: &str = "http://169.254.169.254";
/// The path of the credentials of the machine's role.
const ROLES: &str = "/latest/meta-data/iam/security-credentials/";
/// The longest name of a role that is asked for.
const ROLE_BYTES_MAX: usize = 128;

/// A pair of keys, and the token of a session where they are a role's.
pub(super) struct Credentials {
    pub id: String,
    pub secret: SecretString,
    pub session: Option<SecretString>,
}

/// The places where credentials are looked for.
pub(super) struct Chain {
    stanza: Option<Given>,
    file: Option<String>,
    profile: Option<String>,
    variables: Variables,
    which: Description,
}

struct Given {
    id: Credential,
    secret: Credential,
    session: Option<Credential>,
}

impl Chain {
    pub(super) fn new(settings: &Settings) -> Result<Self, SettingError> {
        let given = |key: &str| settings.text(key).map(|text| settings.source(text));
        let stanza = match (given("access_key"), given("secret_key")) {
            (None, None) => None,
            (Some(id), Some(secret)) => Some(Given {
                id,
                secret,
                session: given("session_token"),
            }),
            (Some(_), None) => {
                return Err(Settings::missing("secret_key", "AWS_SECRET_ACCESS_KEY"));
            }
            (None, Some(_)) => return Err(Settings::missing("access_key", "AWS_ACCESS_KEY_ID")),
        };
        Ok(Self {
            stanza,
            file: settings.text("shared_creds_filename"),
            profile: settings.text("shared_creds_profile"),
            variables: settings.variables.clone(),
            which: Description {
                kind: settings.kind.clone(),
                name: settings.name.clone(),
            },
        })
    }

    /// Returns the credentials of the first place that has some.
    pub(super) async fn find(&self) -> Result<Credentials, ProviderError> {
        if let Some(given) = &self.stanza {
            let session = given.session.as_ref().map(Credential::text);
            return Ok(Credentials {
                id: given.id.text()?.into_inner(),
                secret: given.secret.text()?,
                session: session.transpose()?,
            });
        }
        if let Some(found) = self.of_variables() {
            return Ok(found);
        }
        if let Some(found) = self.of_file()? {
            return Ok(found);
        }
        self.of_machine().await
    }

    fn of_variables(&self) -> Option<Credentials> {
        let secret = |name| self.variables.get(name).map(Secret::new);
        Some(Credentials {
            id: self.variables.get("AWS_ACCESS_KEY_ID")?,
            secret: secret("AWS_SECRET_ACCESS_KEY")?,
            session: secret("AWS_SESSION_TOKEN"),
        })
    }

    /// Reads the profile's section of the shared file; `None` where neither is there and nobody
    /// asked for it.
    fn of_file(&self) -> Result<Option<Credentials>, ProviderError> {
        let named = self
            .file
            .clone()
            .or_else(|| self.variables.get("AWS_SHARED_CREDENTIALS_FILE"));
        let is_asked_for = named.is_some() || self.profile.is_some();
        let home = || {
            let home = self.variables.get("HOME")?;
            Some(format!("{home}/.aws/credentials"))
        };
        let Some(path) = named.or_else(home) else {
            return Ok(None);
        };
        let profile = self.profile.clone();
        let profile = profile.or_else(|| self.variables.get("AWS_PROFILE"));
        let profile = profile.unwrap_or_else(|| "default".into());
        let text = match Credential::File(path.clone().into()).text() {
            Ok(text) => text,
            Err(_) if !is_asked_for => return Ok(None),
            Err(error) => return Err(error),
        };
        match section(text.expose(), &profile) {
            Some(found) => Ok(Some(found)),
            None if !is_asked_for => Ok(None),
            None => Err(ProviderError::Refused(format!(
                "{path}: profile {profile:?} has no aws_access_key_id and aws_secret_access_key"
            ))),
        }
    }

    /// Asks the machine's metadata for the credentials of its role.
    async fn of_machine(&self) -> Result<Credentials, ProviderError> {
        let disabled = self.variables.get("AWS_EC2_METADATA_DISABLED");
        if disabled.is_some_and(|text| text.eq_ignore_ascii_case("true")) {
            return Err(ProviderError::Refused(NOWHERE.into()));
        }
        let server = self.variables.get("AWS_EC2_METADATA_SERVICE_ENDPOINT");
        let server = server.as_deref().unwrap_or(METADATA);
        let server = Address::parse(server);
        let server = server.map_err(|error| ProviderError::Refused(error.to_string()))?;
        let found = Machine::ask(&server).await;
        found.map_err(|error| {
            let seal = &self.which;
            crate::telemetry::debug!(%seal, %error, "no credentials of this machine's role");
            match error {
                ProviderError::Away(why) => ProviderError::Away(format!("{NOWHERE} ({why})")),
                ProviderError::Refused(why) => ProviderError::Refused(format!("{NOWHERE} ({why})")),
            }
        })
    }
}

const NOWHERE: &str = "no credentials for AWS are found: give access_key and secret_key, set \
                       AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give this machine a role";

/// The metadata of the machine.
struct Machine<'a> {
    client: Client,
    server: &'a Address,
    token: SecretString,
}

impl<'a> Machine<'a> {
    async fn ask(server: &'a Address) -> Result<Credentials, ProviderError> {
        let mut machine = Self {
            // Never by way of a proxy: it would learn the credentials.
            client: Client::new(Options::default()),
            server,
            token: Secret::new(String::new()),
        };
        let token = machine.get("PUT", "/latest/api/token").await?;
        machine.token = text(&token);
        let roles = text(&machine.get("GET", ROLES).await?);
        let role = roles.expose().lines().next().unwrap_or_default().trim();
        let fits = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
        if role.is_empty() || role.len() > ROLE_BYTES_MAX || !role.chars().all(fits) {
            return Err(ProviderError::Refused("this machine has no role".into()));
        }
        let found = machine.get("GET", &format!("{ROLES}{role}")).await?;
        let fields = Answered::of(&found)?;
        let part = |name: &str| fields.secret(&[name]);
        match (fields.text(&["AccessKeyId"]), part("SecretAccessKey")) {
            (Some(id), Some(secret)) => Ok(Credentials {
                id: id.to_owned(),
                secret,
                session: part("Token"),
            }),
            _ => Err(ProviderError::Refused(format!(
                "the role {role:?} has no credentials"
            ))),
        }
    }

    async fn get(&self, method: &str, path: &str) -> Result<Answer, ProviderError> {
        let header = match method {
            "PUT" => ("x-aws-ec2-metadata-token-ttl-seconds", "60"),
            _ => ("x-aws-ec2-metadata-token", self.token.expose().as_str()),
        };
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header.0, header.1);
        let request = request.body(Bytes::new());
        let request = request.map_err(|error| ProviderError::Refused(error.to_string()))?;
        let answer = exchange(&self.client, self.server, request).await?;
        match answer.status {
            200 => Ok(answer),
            _ => Err(failure(&answer, "the machine's metadata")),
        }
    }
}

fn text(answer: &Answer) -> SecretString {
    let text = std::str::from_utf8(&answer.body).unwrap_or_default();
    Secret::new(text.trim().to_owned())
}

/// Returns the credentials of a section of a shared file.
fn section(text: &str, profile: &str) -> Option<Credentials> {
    let header = |line: &str| {
        let name = line.strip_prefix('[')?.split(']').next()?;
        Some(name.trim() == profile)
    };
    let (mut inside, mut id, mut secret, mut session) = (false, None, None, None);
    for line in text.lines().map(str::trim) {
        if let Some(is_ours) = header(line) {
            inside = is_ours;
            continue;
        }
        let Some((key, value)) = line.split_once('=').filter(|_| inside) else {
            continue;
        };
        let value = value.trim().to_owned();
        match key.trim().to_lowercase().as_str() {
            "aws_access_key_id" => id = Some(value),
            "aws_secret_access_key" => secret = Some(Secret::new(value)),
            "aws_session_token" => session = Some(Secret::new(value)),
            _ => {}
        }
    }
    Some(Credentials {
        id: id?,
        secret: secret?,
        session,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "[default]\naws_access_key_id = A\naws_secret_access_key=s/+=\n\n\
                        # aws_access_key_id = no\n[ other ]\naws_access_key_id=B\n\
                        aws_secret_access_key = t\naws_session_token = u\nregion = x\n[empty]\n";

    #[test]
    fn a_shared_file_has_a_section_for_each_profile() {
        let found = section(FILE, "default").unwrap();
        assert_eq!((&*found.id, &**found.secret.expose()), ("A", "s/+="));
        assert!(found.session.is_none());
        let found = section(FILE, "other").unwrap();
        assert_eq!((&*found.id, &**found.secret.expose()), ("B", "t"));
        assert_eq!(found.session.unwrap().expose(), "u");
        for absent in ["empty", "none", ""] {
            assert!(section(FILE, absent).is_none(), "{absent}");
        }
    }

    fn chain(fields: &[(&str, &str)], set: &'static [(&str, &str)]) -> Chain {
        let mut settings = super::super::super::settings::test_settings("awskms", fields);
        settings.variables = Variables::new(|name| {
            let found = set.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        });
        Chain::new(&settings).unwrap()
    }

    #[tokio::test]
    async fn the_stanza_goes_before_variables_and_these_before_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("credentials");
        std::fs::write(&file, FILE).unwrap();
        let path = file.to_str().unwrap();
        let set = &[
            ("AWS_ACCESS_KEY_ID", "V"),
            ("AWS_SECRET_ACCESS_KEY", "v"),
            ("AWS_SESSION_TOKEN", "w"),
        ];
        let id = async |chain: Chain| chain.find().await.unwrap().id;
        let given = &[("access_key", "S"), ("secret_key", "s")];
        assert_eq!(id(chain(given, set)).await, "S");
        let filed = &[("shared_creds_filename", path)];
        assert_eq!(id(chain(filed, set)).await, "V");
        assert_eq!(id(chain(filed, &[])).await, "A");
        assert_eq!(id(chain(filed, &[("AWS_PROFILE", "other")])).await, "B");
        let none = &[("AWS_EC2_METADATA_DISABLED", "true")];
        let why = chain(&[], none).find().await.err().unwrap().to_string();
        assert!(why.contains("no credentials for AWS are found"), "{why}");
        let wrong = [filed[0], ("shared_creds_profile", "empty")];
        let why = chain(&wrong, none).find().await.err().unwrap().to_string();
        assert!(why.contains("profile \"empty\" has no"), "{why}");
    }
}
