//! The endpoints that answer before any token can be checked.

use super::join;
use super::{Standing, Verb, bare, health, initialize, leader, seal_status, unseal};
use crate::engine::table::{self, VALIDATION};
use crate::engine::table::{Access, Answers, Field, FieldKind, Fields, On, Op, Place, Row, Table};
use crate::engine::{Error, ErrorKind, Operation, Response};
use crate::secret;
use crate::store::BoxFuture;
use crate::sys::ports::Lifecycle;
use serde_json::{Map, Value, json};

/// A call of an open endpoint.
#[derive(Debug)]
pub struct Request<'a> {
    /// The method.
    pub verb: Verb,
    /// Query parameters in their order.
    pub query: &'a [(String, String)],
    /// Fields of the body.
    pub fields: Map<String, Value>,
}

/// What is asked of an open endpoint, its fields read.
pub(in crate::sys) struct Asked<'a> {
    pub query: &'a [(String, String)],
    pub fields: Fields<'a>,
    pub standing: Standing,
    pub lifecycle: &'a dyn Lifecycle,
}

/// What may be brought to an open endpoint, and among whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bears {
    /// A share at most; no flood of others keeps it out.
    Share,
    /// As little, among all others.
    Little,
    /// What anyone may bring.
    Usual,
}

type Answered<'a> = BoxFuture<'a, Result<Response, Error>>;

/// What answers an operation of an open endpoint.
#[derive(Clone, Copy)]
pub(in crate::sys) struct Run {
    answer: for<'a> fn(Asked<'a>) -> Answered<'a>,
    bears: Bears,
    /// Does HEAD stand for GET?
    head: bool,
}

impl Run {
    pub(in crate::sys) const fn new(
        bears: Bears,
        answer: for<'a> fn(Asked<'a>) -> Answered<'a>,
    ) -> Self {
        Self {
            answer,
            bears,
            head: false,
        }
    }

    const fn with_head(mut self) -> Self {
        self.head = true;
        self
    }
}

