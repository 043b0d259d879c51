//! How nodes find together: `sys/storage/raft/join`, which an operator calls on the joiner, and
//! `bootstrap/challenge` and `bootstrap/answer`, which the joiner calls on the active node. No
//! token can be asked for: the joiner has none, and the proof is in the answer.
//!
//! What joiner and active node say to each other goes through as it is, in base64. The challenge
//! looks like Vault's; the answer does not, for it proves more.

use super::cluster::{Cluster, JoinAnswer, JoinRequest, MemberError};
use super::field;
use super::open::{Endpoint, Standing, bare};
use crate::barrier::{CHALLENGE_BYTES_MAX, NODE_ID_BYTES_MAX, PROOF_BYTES};
use crate::engine::{Error, ErrorKind, Response};
use crate::secret::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value, json};

/// The longest statement of a joiner that is looked at.
const STATEMENT_BYTES_MAX: usize = 4096;
/// The longest address or auto-join configuration.
const TEXT_BYTES_MAX: usize = 4096;
/// The longest certificate chain or key.
const PEM_BYTES_MAX: usize = 64 << 10;

/// Answers one of the three.
pub(super) async fn answer(
    endpoint: Endpoint,
    fields: &Map<String, Value>,
    standing: Standing,
    cluster: Option<&dyn Cluster>,
) -> Result<Response, Error> {
    let Some(cluster) = cluster else {
        return Err(Error::invalid("raft storage is not in use"));
    };
    match endpoint {
        Endpoint::Join => join(fields, cluster).await,
        _ if standing != Standing::Active => {
            let why = match standing {
                Standing::Standby => "local node not active but active cluster node not found",
                Standing::Stopping => "Vault is stopping",
                _ => "Vault is sealed",
            };
            Err(Error::new(ErrorKind::Unavailable, why))
        }
        Endpoint::Challenge => challenge(fields, cluster).await,
        _ => judge(fields, cluster).await,
    }
}

async fn join(fields: &Map<String, Value>, cluster: &dyn Cluster) -> Result<Response, Error> {
    let joined = cluster.join(join_request(fields)?).await;
    match joined {
        Ok(joined) => Ok(bare(&json!({ "joined": joined }))),
        Err(MemberError::Refused(why)) => Err(Error::invalid(why)),
        Err(MemberError::Unavailable(why)) => Err(Error::new(
            ErrorKind::Internal,
            format!("failed to join raft cluster: {why}"),
        )),
    }
}

fn join_request(fields: &Map<String, Value>) -> Result<JoinRequest, Error> {
    let text = |name: &str, bytes_max: usize| {
        let text = field::text(fields, name)?.unwrap_or_default();
        match text.len() <= bytes_max {
            true => Ok(text),
            false => Err(Error::invalid(format!("'{name}' is too long"))),
        }
    };
    let flag = |name: &str| Ok::<_, Error>(field::flag(fields, name)?.unwrap_or(false));
    let port = field::integer(fields, "auto_join_port")?.unwrap_or(0);
    let key = Secret::new(text("leader_client_key", PEM_BYTES_MAX)?);
    Ok(JoinRequest {
        leader_api_addr: text("leader_api_addr", TEXT_BYTES_MAX)?,
        auto_join: text("auto_join", TEXT_BYTES_MAX)?,
        auto_join_scheme: text("auto_join_scheme", TEXT_BYTES_MAX)?,
        auto_join_port: u16::try_from(port)
            .map_err(|_| Error::invalid("'auto_join_port' must be a port"))?,
        leader_ca_cert: text("leader_ca_cert", PEM_BYTES_MAX)?,
        leader_client_cert: text("leader_client_cert", PEM_BYTES_MAX)?,
        leader_client_key: (!key.expose().is_empty()).then_some(key),
        leader_tls_servername: text("leader_tls_servername", TEXT_BYTES_MAX)?,
        retry: flag("retry")?,
        non_voter: flag("non_voter")?,
    })
}

async fn challenge(fields: &Map<String, Value>, cluster: &dyn Cluster) -> Result<Response, Error> {
    let made = cluster.challenge(node_id(fields)?).await;
    let made = made.map_err(refused)?;
    let mut seal = json!({
        "type": made.seal.kind(),
        "secret_shares": made.seal.config.shares,
        "secret_threshold": made.seal.config.threshold,
        "pgp_keys": null,
        "nonce": "",
        "backup": false,
    });
    if made.seal.is_auto()
        && let Some(fields) = seal.as_object_mut()
    {
        // For the joiner's providers, which alone can unwrap it.
        let record = BASE64.encode(made.seal.encode()?);
        fields.insert("record".into(), record.into());
    }
    let challenge = BASE64.encode(&made.challenge);
    Ok(enveloped(
        json!({"challenge": challenge, "seal_config": seal}),
    ))
}

async fn judge(fields: &Map<String, Value>, cluster: &dyn Cluster) -> Result<Response, Error> {
    let answer = JoinAnswer {
        node_id: node_id(fields)?,
        challenge: bytes(fields, "challenge", CHALLENGE_BYTES_MAX)?,
        proof: bytes(fields, "proof", PROOF_BYTES)?,
        statement: bytes(fields, "statement", STATEMENT_BYTES_MAX)?,
    };
    let reply = cluster.answer(answer).await.map_err(refused)?;
    Ok(enveloped(json!({ "reply": BASE64.encode(reply) })))
}

fn node_id(fields: &Map<String, Value>) -> Result<String, Error> {
    let id = field::text(fields, "server_id")?.unwrap_or_default();
    match id.len() {
        0 => Err(Error::invalid("no server id provided")),
        length if length > NODE_ID_BYTES_MAX => Err(Error::invalid("the server id is too long")),
        _ => Ok(id),
    }
}

fn bytes(fields: &Map<String, Value>, name: &str, bytes_max: usize) -> Result<Vec<u8>, Error> {
    let text = field::text(fields, name)?.unwrap_or_default();
    let bytes = BASE64.decode(text).ok();
    let bytes = bytes.filter(|bytes| !bytes.is_empty() && bytes.len() <= bytes_max);
    bytes.ok_or_else(|| Error::invalid("invalid answer given"))
}

fn enveloped(data: Value) -> Response {
    let data = match data {
        Value::Object(fields) => fields,
        _ => Map::new(),
    };
    Response {
        data: Some(data),
        ..Response::default()
    }
}

fn refused(error: MemberError) -> Error {
    match error {
        MemberError::Refused(why) => Error::invalid(why),
        MemberError::Unavailable(why) => Error::new(ErrorKind::Unavailable, why),
    }
}
