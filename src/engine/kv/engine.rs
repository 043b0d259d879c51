//! The kv engine: the choice between its two versions.

use super::{v1, v2};
use crate::barrier::View;
use crate::engine::table::Sheet;
use crate::engine::{
    Alias, Engine, Error, Existing, Kind, Make, MountContext, Operation, Outcome, Request,
};
use crate::policy::Authorized;
use std::sync::Arc;

/// The kind `kv`, in two versions.
pub static KIND: Kind = Kind {
    aliases: &[
        Alias {
            name: "kv-v1",
            version: Some("1"),
        },
        Alias {
            name: "generic",
            version: Some("1"),
        },
        Alias {
            name: "kv-v2",
            version: Some("2"),
        },
    ],
    versions: &["1", "2"],
    upgrade: Some(|view, batch, to, now| {
        // Also when it is version 2 already: a writer may have been under way at the change.
        if to == "2" {
            v2::upgrade(view, batch, now)?;
        }
        Ok(())
    }),
    ..Kind::usual(
        "kv",
        |mount| vec![Kv.table(mount)],
        Make::ForMount(|_| Arc::new(Kv)),
    )
};

/// The kv engine. It keeps nothing in memory.
#[derive(Debug, Default)]
pub struct Kv;

impl Engine for Kv {
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

    fn handle(&self, request: Authorized<&Request>, view: &View) -> Result<Outcome, Error> {
        let request = request.into_request();
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
