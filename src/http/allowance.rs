//! The limits of one request: narrow at open paths and without a good token.

use super::activity::Activity;
use super::answer::{self, Answer};
use super::budget::Share;
use super::call::{Call, refusal};
use super::json::JsonLimits;
use super::limits::{
    SHARE_BYTES_MAX, SHARE_JSON_BYTES_MAX, STRANGER_BYTES_MAX, STRANGER_JSON_BYTES_MAX,
};
use super::options::Listener;
use super::request;
use crate::router::{Acquaintance, Role};
use crate::sys::open::{Bears, Endpoint};
use crate::token::Fingerprint;
use hyper::StatusCode;

const DENIED: &str = "permission denied";
const UNCLEAR: &str = "the token cannot be looked up now: try again";

/// The limits of one request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allowance {
    /// The share of the memory that the request draws on.
    pub(super) share: Share,
    /// Largest body, in bytes.
    pub(super) bytes_max: u64,
    /// The limits of the JSON in its body.
    pub(super) json: JsonLimits,
    /// The answer to a larger body.
    beyond: Beyond,
    /// The fingerprint of the request's token, if that is good.
    pub(super) fingerprint: Option<Fingerprint>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Beyond {
    TooLarge,
    Denied,
    Unclear,
}

impl Allowance {
    /// Returns the limits of a client with a good token.
    pub(super) fn client(options: &Listener) -> Self {
        Self {
            share: Share::Clients,
            bytes_max: options.request_bytes_max,
            json: options.json,
            beyond: Beyond::TooLarge,
            fingerprint: None,
        }
    }

    /// Returns the limits of a client without one.
    pub(super) fn stranger(options: &Listener) -> Self {
        Self {
            share: Share::Strangers,
            bytes_max: options.request_bytes_max.min(STRANGER_BYTES_MAX),
            json: options.json.within(STRANGER_JSON_BYTES_MAX),
            beyond: Beyond::TooLarge,
            fingerprint: None,
        }
    }

    /// Returns the limits of any client at an open endpoint.
    pub(super) fn at(endpoint: Endpoint, options: &Listener) -> Self {
        let stranger = Self::stranger(options);
        let bytes_max = stranger.bytes_max.min(SHARE_BYTES_MAX);
        match endpoint.bears() {
            Bears::Share => Self {
                share: Share::Operators,
                bytes_max,
                json: options.json.within(SHARE_JSON_BYTES_MAX),
                ..stranger
            },
            Bears::Little => Self {
                bytes_max,
                ..stranger
            },
            Bears::Usual => stranger,
        }
    }

    /// Returns the answer to a body larger than these limits allow.
    pub(super) fn exceeded(&self) -> Answer {
        answer::closing(match self.beyond {
            Beyond::TooLarge => answer::too_large(),
            Beyond::Denied => answer::errors(StatusCode::FORBIDDEN, &[DENIED]),
            Beyond::Unclear => answer::errors(StatusCode::SERVICE_UNAVAILABLE, &[UNCLEAR]),
        })
    }
}

impl Call<'_> {
    /// Returns the limits of this call, before anything of its body is read.
    pub(super) async fn allowance(&self) -> Result<Allowance, Answer> {
        let options = &self.shared.options;
        let stranger = Allowance::stranger(options);
        let token = request::token(&self.head.headers).map_err(refusal)?;
        let router = match &*self.shared.gate.role.borrow() {
            Role::Active { router, .. } | Role::Standby { router, .. } => router.clone(),
            Role::Uninitialised | Role::Sealed | Role::Stopping => return Ok(stranger),
        };
        let Some(token) = token else {
            return Ok(stranger);
        };
        let address = self.client.address.map(|address| address.ip());
        Ok(
            match router.acquaintance(&self.path, &token, address).await {
                Acquaintance::Known(fingerprint) => {
                    if let Some(activity) = self.activity {
                        activity.know();
                    }
                    Allowance {
                        fingerprint,
                        ..Allowance::client(options)
                    }
                }
                Acquaintance::Open => stranger,
                Acquaintance::Unknown => Allowance {
                    beyond: Beyond::Denied,
                    ..stranger
                },
                Acquaintance::Unclear => Allowance {
                    beyond: Beyond::Unclear,
                    ..stranger
                },
            },
        )
    }

    /// Marks the connection as one with a good token when `answer` shows that: without such a token
    /// only open paths answer like this.
    pub(super) fn remember(&self, activity: &Activity, answer: &Answer) {
        let status = answer.status();
        let is_served = status.is_success() || status == StatusCode::NOT_FOUND;
        if activity.is_known() || !is_served {
            return;
        }
        let has_token = matches!(request::token(&self.head.headers), Ok(Some(_)));
        let is_open = match &*self.shared.gate.role.borrow() {
            Role::Active { router, .. } | Role::Standby { router, .. } => {
                router.is_open(&self.path)
            }
            Role::Uninitialised | Role::Sealed | Role::Stopping => true,
        };
        if has_token && !is_open {
            activity.know();
        }
    }
}
