//! The endpoint `sys/metrics`: this node's numbers, as Prometheus or as JSON.
//!
//! Clients ask in two ways: with a token through the router, and, where a listener allows it,
//! without one, whatever the node's role is.

use crate::engine::table::{Field, FieldKind, Fields, On};
use crate::engine::{Body, Error, Response};
use crate::sys::ports::{Lifecycle, Metering};
use crate::telemetry::metrics;
use serde_json::{Map, Value};

/// The content type of Prometheus's text format.
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";
const JSON: &str = "application/json";
/// The refusal of Prometheus's form, in Vault's words.
const DISABLED: &str = "prometheus is not enabled";

/// The field that selects one of the two forms.
pub(super) const FORMAT: Field =
    Field::new("format", FieldKind::Text, "json or prometheus.").on(On::READ);

/// Returns an answer in the form that the fields ask for, without its bytes.
///
/// # Errors
/// The client's: there is no such format.
fn empty(fields: &Fields<'_>) -> Result<Response, Error> {
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
async fn fill(response: &mut Response, lifecycle: &dyn Lifecycle) -> Result<(), Error> {
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

/// Returns the numbers in the form that the fields ask for.
///
/// # Errors
/// As [`empty`] and [`fill`].
pub(super) async fn show(
    fields: &Fields<'_>,
    lifecycle: &dyn Lifecycle,
) -> Result<Response, Error> {
    let mut response = empty(fields)?;
    fill(&mut response, lifecycle).await?;
    Ok(response)
}

/// Returns the numbers to a caller who needs no token; `query` as it was sent.
///
/// # Errors
/// As [`show`].
pub async fn answer(
    query: &Map<String, Value>,
    lifecycle: &dyn Lifecycle,
) -> Result<Response, Error> {
    show(&Fields::read(&[FORMAT], query, "")?, lifecycle).await
}
