//! `sys/tools`: random bytes and hashes.

use super::run::Run;
use crate::engine::table::{Endpoint, Field, FieldKind, Matched, Op, Row};
use crate::engine::{Error, Outcome, Response};
use crate::secret::fill_random;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest;
use serde_json::{Map, json};

/// Most random bytes in one answer.
const RANDOM_BYTES_MAX: i64 = 131_072;
const RANDOM_BYTES_DEFAULT: i64 = 32;
/// The sources that random bytes may be asked from; all are the kernel's here.
const SOURCES: &[&str] = &["platform", "seal", "all"];

const BYTES: Field = Field::new("bytes", FieldKind::Integer, "How many.").default("32");
const SOURCE: Field = Field::path("source", "platform, seal or all: the kernel's.");
const URL_BYTES: Field = Field::path("urlbytes", "How many; or a source.");
const RANDOM_FORMAT: Field =
    Field::new("format", FieldKind::Text, "base64 or hex.").default("base64");
const ALGORITHM: Field = Field::new(
    "algorithm",
    FieldKind::Text,
    "sha2-256, sha2-384 or sha2-512.",
)
.default("sha2-256");
const URL_ALGORITHM: Field = Field::path("urlalgorithm", "As \"algorithm\".");
const INPUT: Field = Field::new("input", FieldKind::Text, "In base64.").required();
const HASH_FORMAT: Field = Field::new("format", FieldKind::Text, "hex or base64.").default("hex");

const RANDOM: Endpoint = Endpoint {
    fields: &[BYTES, RANDOM_FORMAT],
    summary: "Makes random bytes.",
    ..Endpoint::USUAL
};
const HASH: Endpoint = Endpoint {
    fields: &[ALGORITHM, HASH_FORMAT, INPUT],
    summary: "Hashes what is sent.",
    ..Endpoint::USUAL
};
const RANDOMS: &[(Op, Run)] = &[(Op::COMPUTE, Run::Answer(|_, matched| random(matched)))];
const HASHES: &[(Op, Run)] = &[(Op::COMPUTE, Run::Answer(|_, matched| hash(matched)))];

/// The tools.
pub(super) const ROWS: &[Row<Run>] = &[
    Row {
        endpoint: Endpoint {
            pattern: "tools/random",
            ..RANDOM
        },
        operations: RANDOMS,
    },
    Row {
        endpoint: Endpoint {
            pattern: "tools/random/:urlbytes",
            fields: &[BYTES, RANDOM_FORMAT, URL_BYTES],
            ..RANDOM
        },
        operations: RANDOMS,
    },
    Row {
        endpoint: Endpoint {
            pattern: "tools/random/:source/:urlbytes",
            fields: &[BYTES, RANDOM_FORMAT, SOURCE, URL_BYTES],
            ..RANDOM
        },
        operations: RANDOMS,
    },
    Row {
        endpoint: Endpoint {
            pattern: "tools/hash",
            ..HASH
        },
        operations: HASHES,
    },
    Row {
        endpoint: Endpoint {
            pattern: "tools/hash/:urlalgorithm",
            fields: &[ALGORITHM, HASH_FORMAT, INPUT, URL_ALGORITHM],
            ..HASH
        },
        operations: HASHES,
    },
];

fn random(matched: &Matched<'_>) -> Result<Outcome, Error> {
    let fields = &matched.fields;
    let in_path = matched.captured(URL_BYTES.name);
    let is_source = matched.captured(SOURCE.name).is_empty() && SOURCES.contains(&in_path);
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

fn hash(matched: &Matched<'_>) -> Result<Outcome, Error> {
    let fields = &matched.fields;
    let named = fields.text("algorithm").unwrap_or(ALGORITHM.default);
    let algorithm = match matched.captured(URL_ALGORITHM.name) {
        "" => named,
        in_path => in_path,
    };
    let algorithm = match algorithm {
        "sha2-256" => &digest::SHA256,
        "sha2-384" => &digest::SHA384,
        "sha2-512" => &digest::SHA512,
        other => return Err(Error::invalid(format!("unsupported algorithm {other}"))),
    };
    let input = fields.text("input").unwrap_or_default();
    let input = STANDARD
        .decode(input)
        .map_err(|_| Error::invalid("unable to decode input as base64: illegal base64 data"))?;
    let format = fields.text("format").unwrap_or(HASH_FORMAT.default);
    let encode = encoder(format).ok_or_else(|| {
        let message = "must be \"hex\" or \"base64\"";
        Error::invalid(format!("unsupported encoding format {format}; {message}"))
    })?;
    let mut data = Map::new();
    data.insert(
        "sum".into(),
        json!(encode(digest::digest(algorithm, &input).as_ref())),
    );
    Ok(Response::data(data).into())
}

fn encoder(format: &str) -> Option<fn(&[u8]) -> String> {
    match format {
        "hex" => Some(|bytes| hex::encode(bytes)),
        "base64" => Some(|bytes| STANDARD.encode(bytes)),
        _ => None,
    }
}
