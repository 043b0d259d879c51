//! Random bytes and hashes, which `sys/tools` and transit offer alike.

use super::hash::Hash;
use crate::engine::table::{Endpoint, Field, FieldKind, Matched};
use crate::engine::{Error, Outcome, Response};
use crate::secret::fill_random;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, json};

/// Most random bytes in one answer.
const RANDOM_BYTES_MAX: i64 = 131_072;
const RANDOM_BYTES_DEFAULT: i64 = 32;
/// The sources that random bytes may be asked from; all are the kernel's here.
const SOURCES: &[&str] = &["platform", "seal", "all"];

/// The field of the count.
pub const BYTES: Field = Field::new("bytes", FieldKind::Integer, "How many.").default("32");
/// The part of the path with the source.
pub const SOURCE: Field = Field::path("source", "platform, seal or all: the kernel's.");
/// The part of the path with the count.
pub const URL_BYTES: Field = Field::path("urlbytes", "How many; or a source.");
/// The field of the format of random bytes.
pub const RANDOM_FORMAT: Field =
    Field::new("format", FieldKind::Text, "base64 or hex.").default("base64");
/// The field of the hash.
pub const ALGORITHM: Field = Field::new(
    "algorithm",
    FieldKind::Text,
    "sha2-224, sha2-256, sha2-384, sha2-512, or sha3- with the same lengths.",
)
.default("sha2-256");
/// The part of the path with the hash.
pub const URL_ALGORITHM: Field = Field::path("urlalgorithm", "As \"algorithm\".");
/// The field of what is hashed.
pub const INPUT: Field = Field::new("input", FieldKind::Text, "In base64.").required();
/// The field of the format of hashes.
pub const HASH_FORMAT: Field =
    Field::new("format", FieldKind::Text, "hex or base64.").default("hex");

/// The endpoint for random bytes, without its path.
pub const RANDOM: Endpoint = Endpoint {
    fields: &[BYTES, RANDOM_FORMAT],
    summary: "Makes random bytes.",
    ..Endpoint::USUAL
};
/// The endpoint for hashes, without its path.
pub const HASH: Endpoint = Endpoint {
    fields: &[ALGORITHM, HASH_FORMAT, INPUT],
    summary: "Hashes what is sent.",
    ..Endpoint::USUAL
};

/// Answers with random bytes.
///
/// # Errors
/// 400 for a count, a format or a source that is none.
pub fn random(matched: &Matched<'_>) -> Result<Outcome, Error> {
    let fields = &matched.fields;
    let in_path = matched.captured(URL_BYTES.name);
    let source = matched.captured(SOURCE.name);
    if !source.is_empty() && !SOURCES.contains(&source) {
        return Err(Error::invalid(format!(
            "unsupported entropy source {source:?}; must be \"platform\" or \"seal\", or \"all\""
        )));
    }
    let is_source = source.is_empty() && SOURCES.contains(&in_path);
    let count = match in_path {
        _ if is_source => fields.integer("bytes").unwrap_or(RANDOM_BYTES_DEFAULT),
        "" => fields.integer("bytes").unwrap_or(RANDOM_BYTES_DEFAULT),
        text => text.parse().map_err(|_| {
            Error::invalid(format!(
                "error parsing url-set byte count: {text:?} is no number"
            ))
        })?,
    };
    if count < 1 {
        return Err(Error::invalid("'bytes' cannot be less than 1"));
    }
    if count > RANDOM_BYTES_MAX {
        return Err(Error::invalid(format!(
            "'bytes' should be less than {RANDOM_BYTES_MAX}"
        )));
    }
    let format = fields.text("format").unwrap_or(RANDOM_FORMAT.default);
    let encode = encoder(format).ok_or_else(|| {
        let message = "must be \"hex\" or \"base64\"";
        Error::invalid(format!("unsupported encoding format {format:?}; {message}"))
    })?;
    let mut bytes = vec![0; usize::try_from(count).unwrap_or_default()];
    fill_random(&mut bytes);
    let mut data = Map::new();
    data.insert("random_bytes".into(), json!(encode(&bytes)));
    Ok(Response::data(data).into())
}

/// Answers with a sum.
///
/// # Errors
/// 400 for a hash or a format that is unknown, and for input that is no base64.
pub fn hash(matched: &Matched<'_>) -> Result<Outcome, Error> {
    let fields = &matched.fields;
    let named = fields.text("algorithm").unwrap_or(ALGORITHM.default);
    let algorithm = match matched.captured(URL_ALGORITHM.name) {
        "" => named,
        in_path => in_path,
    };
    // Of the hashes for signatures, this one is too weak to be offered anew.
    let found = Hash::named(algorithm).filter(|hash| *hash != Hash::Sha1);
    let found =
        found.ok_or_else(|| Error::invalid(format!("unsupported algorithm {algorithm}")))?;
    let input = fields.text("input");
    let input = input.ok_or_else(|| Error::invalid("input missing"))?;
    let input = STANDARD
        .decode(input)
        .map_err(|_| Error::invalid("unable to decode input as base64: illegal base64 data"))?;
    let format = fields.text("format").unwrap_or(HASH_FORMAT.default);
    let encode = encoder(format).ok_or_else(|| {
        let message = "must be \"hex\" or \"base64\"";
        Error::invalid(format!("unsupported encoding format {format}; {message}"))
    })?;
    let mut data = Map::new();
    data.insert("sum".into(), json!(encode(&found.sum(&input))));
    Ok(Response::data(data).into())
}

fn encoder(format: &str) -> Option<fn(&[u8]) -> String> {
    match format {
        "hex" => Some(|bytes| hex::encode(bytes)),
        "base64" => Some(|bytes| STANDARD.encode(bytes)),
        _ => None,
    }
}
