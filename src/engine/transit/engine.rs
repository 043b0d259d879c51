//! The transit engine.

use super::record;
use super::table::{ENCRYPT, TABLE};
use crate::barrier::View;
use crate::engine::table::Sheet;
use crate::engine::{Engine, Error, Existing, Kind, Make, MountContext, Outcome, Request};
use crate::policy::Authorized;
use std::sync::Arc;

/// The kind `transit`.
pub static KIND: Kind = Kind::usual(
    "transit",
    |_| vec![&TABLE],
    Make::ForMount(|_| Arc::new(Transit)),
);

/// The transit engine. It keeps nothing in memory.
#[derive(Debug, Default)]
pub struct Transit;

impl Engine for Transit {
    /// Returns the place of the key that encrypting makes where there is none: that takes `create`.
    fn existing(&self, request: &Request, view: &View) -> Result<Existing, Error> {
        match request.path.strip_prefix(ENCRYPT) {
            Some(name) => Ok(Existing::Slot(view.read(&record::place(name))?)),
            None => Ok(Existing::Undistinguished),
        }
    }

    fn table(&self, _: &MountContext) -> &'static dyn Sheet {
        &TABLE
    }

    fn handle(&self, request: Authorized<&Request>, view: &View) -> Result<Outcome, Error> {
        let (handler, matched) = TABLE.route(request.into_request(), view)?;
        handler(&matched)
    }
}
