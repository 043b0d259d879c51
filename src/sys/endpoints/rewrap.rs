//! `sys/rotate/rewrap`: seals anew what older key terms hold, so that these can be dropped.

use super::run::Run;
use super::system::System;
use crate::barrier::{BarrierError, OlderTerm};
use crate::engine::table::{
    Access, Endpoint, Field, FieldKind, Matched, OnFullDisk, Op, Place, Row,
};
use crate::engine::{Error, Outcome, Response};
use crate::sys::duties::rewrap::{self, Job};
use serde_json::{Map, Value, json};
use std::time::Duration;

const NOTHING: &str = "there is no older encryption key: rotate first (sys/rotate)";

/// The endpoint of re-encryption.
pub(super) const ROWS: &[Row<Run>] = &[Row {
    endpoint: Endpoint {
        pattern: "rotate/rewrap",
        on_full_disk: OnFullDisk::Repairs,
        access: Access::Sudo,
        place: Place::Active,
        fields: &[Field::new(
            "end_batch_tokens",
            FieldKind::Flag,
            "Drop the keys at once, with the batch tokens under them?",
        )],
        summary: "Encrypts anew, in the background, what older keys encrypted, and drops those.",
        ..Endpoint::USUAL
    },
    operations: &[
        (Op::READ, Run::Answer(|system, _| system.rewrap_status())),
        (Op::WRITE, Run::Answer(start)),
        (Op::DELETE, Run::Answer(stop)),
    ],
}];

fn start(system: &System, matched: &Matched<'_>) -> Result<Outcome, Error> {
    let older = system.barrier.older_terms()?;
    let newest = older.last().ok_or_else(|| Error::invalid(NOTHING))?;
    let life = match matched.fields.flag("end_batch_tokens") {
        Some(true) => Duration::ZERO,
        _ => system.batch_token_life_max()?,
    };
    let (slot, known) = rewrap::read(&system.barrier)?;
    let below = system.barrier.key_status()?.key_term;
    let job = Job {
        below,
        started: matched.request.now,
        droppable: newest.replaced.plus(life),
    };
    let mut outcome = Outcome::from(Response::no_content());
    let is_new = known.is_none_or(|known| (known.below, known.droppable) != (below, job.droppable));
    if is_new {
        rewrap::start(&mut outcome.batch, &slot, &job)?;
    }
    Ok(outcome)
}

fn stop(system: &System, _: &Matched<'_>) -> Result<Outcome, Error> {
    let (slot, job) = rewrap::read(&system.barrier)?;
    let mut outcome = Outcome::from(Response::no_content());
    if job.is_some() {
        rewrap::remove(&mut outcome.batch, &slot);
    }
    Ok(outcome)
}

impl System {
    fn rewrap_status(&self) -> Result<Outcome, Error> {
        let (_, job) = rewrap::read(&self.barrier)?;
        let mut data = Map::new();
        for (name, value) in self.options.rewrapping.fields() {
            data.insert(name.into(), value);
        }
        let time = |of: fn(&Job) -> String| job.as_ref().map_or(json!(""), |job| json!(of(job)));
        data.insert("started".into(), time(|job| job.started.rfc3339()));
        data.insert("droppable".into(), time(|job| job.droppable.rfc3339()));
        data.insert("below_term".into(), json!(job.map_or(0, |job| job.below)));
        data.insert("older_terms".into(), self.older_terms()?);
        Ok(Response::data(data).into())
    }

    /// Returns the terms before the active one with the records under them, as far as they were
    /// counted.
    pub(super) fn older_terms(&self) -> Result<Value, BarrierError> {
        let shown = |term: &OlderTerm| {
            json!({
                "term": term.key_term,
                "install_time": term.installed.rfc3339(),
                "records": self.options.rewrapping.left(term.key_term),
            })
        };
        Ok(self.barrier.older_terms()?.iter().map(shown).collect())
    }

    /// Returns the longest life that a batch token can have been given.
    fn batch_token_life_max(&self) -> Result<Duration, BarrierError> {
        let mounts = self.mounts.snapshot()?;
        let lives = mounts.entries().iter();
        let lives = lives.map(|mount| self.lifetimes.of(&mount.config).1);
        Ok(lives.fold(self.lifetimes.max, Duration::max))
    }
}
