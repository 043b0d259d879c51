//! The settings of autopilot, and the records that keep them.
//!
//! The settings fit the members of this cluster, so they stay what they are when a snapshot is
//! restored: they are in a local record, in clear, and once more where release 0.2 looks for them.

use crate::barrier::{BarrierError, Batch, LocalRecord, Slot, Unsealed, View};
use crate::clock::{Clock, format_duration};
use crate::engine::Error;
use crate::engine::table::{Field, FieldKind, Fields};
use crate::store::Revision;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::Duration;

/// The shortest time after which a member counts as dead. Below it a reboot would count as death.
const DEAD_AFTER_MIN: Duration = Duration::from_secs(60);
/// The least `min_quorum`: with fewer voters left, no member may be lost.
const MIN_QUORUM_MIN: u64 = 3;
const RECORD: &str = "autopilot";
/// The name of the record in errors.
const KIND: &str = "autopilot configuration";

/// Fields of the settings.
pub const FIELDS: &[Field] = &[
    Field::new(
        "cleanup_dead_servers",
        FieldKind::Flag,
        "Are dead members removed?",
    ),
    Field::new(
        "dead_server_last_contact_threshold",
        FieldKind::Seconds,
        "Silence of the dead.",
    )
    .default("24h"),
    Field::new(
        "disable_upgrade_migration",
        FieldKind::Flag,
        "Kept, without effect.",
    ),
    Field::new(
        "last_contact_threshold",
        FieldKind::Seconds,
        "Silence of the unhealthy.",
    )
    .default("10s"),
    Field::new(
        "max_trailing_logs",
        FieldKind::Integer,
        "Entries behind of the unhealthy.",
    )
    .default("1000"),
    Field::new(
        "min_quorum",
        FieldKind::Integer,
        "Voters that must be left.",
    ),
    Field::new(
        "server_stabilization_time",
        FieldKind::Seconds,
        "Health before a vote.",
    )
    .default("10s"),
];

/// The settings by which autopilot judges members.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// True when dead members are removed.
    pub cleanup_dead_servers: bool,
    /// Time out of contact after which a member is unhealthy.
    pub last_contact_threshold: Duration,
    /// Time out of contact from which a member is dead.
    pub dead_server_last_contact_threshold: Duration,
    /// Entries behind the leader's log above which a member is unhealthy.
    pub max_trailing_logs: u64,
    /// The number of voters that removing the dead leaves at least.
    pub min_quorum: u64,
    /// Time in health after which a learner becomes a voter.
    pub server_stabilization_time: Duration,
    /// A setting kept for clients that set it; there are no upgrade migrations here.
    pub disable_upgrade_migration: bool,
}

impl Default for Config {
    /// Returns Vault's defaults.
    fn default() -> Self {
        Self {
            cleanup_dead_servers: false,
            last_contact_threshold: Duration::from_secs(10),
            dead_server_last_contact_threshold: Duration::from_secs(24 * 3600),
            max_trailing_logs: 1000,
            min_quorum: 0,
            server_stabilization_time: Duration::from_secs(10),
            disable_upgrade_migration: false,
        }
    }
}

/// The record on disk.
#[derive(Serialize, Deserialize)]
enum Record {
    V1(Config),
}

/// The places from which the settings were read.
pub struct Place {
    /// The log entry that wrote the local record; zero where there is none.
    local: Revision,
    /// The record that release 0.2 reads.
    older: Slot,
}

impl Config {
    /// Reads the configuration, and the places that it is in.
    pub fn read(barrier: &Arc<Unsealed>) -> Result<(Place, Self), BarrierError> {
        let older = view(barrier).read(RECORD)?;
        let local = barrier.local(LocalRecord::Autopilot)?;
        let record = match &local {
            Some(local) => match postcard::take_from_bytes(&local.value) {
                Ok((record, [])) => Some(record),
                _ => return Err(BarrierError::Decode(KIND)),
            },
            None => older.record(KIND)?,
        };
        let config = record.map_or_else(Self::default, |Record::V1(config)| config);
        let local = local.map_or(Revision(0), |local| local.revision);
        Ok((Place { local, older }, config))
    }

