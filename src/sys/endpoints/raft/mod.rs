//! The endpoints below `sys/storage/raft/`: the members and autopilot. A store without a cluster
//! has none of them.
//!
//! Changes of the members wait for the log, so they are answered directly and not as a batch.

mod autopilot;
mod members;

use super::run::Run;
use super::system::System;
use crate::engine::table::{Access, Endpoint, Field, FieldKind, Op, Place, Row};
use crate::engine::{Error, ErrorKind};
use crate::sys::ports::{Cluster, MemberError};
use std::sync::Arc;

const SERVER_ID: Field =
    Field::new("server_id", FieldKind::Text, "The member's node_id.").required();
const MEMBERS: Endpoint = Endpoint {
    place: Place::Active,
    ..Endpoint::USUAL
};

/// The members and autopilot.
pub(super) const ROWS: &[Row<Run>] = &[
    Row {
        endpoint: Endpoint {
            pattern: "storage/raft/configuration",
            summary: "Lists the members.",
            ..MEMBERS
        },
        operations: &[(
            Op::READ,
            Run::Answer(|system, _| {
                Ok(members::configuration(&system.cluster()?.membership()).into())
            }),
        )],
    },
    Row {
        endpoint: Endpoint {
            pattern: "storage/raft/remove-peer",
            fields: &[
                Field::new("force", FieldKind::Flag, "Also the last voter but one."),
                SERVER_ID,
            ],
            summary: "Removes a member.",
            ..MEMBERS
        },
        operations: &[(
            Op::ACT,
            Run::Act(|system, m| Box::pin(system.remove_member(m))),
        )],
    },
    Row {
        endpoint: Endpoint {
            pattern: "storage/raft/promote",
            fields: &[SERVER_ID],
            summary: "Makes a non-voter a voter.",
            ..MEMBERS
        },
        operations: &[(
            Op::ACT,
            Run::Act(|system, m| Box::pin(system.promote_member(m))),
        )],
    },
    Row {
        endpoint: Endpoint {
            pattern: "storage/raft/demote",
            fields: &[SERVER_ID],
            summary: "Makes a voter a non-voter.",
            ..MEMBERS
        },
        operations: &[(
            Op::ACT,
            Run::Act(|system, m| Box::pin(system.demote_member(m))),
        )],
    },
    Row {
        endpoint: Endpoint {
            pattern: "storage/raft/join-token",
            access: Access::Sudo,
            fields: &[
                Field::new("non_secret", FieldKind::Flag, "Never to be unsealed.").required(),
                Field::new(
                    "ttl",
                    FieldKind::Seconds,
                    "Its life; ten minutes where not given.",
                ),
            ],
            summary: "Makes a token with which a node joins that is never unsealed.",
            about: "The token is good once, for at most an hour, while the node that made it is \
                    active.",
            ..MEMBERS
        },
        operations: &[(
            Op::ACT,
            Run::Act(|system, m| Box::pin(system.make_join_token(m))),
        )],
    },
    Row {
        endpoint: Endpoint {
            pattern: "storage/raft/autopilot/configuration",
            fields: crate::sys::duties::autopilot::FIELDS,
            summary: "How members are judged.",
            ..MEMBERS
        },
        operations: &[
            (Op::READ, Run::Answer(|system, _| system.autopilot_config())),
            (
                Op::ACT,
                Run::Act(|system, m| Box::pin(system.configure_autopilot(m))),
            ),
        ],
    },
    Row {
        endpoint: Endpoint {
            pattern: "storage/raft/autopilot/state",
            summary: "Shows how the members are.",
            ..MEMBERS
        },
        operations: &[(
            Op::READ,
            Run::Answer(|system, matched| system.autopilot_state(matched.request.now)),
        )],
    },
];

/// Returns true for an endpoint that only a cluster has.
pub(super) fn is_about_members(endpoint: &Endpoint) -> bool {
    ROWS.iter()
        .any(|row| row.endpoint.pattern == endpoint.pattern)
}

impl System {
    fn cluster(&self) -> Result<&Arc<dyn Cluster>, Error> {
        let cluster = self.options.cluster.as_ref();
        cluster.ok_or_else(Error::unsupported_path)
    }
}

impl From<MemberError> for Error {
    fn from(error: MemberError) -> Self {
        match error {
            MemberError::Refused(message) => Self::invalid(message),
            MemberError::Unavailable(message) => Self::new(ErrorKind::Unavailable, message),
        }
    }
}
