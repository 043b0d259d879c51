//! `sys/config`: the parts of the configuration that the API shows or changes.

use super::field;
use super::system::{System, doubled, expect, is_update};
use crate::engine::{Error, Operation, Outcome, Request, Response};
use crate::store::Revision;
use serde_json::{Map, json};
use std::collections::BTreeMap;

/// Most headers for the web UI.
const UI_HEADERS_MAX: usize = 64;
const UI_HEADERS: &str = "ui-headers";

type Headers = BTreeMap<String, Vec<String>>;

impl System {
    pub(super) fn config(&self, request: &Request, rest: &str) -> Result<Outcome, Error> {
        let (what, rest) = rest.split_once('/').unwrap_or((rest, ""));
        let (sub, name) = rest.split_once('/').unwrap_or((rest, ""));
        match (what, sub) {
            ("state", "sanitized") if name.is_empty() => {
                expect(request, Operation::Read)?;
                Ok(Response::data(self.options.sanitized.clone()).into())
            }
            ("auditing", "request-headers") => self.audited_headers(request, name),
            ("ui", "headers") => self.ui_headers(request, name),
            ("cors", "") => cors(request),
            _ => Err(Error::unsupported_path()),
        }
    }

    fn ui_headers(&self, request: &Request, name: &str) -> Result<Outcome, Error> {
        let view = self.barrier.view("core/");
        let found = view.get_record::<Headers>(UI_HEADERS, "ui headers")?;
        let (revision, mut headers) = found.unwrap_or((Revision(0), Headers::new()));
        if name.is_empty() {
            return match request.operation {
                Operation::List if headers.is_empty() => Err(Error::not_found()),
                Operation::List => Ok(Response::list(headers.into_keys().collect()).into()),
                _ => Err(Error::unsupported_operation()),
            };
        }
        let name = canonical(name);
        let mut outcome = Outcome::default();
        match request.operation {
            Operation::Read => {
                let values = headers.remove(&name).ok_or_else(Error::not_found)?;
                let mut data = Map::new();
                match field::flag(&request.data, "multivalue")? {
                    Some(true) => data.insert("values".into(), json!(values)),
                    _ => data.insert("value".into(), json!(values.first())),
                };
                return Ok(Response::data(data).into());
            }
            Operation::Delete => {
                if headers.remove(&name).is_none() {
                    return Ok(outcome);
                }
            }
            _ if is_update(request) => {
                if name.starts_with("X-Vault-") {
                    return Err(Error::invalid("X-Vault headers cannot be set"));
                }
                let values = field::list(&request.data, "values")?.unwrap_or_default();
                if values.is_empty() {
                    return Err(Error::invalid("header and values must be specified"));
                }
                headers.insert(name, values);
                if headers.len() > UI_HEADERS_MAX {
                    let message = format!("at most {UI_HEADERS_MAX} headers can be set");
                    return Err(Error::invalid(message));
                }
                outcome.response.status = Some(200);
            }
            _ => return Err(Error::unsupported_operation()),
        }
        view.expect(&mut outcome.batch, UI_HEADERS, revision);
        view.put_record(&mut outcome.batch, UI_HEADERS, &headers)?;
        Ok(outcome)
    }
}

/// Cross-origin requests are never allowed, and that cannot be changed.
fn cors(request: &Request) -> Result<Outcome, Error> {
    expect(request, Operation::Read)?;
    let mut data = Map::new();
    data.insert("enabled".into(), json!(false));
    Ok(doubled(data))
}

/// `x-frame-options` as `X-Frame-Options`.
fn canonical(name: &str) -> String {
    let words = name.split('-').map(|word| {
        let mut letters = word.chars();
        match letters.next() {
            Some(first) => {
                let rest = letters.as_str().to_ascii_lowercase();
                format!("{}{rest}", first.to_ascii_uppercase())
            }
            None => String::new(),
        }
    });
    words.collect::<Vec<_>>().join("-")
}
