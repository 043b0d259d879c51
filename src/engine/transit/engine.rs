//! The transit engine.

use super::table::{ENCRYPT, TABLE};
use super::version::Version;
use super::{keys, record};
use crate::barrier::View;
use crate::engine::table::Sheet;
use crate::engine::{
    Engine, Error, Existing, Kind, Make, MountContext, Outcome, Prepared, Request,
};
use crate::policy::Authorized;
use crate::task::{self, BoxFuture};
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

    /// Makes a key pair of RSA, which takes from a tenth of a second to a minute.
    fn prepare<'a>(
        &'a self,
        request: Authorized<&'a Request>,
        view: &'a View,
    ) -> BoxFuture<'a, Result<Prepared, Error>> {
        Box::pin(async move {
            let Some(kind) = keys::slow(request.into_request(), view)? else {
                return Ok(Arc::new(()) as Prepared);
            };
            let made = task::compute(move || Version::generate(kind, 0)).await;
            let died = |_| Error::internal("the thread that made a key pair died");
            Ok(Arc::new(made.map_err(died)??) as Prepared)
        })
    }

    fn handle(&self, request: Authorized<&Request>, view: &View) -> Result<Outcome, Error> {
        let (handler, matched) = TABLE.route(request.into_request(), view)?;
        handler(&matched)
    }
}
