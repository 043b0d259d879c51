//! Which of the two kv engines answers.

use super::{v1, v2};
use crate::barrier::View;
use crate::engine::{Engine, Error, Outcome, Request};

/// The kv engine. It keeps nothing in memory.
#[derive(Debug, Default)]
pub struct Kv;

impl Engine for Kv {
    fn kind(&self) -> &'static str {
        "kv"
    }

    fn exists(&self, request: &Request, view: &View) -> Result<Option<bool>, Error> {
        if is_versioned(request) {
            v2::exists(request, view)
        } else {
            v1::exists(request, view)
        }
    }

    fn fields(&self, request: &Request) -> Option<&'static [&'static str]> {
        match is_versioned(request) {
            true => v2::fields(request),
            false => None,
        }
    }

    fn handle(&self, request: &Request, view: &View) -> Result<Outcome, Error> {
        if is_versioned(request) {
            v2::handle(request, view)
        } else {
            v1::handle(request, view)
        }
    }
}

fn is_versioned(request: &Request) -> bool {
    request
        .mount
        .options
        .get("version")
        .is_some_and(|version| version == "2")
}
