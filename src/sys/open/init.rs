//! The endpoint `sys/init`, which makes the keys of a new server, once.
//!
//! Keys are shown in one answer and never again, so the whole request is checked first.

use super::answers::{bare, failed};
use super::asked::{Asked, Bears, OPEN, Run};
use super::recipients::{key_texts, public_keys, share_texts, token_text};
use crate::clock::Timestamp;
use crate::engine::table::{Endpoint, Field, FieldKind, Fields, Op, Row};
use crate::engine::{Error, Response};
use crate::pgp::PublicKey;
use crate::seal;
use crate::sys::ports::InitRequest;
use serde_json::json;

/// The type of the seal whose key people keep, in shares.
const SHAMIR: &str = "shamir";
const UNSEALING: Shares = Shares {
    what: "seal",
    numbers: ["secret_shares", "secret_threshold"],
    pgp_keys: "pgp_keys",
};
const RECOVERY: Shares = Shares {
    what: "recovery",
    numbers: ["recovery_shares", "recovery_threshold"],
    pgp_keys: "recovery_pgp_keys",
};
const EMERGENCY: Shares = Shares {
    what: "emergency",
    numbers: ["emergency_shares", "emergency_threshold"],
    pgp_keys: "emergency_pgp_keys",
};
/// The recovery shares, and those needed, where a request names none: a cluster without any could
/// never make a root token again.
const RECOVERY_USUAL: [i64; 2] = [5, 3];

const COUNT_MISMATCH: &str =
    "count mismatch between number of provided PGP keys and number of shares";

