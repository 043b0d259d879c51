//! `sys/config`: the parts of the configuration that the API shows or changes.

use super::run::Run;
use super::system::{System, doubled};
use crate::barrier::Slot;
use crate::engine::table::{Access, Endpoint, Field, FieldKind, Matched, On, Op, Place, Row};
use crate::engine::{Error, Outcome, Response};
use serde_json::{Map, json};
use std::collections::BTreeMap;

/// Most headers for the web UI.
const UI_HEADERS_MAX: usize = 64;
const UI_HEADERS: &str = "ui-headers";

type Headers = BTreeMap<String, Vec<String>>;

/// Settings that are shown, and those of the web UI.
pub(super) const ROWS: &[Row<Run>] = &[
    Row {
        endpoint: Endpoint {
            pattern: "config/state/sanitized",
            place: Place::ThisNode,
            summary: "Shows this node's configuration without its secrets.",
            ..Endpoint::USUAL
        },
        operations: &[(
            Op::READ,
            Run::Answer(|system, _| Ok(Response::data(system.options.sanitized.clone()).into())),
        )],
    },
    Row {
        endpoint: Endpoint {
            pattern: "config/cors",
            access: Access::Sudo,
            summary: "Shows that requests of other origins are not allowed.",
            ..Endpoint::USUAL
        },
        operations: &[(Op::READ, Run::Answer(|_, _| Ok(cors())))],
    },
    Row {
        endpoint: Endpoint {
            pattern: "config/ui/headers",
            access: Access::Sudo,
            summary: "Lists the headers of the web UI.",
            ..Endpoint::USUAL
        },
        operations: &[(Op::LIST, Run::Answer(|system, _| system.list_ui_headers()))],
    },
    Row {
        endpoint: Endpoint {
            pattern: "config/ui/headers/+header",
            access: Access::Sudo,
            fields: &[
                Field::path("header", "Name of the header."),
                Field::new("multivalue", FieldKind::Flag, "Are all values shown?")
                    .on(On::READ.and(On::WRITE)),
                Field::new("values", FieldKind::CommaList, "Its values.").required(),
            ],
            summary: "A header of the web UI.",
            ..Endpoint::USUAL
        },
        operations: &[
            (Op::READ, Run::Answer(System::read_ui_header)),
            (Op::WRITE, Run::Answer(System::set_ui_header)),
            (Op::DELETE, Run::Answer(System::drop_ui_header)),
        ],
    },
];

impl System {
    fn ui_headers(&self) -> Result<(Slot, Headers), Error> {
        let slot = self.barrier.view("core/").read(UI_HEADERS)?;
        let headers = slot.record("ui headers")?.unwrap_or_default();
        Ok((slot, headers))
    }

    fn list_ui_headers(&self) -> Result<Outcome, Error> {
        let (_, headers) = self.ui_headers()?;
        match headers.is_empty() {
            true => Err(Error::not_found()),
            false => Ok(Response::list(headers.into_keys().collect()).into()),
        }
    }

    fn read_ui_header(&self, matched: &Matched<'_>) -> Result<Outcome, Error> {
        let (_, mut headers) = self.ui_headers()?;
        let values = headers.remove(&canonical(matched.captured("header")));
        let values = values.ok_or_else(Error::not_found)?;
        let mut data = Map::new();
        match matched.fields.flag("multivalue") {
            Some(true) => data.insert("values".into(), json!(values)),
            _ => data.insert("value".into(), json!(values.first())),
        };
        Ok(Response::data(data).into())
    }

    fn set_ui_header(&self, matched: &Matched<'_>) -> Result<Outcome, Error> {
        let name = canonical(matched.captured("header"));
        if name.starts_with("X-Vault-") {
            return Err(Error::invalid("X-Vault headers cannot be set"));
        }
        let values = matched.fields.list("values").unwrap_or_default();
        if values.is_empty() {
            return Err(Error::invalid("header and values must be specified"));
        }
        let (slot, mut headers) = self.ui_headers()?;
        headers.insert(name, values.to_vec());
        if headers.len() > UI_HEADERS_MAX {
            let message = format!("at most {UI_HEADERS_MAX} headers can be set");
            return Err(Error::invalid(message));
        }
        let mut outcome = put_ui_headers(&slot, &headers)?;
        outcome.response.status = Some(200);
        Ok(outcome)
    }

    fn drop_ui_header(&self, matched: &Matched<'_>) -> Result<Outcome, Error> {
        let (slot, mut headers) = self.ui_headers()?;
        match headers.remove(&canonical(matched.captured("header"))) {
            None => Ok(Outcome::default()),
            Some(_) => put_ui_headers(&slot, &headers),
        }
    }
}

fn put_ui_headers(slot: &Slot, headers: &Headers) -> Result<Outcome, Error> {
    let mut outcome = Outcome::default();
    outcome.batch.replace_record(slot, headers)?;
    Ok(outcome)
}

/// Says that cross-origin requests are not allowed. They never are, and that cannot be changed.
fn cors() -> Outcome {
    let mut data = Map::new();
    data.insert("enabled".into(), json!(false));
    doubled(data)
}

/// Spells a header's name in its usual way: `x-frame-options` becomes `X-Frame-Options`.
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