    /// Adds a write of this configuration to `batch`, in place of the one that was read from
    /// `place`.
    pub fn put(self, batch: &mut Batch, place: &Place) -> Result<(), BarrierError> {
        let record = Record::V1(self);
        let value = postcard::to_allocvec(&record).map_err(|_| BarrierError::Encode(KIND))?;
        batch.put_local(LocalRecord::Autopilot, place.local, value);
        batch.replace_record(&place.older, &record)
    }

    /// Writes the local record where there is none, on the active node: in a new cluster, and in
    /// one that release 0.2 made.
    pub async fn keep_local(barrier: Arc<Unsealed>, clock: Arc<dyn Clock>) {
        if let Err(error) = Self::write_local(&barrier, &*clock).await {
            crate::telemetry::debug!(%error, "autopilot's settings stay behind the barrier");
        }
    }

    async fn write_local(barrier: &Arc<Unsealed>, clock: &dyn Clock) -> Result<(), BarrierError> {
        let (place, config) = Self::read(barrier)?;
        if place.local != Revision(0) {
            return Ok(());
        }
        let mut batch = Batch::new();
        config.put(&mut batch, &place)?;
        barrier.commit(batch, clock.now()).await.map(drop)
    }

    /// Takes over the fields that a request names. Times and lags of zero change nothing, as in
    /// Vault.
    ///
    /// # Errors
    /// 400, with a message for the client.
    pub fn update(&mut self, fields: &Fields<'_>) -> Result<(), Error> {
        if let Some(flag) = fields.flag("cleanup_dead_servers") {
            self.cleanup_dead_servers = flag;
        }
        if let Some(flag) = fields.flag("disable_upgrade_migration") {
            self.disable_upgrade_migration = flag;
        }
        for (name, into) in [
            ("last_contact_threshold", &mut self.last_contact_threshold),
            (
                "dead_server_last_contact_threshold",
                &mut self.dead_server_last_contact_threshold,
            ),
            (
                "server_stabilization_time",
                &mut self.server_stabilization_time,
            ),
        ] {
            if let Some(seconds @ 1..) = fields.seconds(name) {
                *into = Duration::from_secs(seconds);
            }
        }
        if let Some(count @ 1..) = count(fields, "max_trailing_logs")? {
            self.max_trailing_logs = count;
        }
        if let Some(count) = count(fields, "min_quorum")? {
            self.min_quorum = count;
        }
        self.check()
    }

    fn check(&self) -> Result<(), Error> {
        let (cleanup, quorum) = (self.cleanup_dead_servers, self.min_quorum);
        if cleanup && quorum < MIN_QUORUM_MIN {
            return Err(Error::invalid(format!(
                "min_quorum must be set when cleanup_dead_servers is set and it should at least \
                 be {MIN_QUORUM_MIN}; cleanup_dead_servers: {cleanup}, min_quorum: {quorum}"
            )));
        }
        let dead_after = self.dead_server_last_contact_threshold;
        if dead_after < DEAD_AFTER_MIN {
            return Err(Error::invalid(format!(
                "dead_server_last_contact_threshold should not be less than {}; got {}",
                format_duration(DEAD_AFTER_MIN),
                format_duration(dead_after),
            )));
        }
        Ok(())
    }

    /// Returns the settings as the API answers them.
    pub fn data(&self) -> Map<String, Value> {
        let text = |duration| json!(format_duration(duration));
        let fields = [
            ("cleanup_dead_servers", json!(self.cleanup_dead_servers)),
            (
                "dead_server_last_contact_threshold",
                text(self.dead_server_last_contact_threshold),
            ),
            (
                "disable_upgrade_migration",
                json!(self.disable_upgrade_migration),
            ),
            ("last_contact_threshold", text(self.last_contact_threshold)),
            ("max_trailing_logs", json!(self.max_trailing_logs)),
            ("min_quorum", json!(self.min_quorum)),
            (
                "server_stabilization_time",
                text(self.server_stabilization_time),
            ),
        ];
        let fields = fields.into_iter();
        fields
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }
}

fn view(barrier: &Arc<Unsealed>) -> View {
    barrier.view("core/raft/")
}

fn count(fields: &Fields<'_>, name: &str) -> Result<Option<u64>, Error> {
    let number = fields.integer(name).map(u64::try_from).transpose();
    number.map_err(|_| Error::invalid(format!("'{name}' cannot be negative")))
}
