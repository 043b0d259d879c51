//! `raft/peers.json`: the operator lists the remaining members of a cluster that lost its quorum.
//!
//! ```text
//! [ { "id": "n1", "address": "192.168.50.101:8201", "non_voter": false }, ... ]
//! ```
//!
//! Read at the start, while raft does not run. Its nodes become the membership ([`super::force`]),
//! and the file is removed. It names members that this node knows, so that their pinned keys stay
//! what they are; addresses may be new. Every node that it lists must get the same file before any
//! of them is started; every other one must be wiped, and joins again.

use super::files::Files;
use super::force::{force, newest};
use crate::raft::disk::data_dir::sync_dir;
use crate::raft::disk::error::OpenError;
use crate::raft::wire::record::Members;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

const NAME: &str = "peers.json";
/// The most bytes that are read, far more than the members of any cluster take.
const BYTES_MAX: u64 = 1 << 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Listed {
    id: String,
    address: String,
    #[serde(default)]
    non_voter: bool,
}

/// Follows the file, if there is one, and removes it. When it cannot be followed, nothing is
/// changed, and the error gives the reason.
pub(in crate::raft) fn follow(files: &mut Files) -> Result<(), OpenError> {
    let path = files.dir.log().join(NAME);
    let Some(text) = read(&path)? else {
        return Ok(());
    };
    let refuse = |reason: String| OpenError::PeersFile {
        path: path.clone(),
        reason,
    };
    let listed: Vec<Listed> = serde_json::from_str(&text).map_err(|error| {
        refuse(format!(
            "it is no list of id, address and non_voter: {error}"
        ))
    })?;
    let known = newest(files)?.map(|(_, members)| members);
    let known = known.ok_or_else(|| refuse("this node is in no cluster yet".into()))?;
    let members = members(&listed, &known, files.dir.numbers.raft_id).map_err(refuse)?;
    force(files, &members)?;
    let voters = members.configs.iter().flatten().count();
    tracing::warn!(
        path = %path.display(),
        members = members.nodes.len(),
        voters,
        "the members are now those of the file: every other node must be wiped before it joins"
    );
    remove(&path)
}

fn read(path: &Path) -> Result<Option<String>, OpenError> {
    let fail = OpenError::io("read", path);
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(fail(error)),
    };
    let mut text = String::new();
    file.take(BYTES_MAX)
        .read_to_string(&mut text)
        .map_err(fail)?;
    Ok(Some(text))
}

/// Removes the file for good, lest the next start follow it again.
fn remove(path: &Path) -> Result<(), OpenError> {
    std::fs::remove_file(path).map_err(OpenError::io("remove", path))?;
    sync_dir(path.parent().unwrap_or(path))
}

/// Returns the membership that `listed` asks for, among the nodes of `known`. The error is a
/// message for the operator.
fn members(listed: &[Listed], known: &Members, me: u64) -> Result<Members, String> {
    let mut nodes = BTreeMap::new();
    let mut voters = BTreeSet::new();
    let mut addresses = BTreeSet::new();
    for one in listed {
        let id = &one.id;
        let named = known.nodes.iter().filter(|(_, peer)| peer.name == *id);
        // While a node is being replaced there are two of its name.
        let votes = |raft_id| known.configs.iter().flatten().any(|voter| voter == raft_id);
        let best = named.max_by_key(|(raft_id, _)| (**raft_id == me, votes(*raft_id)));
        let Some((raft_id, peer)) = best else {
            let names: Vec<&str> = known.nodes.values().map(|peer| &*peer.name).collect();
            return Err(format!(
                "{id:?} is not a member that this node knows ({}): list members only, others join \
                 afterwards",
                names.join(", ")
            ));
        };
        let has_port = one.address.rsplit_once(':').is_some_and(|(host, port)| {
            !host.is_empty() && !host.contains('/') && port.parse::<u16>().is_ok()
        });
        if !has_port {
            return Err(format!(
                "the address {:?} of {id:?} is not host:port of its cluster listener",
                one.address
            ));
        }
        if !addresses.insert(&one.address) {
            return Err(format!("the address {:?} is listed twice", one.address));
        }
        let mut peer = peer.clone();
        peer.cluster_address.clone_from(&one.address);
        peer.non_voter = one.non_voter;
        if nodes.insert(*raft_id, peer).is_some() {
            return Err(format!("{id:?} is listed twice"));
        }
        if !one.non_voter {
            voters.insert(*raft_id);
        }
    }
    if !nodes.contains_key(&me) {
        let name = known.nodes.get(&me).map_or("this node", |peer| &peer.name);
        return Err(format!(
            "{name:?}, which this node is, is not in it: a node that is left out must be wiped and \
             join again"
        ));
    }
    if voters.is_empty() {
        return Err("it lists no voter".into());
    }
    Ok(Members {
        configs: vec![voters],
        nodes,
    })
}
