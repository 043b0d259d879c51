//! The form of data: one format byte, then the JSON text as it was sent (numbers keep every digit).

use crate::barrier::{BarrierError, Batch, Codec, Plaintext, View};
use crate::engine::{Error, json};
use crate::secret::SecretBytes;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::io::Write;

/// The first byte of a data record.
const FORMAT: u8 = 1;

/// Adds "write `fields` at `path`"; without fields, null.
pub(crate) fn put(
    view: &View,
    batch: &mut Batch,
    path: &str,
    fields: Option<&Map<String, Value>>,
) -> Result<(), Error> {
    // The place of one version, whose metadata is replaced as it was read.
    view.put_blindly(batch, path, encode(fields)?);
    Ok(())
}

/// Returns `fields` as a data record; without them, null as one.
pub(crate) fn encode(fields: Option<&Map<String, Value>>) -> Result<Plaintext, BarrierError> {
    let mut plaintext = Plaintext::with_capacity(256);
    let written = plaintext.write_all(&[FORMAT]);
    let written = written.and_then(|()| match fields {
        Some(fields) => json::write_map(&mut plaintext, fields),
        None => json::write(&mut plaintext, &Value::Null),
    });
    written.map_err(|_| BarrierError::Decode("outgoing kv"))?;
    Ok(plaintext)
}

/// Reads what [`put`] wrote.
pub(crate) fn get<T: DeserializeOwned>(view: &View, path: &str) -> Result<Option<T>, Error> {
    match view.get(path)? {
        Some(entry) => Ok(Some(decode(&entry.value)?)),
        None => Ok(None),
    }
}

/// Data records as text: the JSON that is in them.
pub(crate) const CODEC: Codec = Codec::new(show, take);

fn show(bytes: &[u8]) -> Option<String> {
    let (&FORMAT, json) = bytes.split_first()? else {
        return None;
    };
    let text = std::str::from_utf8(json).ok()?;
    serde_json::from_str::<&RawValue>(text).ok()?;
    Some(text.to_owned())
}

fn take(text: &str) -> Result<Vec<u8>, String> {
    let json: &RawValue = serde_json::from_str(text).map_err(|error| error.to_string())?;
    Ok([&[FORMAT][..], json.get().as_bytes()].concat())
}

/// Reads the bytes of a data record.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &SecretBytes) -> Result<T, BarrierError> {
    match bytes.expose().split_first() {
        Some((&FORMAT, json)) => serde_json::from_slice(json).ok(),
        _ => None,
    }
    .ok_or(BarrierError::Decode("kv"))
}
