//! The common parts of the rows of open endpoints: the request, its limits and the function that
//! answers it.

use crate::engine::table::{Access, Answers, Endpoint, Fields, Place};
use crate::engine::{Error, Response};
use crate::router::Phase;
use crate::store::BoxFuture;
use crate::sys::ports::Lifecycle;

/// The method by which an open endpoint is called.
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

/// A request to an open endpoint, its fields read.
pub(in crate::sys) struct Asked<'a> {
    pub query: &'a [(String, String)],
    pub fields: Fields<'a>,
    pub phase: &'a Phase,
    pub lifecycle: &'a dyn Lifecycle,
}

/// The size of requests to an open endpoint, and the crowd that they share their room with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bears {
    /// A share at most; no flood of other requests keeps it out.
    Share,
    /// As little, in the same room as all other requests.
    Little,
    /// The size that any client may send.
    Usual,
}

type Answered<'a> = BoxFuture<'a, Result<Response, Error>>;

/// The function that answers an operation of an open endpoint, and its limits.
#[derive(Clone, Copy)]
pub(in crate::sys) struct Run {
    pub answer: for<'a> fn(Asked<'a>) -> Answered<'a>,
    pub bears: Bears,
    /// True where HEAD stands for GET.
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

/// The usual open endpoint: none asks for a token, and nearly each is about the node that is asked.
pub(in crate::sys) const OPEN: Endpoint = Endpoint {
    access: Access::Open,
    place: Place::ThisNode,
    answers: Answers::Object,
    ..Endpoint::USUAL
};
