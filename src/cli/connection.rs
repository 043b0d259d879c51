//! The settings of a verb's client: flags first, then the environment.
//!
//! Every variable that is set must be valid, also one that a flag overrides: a misspelt timeout
//! would otherwise be ignored, and the client would wait without an explanation.

use std::time::Duration;

use crate::clock::parse_duration;
use crate::outbound::{self, Address, Pem, Proxies, Proxy, TlsOptions};
use crate::secret::Secret;

use super::client::{ClientError, Options, Pace, Preview};
use super::environment::{VariableError, named, parsed, variable};
use super::flags::{Flags, parse_bool};
use super::token_file;

/// The server's address unless the caller gives one.
const DEFAULT_ADDRESS: &str = "https://127.0.0.1:8200";

/// The longest time of one request unless the caller gives one.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

/// Reads the settings of the client of `program`.
pub fn options(program: &str, flags: &Flags) -> Result<Options, ClientError> {
    refuse_unbuilt()?;
    let preview = match () {
        () if flags.switch("output-curl-string") => Some(Preview::Curl),
        () if flags.switch("output-policy") => Some(Preview::Policy),
        () => None,
    };
    let timeout = parsed("CLIENT_TIMEOUT", duration)?;
    Ok(Options {
        address: address(flags)?,
        token: token_file::current(),
        namespace: either(flags, "namespace", "NAMESPACE")?,
        wrap_ttl: flags.time("wrap-ttl").or(parsed("WRAP_TTL", duration)?),
        headers: headers(flags)?,
        tls: tls(flags)?,
        tls_server_name: either(flags, "tls-server-name", "TLS_SERVER_NAME")?,
        redirects: !switch(flags, "disable-redirects", "DISABLE_REDIRECTS")?,
        retries_max: parsed("MAX_RETRIES", number)?.unwrap_or(0),
        timeout: timeout.filter(|t| !t.is_zero()).unwrap_or(DEFAULT_TIMEOUT),
        pace: parsed("RATE_LIMIT", Pace::parse)?,
        proxies: proxies()?,
        preview,
        program: program.to_owned(),
    })
}

/// Returns the flag's text, or else the variable's.
fn either(flags: &Flags, flag: &str, name: &str) -> Result<Option<String>, VariableError> {
    let variable = variable(name)?;
    let flag = flags.text(flag).map(str::to_owned);
    Ok(flag.or(variable).filter(|text| !text.is_empty()))
}

fn switch(flags: &Flags, flag: &str, name: &str) -> Result<bool, VariableError> {
    let variable = parsed(name, boolean)?;
    Ok(flags.choice(flag).or(variable).unwrap_or(false))
}

/// Returns the server's address; the address of an agent goes before the server's own, as in Vault.
fn address(flags: &Flags) -> Result<String, VariableError> {
    let address = |text: &str| match Address::parse(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(error.to_string()),
    };
    let (agent, server) = (parsed("AGENT_ADDR", address)?, parsed("ADDR", address)?);
    let flag = flags.text("address").map(str::to_owned);
    let flag = flag.filter(|text| !text.is_empty());
    let found = flag.or(agent).or(server);
    Ok(found.unwrap_or_else(|| DEFAULT_ADDRESS.to_owned()))
}

fn tls(flags: &Flags) -> Result<TlsOptions, VariableError> {
    let bytes = variable("CACERT_BYTES")?.map(|text| Pem::Text(Secret::new(text)));
    let (file, variable) = (flags.text("ca-cert"), variable("CACERT")?);
    let file = file.filter(|path| !path.is_empty()).map(str::to_owned);
    let file = file.map(Pem::File).or(bytes);
    Ok(TlsOptions {
        ca_cert: file.or(variable.map(Pem::File)),
        ca_path: either(flags, "ca-path", "CAPATH")?,
        client_cert: either(flags, "client-cert", "CLIENT_CERT")?.map(Pem::File),
        client_key: either(flags, "client-key", "CLIENT_KEY")?.map(Pem::File),
        skip_verify: switch(flags, "tls-skip-verify", "SKIP_VERIFY")?,
    })
}

fn headers(flags: &Flags) -> Result<Vec<(String, String)>, ClientError> {
    let mut headers = Vec::new();
    for (name, value) in flags.pairs("header") {
        if name.to_ascii_lowercase().starts_with("x-vault-") {
            return Err(ClientError::Header {
                name: name.to_owned(),
                reason: "Header starting by 'X-Vault-' are for internal usage only",
            });
        }
        headers.push((name.to_owned(), value.to_owned()));
    }
    let mfa = match (flags.texts("mfa"), variable("MFA")?) {
        ([], variable) => variable.into_iter().collect(),
        (given, _) => given.to_vec(),
    };
    let mfa = mfa
        .into_iter()
        .map(|mfa| (String::from("X-Vault-MFA"), mfa));
    headers.extend(mfa);
    if flags.switch("policy-override") {
        headers.push((
            String::from("X-Vault-Policy-Override"),
            String::from("true"),
        ));
    }
    Ok(headers)
}

/// Returns the proxies: `VAULT_PROXY_ADDR` or `VAULT_HTTP_PROXY` for all servers, else those of the
/// variables that all programs know.
fn proxies() -> Result<Proxies, VariableError> {
    let proxy = |text: &str| Proxy::parse(text).map_err(|error| error.to_string());
    let (always, older) = (parsed("PROXY_ADDR", proxy)?, parsed("HTTP_PROXY", proxy)?);
    let known = Proxies::from_variables(&|name| std::env::var_os(name));
    let known =
        known.map_err(|outbound::VariableError { name, reason }| VariableError { name, reason })?;
    Ok(Proxies {
        always: always.or(older),
        ..known
    })
}

/// Refuses a variable that would change the way of a request and is not built.
fn refuse_unbuilt() -> Result<(), VariableError> {
    let Some(true) = parsed("SRV_LOOKUP", boolean)? else {
        return Ok(());
    };
    let name = named("SRV_LOOKUP")?.map(|(name, _)| name);
    Err(VariableError {
        name: name.unwrap_or_default(),
        reason: String::from("looking up SRV records is not in this build: name the server itself"),
    })
}

fn boolean(text: &str) -> Result<bool, String> {
    parse_bool(text).ok_or_else(|| format!("{text:?} is not true or false"))
}

fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| format!("time: invalid duration {text:?}"))
}

fn number(text: &str) -> Result<u32, String> {
    let number = text.parse();
    number.map_err(|_| format!("{text:?} is not a number from 0 to {}", u32::MAX))
}
