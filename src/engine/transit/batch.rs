//! The texts of a request: one in its fields, or many in `batch_input`.

use super::base;
use crate::engine::table::Matched;
use crate::engine::{Error, ErrorKind, Response};
use serde_json::{Map, Value};

/// One text of a request.
#[derive(Clone, Default)]
pub(super) struct Item {
    /// `plaintext` or `ciphertext`, as the request has it.
    pub(super) text: Option<String>,
    context: String,
    associated: String,
    /// The version of the key; zero is the newest.
    pub(super) version: i64,
    reference: String,
    /// The signature of an `input` that is verified.
    pub(super) signature: Option<String>,
    /// The keyed hash of an `input` that is verified.
    pub(super) hmac: Option<String>,
}

/// The field with the text that is signed or hashed.
pub(super) const INPUT: &str = "input";

/// The texts of a request.
pub(super) struct Items {
    pub(super) items: Vec<Item>,
    pub(super) is_batch: bool,
}

impl Item {
    /// Returns true when it has a context for a derived key.
    pub(super) fn has_context(&self) -> bool {
        !self.context.is_empty()
    }

    /// Returns true when it has associated data.
    pub(super) fn has_associated(&self) -> bool {
        !self.associated.is_empty()
    }

    /// Returns the context, decoded.
    pub(super) fn context(&self) -> Result<Vec<u8>, Error> {
        base::decode(&self.context)
    }

    /// Returns the associated data, decoded.
    pub(super) fn associated(&self) -> Result<Vec<u8>, Error> {
        base::decode(&self.associated)
    }

    /// Reads the fields of a request.
    fn of(matched: &Matched<'_>, text: &str) -> Self {
        let fields = &matched.fields;
        let read = |name| fields.text(name).unwrap_or_default().to_owned();
        Self {
            text: matched
                .request
                .data
                .get(text)
                .and(fields.text(text))
                .map(str::to_owned),
            context: read("context"),
            associated: read("associated_data"),
            version: fields.integer("key_version").unwrap_or_default(),
            reference: String::new(),
            signature: fields.text("signature").map(str::to_owned),
            hmac: fields.text("hmac").map(str::to_owned),
        }
    }

    /// Reads an element of `batch_input`, whose place is `at`.
    fn element(element: &Value, text: &str, at: usize) -> Result<Self, String> {
        let wrong = |name: &str, wanted: &str, value: &Value| {
            let given = kind(value);
            format!("'[{at}].{name}' expected type '{wanted}', got unconvertible type '{given}'")
        };
        let Value::Object(fields) = element else {
            return Err(format!("[{at}] expected a map, got '{}'", kind(element)));
        };
        let read = |name: &str| match fields.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(other) => Err(wrong(name, "string", other)),
        };
        let version = match fields.get("key_version") {
            None | Some(Value::Null) => 0,
            Some(value @ Value::Number(number)) => number
                .as_i64()
                .ok_or_else(|| wrong("key_version", "int", value))?,
            Some(other) => return Err(wrong("key_version", "int", other)),
        };
        let verified = |name| if text == INPUT { read(name) } else { Ok(None) };
        Ok(Self {
            signature: verified("signature")?,
            hmac: verified("hmac")?,
            text: read(text)?,
            context: read("context")?.unwrap_or_default(),
            associated: read("associated_data")?.unwrap_or_default(),
            version,
            reference: read("reference")?.unwrap_or_default(),
        })
    }
}

impl Items {
    /// Reads the texts of a request, each in its field `text`.
    ///
    /// # Errors
    /// 400 for a batch that is none, or empty.
    pub(super) fn read(matched: &Matched<'_>, text: &str) -> Result<Self, Error> {
        let elements = match matched.fields.plain("batch_input") {
            None => {
                return Ok(Self {
                    items: vec![Item::of(matched, text)],
                    is_batch: false,
                });
            }
            Some(Value::Array(elements)) => elements,
            Some(other) => {
                let why = format!("source data must be an array or slice, got {}", kind(other));
                return Err(unparsed(&why));
            }
        };
        if elements.is_empty() {
            return Err(Error::invalid("missing batch input to process"));
        }
        let items = elements.iter().enumerate();
        let items = items.map(|(at, element)| Item::element(element, text, at));
        let items: Result<_, _> = items.collect();
        Ok(Self {
            items: items.map_err(|why| unparsed(&why))?,
            is_batch: true,
        })
    }

