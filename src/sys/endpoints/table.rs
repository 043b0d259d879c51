//! The endpoints of `sys/`, except those that answer before the router (`open/`).
//!
//! Each file has the rows of what it answers; here they are put together.

use super::run::Run;
use super::{
    acts, audits, catalog, config, drill, generate_root, info, keyring, leases, loggers, mounts,
    openapi, policies, raft, raw, rekey, rewrap, snapshots, tools,
};
use crate::engine::table::{
    Access, Endpoint, Field, FieldKind, Matched, OnFullDisk, Op, Place, Row, Table, Wrapping,
};
use crate::engine::{Error, Operation, Outcome, Response};
use crate::sys::open::MOUNT;

/// The endpoints.
pub(in crate::sys) static TABLE: Table<Run> = Table::new(
    "Settings of the server itself, and what it does.",
    &[
        acts::ROWS,
        audits::ROWS,
        catalog::ROWS,
        config::ROWS,
        drill::ROWS,
        generate_root::ROWS,
        info::ROWS,
        keyring::ROWS,
        leases::ROWS,
        loggers::ROWS,
        mounts::ROWS,
        openapi::ROWS,
        policies::ROWS,
        raft::ROWS,
        raw::ROWS,
        rekey::ROWS,
        rekey::BACKUPS,
        rewrap::ROWS,
        snapshots::ROWS,
        tools::ROWS,
        WRAPPING,
    ],
);

const TOKEN: Field = Field::new("token", FieldKind::Text, "The wrapping token.").secret();

/// The endpoints about wrapping tokens. The router answers all but the first.
const WRAPPING: &[Row<Run>] = &[
    Row {
        endpoint: Endpoint {
            pattern: "wrapping/wrap",
            place: Place::Active,
            takes_anything: true,
            summary: "Wraps what is sent.",
            ..Endpoint::USUAL
        },
        operations: &[(Op::COMPUTE, Run::Answer(|_, matched| wrap(matched)))],
    },
    Row {
        endpoint: Endpoint {
            pattern: "wrapping/lookup",
            access: Access::Open,
            place: Place::Active,
            fields: &[TOKEN],
            wrapping: Some(Wrapping::Lookup),
            summary: "Shows a wrapping token.",
            ..Endpoint::USUAL
        },
        operations: &[(Op::READ, BY_ROUTER), (Op::COMPUTE, BY_ROUTER)],
    },
    Row {
        endpoint: Endpoint {
            pattern: "wrapping/unwrap",
            on_full_disk: OnFullDisk::Repairs,
            place: Place::Active,
            fields: &[TOKEN],
            wrapping: Some(Wrapping::Unwrap),
            summary: "Opens a wrapping token, once.",
            ..Endpoint::USUAL
        },
        operations: &[(Op::WRITE, BY_ROUTER)],
    },
    Row {
        endpoint: Endpoint {
            pattern: "wrapping/rewrap",
            on_full_disk: OnFullDisk::Repairs,
            place: Place::Active,
            fields: &[TOKEN],
            wrapping: Some(Wrapping::Rewrap),
            summary: "Puts what a wrapping token holds into a new one.",
            ..Endpoint::USUAL
        },
        operations: &[(Op::WRITE, BY_ROUTER)],
    },
];

const BY_ROUTER: Run = Run::Answer(|_, _| Err(Error::internal("the router answers this")));

/// Returns the fields as they were sent, for the router to wrap. Refuses a request without a
/// wrapping header, for it has nothing to wrap.
fn wrap(matched: &Matched<'_>) -> Result<Outcome, Error> {
    let request = matched.request;
    if request.wrap_ttl.is_none_or(|ttl| ttl.is_zero()) {
        let message = "endpoint requires response wrapping to be used";
        return Err(Error::invalid(message));
    }
    Ok(Response::data(request.data.clone()).into())
}

/// Returns the row at `path` (without `/v1/`, with or without a trailing slash).
pub(in crate::sys) fn row(path: &str) -> Option<&'static Row<Run>> {
    let below = path.strip_prefix(MOUNT)?;
    TABLE.find(below.trim_end_matches('/'), Operation::Read)
}

