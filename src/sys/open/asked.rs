//! What the rows of open endpoints have in common: what they are asked, and what they run.

use crate::engine::table::{Access, Answers, Endpoint, Fields, Place};
use crate::engine::{Error, Response};
use crate::router::Phase;
use crate::store::BoxFuture;
use crate::sys::ports::Lifecycle;

/// How an open endpoint is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// GET.
    Get,
    /// HEAD.
    Head,
    /// PUT or POST.
    Put,
    /// Anything else.
    Other,
}

/// What is asked of an open endpoint, its fields read.
pub(in crate::sys) struct Asked<'a> {
    pub query: &'a [(String, String)],
    pub fields: Fields<'a>,
    pub phase: &'a Phase,
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
    pub answer: for<'a> fn(Asked<'a>) -> Answered<'a>,
    pub bears: Bears,
    /// Does HEAD stand for GET?
    pub head: bool,
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

    pub(in crate::sys) const fn with_head(mut self) -> Self {
        self.head = true;
        self
    }
}

/// None asks for a token, and nearly each is about the node that is asked.
pub(in crate::sys) const OPEN: Endpoint = Endpoint {
    access: Access::Open,
    place: Place::ThisNode,
    answers: Answers::Object,
    ..Endpoint::USUAL
};
