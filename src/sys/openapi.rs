//! The API of all mounts as one document.

use super::system::System;
use super::table::Run;
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

/// Mounts of which there is one, at a path that does not change.
const FIXED: [&str; 3] = ["cubbyhole", "system", "token"];

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
        let kind = entry.kind.as_str();
        let context = MountContext {
            path: path.clone(),
            kind: entry.kind.clone(),
            options: entry.options.clone().unwrap_or_default(),
            ..MountContext::default()
        };
        let engine: &dyn Engine = match self.engines.iter().find(|engine| engine.kind() == kind) {
            Some(engine) => engine.as_ref(),
            None if kind == self.kind() => self,
            None => return,
        };
        let tag = match entry.class {
            _ if kind == self.kind() => "system",
            Class::Secret => "secrets",
            Class::Auth => "auth",
        };
        for sheet in engine.sheets(&context) {
            let mount = Mounted {
                path: &path,
                tag,
                is_generic: generic && !FIXED.contains(&kind),
            };
            document.add(mount, sheet, |endpoint| engine.has(endpoint));
        }
    }
}
