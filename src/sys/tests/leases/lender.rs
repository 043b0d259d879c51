//! An engine and a method of the tests, whose secrets and logins live in a server.

use crate::barrier::{Batch, View};
use crate::engine::table::{Access, Effect, Endpoint, Field, FieldKind, Matched, On, Op, Row};
use crate::engine::table::{Sheet, Table};
use crate::engine::{
    Auth, Engine, Error, ErrorKind, Granted, Kind, LeaseGrant, Make, MountContext, Operation,
    Outcome, Prepared, Renewed, Request, Response,
};
use crate::outbound::{self, Address, Limits};
use crate::policy::Authorized;
use crate::task::BoxFuture;
use bytes::Bytes;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::Duration;

type Handler = fn(&Matched<'_>) -> Result<Outcome, Error>;

const TTL: Field = Field::new("ttl", FieldKind::Seconds, "Life.").on(On::READ);
const MAX_TTL: Field = Field::new("max_ttl", FieldKind::Seconds, "Longest life.").on(On::READ);
const FIXED: Field = Field::new("fixed", FieldKind::Flag, "Not to be renewed?").on(On::READ);

static TABLE: Table<Handler> = Table::new(
    "Lends secrets of a server.",
    &[&[
        Row {
            endpoint: Endpoint {
                pattern: "config",
                fields: &[Field::new("address", FieldKind::Text, "The server.")],
                summary: "Where the secrets are.",
                ..Endpoint::USUAL
            },
            operations: &[(Op::WRITE, configure)],
        },
        Row {
            endpoint: Endpoint {
                pattern: "creds/:role",
                fields: &[Field::path("role", "For whom."), TTL, MAX_TTL, FIXED],
                prepares: true,
                summary: "Makes a secret.",
                ..Endpoint::USUAL
            },
            operations: &[(Op::new(Operation::Read, Effect::Writes), lend)],
        },
        Row {
            endpoint: Endpoint {
                pattern: "made/:name",
                fields: &[Field::path("name", "The secret.")],
                summary: "Tells whether the engine has a record of a secret.",
                ..Endpoint::USUAL
            },
            operations: &[(Op::READ, made)],
        },
    ]],
);

static LOGIN: Table<Handler> = Table::new(
    "Lets in.",
    &[&[
        Row {
            endpoint: Endpoint {
                pattern: "config",
                fields: &[Field::new("address", FieldKind::Text, "The server.")],
                summary: "Where the logins are.",
                ..Endpoint::USUAL
            },
            operations: &[(Op::WRITE, configure)],
        },
        Row {
            endpoint: Endpoint {
                pattern: "login/:name",
                access: Access::Open,
                fields: &[Field::path("name", "Who.")],
                summary: "Logs in.",
                ..Endpoint::USUAL
            },
            operations: &[(Op::WRITE, log_in)],
        },
    ]],
);

pub static LENDER: Kind = Kind::usual(
    "lender",
    |_| vec![&TABLE],
    Make::ForMount(|_| Arc::new(Lender { table: &TABLE })),
);
pub static METHOD: Kind = Kind::method(
    "lender-login",
    |_| vec![&LOGIN],
    Make::ForMount(|_| Arc::new(Lender { table: &LOGIN })),
);

struct Lender {
    table: &'static Table<Handler>,
}

fn configure(matched: &Matched<'_>) -> Result<Outcome, Error> {
    let mut batch = Batch::new();
    let address = matched.fields.text("address").unwrap_or_default();
    let slot = matched.request.slot(matched.view, "config")?;
    batch.replace_record(&slot, &address.to_owned())?;
    Ok(Outcome {
        response: Response::no_content(),
        batch,
    })
}

fn lend(matched: &Matched<'_>) -> Result<Outcome, Error> {
    let prepared = matched.request.prepared.as_ref();
    let name = prepared.and_then(|prepared| prepared.downcast_ref::<String>());
    let name = name.ok_or_else(|| Error::internal("nothing was prepared"))?;
    let mut batch = Batch::new();
    let slot = matched.view.read(&format!("made/{name}"))?;
    batch.replace_record(&slot, name)?;
    let seconds = |field| Duration::from_secs(matched.fields.seconds(field).unwrap_or(0));
    let note = json!({"name": name, "renewals": 0});
    let mut data = Map::new();
    data.insert("name".into(), json!(name));
    let mut response = Response::data(data);
    response.lease = Some(LeaseGrant {
        ttl: seconds("ttl"),
        max_ttl: seconds("max_ttl"),
        renewable: !matched.fields.flag("fixed").unwrap_or(false),
        internal: note.as_object().unwrap().clone(),
        ..LeaseGrant::default()
    });
    Ok(Outcome { response, batch })
}

fn made(matched: &Matched<'_>) -> Result<Outcome, Error> {
    let path = format!("made/{}", matched.captured("name"));
    match matched.view.read(&path)?.is_taken() {
        true => Ok(Response::data(Map::new()).into()),
        false => Err(Error::not_found()),
    }
}

fn log_in(matched: &Matched<'_>) -> Result<Outcome, Error> {
    let name = matched.captured("name");
    let note = json!({"name": format!("login-{name}")});
    Ok(Response {
        auth: Some(Auth {
            policies: vec!["default".into()],
            ttl: Duration::from_secs(3600),
            renewable: true,
            display_name: format!("lender-{name}"),
            internal: note.as_object().unwrap().clone(),
            ..Auth::default()
        }),
        ..Response::default()
    }
    .into())
}

const LIMITS: Limits = Limits {
    time_max: Duration::from_secs(50),
    answer_bytes_max: 1000,
    redirects_max: 0,
};

/// Asks the server of a mount.
async fn ask(view: &View, method: &str, name: &str) -> Result<(u16, Vec<u8>), Error> {
    let upstream = |why: String| Error::new(ErrorKind::Upstream, why);
    let found = view.get_record::<String>("config", "config")?;
    let (_, address) = found.ok_or_else(|| upstream("no server is configured".into()))?;
    let address = Address::parse(&address).map_err(|error| upstream(error.to_string()))?;
    let request = hyper::Request::builder()
        .method(method)
        .uri(format!("/{name}"))
        .body(Bytes::new())
        .map_err(|error| upstream(error.to_string()))?;
    let client = outbound::Client::new(outbound::Options::default());
    let answer = client.send(&address, request, &LIMITS).await;
    let answer = answer.map_err(|error| upstream(error.to_string()))?;
    Ok((answer.status, answer.body.to_vec()))
}

fn name_of(granted: &Granted) -> String {
    granted.internal["name"].as_str().unwrap().to_owned()
}

impl Engine for Lender {
    fn table(&self, _: &MountContext) -> &'static dyn Sheet {
        self.table
    }

    fn prepare<'a>(
        &'a self,
        request: Authorized<&'a Request>,
        view: &'a View,
    ) -> BoxFuture<'a, Result<Prepared, Error>> {
        let id = request.into_request().id.clone();
        Box::pin(async move {
            let name = format!("secret-{id}");
            ask(view, "PUT", &name).await?;
            Ok(Arc::new(name) as Prepared)
        })
    }

    fn handle(&self, request: Authorized<&Request>, view: &View) -> Result<Outcome, Error> {
        let (handler, matched) = self.table.route(request.into_request(), view)?;
        handler(&matched)
    }

    fn renew<'a>(
        &'a self,
        granted: &'a Granted,
        _: Duration,
        view: &'a View,
    ) -> BoxFuture<'a, Result<Renewed, Error>> {
        Box::pin(async move {
            let (status, body) = ask(view, "POST", &name_of(granted)).await?;
            let body: Value = serde_json::from_slice(&body).unwrap_or_default();
            if status != 200 {
                return Err(Error::invalid("the server does not want to"));
            }
            let mut note = granted.internal.clone();
            let renewals = note.get("renewals").and_then(Value::as_u64);
            note.insert("renewals".into(), json!(renewals.unwrap_or(0) + 1));
            Ok(Renewed {
                ttl: body["ttl"].as_u64().map(Duration::from_secs),
                internal: Some(note),
                ..Renewed::default()
            })
        })
    }

    fn revoke<'a>(
        &'a self,
        granted: &'a Granted,
        view: &'a View,
    ) -> BoxFuture<'a, Result<Batch, Error>> {
        Box::pin(async move {
            let name = name_of(granted);
            let (status, body) = ask(view, "DELETE", &name).await?;
            if status != 204 {
                let why = String::from_utf8_lossy(&body).into_owned();
                return Err(Error::new(ErrorKind::Upstream, why));
            }
            let mut batch = Batch::new();
            let slot = view.read(&format!("made/{name}"))?;
            if slot.is_taken() {
                batch.remove(&slot);
            }
            Ok(batch)
        })
    }
}
