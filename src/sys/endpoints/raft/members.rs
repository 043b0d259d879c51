//! `sys/storage/raft/configuration`, `remove-peer`, `promote`, `demote`.

use crate::engine::table::Matched;
use crate::engine::{Error, Response};
use crate::sys::endpoints::system::System;
use crate::sys::ports::{Cluster, MemberChange, MemberStatus, Membership};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::Duration;

/// The version of the messages in other implementations; clients print it.
const PROTOCOL_VERSION: &str = "3";
/// The life of a join token, in seconds, where none is asked for.
const JOIN_TOKEN_TTL_S: u64 = 600;
/// The longest life of a join token, in seconds.
const JOIN_TOKEN_TTL_S_MAX: u64 = 3600;

/// Returns the members as the API answers them.
pub(super) fn configuration(membership: &Membership) -> Response {
    let servers = membership.members.iter().map(|member| {
        let mut server = json!({
            "node_id": member.node_id,
            "address": member.address,
            "leader": member.leader,
            "protocol_version": PROTOCOL_VERSION,
            "voter": member.voter,
        });
        // Our additions, and only where there is something to say.
        for (holds, name) in [
            (member.seen_twice, "seen_twice"),
            (member.non_secret, "non_secret"),
        ] {
            if let (true, Value::Object(server)) = (holds, &mut server) {
                server.insert(name.into(), true.into());
            }
        }
        server
    });
    let servers: Vec<Value> = servers.collect();
    let mut data = Map::new();
    data.insert(
        "config".into(),
        json!({"index": membership.index, "servers": servers}),
    );
    let members = membership.members.iter();
    let doubtful = members.filter(|member| member.seen_twice);
    doubtful.fold(Response::data(data), |response, member| {
        let name = &member.node_id;
        response.warn(format!(
            "{name} is seen twice: more than one process uses its key, so its card was copied or \
             stolen. If it was: coffer operator raft remove-peer {name}"
        ))
    })
}

impl System {
    /// Removes a member; one that is not there is gone already. Forcing is coffer's addition; an
    /// operation token for disaster recovery is not asked for, since the caller was authorized.
    pub(super) async fn remove_member(&self, matched: Matched<'_>) -> Result<Response, Error> {
        let cluster = self.cluster()?;
        let node_id = server_id(&matched)?;
        let force = matched.fields.flag("force").unwrap_or(false);
        self.change_member(cluster, node_id, MemberChange::Remove { force })
            .await
    }

    pub(super) async fn promote_member(&self, matched: Matched<'_>) -> Result<Response, Error> {
        let cluster = self.cluster()?;
        let node_id = server_id(&matched)?;
        if known(cluster, &node_id)?.voter {
            return Err(Error::invalid("server is not a non-voter"));
        }
        self.change_member(cluster, node_id, MemberChange::Promote)
            .await
    }

    pub(super) async fn demote_member(&self, matched: Matched<'_>) -> Result<Response, Error> {
        let cluster = self.cluster()?;
        let node_id = server_id(&matched)?;
        if known(cluster, &node_id)?.non_voter {
            return Err(Error::invalid("server is already a non-voter"));
        }
        self.change_member(cluster, node_id, MemberChange::Demote)
            .await
    }

    /// Makes a token with which one node joins that is never to be unsealed. One that has the keys
    /// joins with them, and needs none.
    pub(super) async fn make_join_token(&self, matched: Matched<'_>) -> Result<Response, Error> {
        let cluster = self.cluster()?;
        let fields = &matched.fields;
        if fields.flag("non_secret") != Some(true) {
            return Err(Error::invalid(
                "non_secret must be true: a node that is to have the keys joins with them, and \
                 needs no token",
            ));
        }
        let ttl_s = match fields.seconds("ttl") {
            Some(0) | None => JOIN_TOKEN_TTL_S,
            Some(ttl_s) => ttl_s,
        };
        if ttl_s > JOIN_TOKEN_TTL_S_MAX {
            return Err(Error::invalid(format!(
                "'ttl' must be at most {JOIN_TOKEN_TTL_S_MAX} seconds"
            )));
        }
        let made = cluster.make_join_token(Duration::from_secs(ttl_s))?;
        let mut data = Map::new();
        data.insert("join_token".into(), made.token.expose().as_str().into());
        data.insert("expires_at".into(), made.expires.rfc3339().into());
        data.insert("non_secret".into(), true.into());
        crate::telemetry::info!(ttl_s, "made a join token for a non-secret voter");
        Ok(Response::data(data))
    }

    async fn change_member(
        &self,
        cluster: &Arc<dyn Cluster>,
        node_id: String,
        change: MemberChange,
    ) -> Result<Response, Error> {
        crate::telemetry::info!(%node_id, ?change, "asked to change a member");
        cluster.change_member(node_id, change).await?;
        Ok(Response::no_content())
    }
}

fn server_id(matched: &Matched<'_>) -> Result<String, Error> {
    let given = matched.fields.text("server_id").filter(|id| !id.is_empty());
    let given = given.map(str::to_owned);
    given.ok_or_else(|| Error::invalid("no server id provided"))
}

fn known(cluster: &Arc<dyn Cluster>, node_id: &str) -> Result<MemberStatus, Error> {
    let members = cluster.membership().members;
    let found = members.into_iter().find(|member| member.node_id == node_id);
    found.ok_or_else(|| {
        Error::invalid(format!(
            "server {node_id} not found in raft configuration: list-peers shows the servers"
        ))
    })
}
