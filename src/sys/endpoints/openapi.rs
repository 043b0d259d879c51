//! The API of all mounts as one document.

use super::run::Run;
use super::system::System;
use crate::engine::table::{
    Access, Answers, Document, Endpoint, Field, FieldKind, Matched, Mounted, On, Op, Row,
};
use crate::engine::{Body, Engine, Error, MountContext, Outcome, Response};
use crate::mount::{Class, Entry};

const CONTEXT: Field = Field::new("context", FieldKind::Text, "Ends the id of each operation.")
    .on(On::READ.and(On::WRITE));
const GENERIC: Field = Field::new(
    "generic_mount_paths",
    FieldKind::Flag,
    "Are the paths of mounts parameters?",
)
.on(On::READ.and(On::WRITE));

/// The document.
pub(super) const ROWS: &[Row<Run>] = &[Row {
    endpoint: Endpoint {
        pattern: "internal/specs/openapi",
        access: Access::Open,
        fields: &[CONTEXT, GENERIC],
        answers: Answers::Object,
        summary: "Describes the endpoints that concern the caller, in OpenAPI.",
        ..Endpoint::USUAL
    },
    operations: &[
        (Op::READ, Run::Answer(System::openapi)),
        (Op::COMPUTE, Run::Answer(System::openapi)),
    ],
}];

impl System {
    fn openapi(&self, matched: &Matched<'_>) -> Result<Outcome, Error> {
        let (request, fields) = (matched.request, &matched.fields);
        let mut document = Document::new(fields.text(CONTEXT.name).unwrap_or_default());
        let generic = fields.flag(GENERIC.name).unwrap_or(false);
        let policies = &request.caller.policies;
        if !policies.is_empty() {
            let acl = self.policies.acl_for(policies, request.now)?;
            for entry in self.mounts.snapshot()?.entries() {
                if acl.touches(&entry.full_path()) {
                    self.describe_mount(&mut document, entry, generic);
                }
            }
        }
        let response = Response {
            body: Some(Body {
                content_type: "application/json",
                bytes: document.finish().to_string().into_bytes(),
            }),
            ..Response::default()
        };
        Ok(response.into())
    }

    fn describe_mount(&self, document: &mut Document, entry: &Entry, generic: bool) {
        let path = entry.full_path();
        let Some(kind) = self.kinds.get(&entry.kind) else {
            return;
        };
        let context = MountContext {
            path: path.clone(),
            kind: entry.kind.clone(),
            options: entry.options.clone().unwrap_or_default(),
            ..MountContext::default()
        };
        let is_own = std::ptr::eq(kind, self.own_kind);
        let tag = match entry.class {
            Class::Secret if is_own => "system",
            Class::Secret => "secrets",
            Class::Auth => "auth",
        };
        for sheet in (kind.sheets)(&context) {
            let mount = Mounted {
                path: &path,
                tag,
                is_generic: generic && !kind.is_single,
            };
            document.add(mount, sheet, |endpoint| !is_own || self.has(endpoint));
        }
    }
}
