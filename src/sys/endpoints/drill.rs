//! The endpoint `sys/drill`: proves that a share is good without using it.
//!
//! It asks for no token, since the holder of a share has none: the share is the proof. An answer
//! says only what a holder may know, and nobody guesses a share; wrong ones make their sender wait
//! all the same, because a sheet with some words missing could be guessed.

use super::run::Run;
use super::system::System;
use crate::barrier::{ShareGeneration, SharedKey};
use crate::clock::Timestamp;
use crate::engine::table::{
    Access, Answers, Effect, Endpoint, Field, FieldKind, Matched, Op, Place, Row,
};
use crate::engine::{Error, ErrorKind, Operation, Response};
use crate::seal::{SHARE_BYTES_MAX, SHARE_BYTES_MIN};
use crate::store::BoxFuture;
use crate::sys::open::{bare, decode_key};
use serde_json::{Value, json};
use std::sync::Arc;

const NO_HASHES: &str = "this cluster has no hashes of its shares, since they were made before it \
                         kept any, or by another way than init and rekey: make new shares \
                         (operator rekey), and keep the old ones until those are in force";
const WAITS: &str = "too many wrong shares were given from this address: try again later";

/// The endpoint.
pub(super) const ROWS: &[Row<Run>] = &[Row {
    endpoint: Endpoint {
        pattern: "drill",
        access: Access::Open,
        place: Place::Active,
        answers: Answers::Object,
        fields: &[Field::new(
            "key",
            FieldKind::Text,
            "An unseal share, or a recovery share.",
        )
        .required()
        .secret()],
        summary: "Proves that a share is good, without using it.",
        about: "A read tells of the shares in force. A write takes a share, and tells of which \
                generation it is and its number in that.",
        ..Endpoint::USUAL
    },
    operations: &[
        (
            Op::new(Operation::Read, Effect::Acts),
            Run::Act(|system, _| Box::pin(async { system.share_status() })),
        ),
        (Op::ACT, Run::Act(|system, matched| system.drill(matched))),
    ],
}];

impl System {
    fn share_status(&self) -> Result<Response, Error> {
        let sets = self.barrier.share_generations()?;
        let newest = sets.iter().max_by_key(|set| set.number);
        let in_force = sets.iter().filter(|set| set.in_force.is_some()).map(told);
        Ok(bare(&json!({
            "generation": newest.map_or(0, |set| set.number),
            "in_force": in_force.collect::<Vec<_>>(),
        })))
    }

    fn drill<'a>(&'a self, matched: Matched<'a>) -> BoxFuture<'a, Result<Response, Error>> {
        Box::pin(async move {
            let key = matched.fields.secret("key");
            let share = key.and_then(|key| decode_key(key.expose()));
            let share = share
                .ok_or_else(|| Error::invalid("'key' must be a valid hex or base64 string"))?;
            let bytes = share.expose().len();
            if !(SHARE_BYTES_MIN..=SHARE_BYTES_MAX).contains(&bytes) {
                let message = format!(
                    "invalid key: a share has {SHARE_BYTES_MIN} to {SHARE_BYTES_MAX} bytes"
                );
                return Err(Error::invalid(message));
            }
            let request = matched.request;
            let (address, now) = (request.client.address, request.now);
            let address = address.map(|address| address.ip());
            // One at a time: hashing costs the processor more than a request its sender.
            let mut guesses = self.guesses.lock().await;
            if guesses.must_wait(address, now) {
                return Err(Error::new(ErrorKind::RateLimited, WAITS));
            }
            let sets = self.barrier.share_generations()?;
            if !sets.iter().any(|set| set.in_force.is_some()) {
                return Err(Error::invalid(NO_HASHES));
            }
            let barrier = Arc::clone(&self.barrier);
            let found = crate::task::compute(move || barrier.find_share(&share)).await;
            let found = found.map_err(|error| Error::internal(error.to_string()))??;
            guesses.count(address, found.is_some(), now);
            Ok(bare(&match found {
                None => json!({"known": false}),
                Some((number, set)) => {
                    let mut answer = told(&set);
                    if let Some(fields) = answer.as_object_mut() {
                        fields.insert("known".into(), true.into());
                        fields.insert("number".into(), number.into());
                    }
                    answer
                }
            }))
        })
    }
}

fn told(set: &ShareGeneration) -> Value {
    let time = |at: Timestamp| match at.is_zero() {
        true => String::new(),
        false => at.rfc3339(),
    };
    json!({
        "generation": set.number,
        "made": time(set.made),
        "replaced": time(set.replaced),
        "shares": set.shares,
        "threshold": set.threshold,
        "in_force": set.in_force.is_some(),
        "opens": match set.in_force {
            Some(SharedKey::Seal) => "unseal",
            Some(SharedKey::Recovery) => "recovery",
            None => "",
        },
    })
}
