//! `sys/audit` and `sys/audit-hash`.

use super::run::Run;
use super::system::{System, doubled};
use crate::audit::{DeviceSpec, HeaderRule};
use crate::engine::table::{Access, Endpoint, Field, FieldKind, Matched, OnFullDisk, Op, Row};
use crate::engine::{Error, Outcome};
use serde_json::{Map, json};

const PATH: Field = Field::path("path", "The device's name.");

/// Audit devices, and the headers that they write.
pub(super) const ROWS: &[Row<Run>] = &[
    Row {
        endpoint: Endpoint {
            pattern: "audit",
            access: Access::Sudo,
            summary: "Lists the audit devices.",
            ..Endpoint::USUAL
        },
        operations: &[(Op::READ, Run::Answer(|system, _| system.list_devices()))],
    },
    Row {
        endpoint: Endpoint {
            pattern: "audit/+path",
            on_full_disk: OnFullDisk::Rescues,
            access: Access::Sudo,
            fields: &[
                PATH,
                Field::new("description", FieldKind::Text, "For people."),
                Field::new("local", FieldKind::Flag, "Is it this cluster's alone?"),
                Field::new("options", FieldKind::Pairs, "Settings of its type."),
                Field::new("type", FieldKind::Text, "file.").required(),
            ],
            summary: "Enables and disables audit devices.",
            ..Endpoint::USUAL
        },
        operations: &[
            (Op::WRITE, Run::Answer(System::enable_device)),
            (Op::DELETE, Run::Answer(System::disable_device)),
        ],
    },
    Row {
        endpoint: Endpoint {
            pattern: "audit-hash/+path",
            fields: &[
                PATH,
                Field::new("input", FieldKind::Text, "What is hashed.").required(),
            ],
            summary: "Hashes a value as a device does.",
            ..Endpoint::USUAL
        },
        operations: &[(Op::COMPUTE, Run::Answer(System::audit_hash))],
    },
    Row {
        endpoint: Endpoint {
            pattern: "config/auditing/request-headers",
            access: Access::Sudo,
            summary: "Lists the headers that are audited.",
            ..Endpoint::USUAL
        },
        operations: &[(
            Op::READ,
            Run::Answer(|system, _| system.list_audited_headers()),
        )],
    },
    Row {
        endpoint: Endpoint {
            pattern: "config/auditing/request-headers/+header",
            access: Access::Sudo,
            fields: &[
                Field::path("header", "Name of the header."),
                Field::new("hmac", FieldKind::Flag, "Is its value hashed?"),
            ],
            summary: "A header that is audited.",
            ..Endpoint::USUAL
        },
        operations: &[
            (Op::READ, Run::Answer(System::read_audited_header)),
            (Op::WRITE, Run::Answer(System::set_audited_header)),
            (Op::DELETE, Run::Answer(System::drop_audited_header)),
        ],
    },
];

impl System {
    fn enable_device(&self, matched: &Matched<'_>) -> Result<Outcome, Error> {
        let fields = &matched.fields;
        let text = |name| fields.text(name).unwrap_or_default();
        if text("type").is_empty() {
            return Err(Error::invalid("missing audit type"));
        }
        let options = fields.pairs("options").cloned().unwrap_or_default();
        let mut spec = DeviceSpec::new(matched.captured("path"), text("type"), options);
        text("description").clone_into(&mut spec.description);
        spec.local = fields.flag("local").unwrap_or(false);
        let mut outcome = Outcome::default();
        self.audit.enable(&mut outcome.batch, spec)?;
        Ok(outcome)
    }

    fn disable_device(&self, matched: &Matched<'_>) -> Result<Outcome, Error> {
        let mut outcome = Outcome::default();
        self.audit
            .disable(&mut outcome.batch, matched.captured("path"))?;
        Ok(outcome)
    }

    fn list_devices(&self) -> Result<Outcome, Error> {
        let mut data = Map::new();
        for (spec, _) in self.audit.list()? {
            let row = json!({
                "path": spec.path,
                "type": spec.kind,
                "description": spec.description,
                "local": spec.local,
                "options": spec.options,
            });
            data.insert(spec.path, row);
        }
        Ok(doubled(data))
    }

    fn audit_hash(&self, matched: &Matched<'_>) -> Result<Outcome, Error> {
        let input = matched.fields.text("input").unwrap_or_default();
        if input.is_empty() {
            return Err(Error::invalid("the \"input\" parameter is empty"));
        }
        let hash = self.audit.hash(matched.captured("path"), input)?;
        let mut data = Map::new();
        data.insert("hash".into(), json!(hash));
        Ok(doubled(data))
    }

    fn list_audited_headers(&self) -> Result<Outcome, Error> {
        let mut data = Map::new();
        data.insert("headers".into(), json!(self.audit.headers()?));
        Ok(doubled(data))
    }

    fn read_audited_header(&self, matched: &Matched<'_>) -> Result<Outcome, Error> {
        let name = matched.captured("header");
        let headers = self.audit.headers()?;
        let rule = headers.get(&name.to_lowercase());
        let rule = rule.ok_or_else(|| Error::invalid("Could not find header in config"))?;
        let mut data = Map::new();
        data.insert(name.into(), json!(rule));
        Ok(doubled(data))
    }

    fn set_audited_header(&self, matched: &Matched<'_>) -> Result<Outcome, Error> {
        let hmac = matched.fields.flag("hmac").unwrap_or(false);
        self.change_audited_header(matched, Some(HeaderRule { hmac }))
    }

    fn drop_audited_header(&self, matched: &Matched<'_>) -> Result<Outcome, Error> {
        self.change_audited_header(matched, None)
    }

    fn change_audited_header(
        &self,
        matched: &Matched<'_>,
        rule: Option<HeaderRule>,
    ) -> Result<Outcome, Error> {
        let mut outcome = Outcome::default();
        self.audit
            .set_header(&mut outcome.batch, matched.captured("header"), rule)?;
        Ok(outcome)
    }
}