/// An open endpoint.
#[derive(Clone, Copy)]
pub struct Endpoint(&'static Row<Run>);

/// The open endpoint at `path` (without `/v1/`), if there is one.
pub fn endpoint(path: &str) -> Option<Endpoint> {
    let below = path.strip_prefix(MOUNT)?;
    TABLE.find(below, Operation::Read).map(Endpoint)
}

impl Endpoint {
    /// Whether it can be called so.
    pub fn takes(self, verb: Verb) -> bool {
        self.run(verb).is_some()
    }

    /// Whether only the active node can answer it.
    pub fn is_for_active(self) -> bool {
        self.0.endpoint.place == Place::Active
    }

    /// What may be brought.
    pub fn bears(self) -> Bears {
        let mut operations = self.0.operations.iter();
        operations.next().map_or(Bears::Usual, |(_, run)| run.bears)
    }

    fn run(self, verb: Verb) -> Option<Run> {
        match verb {
            Verb::Get => self.0.handler(Operation::Read),
            Verb::Head => self.0.handler(Operation::Read).filter(|run| run.head),
            Verb::Put => self.0.handler(Operation::Update),
            Verb::Other => None,
        }
    }
}

/// Answers an open endpoint.
pub async fn answer(
    endpoint: Endpoint,
    request: Request<'_>,
    standing: Standing,
    lifecycle: &dyn Lifecycle,
) -> Result<Response, Error> {
    let Some(run) = endpoint.run(request.verb) else {
        return Err(Error::silent(ErrorKind::UnsupportedOperation));
    };
    let known = endpoint.0.endpoint.fields;
    let answered = match Fields::read(known, &request.fields, VALIDATION) {
        Ok(fields) => {
            let asked = Asked {
                query: request.query,
                fields,
                standing,
                lifecycle,
            };
            (run.answer)(asked).await
        }
        Err(error) => Err(error),
    };
    secret::wipe(request.fields);
    answered
}

/// What all paths of `sys/` begin with.
pub(in crate::sys) const MOUNT: &str = "sys/";

/// All of them.
pub(in crate::sys) static TABLE: Table<Run> =
    Table::new("Starts a server, and tells how it is.", &[ROWS, join::ROWS]);

/// None asks for a token, and nearly each is about the node that is asked.
pub(in crate::sys) const OPEN: table::Endpoint = table::Endpoint {
    access: Access::Open,
    place: Place::ThisNode,
    answers: Answers::Object,
    ..table::Endpoint::USUAL
};

const fn code(name: &'static str, help: &'static str) -> Field {
    Field::new(name, FieldKind::Integer, help).on(On::READ)
}

const ROWS: &[Row<Run>] = &[
    Row {
        endpoint: table::Endpoint {
            pattern: "init",
            fields: &[
                Field::new("pgp_keys", FieldKind::Plain, "Not supported."),
                Field::new("recovery_pgp_keys", FieldKind::Plain, "Not supported."),
                Field::new("recovery_shares", FieldKind::Integer, "Not supported."),
                Field::new("recovery_threshold", FieldKind::Integer, "Not supported."),
                Field::new("root_token_pgp_key", FieldKind::Plain, "Not supported."),
                Field::new("secret_shares", FieldKind::Integer, "Unseal shares.").required(),
                Field::new(
                    "secret_threshold",
                    FieldKind::Integer,
                    "Shares that unseal.",
                )
                .required(),
                Field::new("stored_shares", FieldKind::Integer, "Not supported."),
            ],
            summary: "Makes the keys of a new server, once.",
            ..OPEN
        },
        operations: &[
            (
                Op::READ,
                Run::new(Bears::Usual, |asked| {
                    Box::pin(async move {
                        let initialized = asked.lifecycle.seal_status().initialized;
                        Ok(bare(&json!({ "initialized": initialized })))
                    })
                }),
            ),
            (
                Op::ACT,
                Run::new(Bears::Usual, |asked| Box::pin(initialize(asked))),
            ),
        ],
    },
    Row {
        endpoint: table::Endpoint {
            pattern: "seal-status",
            summary: "Shows whether the server is sealed.",
            ..OPEN
        },
        operations: &[(
            Op::READ,
            Run::new(Bears::Share, |asked| {
                Box::pin(async move { Ok(seal_status(&asked.lifecycle.seal_status())) })
            }),
        )],
    },
    Row {
        endpoint: table::Endpoint {
            pattern: "unseal",
            fields: &[
                Field::new("key", FieldKind::Text, "An unseal share.").secret(),
                Field::new("migrate", FieldKind::Flag, "Not supported."),
                Field::new("reset", FieldKind::Flag, "Forgets the shares given so far."),
            ],
            summary: "Takes a share, and unseals with enough of them.",
            ..OPEN
        },
        operations: &[(
            Op::ACT,
            Run::new(Bears::Share, |asked| Box::pin(unseal(asked))),
        )],
    },
    Row {
        endpoint: table::Endpoint {
            pattern: "health",
            fields: &[
                code("activecode", "Status of an active node."),
                code("drsecondarycode", ""),
                code("haunhealthycode", ""),
                code("performancestandbycode", ""),
                code("sealedcode", "Status of a sealed node."),
                code("standbycode", "Status of a standby."),
                Field::new(
                    "standbyok",
                    FieldKind::Flag,
                    "Is a standby as good as active?",
                )
                .on(On::READ),
                code("uninitcode", "Status of a new node."),
            ],
            summary: "Shows how the node is, by its status.",
            ..OPEN
        },
        operations: &[(
            Op::READ,
            Run::new(Bears::Share, |asked| {
                Box::pin(async move { health(asked.query, asked.standing, asked.lifecycle) })
            })
            .with_head(),
        )],
    },
    Row {
        endpoint: table::Endpoint {
            pattern: "leader",
            summary: "Shows which node is active.",
            ..OPEN
        },
        operations: &[(
            Op::READ,
            Run::new(Bears::Share, |asked| {
                Box::pin(async move { leader(asked.standing, &asked.lifecycle.leader()) })
            }),
        )],
    },
];
