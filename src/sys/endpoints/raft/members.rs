//! `sys/storage/raft/configuration`, `remove-peer`, `promote`, `demote`.

use crate::engine::table::Matched;
use crate::engine::{Error, Response};
use crate::sys::endpoints::system::System;
use crate::sys::ports::{Cluster, MemberChange, MemberStatus, Membership};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// The version of the messages in other implementations; clients print it.
const PROTOCOL_VERSION: &str = "3";

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
        // Our addition, and only where there is something to say.
        if let (true, Value::Object(server)) = (member.seen_twice, &mut server) {
            server.insert("seen_twice".into(), true.into());
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
