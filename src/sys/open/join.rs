//! The endpoints by which nodes find together: an operator tells the joiner to join, and the joiner
//! asks the active node for a challenge and answers it. No token can be asked for: the joiner has
//! none, and the proof is in the answer.
//!
//! The messages between joiner and active node go through as they are, in base64. The challenge
//! looks like Vault's; the answer does not, for it proves more.

use super::answers::bare;
use super::asked::{Asked, Bears, OPEN, Run};
use crate::barrier::{CHALLENGE_BYTES_MAX, NODE_ID_BYTES_MAX, PROOF_BYTES};
use crate::engine::table::{Answers, Endpoint, Field, FieldKind, Fields, Op, Place, Row};
use crate::engine::{Error, ErrorKind, Response};
use crate::router::Phase;
use crate::secret::Secret;
use crate::sys::ports::{Cluster, JoinAnswer, JoinRequest, MemberError, TOKEN_ID_BYTES};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// The longest statement of a joiner that is looked at.
const STATEMENT_BYTES_MAX: usize = 4096;
/// The longest address or auto-join configuration.
const TEXT_BYTES_MAX: usize = 4096;
/// The longest certificate chain or key.
const PEM_BYTES_MAX: usize = 64 << 10;

const SERVER_ID: Field = Field::new("server_id", FieldKind::Text, "The joiner's name.").required();
const TOKEN_ID: Field = text("token_id", "Which join token the joiner has, if any.");
const fn text(name: &'static str, help: &'static str) -> Field {
    Field::new(name, FieldKind::Text, help)
}

/// The three endpoints of joining.
pub(super) const ROWS: &[Row<Run>] = &[
    Row {
        endpoint: Endpoint {
            pattern: "storage/raft/join",
            fields: &[
                text("auto_join", "Where to look for members."),
                Field::new("auto_join_port", FieldKind::Integer, "Their port."),
                text("auto_join_scheme", "http or https."),
                text(
                    "join_token",
                    "Token to join with at once, never to be unsealed.",
                )
                .secret(),
                text("leader_api_addr", "Address of a member."),
                text("leader_ca_cert", "Authority of its certificate, in PEM."),
                text("leader_client_cert", "Certificate to show it, in PEM."),
                text("leader_client_key", "Key of that certificate, in PEM.").secret(),
                text("leader_tls_servername", "Name in its certificate."),
                Field::new("non_voter", FieldKind::Flag, "Never gets a vote."),
                Field::new("retry", FieldKind::Flag, "Goes on until it has joined."),
            ],
            summary: "Lets this node join a cluster.",
            ..OPEN
        },
        operations: &[(
            Op::ACT,
            Run::new(Bears::Usual, |asked| Box::pin(join(asked))),
        )],
    },
    Row {
        endpoint: Endpoint {
            pattern: "storage/raft/bootstrap/challenge",
            place: Place::Active,
            answers: Answers::Envelope,
            fields: &[SERVER_ID, TOKEN_ID],
            summary: "Gives a joiner what it has to answer.",
            ..OPEN
        },
        operations: &[(
            Op::ACT,
            Run::new(Bears::Little, |asked| Box::pin(challenge(asked))),
        )],
    },
    Row {
        endpoint: Endpoint {
            pattern: "storage/raft/bootstrap/answer",
            place: Place::Active,
            answers: Answers::Envelope,
            fields: &[
                SERVER_ID,
                text("challenge", "What was given.").required(),
                text("proof", "Proof of the unseal keys.").required(),
                text("statement", "What the joiner says of itself.").required(),
                TOKEN_ID,
            ],
            summary: "Lets a joiner in.",
            ..OPEN
        },
        operations: &[(
            Op::ACT,
            Run::new(Bears::Usual, |asked| Box::pin(judge(asked))),
        )],
    },
];

fn cluster(asked: &Asked<'_>) -> Result<Arc<dyn Cluster>, Error> {
    let cluster = asked.lifecycle.cluster();
    cluster.ok_or_else(|| Error::invalid("raft storage is not in use"))
}

/// Returns the cluster, where this node is active; refuses elsewhere.
fn led(asked: &Asked<'_>) -> Result<Arc<dyn Cluster>, Error> {
    let cluster = cluster(asked)?;
    let why = match asked.phase {
        Phase::Active { .. } => return Ok(cluster),
        Phase::Standby { .. } => "local node not active but active cluster node not found",
        Phase::Stopping => "Vault is stopping",
        _ => "Vault is sealed",
    };
    Err(Error::new(ErrorKind::Unavailable, why))
}

async fn join(asked: Asked<'_>) -> Result<Response, Error> {
    let cluster = cluster(&asked)?;
    let joined = cluster.join(join_request(&asked.fields)?).await;
    match joined {
        Ok(joined) => Ok(bare(&json!({ "joined": joined }))),
        Err(MemberError::Refused(why)) => Err(Error::invalid(why)),
        Err(MemberError::Unavailable(why)) => Err(Error::new(
            ErrorKind::Internal,
            format!("failed to join raft cluster: {why}"),
        )),
    }
}

fn join_request(fields: &Fields<'_>) -> Result<JoinRequest, Error> {
    let text = |name: &str, bytes_max: usize| {
        let text = fields.text(name).unwrap_or_default();
        match text.len() <= bytes_max {
            true => Ok(text.to_owned()),
            false => Err(Error::invalid(format!("'{name}' is too long"))),
        }
    };
    let flag = |name: &str| fields.flag(name).unwrap_or(false);
    let port = fields.integer("auto_join_port").unwrap_or(0);
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
        retry: flag("retry"),
        non_voter: flag("non_voter"),
        join_token: fields.secret("join_token"),
    })
}

async fn challenge(asked: Asked<'_>) -> Result<Response, Error> {
    let cluster = led(&asked)?;
    let made = cluster
        .challenge(node_id(&asked.fields)?, token_id(&asked.fields)?)
        .await;
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

async fn judge(asked: Asked<'_>) -> Result<Response, Error> {
    let cluster = led(&asked)?;
    let fields = &asked.fields;
    let answer = JoinAnswer {
        node_id: node_id(fields)?,
        challenge: bytes(fields, "challenge", CHALLENGE_BYTES_MAX)?,
        proof: bytes(fields, "proof", PROOF_BYTES)?,
        statement: bytes(fields, "statement", STATEMENT_BYTES_MAX)?,
        token: token_id(fields)?,
    };
    let reply = cluster.answer(answer).await.map_err(refused)?;
    Ok(enveloped(json!({ "reply": BASE64.encode(reply) })))
}

fn node_id(fields: &Fields<'_>) -> Result<String, Error> {
    let id = fields.text(SERVER_ID.name).unwrap_or_default();
    match id.len() {
        0 => Err(Error::invalid("no server id provided")),
        length if length > NODE_ID_BYTES_MAX => Err(Error::invalid("the server id is too long")),
        _ => Ok(id.to_owned()),
    }
}

fn token_id(fields: &Fields<'_>) -> Result<Option<[u8; TOKEN_ID_BYTES]>, Error> {
    if fields.text(TOKEN_ID.name).is_none_or(str::is_empty) {
        return Ok(None);
    }
    let id = bytes(fields, TOKEN_ID.name, TOKEN_ID_BYTES)?.try_into();
    id.map(Some)
        .map_err(|_| Error::invalid("invalid answer given"))
}

fn bytes(fields: &Fields<'_>, name: &str, bytes_max: usize) -> Result<Vec<u8>, Error> {
    let text = fields.text(name).unwrap_or_default();
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
