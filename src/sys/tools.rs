//! `sys/tools`: random bytes and hashes.

use super::field;
use super::system::expect_update;
use crate::engine::{Error, Outcome, Request, Response};
use crate::secret::fill_random;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest;
use serde_json::{Map, json};

/// Most random bytes in one answer.
const RANDOM_BYTES_MAX: i64 = 131_072;
const RANDOM_BYTES_DEFAULT: i64 = 32;
/// Where random bytes may be asked from; all are the kernel's here.
const SOURCES: &[&str] = &["platform", "seal", "all"];

pub(super) fn handle(request: &Request, rest: &str) -> Result<Outcome, Error> {
    let (tool, rest) = rest.split_once('/').unwrap_or((rest, ""));
    match tool {
        "random" => random(request, rest),
        "hash" => hash(request, rest),
        _ => Err(Error::unsupported_path()),
    }
}

fn random(request: &Request, rest: &str) -> Result<Outcome, Error> {
    expect_update(request)?;
    let in_path = match rest.split_once('/') {
        Some((_, count)) => count,
        None if SOURCES.contains(&rest) => "",
        None => rest,
    };
    let count = match in_path {
        "" => field::integer(&request.data, "bytes")?.unwrap_or(RANDOM_BYTES_DEFAULT),
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
    let format = field::text(&request.data, "format")?.unwrap_or_else(|| "base64".into());
    let encode = encoder(&format).ok_or_else(|| {
        let message = "must be \"hex\" or \"base64\"";
        Error::invalid(format!("unsupported encoding format {format:?}; {message}"))
    })?;
    let mut bytes = vec![0; usize::try_from(count).unwrap_or_default()];
    fill_random(&mut bytes);
    let mut data = Map::new();
    data.insert("random_bytes".into(), json!(encode(&bytes)));
    Ok(Response::data(data).into())
}

fn hash(request: &Request, rest: &str) -> Result<Outcome, Error> {
    expect_update(request)?;
    let named = field::text(&request.data, "algorithm")?;
    let algorithm = match rest {
        "" => named.unwrap_or_else(|| "sha2-256".into()),
        rest => rest.to_owned(),
    };
    let algorithm = match algorithm.as_str() {
        "sha2-256" => &digest::SHA256,
        "sha2-384" => &digest::SHA384,
        "sha2-512" => &digest::SHA512,
        other => return Err(Error::invalid(format!("unsupported algorithm {other}"))),
    };
    let input = field::text(&request.data, "input")?.unwrap_or_default();
    let input = STANDARD
        .decode(input)
        .map_err(|_| Error::invalid("unable to decode input as base64: illegal base64 data"))?;
    let format = field::text(&request.data, "format")?.unwrap_or_else(|| "hex".into());
    let encode = encoder(&format).ok_or_else(|| {
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
