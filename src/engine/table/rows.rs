//! Rows and tables: from a request to its handler.

use super::fields::VALIDATION;
use super::matched::Matched;
use super::pattern::{Captures, Matcher};
use super::{Effect, Endpoint, Field, Fields, Op};
use crate::barrier::View;
use crate::engine::{Error, Existing, Operation, Request};
use std::sync::OnceLock;

/// An endpoint and the handlers of its operations, each of type `H`.
pub struct Row<H: 'static> {
    /// The endpoint.
    pub endpoint: Endpoint,
    /// Its operations.
    pub operations: &'static [(Op, H)],
}

/// The endpoints of an engine.
pub struct Table<H: 'static> {
    about: &'static str,
    groups: &'static [&'static [Row<H>]],
    compiled: OnceLock<Compiled<H>>,
}

struct Compiled<H: 'static> {
    matcher: Matcher,
    rows: Vec<&'static Row<H>>,
}

/// An endpoint, and the effect of the operation that was asked for there.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    /// The endpoint.
    pub endpoint: &'static Endpoint,
    /// The effect; `None` where the endpoint knows no such operation.
    pub effect: Option<Effect>,
}

/// A table without its handlers, for the router, help and OpenAPI.
pub trait Sheet: Sync {
    /// Returns the purpose of the engine, for people.
    fn about(&self) -> &'static str;

    /// Returns all endpoints with their operations, in the order of the table.
    fn endpoints(&self) -> Vec<(&'static Endpoint, Vec<Op>)>;

    /// Returns the endpoint at `path`, as [`Table::find`] says, and the effect of `operation`
    /// there.
    fn found(&self, path: &str, operation: Operation) -> Option<Found>;

    /// Returns the endpoint at `path`, as [`Table::find`] says.
    fn endpoint(&self, path: &str, operation: Operation) -> Option<&'static Endpoint> {
        self.found(path, operation).map(|found| found.endpoint)
    }
}

impl<H: Copy + 'static> Row<H> {
    /// Returns the handler of `operation`.
    pub fn handler(&self, operation: Operation) -> Option<H> {
        self.op(operation).map(|(_, handler)| *handler)
    }

    /// Returns the operation with its handler.
    pub fn op(&self, operation: Operation) -> Option<&'static (Op, H)> {
        self.operations.iter().find(|(op, _)| op.is(operation))
    }
}

impl<H: Copy + Send + Sync + 'static> Table<H> {
    /// Returns a table of these groups of rows; `about` is the purpose of the engine.
    pub const fn new(about: &'static str, groups: &'static [&'static [Row<H>]]) -> Self {
        Self {
            about,
            groups,
            compiled: OnceLock::new(),
        }
    }

    /// Returns its rows.
    pub fn rows(&self) -> impl Iterator<Item = &'static Row<H>> {
        self.groups.iter().flat_map(|group| group.iter())
    }

    /// Finds the row at `path`. The path of a list ends in a slash, which its pattern need not
    /// have.
    pub fn find(&self, path: &str, operation: Operation) -> Option<&'static Row<H>> {
        self.captured(path, operation).map(|(row, _)| row)
    }

    /// Finds the row as [`Table::find`] does, with the parts that its pattern captures.
    pub fn captured<'a>(
        &self,
        path: &'a str,
        operation: Operation,
    ) -> Option<(&'static Row<H>, Captures<'a>)> {
        let compiled = self.compiled.get_or_init(|| Compiled {
            matcher: Matcher::of(self.rows().map(|row| row.endpoint.pattern)),
            rows: self.rows().collect(),
        });
        let found = |path: &'a str| {
            let (row, captures) = compiled.matcher.find(path)?;
            compiled.rows.get(row).map(|row| (*row, captures))
        };
        let folder = match operation {
            Operation::List | Operation::Scan => path.strip_suffix('/'),
            _ => None,
        };
        let as_folder = || found(folder?).filter(|(row, _)| row.op(operation).is_some());
        found(path).or_else(as_folder)
    }

    /// Finds the handler for `request`, and reads its fields.
    ///
    /// # Errors
    /// 404 where there is no such path, 405 where it knows no such operation, 400 where a field
    /// has the wrong type.
    pub fn route<'a>(
        &self,
        request: &'a Request,
        view: &'a View,
    ) -> Result<(H, Matched<'a>), Error> {
        self.route_if(request, view, |_| true)
    }

    /// Finds the handler as [`Table::route`] does; an endpoint that is not `there` is none.
    ///
    /// # Errors
    /// As [`Table::route`].
    pub fn route_if<'a>(
        &self,
        request: &'a Request,
        view: &'a View,
        there: impl FnOnce(&Endpoint) -> bool,
    ) -> Result<(H, Matched<'a>), Error> {
        let operation = request.operation;
        let found = self.captured(&request.path, operation);
        let found = found.filter(|(row, _)| there(&row.endpoint));
        let (row, captures) = found.ok_or_else(Error::unsupported_path)?;
        let handler = row.handler(operation);
        let handler = handler.ok_or_else(Error::unsupported_operation)?;
        let asks = matches!(operation, Operation::Create | Operation::Update);
        let prefix = match row.endpoint.creates && asks {
            true => "",
            false => VALIDATION,
        };
        let known: &[Field] = match row.endpoint.takes_anything {
            true => &[],
            false => row.endpoint.fields,
        };
        let matched = Matched {
            request,
            view,
            fields: Fields::read(known, &request.data, prefix)?,
            captures,
        };
        Ok((handler, matched))
    }

    /// Returns the record at the place that `request` writes to. Asks `read` where the row tells
    /// `create` from `update`.
    ///
    /// # Errors
    /// The errors of `read`.
    pub fn existing<'a>(
        &self,
        request: &'a Request,
        view: &'a View,
        read: impl FnOnce(&Matched<'a>) -> Result<Existing, Error>,
    ) -> Result<Existing, Error> {
        let found = self.captured(&request.path, request.operation);
        let Some((_, captures)) = found.filter(|(row, _)| row.endpoint.creates) else {
            return Ok(Existing::Undistinguished);
        };
        let matched = Matched {
            request,
            view,
            fields: Fields::default(),
            captures,
        };
        read(&matched)
    }
}

impl<H: Copy + Send + Sync + 'static> Sheet for Table<H> {
    fn about(&self) -> &'static str {
        self.about
    }

    fn endpoints(&self) -> Vec<(&'static Endpoint, Vec<Op>)> {
        self.rows()
            .map(|row| {
                let ops = row.operations.iter().map(|(op, _)| *op);
                (&row.endpoint, ops.collect())
            })
            .collect()
    }

    fn found(&self, path: &str, operation: Operation) -> Option<Found> {
        let row = self.find(path, operation)?;
        Some(Found {
            endpoint: &row.endpoint,
            effect: row.op(operation).map(|(op, _)| op.effect),
        })
    }
}
