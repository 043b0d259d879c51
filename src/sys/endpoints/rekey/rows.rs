//! The paths of a rekey: Vault's, open to everyone who reaches them, with bare answers, and
//! OpenBao's, for callers with a token that may, with an envelope.

use super::acts::Ways;
use crate::engine::table::{Access, Answers, Endpoint, Field, FieldKind, On, Place, Row};
use crate::sys::endpoints::run::Run;

/// Fields of the request that begins a ceremony, or cancels it.
const BEGIN: &[Field] = &[
    Field::new("secret_shares", FieldKind::Integer, "Shares to make."),
    Field::new(
        "secret_threshold",
        FieldKind::Integer,
        "Shares that make up the new key.",
    ),
    Field::new(
        "emergency_shares",
        FieldKind::Integer,
        "Emergency shares to make of a new seal key that a provider keeps; 0 for none.",
    ),
    Field::new(
        "emergency_threshold",
        FieldKind::Integer,
        "Emergency shares that open where the provider is gone.",
    ),
    Field::new(
        "require_verification",
        FieldKind::Flag,
        "Puts the new key into force only when enough of its shares were given back.",
    ),
    Field::new(
        "pgp_keys",
        FieldKind::List,
        "Public keys to which the new shares are encrypted, one for each.",
    ),
    Field::new(
        "backup",
        FieldKind::Flag,
        "Keeps the encrypted shares until they are deleted.",
    ),
    Field::new(
        "nonce",
        FieldKind::Text,
        "The nonce of what is canceled; may be left out with a token, or after 10 minutes.",
    )
    .on(On::DELETE),
];
/// Fields of the request that brings a share.
const SHARE: &[Field] = &[
    Field::new("key", FieldKind::Text, "A share of the present key.")
        .required()
        .secret(),
    Field::new(
        "nonce",
        FieldKind::Text,
        "The nonce that the start answered.",
    )
    .required(),
];
/// Fields of the request that brings a share back, or has those forgotten.
const VERIFY: &[Field] = &[
    Field::new("key", FieldKind::Text, "A share of the new key.")
        .required()
        .secret(),
    Field::new("nonce", FieldKind::Text, "The nonce of the verification.")
        .required()
        .on(On::WRITE.and(On::DELETE)),
];

const OPEN: Endpoint = Endpoint {
    access: Access::Open,
    place: Place::Active,
    answers: Answers::Object,
    about: "A rekey is begun, seen and given up at \"init\"; each share of the present key goes to \
            \"update\", whose last answer has the new shares. Where verification was asked for, \
            shares of the new key go to \"verify\" before it is in force.",
    ..Endpoint::USUAL
};
const TOKEN: Endpoint = Endpoint {
    access: Access::Token,
    answers: Answers::Envelope,
    ..OPEN
};
const SEAL_SUMMARY: &str = "Makes new unseal keys with the present ones.";
const RECOVERY_SUMMARY: &str = "Makes new recovery keys with the present ones.";

const fn row(
    pattern: &'static str,
    summary: &'static str,
    fields: &'static [Field],
    door: Endpoint,
    operations: &'static [(crate::engine::table::Op, Run)],
) -> Row<Run> {
    Row {
        endpoint: Endpoint {
            pattern,
            summary,
            fields,
            ..door
        },
        operations,
    }
}

type OpenSeal = Ways<false, false>;
type OpenRecovery = Ways<true, false>;
type TokenSeal = Ways<false, true>;
type TokenRecovery = Ways<true, true>;

/// Both keys behind both doors.
pub(in crate::sys::endpoints) const ROWS: &[Row<Run>] = &[
    row("rekey/init", SEAL_SUMMARY, BEGIN, OPEN, OpenSeal::BEGIN),
    row("rekey/update", SEAL_SUMMARY, SHARE, OPEN, OpenSeal::SHARE),
    row("rekey/verify", SEAL_SUMMARY, VERIFY, OPEN, OpenSeal::VERIFY),
    row(
        "rekey-recovery-key/init",
        RECOVERY_SUMMARY,
        BEGIN,
        OPEN,
        OpenRecovery::BEGIN,
    ),
    row(
        "rekey-recovery-key/update",
        RECOVERY_SUMMARY,
        SHARE,
        OPEN,
        OpenRecovery::SHARE,
    ),
    row(
        "rekey-recovery-key/verify",
        RECOVERY_SUMMARY,
        VERIFY,
        OPEN,
        OpenRecovery::VERIFY,
    ),
    row(
        "rotate/root/init",
        SEAL_SUMMARY,
        BEGIN,
        TOKEN,
        TokenSeal::BEGIN,
    ),
    row(
        "rotate/root/update",
        SEAL_SUMMARY,
        SHARE,
        TOKEN,
        TokenSeal::SHARE,
    ),
    row(
        "rotate/root/verify",
        SEAL_SUMMARY,
        VERIFY,
        TOKEN,
        TokenSeal::VERIFY,
    ),
    row(
        "rotate/recovery/init",
        RECOVERY_SUMMARY,
        BEGIN,
        TOKEN,
        TokenRecovery::BEGIN,
    ),
    row(
        "rotate/recovery/update",
        RECOVERY_SUMMARY,
        SHARE,
        TOKEN,
        TokenRecovery::SHARE,
    ),
    row(
        "rotate/recovery/verify",
        RECOVERY_SUMMARY,
        VERIFY,
        TOKEN,
        TokenRecovery::VERIFY,
    ),
];

/// Returns true for an endpoint of a rekey: of the door that asks for no token where `open` is
/// true, else of either.
pub(in crate::sys) fn is_rekey(endpoint: &Endpoint, open: bool) -> bool {
    let mut rows = ROWS.iter().map(|row| &row.endpoint);
    rows.any(|row| row.pattern == endpoint.pattern && (!open || endpoint.access == Access::Open))
}
