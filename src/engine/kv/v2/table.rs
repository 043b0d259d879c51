//! The endpoints of version 2.

use super::path::{PATH, secret};
use super::settings::SETTINGS;
use super::{config, data, keys, settings, stored, subkeys, versions};
use crate::barrier::View;
use crate::engine::table::{
    Effect, Endpoint, Field, FieldKind, Matched, On, OnFullDisk, Op, Row, Table,
};
use crate::engine::{Error, Existing, Operation, Outcome, Request, Response};

pub(super) type Handler = fn(&Matched<'_>) -> Result<Outcome, Error>;

const VERSION: Field = Field::new(
    "version",
    FieldKind::Integer,
    "The version to read; zero for the latest.",
)
.on(On::READ);
const VERSIONS: &[Field] = &[
    PATH,
    Field::new("versions", FieldKind::Integers, "Numbers of the versions.").required(),
];
const LISTS: &[Field] = &[
    PATH,
    Field::new("after", FieldKind::Text, "Begins after this key.").on(On::LIST),
    Field::new("limit", FieldKind::Integer, "Most keys; zero for all.").on(On::LIST),
];

/// The endpoints of version 2.
pub(in crate::engine::kv) static TABLE: Table<Handler> = Table::new(
    "Keeps secrets under paths, with their earlier versions, encrypted.",
    &[ROWS],
);

const ROWS: &[Row<Handler>] = &[
    Row {
        endpoint: Endpoint {
            pattern: "config",
            fields: SETTINGS,
            summary: "Settings for all secrets of the mount.",
            ..Endpoint::USUAL
        },
        operations: &[(Op::READ, config::read), (Op::WRITE, config::write)],
    },
    Row {
        endpoint: Endpoint {
            pattern: "data/*path",
            fields: &[
                PATH,
                Field::new("data", FieldKind::Map, "The secret.").required(),
                Field::new("options", FieldKind::Map, "cas: the version to replace."),
                VERSION,
            ],
            creates: true,
            summary: "Writes, patches, reads and deletes secrets.",
            about: "A write makes a new version. With \"cas\" in the options it is refused \
                        unless the secret has that version; 0 stands for none. Deleting marks \
                        the latest version, which can be undeleted.",
            ..Endpoint::USUAL
        },
        operations: &[
            (Op::READ, data::read),
            (Op::WRITE, data::write),
            (Op::PATCH, data::patch),
            (Op::DELETE, versions::delete_latest),
        ],
    },
    Row {
        endpoint: Endpoint {
            pattern: "subkeys/*path",
            fields: &[
                PATH,
                Field::new(
                    "depth",
                    FieldKind::Integer,
                    "Levels that are shown; zero for \
                        all.",
                )
                .on(On::READ),
                VERSION,
            ],
            summary: "Reads the keys of a secret without their values.",
            ..Endpoint::USUAL
        },
        operations: &[(Op::READ, subkeys::read)],
    },
    Row {
        endpoint: Endpoint {
            pattern: "metadata/*path",
            fields: settings::FIELDS,
            creates: true,
            summary: "Settings and versions of a secret; lists secrets.",
            about: "Deleting removes the secret with all its versions.",
            ..Endpoint::USUAL
        },
        operations: &[
            (Op::READ, settings::read),
            (Op::WRITE, settings::write),
            (Op::PATCH, settings::patch),
            (Op::DELETE, settings::delete),
            (Op::LIST, keys::list),
            (Op::SCAN, keys::scan),
        ],
    },
    Row {
        endpoint: Endpoint {
            pattern: "detailed-metadata/*path",
            fields: LISTS,
            summary: "Lists secrets with their settings and versions.",
            ..Endpoint::USUAL
        },
        operations: &[
            (Op::LIST, keys::list_detailed),
            (Op::SCAN, keys::scan_detailed),
        ],
    },
    Row {
        endpoint: Endpoint {
            pattern: "delete/*path",
            on_full_disk: OnFullDisk::Repairs,
            fields: VERSIONS,
            summary: "Marks versions as deleted.",
            ..Endpoint::USUAL
        },
        operations: &[(Op::WRITE, versions::delete)],
    },
    Row {
        endpoint: Endpoint {
            pattern: "undelete/*path",
            on_full_disk: OnFullDisk::Repairs,
            fields: VERSIONS,
            summary: "Brings deleted versions back.",
            ..Endpoint::USUAL
        },
        operations: &[(Op::WRITE, versions::undelete)],
    },
    Row {
        endpoint: Endpoint {
            pattern: "destroy/*path",
            on_full_disk: OnFullDisk::Repairs,
            fields: VERSIONS,
            summary: "Removes the data of versions for good.",
            ..Endpoint::USUAL
        },
        operations: &[(Op::WRITE, versions::destroy)],
    },
    Row {
        endpoint: Endpoint {
            pattern: "*path",
            takes_anything: true,
            ..Endpoint::USUAL
        },
        operations: &[
            (Op::READ, elsewhere),
            (Op::COMPUTE, elsewhere),
            (Op::new(Operation::Patch, Effect::Computes), elsewhere),
            (Op::new(Operation::Delete, Effect::Computes), elsewhere),
            (Op::LIST, elsewhere),
            (Op::SCAN, elsewhere),
        ],
    },
];

/// Endpoints with a warning of their own for requests without a path.
const ROOTS: [&str; 5] = ["data", "metadata", "delete", "undelete", "destroy"];

/// Reads the secret's metadata record. Other endpoints make no difference.
pub(in crate::engine::kv) fn existing(request: &Request, view: &View) -> Result<Existing, Error> {
    TABLE.existing(request, view, |matched| match secret(matched) {
        Some(path) => Ok(Existing::Slot(view.read(&stored::metadata_path(path))?)),
        None => Ok(Existing::Nothing),
    })
}

/// Answers a path that is no endpoint. Most likely the client takes the mount for version 1.
fn elsewhere(matched: &Matched<'_>) -> Result<Outcome, Error> {
    let absent = Response {
        status: Some(404),
        ..Response::default()
    };
    let verb = match matched.request.operation {
        Operation::Create | Operation::Update => "put",
        Operation::Read | Operation::Help => "get",
        Operation::Patch => "patch",
        Operation::Delete => "delete",
        Operation::List => "list",
        Operation::Scan => "scan",
    };
    let warning = match ROOTS.contains(&matched.request.path.as_str()) {
        true => "Non-listing operations on the root of a K/V v2 mount are not supported.".into(),
        false => format!(
            "Invalid path for a versioned K/V secrets engine. See the API docs for the \
             appropriate API endpoints to use. If using the Vault CLI, use 'vault kv {verb}' for \
             this operation."
        ),
    };
    Ok(absent.warn(warning).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_the_first_segment() {
        for (path, operation, pattern) in [
            ("config", Operation::Read, "config"),
            ("config/", Operation::List, "*path"),
            ("config/", Operation::Read, "*path"),
            ("data/a/b", Operation::Read, "data/*path"),
            ("data/", Operation::Read, "data/*path"),
            ("data/", Operation::List, "data/*path"),
            ("data", Operation::Read, "*path"),
            ("metadata/", Operation::List, "metadata/*path"),
            ("metadata/b/", Operation::List, "metadata/*path"),
            ("subkeys", Operation::Read, "*path"),
            ("", Operation::Read, "*path"),
            ("database/a", Operation::Read, "*path"),
        ] {
            let row = TABLE.find(path, operation).expect(path);
            assert_eq!(row.endpoint.pattern, pattern, "{path}");
        }
    }
}
