//! The router's numbers.

use super::Router;
use crate::engine::Error;
use crate::mount::Class;
use crate::telemetry::Reading;

/// The numbers that can only be found by counting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Service tokens that are stored.
    pub tokens: u64,
    /// Leases that are stored, those of tokens among them.
    pub leases: u64,
}

impl Router {
    /// Returns the numbers that cost nothing to find out.
    pub fn readings(&self) -> Result<Vec<Reading>, Error> {
        const MOUNTS: &str = "Mounts in the mount table, by what they are.";
        let flights = self.parts.flights.count();
        #[allow(clippy::cast_precision_loss)] // far below 2^52 of either
        let of = |count: usize| count as f64;
        let mut readings = vec![Reading::gauge(
            "core.in_flight_requests",
            "Requests that are being answered.",
            of(flights),
        )];
        let mounts = self.parts.mounts.snapshot()?;
        for (class, kind) in [(Class::Auth, "auth"), (Class::Secret, "logical")] {
            for local in [false, true] {
                let count = mounts
                    .of(class)
                    .filter(|entry| entry.local == local)
                    .count();
                let reading = Reading::gauge("core.mount_table.num_entries", MOUNTS, of(count));
                readings.push(reading.with("type", kind).with("local", local.to_string()));
            }
        }
        Ok(readings)
    }

    /// Counts tokens and leases: work in proportion to their number.
    pub fn counts(&self) -> Result<Counts, Error> {
        Ok(Counts {
            tokens: self.parts.tokens.count()?,
            leases: self.parts.tokens.leases().count_all()?,
        })
    }
}
