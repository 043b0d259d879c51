//! `login`.

use serde_json::{Map, Value, json};

use crate::cli::call::Call;
use crate::cli::client::Ask;
use crate::cli::envelope::Envelope;
use crate::cli::environment;
use crate::cli::failure::{During, Failure, Outcome};
use crate::cli::flags::parse_bool;
use crate::cli::output::{pairs, secret_rows};
use crate::cli::token_file;
use crate::cli::verb::{Arity, FlagKind, SharedFlags, Verb, flag};
use crate::secret::{Secret, SecretString};

use super::trimmed;

/// `login`.
pub static LOGIN: Verb = Verb {
    name: "login",
    about: "Authenticate locally, and keep the token for the commands to come",
    usage: "[TOKEN | -] [AUTH K=V...]",
    arity: Arity::at_least(0),
    flags: &[
        flag(
            "method",
            FlagKind::Text,
            "token, userpass, approle or cert. The default is token.",
        ),
        flag("no-print", FlagKind::Switch, "Do not print the token."),
        flag("no-store", FlagKind::Switch, "Do not keep the token."),
        flag(
            "path",
            FlagKind::Text,
            "Where the method is enabled; its type unless given.",
        ),
        flag(
            "token-only",
            FlagKind::Switch,
            "Print the token only and do not keep it.",
        ),
    ],
    shared: SharedFlags::Field,
    run,
};

/// Returns the help for logging in with a method, if this program knows the method.
pub fn help(program: &str, method: &str) -> Option<String> {
    let (words, keys) = match method {
        "token" => (
            "TOKEN",
            "token=<string>\n      The token; asked for when it is not given.",
        ),
        "userpass" => (
            "-method=userpass username=NAME",
            "username=<string>\n      The user.\n\n  password=<string>\n      The password; asked \
             for when it is not given.",
        ),
        "approle" => (
            "-method=approle role_id=ID secret_id=ID",
            "role_id=<string>\n      The role.\n\n  secret_id=<string>\n      Its secret.",
        ),
        "cert" => (
            "-method=cert -client-cert=FILE -client-key=FILE [name=NAME]",
            "name=<string>\n      The certificate role to try; all when it is not given.",
        ),
        _ => return None,
    };
    Some(format!(
        "Usage: {program} login {words}\n\nConfiguration:\n\n  {keys}"
    ))
}

fn run(call: &mut Call) -> Outcome {
    let token_only = call.flags.switch("token-only");
    let (no_store, no_print) = (call.flags.switch("no-store"), call.flags.switch("no-print"));
    if no_store && no_print {
        return Err(Failure::usage(
            "-no-store and -no-print cannot be used together",
        ));
    }
    let method = call
        .flags
        .text("method")
        .unwrap_or("token")
        .trim()
        .to_owned();
    let secret = match method.as_str() {
        "token" => with_token(call)?,
        "userpass" | "approle" | "cert" => with_method(call, &method)?,
        _ => {
            let program = &call.program;
            return Err(Failure::usage(format!(
                "Unknown auth method: {method}. Use \"{program} auth list\" to see the complete \
                 list of\nauth methods. Additionally, some auth methods are only available via \
                 the HTTP\nAPI."
            )));
        }
    };
    if secret.wrap_info.is_some() {
        return call.print_secret(&secret);
    }
    let token = secret.field("token");
    let Some(token) = token.as_ref().and_then(Value::as_str) else {
        return Err(Failure::Answer("token"));
    };
    if !no_store && !token_only {
        store(&Secret::new(token.to_owned()))?;
    }
    if token_only {
        call.out_bare(token);
        return Ok(0);
    }
    if no_print {
        return Ok(0);
    }
    print(call, &secret, no_store)
}

fn store(token: &SecretString) -> Result<(), Failure> {
    token_file::store(token).map_err(|error| {
        Failure::Local(format!(
            "Error storing token: {error}\nAuthentication was successful, but the token was not \
             persisted."
        ))
    })
}