/// One kind of shares, and the fields about them.
struct Shares {
    what: &'static str,
    numbers: [&'static str; 2],
    pgp_keys: &'static str,
}

/// The endpoint.
pub(super) const ROWS: &[Row<Run>] = &[Row {
    endpoint: Endpoint {
        pattern: "init",
        fields: &[
            Field::new(
                "emergency_pgp_keys",
                FieldKind::List,
                "Public keys to which the emergency shares are encrypted, one for each.",
            ),
            Field::new(
                "emergency_shares",
                FieldKind::Integer,
                "Shares that open where the provider is gone; none where none is given.",
            ),
            Field::new(
                "emergency_threshold",
                FieldKind::Integer,
                "Emergency shares that open.",
            ),
            Field::new(
                "pgp_keys",
                FieldKind::List,
                "Public keys to which the unseal shares are encrypted, one for each.",
            ),
            Field::new(
                "recovery_pgp_keys",
                FieldKind::List,
                "Public keys to which the recovery shares are encrypted, one for each.",
            ),
            Field::new(
                "recovery_shares",
                FieldKind::Integer,
                "Recovery shares, where a provider keeps the key; 5 where none is given.",
            ),
            Field::new(
                "recovery_threshold",
                FieldKind::Integer,
                "Shares that make up the recovery key; 3 where none is given.",
            ),
            Field::new(
                "root_token_pgp_key",
                FieldKind::Text,
                "Public key to which the root token is encrypted.",
            ),
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

/// A request that was checked, with the keys of those who are to have what it makes.
struct Wished {
    request: InitRequest,
    holders: Vec<PublicKey>,
    emergency_holders: Vec<PublicKey>,
    root_holder: Option<PublicKey>,
}

/// The shares of one kind that a request wishes for.
struct WishedShares {
    /// The shares to make, and those needed.
    numbers: [u8; 2],
    holders: Vec<PublicKey>,
}

async fn initialize(asked: Asked<'_>) -> Result<Response, Error> {
    let seal = asked.lifecycle.seal_status().seal_type;
    let wished = wished(&asked.fields, &seal, asked.lifecycle.now()).await?;
    let made = asked.lifecycle.initialize(wished.request).await;
    let made = made.map_err(failed)?;
    let root_token = match &wished.root_holder {
        Some(holder) => token_text(made.root_token.expose(), holder)?,
        None => made.root_token.expose().clone(),
    };
    // Where a provider unseals the others are emergency shares.
    let shares = made.recovery_shares.as_ref().unwrap_or(&made.shares);
    let texts = share_texts(shares, &wished.holders).await?;
    let mut answer = match &made.recovery_shares {
        None => json!({ "keys": texts.hex, "keys_base64": texts.base64 }),
        Some(_) => json!({
            "keys": [],
            "keys_base64": [],
            "recovery_keys": texts.hex,
            "recovery_keys_base64": texts.base64,
        }),
    };
    if let Some(fields) = answer.as_object_mut() {
        // The node is sealed now, and tells no cluster: holders learn here which one their keys
        // are of.
        let more = [
            ("root_token", root_token),
            ("cluster_name", made.cluster_name),
            ("cluster_id", made.cluster_id),
        ];
        fields.extend(more.map(|(name, value)| (name.to_owned(), value.into())));
        if made.recovery_shares.is_some() && !made.shares.is_empty() {
            let texts = share_texts(&made.shares, &wished.emergency_holders).await?;
            fields.insert("emergency_keys".into(), texts.hex.into());
            fields.insert("emergency_keys_base64".into(), texts.base64.into());
        }
    }
    Ok(bare(&answer))
}

/// Reads the request; whatever is wrong is found before anything is made. A provider keeps the
/// whole key, so `seal`, when it is one, takes recovery shares instead of unseal shares.
async fn wished(fields: &Fields<'_>, seal: &str, now: Timestamp) -> Result<Wished, Error> {
    let is_shamir = seal == SHAMIR;
    let foreign: &[&Shares] = match is_shamir {
        true => &[&RECOVERY, &EMERGENCY],
        false => &[&UNSEALING],
    };
    let given: Vec<&str> = foreign.iter().flat_map(|one| one.given(fields)).collect();
    if !given.is_empty() {
        let names = given.join(",");
        let message = format!("parameters {names} not applicable to seal type {seal}");
        return Err(Error::invalid(message));
    }
    let mut request = InitRequest::default();
    let (holders, emergency_holders);
    if is_shamir {
        let made = UNSEALING.wished(fields, [0, 0], now).await?;
        if fields.integer("stored_shares").unwrap_or(0) > 1 {
            let fault = "stored_shares is not supported by seal type shamir";
            return Err(UNSEALING.wrong(fault));
        }
        [request.secret_shares, request.secret_threshold] = made.numbers;
        (holders, emergency_holders) = (made.holders, Vec::new());
    } else {
        let made = RECOVERY.wished(fields, RECOVERY_USUAL, now).await?;
        [request.recovery_shares, request.recovery_threshold] = made.numbers;
        holders = made.holders;
        emergency_holders = match EMERGENCY.given(fields).is_empty() {
            true => Vec::new(),
            false => {
                let made = EMERGENCY.wished(fields, [0, 0], now).await?;
                [request.emergency_shares, request.emergency_threshold] = made.numbers;
                made.holders
            }
        };
    }
    let root_holder = public_keys(key_texts(fields, "root_token_pgp_key"), now).await?;
    let root_holder = root_holder
        .map_err(|error| Error::invalid(format!("invalid root_token_pgp_key: {error}")))?;
    Ok(Wished {
        request,
        holders,
        emergency_holders,
        root_holder: root_holder.into_iter().next(),
    })
}

impl Shares {
    /// Reads the numbers and the public keys of these shares; `usual` stands for no numbers.
    async fn wished(
        &self,
        fields: &Fields<'_>,
        usual: [i64; 2],
        now: Timestamp,
    ) -> Result<WishedShares, Error> {
        let numbers = self.numbers.map(|name| fields.integer(name).unwrap_or(0));
        let numbers = if numbers == [0, 0] { usual } else { numbers };
        let numbers = checked(numbers).map_err(|fault| self.wrong(fault))?;
        let keys = key_texts(fields, self.pgp_keys);
        let [shares, _] = numbers;
        if !keys.is_empty() && keys.len() != usize::from(shares) {
            return Err(self.wrong(COUNT_MISMATCH));
        }
        let holders = public_keys(keys, now).await?;
        let holders = holders.map_err(|error| self.wrong(&error.to_string()))?;
        Ok(WishedShares { numbers, holders })
    }

    fn wrong(&self, fault: &str) -> Error {
        let message = format!("invalid {} configuration: {fault}", self.what);
        Error::invalid(message)
    }

    /// Returns the names of those that were given.
    fn given(&self, fields: &Fields<'_>) -> Vec<&'static str> {
        let numbers = self.numbers.into_iter();
        let mut given: Vec<&str> = numbers
            .filter(|name| fields.integer(name).unwrap_or(0) != 0)
            .collect();
        if !key_texts(fields, self.pgp_keys).is_empty() {
            given.push(self.pgp_keys);
        }
        given
    }
}

fn checked([shares, threshold]: [i64; 2]) -> Result<[u8; 2], &'static str> {
    let fault = seal::fault(shares, threshold);
    match (fault, u8::try_from(shares), u8::try_from(threshold)) {
        (None, Ok(shares), Ok(threshold)) => Ok([shares, threshold]),
        (fault, ..) => Err(fault.unwrap_or_default()),
    }
}
