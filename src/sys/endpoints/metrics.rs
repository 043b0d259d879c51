//! `sys/metrics`: what this node tells in numbers, as Prometheus or as JSON.
//!
//! It is asked in two ways: with a token through the router, which only says that the caller may,
//! and, where a listener allows it, by anybody and whatever the node's role is.

use crate::engine::table::{Field, FieldKind, Fields, On};
use crate::engine::{Body, Error, Response};
use crate::sys::ports::{Lifecycle, Metering};
use crate::telemetry::metrics;
use serde_json::{Map, Value};

/// The content type of Prometheus's text format.
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";
const JSON: &str = "application/json";
/// In Vault's words.
const DISABLED: &str = "prometheus is not enabled";

/// Which of the two a request wants.
pub(in crate::sys) const FORMAT: Field =
    Field::new("format", FieldKind::Text, "json or prometheus.").on(On::READ);

/// Which of the two a request wants, by its fields: an answer without its bytes.
///
/// # Errors
/// The client's: there is no such format.
pub(in crate::sys) fn empty(fields: &Fields<'_>) -> Result<Response, Error> {
    let content_type = match fields.text(FORMAT.name).unwrap_or_default() {
        "prometheus" => PROMETHEUS,
        "" | "json" => JSON,
        other => {
            let message = format!("metric response format {other:?} unknown");
            return Err(Error::invalid(message));
        }
    };
    Ok(Response {
        body: Some(Body {
            content_type,
            bytes: Vec::new(),
        }),
        ..Response::default()
    })
}

/// Puts the numbers into what [`empty`] made.
///
/// # Errors
/// The operator turned Prometheus's form off.
pub(in crate::sys) async fn fill(
    response: &mut Response,
    lifecycle: &dyn Lifecycle,
) -> Result<(), Error> {
    let Some(body) = &mut response.body else {
        return Ok(());
    };
    let Metering {
        prefix,
        prometheus,
        readings,
    } = lifecycle.metering().await;
    let prefix = match prefix.as_str() {
        "" => "vault",
        prefix => prefix,
    };
    body.bytes = match body.content_type {
        PROMETHEUS if !prometheus => return Err(Error::invalid(DISABLED)),
        PROMETHEUS => metrics().prometheus(prefix, &readings).into_bytes(),
        _ => {
            let value = metrics().json(prefix, &readings, lifecycle.now());
            value.to_string().into_bytes()
        }
    };
    Ok(())
}

/// The whole answer, for who needs no token; `query` as it was sent.
///
/// # Errors
/// As [`empty`] and [`fill`].
pub async fn answer(
    query: &Map<String, Value>,
    lifecycle: &dyn Lifecycle,
) -> Result<Response, Error> {
    let mut response = empty(&Fields::read(&[FORMAT], query, "")?)?;
    fill(&mut response, lifecycle).await?;
    Ok(response)
}
