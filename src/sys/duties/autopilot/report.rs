//! The answer of `sys/storage/raft/autopilot/state`.

use super::{Config, Health, Look};
use crate::clock::{Timestamp, format_duration};
use serde_json::{Map, Value, json};
use std::time::Duration;

/// Returns the state as the API answers it; `now` is the cluster's time at the look.
pub fn report(config: &Config, look: &Look, now: Timestamp) -> Map<String, Value> {
    let names = |that: fn(&Health) -> bool| {
        let those = look.members.iter().filter(|health| that(health));
        let mut those: Vec<_> = those.map(|health| &health.member).collect();
        // Stable, so the others stay sorted behind the leader.
        those.sort_by_key(|member| !member.leader);
        let names = those.iter().map(|member| member.node_id.clone());
        names.collect::<Vec<_>>()
    };
    let leader = names(|health| health.member.leader);
    let servers = look.members.iter().map(|health| {
        let name = health.member.node_id.clone();
        (name, server(config, health, now))
    });
    let healthy = look.members.iter().all(|health| health.healthy);
    let mut data = Map::new();
    let mut put = |name: &str, value: Value| data.insert(name.to_owned(), value);
    put("healthy", json!(healthy));
    put("failure_tolerance", json!(look.failure_tolerance()));
    put("leader", json!(leader.first().cloned().unwrap_or_default()));
    put("servers", Value::Object(servers.collect()));
    put("voters", json!(names(|health| health.member.voter)));
    let non_voters = names(|health| health.member.non_voter);
    if !non_voters.is_empty() {
        put("non_voters", json!(non_voters));
    }
    data
}

fn server(config: &Config, health: &Health, now: Timestamp) -> Value {
    let member = &health.member;
    let status = match (member.leader, member.voter) {
        (true, _) => "leader",
        (_, true) => "voter",
        (_, false) => "non-voter",
    };
    let node_status = match config.cleanup_dead_servers && health.is_dead(config) {
        true => "left",
        false => "alive",
    };
    let since = now.minus(health.unchanged_for);
    let mut server = json!({
        "id": member.node_id,
        "name": member.node_id,
        "address": member.address,
        "node_status": node_status,
        "last_contact": format_duration(shown(health.silent_for)),
        "last_term": member.last_term,
        "last_index": member.last_index,
        "healthy": health.healthy,
        "stable_since": since.rfc3339(),
        "status": status,
        "version": member.version,
        "node_type": if member.non_voter { "non-voter" } else { "voter" },
    });
    if let (true, Value::Object(server)) = (member.non_secret, &mut server) {
        server.insert("non_secret".into(), true.into());
    }
    server
}

/// Cuts a duration to whole microseconds, for nobody can measure it more finely.
fn shown(duration: Duration) -> Duration {
    Duration::from_micros(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX))
}
