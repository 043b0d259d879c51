//! Which of the two kv engines answers.

use super::{v1, v2};
use crate::barrier::View;
use crate::engine::{Engine, Error, Field, FieldKind, MountContext, Outcome, Request};

/// The kv engine. It keeps nothing in memory.
#[derive(Debug, Default)]
pub struct Kv;

impl Engine for Kv {
    fn kind(&self) -> &'static str {
        "kv"
    }

    /// Version 1 keeps what is sent; in version 2 only `data` is the writer's own.
    fn field(&self, mount: &MountContext, _path: &str, name: &str) -> Field {
        if !has_versions(mount) {
            return Field::default();
        }
        Field::of(match name {
            "versions" => FieldKind::CommaList,
            "version" | "depth" | "limit" | "max_versions" | "metadata_cas" => FieldKind::Integer,
            "cas_required" | "metadata_cas_required" => FieldKind::Flag,
            "delete_version_after" => FieldKind::Seconds,
            _ => FieldKind::Plain,
        })
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
    has_versions(&request.mount)
}

fn has_versions(mount: &MountContext) -> bool {
    let version = mount.options.get("version");
    version.is_some_and(|version| version == "2")
}
