//! From a request to the endpoint that answers it.

use super::route::Route;
use super::{config, data, keys, settings, stored, subkeys, versions};
use crate::barrier::View;
use crate::engine::{Error, Operation, Outcome, Request, Response};

/// Whether the secret has a metadata record; other endpoints make no difference.
pub(crate) fn exists(request: &Request, view: &View) -> Result<Option<bool>, Error> {
    match Route::of(&request.path, false) {
        Route::Data(path) | Route::Metadata(path) if is_secret(path) => {
            Ok(Some(stored::exists(view, path)?))
        }
        Route::Data(_) | Route::Metadata(_) => Ok(Some(false)),
        _ => Ok(None),
    }
}

/// The fields that the path of a writing request knows.
pub(crate) fn fields(request: &Request) -> Option<&'static [&'static str]> {
    let deletes = request.operation == Operation::Delete;
    Some(match Route::of(&request.path, false) {
        Route::Data(_) | Route::Metadata(_) if deletes => &[],
        Route::Config => config::FIELDS,
        Route::Data(_) => data::SENT,
        Route::Metadata(_) => settings::FIELDS,
        Route::Delete(_) | Route::Undelete(_) | Route::Destroy(_) => &["versions"],
        Route::DetailedMetadata(_) | Route::Subkeys(_) | Route::Root | Route::Unversioned => {
            return None;
        }
    })
}

/// Answers one request of a v2 mount.
pub(crate) fn handle(request: &Request, view: &View) -> Result<Outcome, Error> {
    use Operation::{Create, Delete, List, Patch, Read, Scan, Update};
    let operation = request.operation;
    if matches!(operation, Create | Update | Patch) && request.path.ends_with('/') {
        return Err(Error::invalid("cannot write to a path ending in '/'"));
    }
    let route = Route::of(&request.path, matches!(operation, List | Scan));
    match (route, operation) {
        (Route::Config, Read) => config::read(request, view),
        (Route::Config, Create | Update) => config::write(request, view),
        (Route::Data(path) | Route::Subkeys(path) | Route::Metadata(path), Read)
            if !is_secret(path) =>
        {
            Err(Error::not_found())
        }
        (Route::Data(path) | Route::Metadata(path), Delete) if !is_secret(path) => {
            Ok(Outcome::default())
        }
        (Route::Data(path), Read) => data::read(request, view, path),
        (Route::Data(path), Create | Update) => data::write(request, view, path),
        (Route::Data(path), Patch) => data::patch(request, view, path),
        (Route::Data(path), Delete) => versions::delete_latest(request, view, path),
        (Route::Subkeys(path), Read) => subkeys::read(request, view, path),
        (Route::Delete(path), Create | Update) => versions::delete(request, view, path),
        (Route::Undelete(path), Create | Update) => versions::undelete(request, view, path),
        (Route::Destroy(path), Create | Update) => versions::destroy(request, view, path),
        (Route::Metadata(path), Read) => settings::read(request, view, path),
        (Route::Metadata(path), Create | Update) => settings::write(request, view, path),
        (Route::Metadata(path), Patch) => settings::patch(request, view, path),
        (Route::Metadata(path), Delete) => settings::delete(view, path),
        (Route::Metadata(path), List) => keys::list(request, view, path),
        (Route::Metadata(path), Scan) => keys::scan(request, view, path),
        (Route::DetailedMetadata(path), List) => keys::list_detailed(request, view, path),
        (Route::DetailedMetadata(path), Scan) => keys::scan_detailed(request, view, path),
        (Route::Root, _) => Ok(no_root().into()),
        (Route::Unversioned, _) => Ok(not_versioned(operation).into()),
        _ => Err(Error::unsupported_operation()),
    }
}

fn is_secret(path: &str) -> bool {
    !path.is_empty() && !path.ends_with('/')
}

fn no_root() -> Response {
    let warning = "Non-listing operations on the root of a K/V v2 mount are not supported.";
    absent().warn(warning)
}

fn not_versioned(operation: Operation) -> Response {
    let verb = match operation {
        Operation::Create | Operation::Update => "put",
        Operation::Read | Operation::Help => "get",
        Operation::Patch => "patch",
        Operation::Delete => "delete",
        Operation::List => "list",
        Operation::Scan => "scan",
    };
    absent().warn(format!(
        "Invalid path for a versioned K/V secrets engine. See the API docs for the appropriate \
         API endpoints to use. If using the Vault CLI, use 'vault kv {verb}' for this operation."
    ))
}

/// 404 with an envelope.
fn absent() -> Response {
    Response {
        status: Some(404),
        ..Response::default()
    }
}