fn print(call: &Call, secret: &Envelope, no_store: bool) -> Outcome {
    if !call.is_table() || call.flags.given("field") {
        return call.print_secret(secret);
    }
    let program = &call.program;
    if no_store {
        call.err(
            "The token was not stored in token helper. Set the VAULT_TOKEN environment\nvariable \
             or pass the token below with each request to Vault.\n",
        );
    } else if let Some((name, _)) = environment::named("TOKEN")? {
        call.err(&format!(
            "WARNING! The {name} environment variable is set! The value of this variable\nwill \
             take precedence; if this is unwanted please unset {name} or update its\nvalue \
             accordingly.\n"
        ));
    }
    let stored = match no_store {
        true => String::from("Success! You are now authenticated.\n"),
        false => format!(
            "Success! You are now authenticated. The token information displayed below is\n\
             already stored in the token helper. You do NOT need to run \"{program} login\" \
             again.\nFuture Vault requests will automatically use this token.\n"
        ),
    };
    call.out(&stored);
    call.warn(&secret.warnings);
    call.out(&pairs(secret_rows(secret)));
    Ok(0)
}

fn pairs_from(call: &Call, at: usize) -> Result<Map<String, Value>, Failure> {
    call.data_from(at).map_err(|failure| match failure {
        Failure::Data(error) => Failure::usage(format!("Error parsing configuration: {error}")),
        other => other,
    })
}

fn with_token(call: &mut Call) -> Result<Envelope, Failure> {
    let first = call.word(0).to_owned();
    let is_token = !first.is_empty() && !first.contains('=');
    let given = pairs_from(call, if is_token { 1 } else { 0 })?;
    let text = |name: &str| given.get(name).and_then(Value::as_str);
    let token = match (is_token, first.as_str(), text("token")) {
        (true, "-", _) => call
            .secret_from_stdin()
            .map_err(|e| Failure::Local(e.to_string()))?,
        (true, token, _) | (false, _, Some(token)) => Secret::new(token.trim().to_owned()),
        (false, _, None) => {
            let typed = call.prompt("Token (will be hidden): ");
            typed.map_err(|error| no_prompt("token", &error))?
        }
    };
    let lookup = text("lookup").and_then(parse_bool).unwrap_or(true);
    let auth = |data: &Map<String, Value>| {
        let field = |name: &str| data.get(name).cloned().unwrap_or_default();
        let policies = field("policies");
        let auth = json!({"auth": {
            "client_token": token.expose(),
            "accessor": field("accessor"),
            "policies": policies,
            "token_policies": policies,
            "identity_policies": field("identity_policies"),
            "metadata": field("meta"),
            "orphan": field("orphan"),
            "entity_id": field("entity_id"),
            "lease_duration": field("ttl"),
            "renewable": field("renewable"),
        }});
        Envelope::read(&auth).ok_or(Failure::Answer("token"))
    };
    if !lookup {
        return auth(&Map::new());
    }
    call.client()?
        .set_token(Some(Secret::new(token.expose().clone())));
    let answer = call.write(&Ask::get("auth/token/lookup-self"));
    let during = || String::from("Error authenticating: error looking up token");
    let answer = answer.during(during)?.ok_or(Failure::Answer("token"))?;
    match answer.fields() {
        Some(data) => auth(data),
        None => Ok(answer),
    }
}

fn no_prompt(what: &str, error: &std::io::Error) -> Failure {
    Failure::Local(format!(
        "Error authenticating: An error occurred attempting to ask for a {what}. The raw error \
         message is: {error}"
    ))
}

fn with_method(call: &mut Call, method: &str) -> Result<Envelope, Failure> {
    let mut body = pairs_from(call, 0)?;
    let mount = trimmed(call.flags.text("path").unwrap_or(method));
    let path = match method {
        "userpass" => {
            let name = match body.remove("username") {
                Some(Value::String(name)) => name,
                _ => std::env::var("USER").unwrap_or_default(),
            };
            if name.is_empty() {
                let message = "Error authenticating: 'username' not supplied and neither 'LOGNAME' \
                               nor 'USER' env vars set";
                return Err(Failure::Local(String::from(message)));
            }
            if !body.contains_key("password") {
                let typed = call.prompt_password("Password (will be hidden): ");
                let password = typed.map_err(|error| no_prompt("password", &error))?;
                body.insert(String::from("password"), json!(password.expose()));
            }
            format!("auth/{mount}/login/{name}")
        }
        _ => format!("auth/{mount}/login"),
    };
    // A login is sent without a token.
    call.client()?.set_token(None);
    let answer = call.write(&Ask::put(&path, Value::Object(body)));
    let answer = answer.during(|| String::from("Error authenticating"))?;
    answer.ok_or(Failure::Answer("token"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_with_help() {
        let text = help("vault", "userpass").expect("known");
        assert!(text.starts_with("Usage: vault login -method=userpass username=NAME\n"));
        assert!(help("vault", "ldap").is_none());
    }
}