/// Returns the kind of node that answers requests to `path` (without `/v1/`).
pub fn place(path: &str) -> Place {
    row(path).map_or(Place::Anywhere, |row| row.endpoint.place)
}

/// Returns true when `path` (without `/v1/`) is part of generating a root token without having one.
pub fn is_root_generation(path: &str) -> bool {
    row(path).is_some_and(|row| generate_root::is_open_door(&row.endpoint))
}

/// Returns true when keys are replaced at `path` (without `/v1/`): deletions there have a body.
pub fn is_rekey(path: &str) -> bool {
    row(path).is_some_and(|row| rekey::is_rekey(&row.endpoint, false))
}

/// Returns true when keys are replaced at `path` (without `/v1/`) without a token.
pub fn is_rekey_without_token(path: &str) -> bool {
    row(path).is_some_and(|row| rekey::is_rekey(&row.endpoint, true))
}

/// Returns true when numbers are shown at `path` (without `/v1/`).
pub fn is_metrics(path: &str) -> bool {
    row(path).is_some_and(|row| acts::is_metrics(&row.endpoint))
}

/// Returns true when a node is sealed at `path` (without `/v1/`).
pub fn is_seal(path: &str) -> bool {
    row(path).is_some_and(|row| acts::is_seal(&row.endpoint))
}

/// Returns true when the bodies of requests to `path` (without `/v1/`) and of their answers are
/// streams, to which the limits of time and size of other requests do not apply.
pub fn uploads(path: &str) -> bool {
    row(path).is_some_and(|row| row.endpoint.uploads)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_have_their_place() {
        for (path, expected) in [
            ("secret/data/sys/metrics", Place::Anywhere),
            ("sys/mounts", Place::Anywhere),
            ("sys/metrics", Place::ThisNode),
            ("sys/metrics/", Place::ThisNode),
            ("sys/metricsx", Place::Anywhere),
            ("sys/config/state/sanitized", Place::ThisNode),
            ("sys/config/cors", Place::Anywhere),
            ("sys/loggers/raft", Place::ThisNode),
            ("sys/seal", Place::ThisNode),
            ("sys/seal-status", Place::Anywhere),
            ("sys/generate-root/attempt", Place::Active),
            ("sys/storage/raft/configuration", Place::Active),
            ("sys/storage/wear", Place::ThisNode),
            ("sys/storage/raft/snapshot", Place::ActiveItself),
            ("sys/storage/raft/snapshot-auto/config/a", Place::Active),
        ] {
            assert_eq!(place(path), expected, "{path}");
        }
        assert!(is_metrics("sys/metrics/") && !is_metrics("sys/seal"));
        assert!(is_seal("sys/seal") && !is_seal("sys/seal-status"));
        assert!(uploads("sys/storage/raft/snapshot-force") && !uploads("sys/seal"));
        assert!(is_root_generation("sys/generate-root/update"));
        assert!(!is_root_generation("sys/generate-root-token/update"));
        for (path, open) in [
            ("sys/rekey/init", true),
            ("sys/rekey-recovery-key/verify", true),
            ("sys/rotate/root/init", false),
            ("sys/rotate/recovery/update", false),
        ] {
            assert!(
                is_rekey(path) && is_rekey_without_token(path) == open,
                "{path}"
            );
        }
        assert!(!is_rekey("sys/rotate/keyring") && !is_rekey("sys/rotate"));
    }

    #[test]
    fn paths_find_their_rows() {
        let pattern = |path: &str| row(path).map(|row| row.endpoint.pattern);
        for (path, expected) in [
            ("sys/mounts/a/b/tune", Some("mounts/+path/tune")),
            ("sys/mounts/a/b", Some("mounts/+path")),
            ("sys/mounts/tune", Some("mounts/+path")),
            ("sys/mounts/auth/a/tune", Some("mounts/auth/+path/tune")),
            ("sys/leases/renew", Some("leases/renew")),
            ("sys/leases/renew/a/b", Some("leases/renew/+url_lease_id")),
            ("sys/policies/acl/x", Some("policies/acl/+name")),
            (
                "sys/tools/random/all/7",
                Some("tools/random/:source/:urlbytes"),
            ),
            ("sys/nothing", None),
        ] {
            assert_eq!(pattern(path), expected, "{path}");
        }
    }
}
