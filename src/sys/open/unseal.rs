//! The endpoint `sys/unseal`, which takes unseal keys.

use super::answers::failed;
use super::asked::{Asked, Bears, OPEN, Run};
use super::status::seal_status;
use crate::engine::table::{Endpoint, Field, FieldKind, Op, Row};
use crate::engine::{Error, Response};
use crate::secret::{Secret, SecretBytes};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

/// Shortest unseal key, in bytes.
pub const UNSEAL_KEY_BYTES_MIN: usize = 16;
/// Longest unseal key, in bytes: a root key and the share's x coordinate.
pub const UNSEAL_KEY_BYTES_MAX: usize = 33;

/// The endpoint.
pub(super) const ROWS: &[Row<Run>] = &[Row {
    endpoint: Endpoint {
        pattern: "unseal",
        fields: &[
            Field::new("key", FieldKind::Text, "An unseal share.").secret(),
            Field::new(
                "migrate",
                FieldKind::Flag,
                "Is the share to allow the migration to the seal of this server's configuration?",
            ),
            Field::new("reset", FieldKind::Flag, "Forgets the shares given so far."),
        ],
        summary: "Takes a share, and unseals with enough of them.",
        ..OPEN
    },
    operations: &[(
        Op::ACT,
        Run::new(Bears::Share, |asked| Box::pin(unseal(asked))),
    )],
}];

async fn unseal(asked: Asked<'_>) -> Result<Response, Error> {
    let (fields, lifecycle) = (&asked.fields, asked.lifecycle);
    let flag = |name| fields.flag(name).unwrap_or(false);
    if flag("reset") {
        if !lifecycle.seal_status().sealed {
            return Err(Error::invalid("vault is unsealed"));
        }
        return Ok(seal_status(&lifecycle.reset_unseal()));
    }
    let Some(key) = fields.secret("key") else {
        return Err(Error::invalid(
            "'key' must be specified in request body as JSON, or 'reset' set to true",
        ));
    };
    let migrate = flag("migrate");
    let share = decode_key(key.expose())
        .ok_or_else(|| Error::invalid("'key' must be a valid hex or base64 string"))?;
    let status = lifecycle.seal_status();
    if migrate && !status.migration {
        // Refused with the reason, whatever the share is.
        let given = lifecycle.unseal_to_migrate(share).await;
        return given.map(|status| seal_status(&status)).map_err(failed);
    }
    if !status.sealed && !migrate {
        return Ok(seal_status(&status));
    }
    let length = share.expose().len();
    if length < UNSEAL_KEY_BYTES_MIN {
        return Err(Error::invalid(format!(
            "invalid key: key is shorter than minimum {UNSEAL_KEY_BYTES_MIN} bytes"
        )));
    }
    if length > UNSEAL_KEY_BYTES_MAX {
        return Err(Error::invalid(format!(
            "invalid key: key is longer than maximum {UNSEAL_KEY_BYTES_MAX} bytes"
        )));
    }
    let given = match migrate {
        true => lifecycle.unseal_to_migrate(share),
        false => lifecycle.unseal(share),
    };
    let status = given.await.map_err(failed)?;
    Ok(seal_status(&status))
}

/// Decodes hex of a plausible length, or else base64: some base64 texts are hex, too.
pub(in crate::sys) fn decode_key(text: &str) -> Option<SecretBytes> {
    let plausible = UNSEAL_KEY_BYTES_MIN..=UNSEAL_KEY_BYTES_MAX;
    match hex::decode(text).map(Secret::new) {
        Ok(bytes) if plausible.contains(&bytes.expose().len()) => Some(bytes),
        _ => BASE64.decode(text).ok().map(Secret::new),
    }
}