    /// Refuses the request when a text is missing; `why` says what it is for.
    ///
    /// # Errors
    /// 400.
    pub(super) fn require(&self, text: &str, why: &str) -> Result<(), Error> {
        match self.items.iter().position(|item| item.text.is_none()) {
            None => Ok(()),
            Some(at) if self.is_batch => Err(unparsed(&format!("'[{at}].{text}' {why}"))),
            Some(_) => Err(Error::invalid(why)),
        }
    }

    /// Returns true when the request has one text, and that is empty or missing.
    pub(super) fn is_blank(&self) -> bool {
        let text = self.items.first().and_then(|item| item.text.as_deref());
        !self.is_batch && text.unwrap_or_default().is_empty()
    }

    /// Answers each text by `done`. A failure of one text of a batch stands in its place.
    ///
    /// # Errors
    /// Returns the error of a single text, and a fault of ours.
    pub(super) fn answer(
        &self,
        failed: &Failed<'_>,
        mut done: impl FnMut(&Item) -> Result<Map<String, Value>, Error>,
    ) -> Result<Response, Error> {
        if !self.is_batch {
            let mut answers = self.items.iter().map(done);
            return answers
                .next()
                .unwrap_or_else(|| Ok(Map::new()))
                .map(Response::data);
        }
        let (mut results, mut failures) = (Vec::new(), 0);
        for item in &self.items {
            let mut result = match done(item) {
                Ok(result) => result,
                Err(error) if error.kind == ErrorKind::Invalid => {
                    failures += 1;
                    let mut result = failed.fields.clone();
                    result.insert("error".into(), error.messages.join("; ").into());
                    result
                }
                Err(error) => return Err(error),
            };
            result.insert("reference".into(), item.reference.clone().into());
            results.push(Value::Object(result));
        }
        let is_partial = failures < results.len();
        let mut data = Map::new();
        data.insert("batch_results".into(), Value::Array(results));
        let mut response = Response::data(data);
        if failures > 0 {
            failed.mark(&mut response, is_partial);
        }
        Ok(response)
    }
}

/// The way in which failures in a batch show.
#[derive(Default)]
pub(super) struct Failed<'a> {
    /// The fields of a failed text beside its error.
    fields: Map<String, Value>,
    /// The request, where failures change the status.
    request: Option<&'a Matched<'a>>,
}

impl<'a> Failed<'a> {
    /// Has failures answer 400, or where some texts did not fail the status that the request asks
    /// for.
    pub(super) fn by_status(matched: &'a Matched<'a>) -> Self {
        Self {
            fields: Map::new(),
            request: Some(matched),
        }
    }

    /// Shows a field with this value in a failed text's place.
    pub(super) fn with(mut self, name: &str, value: Value) -> Self {
        self.fields.insert(name.into(), value);
        self
    }

    fn mark(&self, response: &mut Response, is_partial: bool) {
        let Some(matched) = self.request else {
            return;
        };
        response.status = Some(400);
        let Some(wanted) = matched.fields.integer("partial_failure_response_code") else {
            return;
        };
        match u16::try_from(wanted)
            .ok()
            .filter(|status| (100..=599).contains(status))
        {
            Some(status) if is_partial => response.status = Some(status),
            Some(_) => {}
            None => response.warnings.push(
                "invalid HTTP response code override from partial_failure_response_code, \
                 reverting to 400"
                    .into(),
            ),
        }
    }
}

fn unparsed(why: &str) -> Error {
    Error::invalid(format!("failed to parse batch input: {why}"))
}

/// Returns the type of a value, as messages call it.
const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "json.Number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "map[string]interface {}",
    }
}
