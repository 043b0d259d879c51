//! The engine behind `sys/`: the rows at its paths, and the running of requests by them.

use super::policies::FOLDED;
use super::run::Run;
use super::system::System;
use super::table::TABLE;
use super::{raft, raw};
use crate::barrier::View;
use crate::engine::table::{Endpoint, Sheet};
use crate::engine::{
    self, Engine, Error, Kind, Make, MountContext, Operation, Outcome, Prepared, Request, Response,
};
use crate::policy::Authorized;
use crate::store::BoxFuture;
use crate::sys::open;
use std::sync::Arc;

/// The kind of `sys/`, which is mounted once.
pub static KIND: Kind = Kind {
    is_single: true,
    ..Kind::usual("system", |_| vec![&TABLE, &open::TABLE], Make::Before)
};

impl Engine for System {
    fn table(&self, _: &MountContext) -> &'static dyn Sheet {
        &TABLE
    }

    fn has(&self, endpoint: &Endpoint) -> bool {
        let options = &self.options;
        (options.raw_storage_endpoint || !raw::is_raw(endpoint))
            && (options.cluster.is_some() || !raft::is_about_members(endpoint))
    }

    fn canonical_path(&self, operation: Operation, path: &str) -> Option<String> {
        engine::canonical(operation, path, FOLDED)
    }

    fn prepare<'a>(
        &'a self,
        request: Authorized<&'a Request>,
        view: &'a View,
    ) -> BoxFuture<'a, Result<Prepared, Error>> {
        let request = request.into_request();
        let there = |endpoint: &Endpoint| self.has(endpoint);
        match TABLE.route_if(request, view, there) {
            Ok((Run::After(preparing, _), matched)) => preparing(self, matched),
            Ok(_) => Box::pin(async { Ok(Arc::new(()) as Prepared) }),
            Err(error) => Box::pin(async { Err(error) }),
        }
    }

    fn act<'a>(
        &'a self,
        request: Authorized<&'a Request>,
        view: &'a View,
    ) -> Option<BoxFuture<'a, Result<Response, Error>>> {
        let request = request.into_request();
        let row = TABLE.find(&request.path, request.operation)?;
        let Run::Act(_) = row.handler(request.operation)? else {
            return None;
        };
        let there = |endpoint: &Endpoint| self.has(endpoint);
        match TABLE.route_if(request, view, there) {
            Ok((Run::Act(acting), matched)) => Some(acting(self, matched)),
            Ok(_) => None,
            Err(error) => Some(Box::pin(async { Err(error) })),
        }
    }

    fn handle(&self, request: Authorized<&Request>, view: &View) -> Result<Outcome, Error> {
        let request = request.into_request();
        let there = |endpoint: &Endpoint| self.has(endpoint);
        let (run, matched) = TABLE.route_if(request, view, there)?;
        match run {
            Run::Answer(handler) | Run::After(_, handler) => handler(self, &matched),
            // See `act`.
            Run::Act(_) => Err(Error::internal("this is not answered with a batch")),
        }
    }
}
