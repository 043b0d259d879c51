//! The endpoints that answer before any token can be checked.

use super::asked::{Asked, Bears, Run, Verb};
use super::{init, join, status, unseal};
use crate::engine::table::{Fields, Place, Row, Table, VALIDATION};
use crate::engine::{Error, ErrorKind, Operation, Response};
use crate::router::Phase;
use crate::secret;
use crate::sys::ports::Lifecycle;
use serde_json::{Map, Value};

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

/// An open endpoint.
#[derive(Clone, Copy)]
pub struct Endpoint(&'static Row<Run>);

/// Finds the open endpoint at `path` (without `/v1/`), if there is one.
pub fn endpoint(path: &str) -> Option<Endpoint> {
    let below = path.strip_prefix(MOUNT)?;
    TABLE.find(below, Operation::Read).map(Endpoint)
}

impl Endpoint {
    /// Returns true when it can be called by `verb`.
    pub fn takes(self, verb: Verb) -> bool {
        self.run(verb).is_some()
    }

    /// Returns true when only the active node can answer it.
    pub fn is_for_active(self) -> bool {
        self.0.endpoint.place == Place::Active
    }

    /// Returns the size of the requests that it takes.
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
    phase: &Phase,
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
                phase,
                lifecycle,
            };
            (run.answer)(asked).await
        }
        Err(error) => Err(error),
    };
    secret::wipe(request.fields);
    answered
}

/// The beginning of all paths of `sys/`.
pub const MOUNT: &str = "sys/";

/// All open endpoints.
pub(in crate::sys) static TABLE: Table<Run> = Table::new(
    "Starts a server, and tells how it is.",
    &[init::ROWS, status::ROWS, unseal::ROWS, join::ROWS],
);
