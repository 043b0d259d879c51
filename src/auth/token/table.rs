//! The endpoints of tokens, and the engine that answers by them.

use super::handle::Named;
use super::{TokenEngine, create, handle, role, roles};
use crate::barrier::View;
use crate::engine::table::{
    Access, Effect, Endpoint, Field, FieldKind, Matched, OnFullDisk, Op, Row, Sheet, Table,
};
use crate::engine::{
    self, Engine, Error, Existing, Kind, Make, MountContext, Operation, Outcome, Prepared, Request,
};
use crate::policy::Authorized;
use crate::task::BoxFuture;
use std::sync::Arc;

/// Answers with a batch.
pub(crate) type Handler = fn(&TokenEngine, &Matched<'_>) -> Result<Outcome, Error>;
/// Finds the token that is to be renewed.
pub(crate) type Find = fn(&TokenEngine, &Matched<'_>) -> Result<Named, Error>;

/// The way in which an operation is answered.
#[derive(Clone, Copy)]
pub(crate) enum Run {
    /// An ordinary function.
    Answer(Handler),
    /// The renewal of this token, about which the method that let it in is asked.
    Renew(Find),
}

const TOKEN: Field = Field::new("token", FieldKind::Text, "The token.").secret();
const OWN: Field = Field::new("token", FieldKind::Text, "Has no effect.").secret();
const ACCESSOR: Field = Field::new("accessor", FieldKind::Text, "The token's accessor.").required();
const INCREMENT: Field = Field::new("increment", FieldKind::Seconds, "The life that is wanted.");

/// The endpoints of the token method.
pub(crate) static TABLE: Table<Run> =
    Table::new("Makes tokens, shows them, renews and ends them.", &[ROWS]);

const ROWS: &[Row<Run>] = &[
    Row {
        endpoint: Endpoint {
            pattern: "accessors",
            access: Access::Sudo,
            summary: "Lists the accessors of all tokens.",
            ..Endpoint::USUAL
        },
        operations: &[(Op::LIST, Run::Answer(handle::accessors))],
    },
    Row {
        endpoint: Endpoint {
            pattern: "create",
            fields: create::FIELDS,
            summary: "Makes a token, a child of the caller's.",
            ..Endpoint::USUAL
        },
        operations: &[(Op::WRITE, Run::Answer(create::plain))],
    },
    Row {
        endpoint: Endpoint {
            pattern: "create-orphan",
            fields: create::FIELDS,
            summary: "Makes a token without a parent.",
            ..Endpoint::USUAL
        },
        operations: &[(Op::WRITE, Run::Answer(create::orphan))],
    },
    Row {
        endpoint: Endpoint {
            pattern: "create/:role_name",
            fields: create::ROLE_FIELDS,
            summary: "Makes a token as a role says.",
            ..Endpoint::USUAL
        },
        operations: &[(Op::WRITE, Run::Answer(create::with_role))],
    },
    Row {
        endpoint: Endpoint {
            pattern: "lookup",
            fields: &[TOKEN],
            summary: "Shows a token; the caller's where none is named.",
            ..Endpoint::USUAL
        },
        operations: &[
            (Op::READ, Run::Answer(handle::lookup)),
            (Op::COMPUTE, Run::Answer(handle::lookup)),
        ],
    },
    Row {
        endpoint: Endpoint {
            pattern: "lookup-self",
            on_full_disk: OnFullDisk::Repairs,
            fields: &[OWN],
            summary: "Shows the caller's token.",
            ..Endpoint::USUAL
        },
        operations: &[
            (Op::READ, Run::Answer(handle::lookup_self)),
            (Op::COMPUTE, Run::Answer(handle::lookup_self)),
        ],
    },
    Row {
        endpoint: Endpoint {
            pattern: "lookup-accessor",
            fields: &[ACCESSOR],
            summary: "Shows the token with an accessor, without its text.",
            ..Endpoint::USUAL
        },
        operations: &[(Op::COMPUTE, Run::Answer(handle::lookup_accessor))],
    },
    Row {
        endpoint: Endpoint {
            pattern: "renew",
            on_full_disk: OnFullDisk::Repairs,
            fields: &[TOKEN, INCREMENT],
            prepares: true,
            summary: "Prolongs the life of a token.",
            ..Endpoint::USUAL
        },
        operations: &[(Op::WRITE, Run::Renew(handle::renew))],
    },
    Row {
        endpoint: Endpoint {
            pattern: "renew-self",
            on_full_disk: OnFullDisk::Repairs,
            fields: &[OWN, INCREMENT],
            prepares: true,
            summary: "Prolongs the life of the caller's token.",
            ..Endpoint::USUAL
        },
        operations: &[(Op::WRITE, Run::Renew(handle::renew_self))],
    },
    Row {
        endpoint: Endpoint {
            pattern: "renew-accessor",
            on_full_disk: OnFullDisk::Repairs,
            fields: &[ACCESSOR, INCREMENT],
            prepares: true,
            summary: "Prolongs the life of the token with an accessor.",
            ..Endpoint::USUAL
        },
        operations: &[(Op::WRITE, Run::Renew(handle::renew_accessor))],
    },
    Row {
        endpoint: Endpoint {
            pattern: "revoke",
            on_full_disk: OnFullDisk::Repairs,
            fields: &[TOKEN],
            summary: "Ends a token and its children.",
            ..Endpoint::USUAL
        },
        operations: &[(Op::WRITE, Run::Answer(handle::revoke))],
    },
    Row {
        endpoint: Endpoint {
            pattern: "revoke-self",
            on_full_disk: OnFullDisk::Repairs,
            summary: "Ends the caller's token and its children.",
            ..Endpoint::USUAL
        },
        operations: &[(Op::WRITE, Run::Answer(handle::revoke_self))],
    },
    Row {
        endpoint: Endpoint {
            pattern: "revoke-accessor",
            on_full_disk: OnFullDisk::Repairs,
            fields: &[ACCESSOR],
            summary: "Ends the token with an accessor, and its children.",
            ..Endpoint::USUAL
        },
        operations: &[(Op::WRITE, Run::Answer(handle::revoke_accessor))],
    },
    Row {
        endpoint: Endpoint {
            pattern: "revoke-orphan",
            on_full_disk: OnFullDisk::Repairs,
            fields: &[TOKEN],
            summary: "Ends a token; its children live on as orphans.",
            about: "Asks for sudo.",
            ..Endpoint::USUAL
        },
        operations: &[(Op::WRITE, Run::Answer(handle::revoke_orphan))],
    },
    Row {
        endpoint: Endpoint {
            pattern: "roles",
            summary: "Lists the roles.",
            ..Endpoint::USUAL
        },
        operations: &[(Op::LIST, Run::Answer(roles::list))],
    },
    Row {
        endpoint: Endpoint {
            pattern: "roles/:role_name",
            fields: role::FIELDS,
            creates: true,
            summary: "A role: settings for the tokens that are made through it.",
            ..Endpoint::USUAL
        },
        operations: &[
            (Op::READ, Run::Answer(roles::read)),
            (Op::WRITE, Run::Answer(roles::write)),
            (Op::DELETE, Run::Answer(roles::delete)),
        ],
    },
    Row {
        endpoint: Endpoint {
            pattern: "tidy",
            summary: "Does nothing: there is nothing to tidy.",
            ..Endpoint::USUAL
        },
        operations: &[(
            Op::new(Operation::Update, Effect::Computes),
            Run::Answer(handle::tidy),
        )],
    },
];

/// The path at which the token method is mounted.
pub const MOUNT: &str = "auth/token/";

/// The kind of the token method, which exists once.
pub static KIND: Kind = Kind {
    is_single: true,
    sees_token: true,
    ..Kind::method("token", |_| vec![&TABLE], Make::Before)
};

impl Engine for TokenEngine {
    fn table(&self, _: &MountContext) -> &'static dyn Sheet {
        &TABLE
    }

    fn canonical_path(&self, operation: Operation, path: &str) -> Option<String> {
        engine::canonical(operation, path, &[])
    }

    fn existing(&self, request: &Request, view: &View) -> Result<Existing, Error> {
        TABLE.existing(request, view, roles::existing)
    }

    fn prepare<'a>(
        &'a self,
        request: Authorized<&'a Request>,
        view: &'a View,
    ) -> BoxFuture<'a, Result<Prepared, Error>> {
        let request = request.into_request();
        Box::pin(async move {
            let renewed = match TABLE.route(request, view)? {
                (Run::Renew(find), matched) => handle::ask_method(self, &matched, find).await?,
                _ => None,
            };
            Ok(Arc::new(renewed) as Prepared)
        })
    }

    fn handle(&self, request: Authorized<&Request>, view: &View) -> Result<Outcome, Error> {
        let request = request.into_request();
        let (run, matched) = TABLE.route(request, view)?;
        match run {
            Run::Answer(handler) => handler(self, &matched),
            Run::Renew(find) => handle::prolong(self, &matched, find(self, &matched)?),
        }
    }
}
