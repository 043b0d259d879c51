//! Warnings about fields that a request sent in vain.

use super::Endpoint;
use super::On;
use crate::engine::{Operation, Request, Response};

/// Warns in the answer to `request` of fields that `endpoint` does not know, and of those whose
/// place the path has taken. As in Vault only an answer that says something has warnings.
pub fn warn_unread(endpoint: &Endpoint, request: &Request, response: &mut Response) {
    let writes = matches!(
        request.operation,
        Operation::Create | Operation::Update | Operation::Patch
    );
    if endpoint.takes_anything && writes || !says_something(response) {
        return;
    }
    let of_path = |name: &str| {
        let field = endpoint.field(name);
        field.is_some_and(|field| field.on.meets(On::PATH))
    };
    let names = || request.data.keys().map(String::as_str);
    let unknown: Vec<&str> = names()
        .filter(|name| endpoint.field(name).is_none())
        .collect();
    let replaced: Vec<&str> = names().filter(|name| of_path(name)).collect();
    warn(response, "ignored these unrecognized parameters", unknown);
    let captured = "replaced the value of these parameters with the values captured from the \
                    endpoint's path";
    warn(response, captured, replaced);
}

fn says_something(response: &Response) -> bool {
    let answers = response.data.is_some()
        || response.auth.is_some()
        || response.wrap_info.is_some()
        || !response.warnings.is_empty();
    let is_usual = response.status.is_none_or(|status| status == 200);
    answers && is_usual && response.body.is_none() && response.stream.is_none()
}

fn warn(response: &mut Response, what: &str, mut names: Vec<&str>) {
    if names.is_empty() {
        return;
    }
    names.sort_unstable();
    let names = names.join(" ");
    response
        .warnings
        .push(format!("Endpoint {what}: [{names}]"));
}
