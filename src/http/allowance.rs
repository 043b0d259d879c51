//! How much a request may bring: little at open paths and for who has no good token.

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

/// What a request may bring.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allowance {
    /// Whose memory it takes.
    pub(super) share: Share,
    /// Largest body.
    pub(super) bytes_max: u64,
    /// How its JSON is bounded.
    pub(super) json: JsonLimits,
    /// What is answered to a body that is larger.
    beyond: Beyond,
    /// That of the token, if it is good.
    pub(super) fingerprint: Option<Fingerprint>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Beyond {
    TooLarge,
    Denied,
    Unclear,
}

impl Allowance {
    /// That of who is known.
    pub(super) fn client(options: &Listener) -> Self {
        Self {
            share: Share::Clients,
            bytes_max: options.request_bytes_max,
            json: options.json,
            beyond: Beyond::TooLarge,
            fingerprint: None,
        }
    }

    /// That of anyone.
    pub(super) fn stranger(options: &Listener) -> Self {
        Self {
            share: Share::Strangers,
            bytes_max: options.request_bytes_max.min(STRANGER_BYTES_MAX),
            json: options.json.within(STRANGER_JSON_BYTES_MAX),
            beyond: Beyond::TooLarge,
            fingerprint: None,
        }
    }

    /// That of anyone at an open endpoint.
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

    /// The answer to a body that is larger.
    pub(super) fn exceeded(&self) -> Answer {
        answer::closing(match self.beyond {
            Beyond::TooLarge => answer::too_large(),
            Beyond::Denied => answer::errors(StatusCode::FORBIDDEN, &[DENIED]),
            Beyond::Unclear => answer::errors(StatusCode::SERVICE_UNAVAILABLE, &[UNCLEAR]),
        })
    }
}

impl Call<'_> {
    /// What this call may bring, before anything of its body is read.
    pub(super) async fn allowance(&self) -> Result<Allowance, Answer> {
        let options = &self.shared.options;
        let stranger = Allowance::stranger(options);
        let token = request::token(&self.head.headers).map_err(refusal)?;
        let router = match &*self.shared.gate.role.borrow() {
            Role::Active { router } | Role::Standby { router, .. } => router.clone(),
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

    /// Marks the connection as one over which a good token came, when `answer` shows that. Who has
    /// none gets no such answer but at open paths.
    pub(super) fn remember(&self, activity: &Activity, answer: &Answer) {
        let status = answer.status();
        let is_served = status.is_success() || status == StatusCode::NOT_FOUND;
        if activity.is_known() || !is_served {
            return;
        }
        let has_token = matches!(request::token(&self.head.headers), Ok(Some(_)));
        let is_open = match &*self.shared.gate.role.borrow() {
            Role::Active { router } | Role::Standby { router, .. } => router.is_open(&self.path),
            Role::Uninitialised | Role::Sealed | Role::Stopping => true,
        };
        if has_token && !is_open {
            activity.know();
        }
    }
}
