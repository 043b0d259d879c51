//! Which of the two kv engines answers.

use super::{v1, v2};
use crate::barrier::View;
use crate::engine::table::Sheet;
use crate::engine::{Engine, Error, Existing, MountContext, Operation, Outcome, Request};

/// The kv engine. It keeps nothing in memory.
#[derive(Debug, Default)]
pub struct Kv;

impl Engine for Kv {
    fn kind(&self) -> &'static str {
        "kv"
    }

    fn table(&self, mount: &MountContext) -> &'static dyn Sheet {
        match has_versions(mount) {
            true => &v2::TABLE,
            false => &v1::TABLE,
        }
    }

    fn existing(&self, request: &Request, view: &View) -> Result<Existing, Error> {
        match has_versions(&request.mount) {
            true => v2::existing(request, view),
            false => v1::existing(request, view),
        }
    }

    fn handle(&self, request: &Request, view: &View) -> Result<Outcome, Error> {
        let table = match has_versions(&request.mount) {
            true => &v2::TABLE,
            false => &v1::TABLE,
        };
        let writes = matches!(
            request.operation,
            Operation::Create | Operation::Update | Operation::Patch
        );
        if writes && request.path.ends_with('/') {
            return Err(Error::invalid("cannot write to a path ending in '/'"));
        }
        let (handler, matched) = table.route(request, view)?;
        handler(&matched)
    }
}

fn has_versions(mount: &MountContext) -> bool {
    let version = mount.options.get("version");
    version.is_some_and(|version| version == "2")
}
