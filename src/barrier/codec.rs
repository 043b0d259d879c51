//! Records as text, for people who repair a store: each kind of record is shown as JSON, and taken
//! back as JSON.

use crate::secret::{Secret, SecretBytes, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Translates the records of one kind into text and back. The room that owns the kind makes it.
#[derive(Clone, Copy)]
pub struct Codec {
    show: fn(&[u8]) -> Option<String>,
    take: fn(&str) -> Result<Vec<u8>, String>,
}

impl Codec {
    /// Returns the codec of the records that [`super::Batch::replace_record`] writes of a `T`.
    pub const fn of<T: Serialize + DeserializeOwned>() -> Self {
        Self {
            show: show::<T>,
            take: take::<T>,
        }
    }

    /// Returns the codec of records that are written otherwise: `show` returns JSON, and `take` the
    /// bytes of it or the fault in it.
    pub const fn new(
        show: fn(&[u8]) -> Option<String>,
        take: fn(&str) -> Result<Vec<u8>, String>,
    ) -> Self {
        Self { show, take }
    }

    /// Returns the record as JSON; `None` when it is not of this kind, or would not come back as it
    /// is.
    pub fn show(&self, record: &SecretBytes) -> Option<SecretString> {
        let text = Secret::new((self.show)(record.expose())?);
        let again = Secret::new((self.take)(text.expose()).ok()?);
        (again.expose() == record.expose()).then_some(text)
    }

    /// Returns the record that `text` shows.
    ///
    /// # Errors
    /// The reason for which it is not one of this kind.
    pub fn take(&self, text: &str) -> Result<SecretBytes, String> {
        (self.take)(text).map(Secret::new)
    }
}

fn show<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Option<String> {
    let (value, rest) = postcard::take_from_bytes::<T>(bytes).ok()?;
    match rest.is_empty() {
        true => serde_json::to_string(&value).ok(),
        false => None,
    }
}

fn take<T: Serialize + DeserializeOwned>(text: &str) -> Result<Vec<u8>, String> {
    let value: T = serde_json::from_str(text).map_err(|error| error.to_string())?;
    postcard::to_stdvec(&value).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Serialize, Deserialize)]
    enum Stored {
        V1 { names: Vec<String>, at: u64 },
    }

    #[test]
    fn a_record_comes_back_as_it_was_shown() {
        let codec = Codec::of::<Stored>();
        let names = vec![String::from("a")];
        let record = postcard::to_stdvec(&Stored::V1 { names, at: 1 << 60 }).unwrap();
        let record = Secret::new(record);
        let text = codec.show(&record).unwrap();
        assert_eq!(
            text.expose(),
            r#"{"V1":{"names":["a"],"at":1152921504606846976}}"#
        );
        assert_eq!(codec.take(text.expose()).unwrap().expose(), record.expose());
    }

    #[test]
    fn what_is_of_another_kind_is_neither_shown_nor_taken() {
        let codec = Codec::of::<Stored>();
        for other in [&b""[..], b"\x07", b"\x00\x00\x01more", b"\x00\x01\xff\xff"] {
            assert!(
                codec.show(&Secret::new(other.to_vec())).is_none(),
                "{other:?}"
            );
        }
        for (text, why) in [
            ("hello", "expected value"),
            (r#"{"V1":{"names":[]}}"#, "missing field `at`"),
            (r#"{"V2":{}}"#, "unknown variant"),
        ] {
            let told = codec.take(text).err().unwrap();
            assert!(told.contains(why), "{text}: {told}");
        }
    }
}
