//! The endpoint `sys/init`, which makes the keys of a new server, once.

use super::answers::{bare, failed};
use super::asked::{Asked, Bears, OPEN, Run};
use crate::engine::table::{Endpoint, Field, FieldKind, Fields, Op, Row};
use crate::engine::{Error, Response};
use crate::sys::ports::InitRequest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

/// Most shares: x coordinates are non-zero bytes.
const SHARES_MAX: i64 = 255;

/// The type of the seal whose key people keep, in shares.
const SHAMIR: &str = "shamir";

/// The endpoint.
pub(super) const ROWS: &[Row<Run>] = &[Row {
    endpoint: Endpoint {
        pattern: "init",
        fields: &[
            Field::new("pgp_keys", FieldKind::Plain, "Not supported."),
            Field::new("recovery_pgp_keys", FieldKind::Plain, "Not supported."),
            Field::new("recovery_shares", FieldKind::Integer, "Not supported."),
            Field::new("recovery_threshold", FieldKind::Integer, "Not supported."),
            Field::new("root_token_pgp_key", FieldKind::Plain, "Not supported."),
            Field::new(
                "secret_shares",
                FieldKind::Integer,
                "Unseal shares; not where a provider keeps the key.",
            ),
            Field::new(
                "secret_threshold",
                FieldKind::Integer,
                "Shares that unseal.",
            ),
            Field::new("stored_shares", FieldKind::Integer, "Not supported."),
        ],
        summary: "Makes the keys of a new server, once.",
        ..OPEN
    },
    operations: &[
        (
            Op::READ,
            Run::new(Bears::Usual, |asked| {
                Box::pin(async move {
                    let initialized = asked.lifecycle.seal_status().initialized;
                    Ok(bare(&json!({ "initialized": initialized })))
                })
            }),
        ),
        (
            Op::ACT,
            Run::new(Bears::Usual, |asked| Box::pin(initialize(asked))),
        ),
    ],
}];

async fn initialize(asked: Asked<'_>) -> Result<Response, Error> {
    let seal = asked.lifecycle.seal_status().seal_type;
    let request = init_request(&asked.fields, &seal)?;
    let made = asked.lifecycle.initialize(request).await.map_err(failed)?;
    let hex: Vec<_> = made
        .shares
        .iter()
        .map(|share| hex::encode(share.expose()))
        .collect();
    let base64: Vec<_> = made
        .shares
        .iter()
        .map(|share| BASE64.encode(share.expose()))
        .collect();
    Ok(bare(&json!({
        "keys": hex,
        "keys_base64": base64,
        "root_token": made.root_token.expose(),
    })))
}

/// Reads the request. A provider keeps the whole key, so `seal`, when it is one, takes no shares.
fn init_request(fields: &Fields<'_>, seal: &str) -> Result<InitRequest, Error> {
    let refuse = |message: &str| Err(Error::invalid(message));
    for unsupported in ["pgp_keys", "recovery_pgp_keys", "root_token_pgp_key"] {
        match fields.plain(unsupported) {
            None | Some(Value::Null) => {}
            Some(Value::Array(list)) if list.is_empty() => {}
            Some(Value::String(text)) if text.is_empty() => {}
            Some(_) => return refuse(&format!("{unsupported} is not supported by this server")),
        }
    }
    let integer = |name| fields.integer(name).unwrap_or(0);
    let shares = integer("secret_shares");
    let threshold = integer("secret_threshold");
    let is_given = |names: [&'static str; 2]| names.into_iter().any(|name| integer(name) != 0);
    let recovery = is_given(["recovery_shares", "recovery_threshold"]);
    match seal {
        SHAMIR if recovery => {
            return refuse(
                "parameters recovery_shares,recovery_threshold not applicable to seal type shamir",
            );
        }
        SHAMIR => {}
        _ if recovery => {
            return refuse(
                "recovery keys are not supported by this server: leave recovery_shares and \
                 recovery_threshold out",
            );
        }
        _ if is_given(["secret_shares", "secret_threshold"]) => {
            return refuse(&format!(
                "parameters secret_shares,secret_threshold not applicable to seal type {seal}"
            ));
        }
        _ => return Ok(InitRequest::default()),
    }
    let stored = integer("stored_shares");
    let problem = if shares < 1 {
        "shares must be at least one"
    } else if threshold < 1 {
        "threshold must be at least one"
    } else if shares > 1 && threshold == 1 {
        "threshold must be greater than one for multiple shares"
    } else if shares > SHARES_MAX {
        "shares must be less than 256"
    } else if threshold > SHARES_MAX {
        "threshold must be less than 256"
    } else if threshold > shares {
        "threshold cannot be larger than shares"
    } else if stored > 1 {
        "stored_shares is not supported by seal type shamir"
    } else {
        ""
    };
    match (u8::try_from(shares), u8::try_from(threshold)) {
        (Ok(secret_shares), Ok(secret_threshold)) if problem.is_empty() => Ok(InitRequest {
            secret_shares,
            secret_threshold,
        }),
        _ => refuse(&format!("invalid seal configuration: {problem}")),
    }
}
