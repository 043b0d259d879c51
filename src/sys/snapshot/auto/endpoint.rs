//! `sys/storage/raft/snapshot-auto/config/:name` and `status/:name`.

use super::config::{self, Config, is_name};
use crate::engine::{Error, Operation, Outcome, Request, Response};
use crate::sys::snapshot::NO_RAFT;
use crate::sys::system::{System, is_update};

impl System {
    /// `rest` is what follows `snapshot-auto/`.
    pub(in crate::sys) fn snapshot_auto(
        &self,
        request: &Request,
        rest: &str,
    ) -> Result<Outcome, Error> {
        if self.barrier.storage().whole().is_none() {
            return Err(Error::invalid(NO_RAFT));
        }
        match rest.split_once('/').unwrap_or((rest, "")) {
            ("config", "") if request.operation == Operation::List => {
                let (_, configs) = config::read(&self.barrier)?;
                match configs.is_empty() {
                    true => Err(Error::not_found()),
                    false => Ok(Response::list(configs.into_keys().collect()).into()),
                }
            }
            ("config", "") | ("status", "") => Err(Error::unsupported_operation()),
            ("config", name) => self.snapshot_config(request, name),
            ("status", name) if request.operation == Operation::Read => {
                let (_, configs) = config::read(&self.barrier)?;
                match configs.contains_key(name) {
                    true => Ok(Response::data(self.options.snapshots.status(name).data()).into()),
                    false => Err(Error::not_found()),
                }
            }
            ("status", _) => Err(Error::unsupported_operation()),
            _ => Err(Error::unsupported_path()),
        }
    }

    fn snapshot_config(&self, request: &Request, name: &str) -> Result<Outcome, Error> {
        let (revision, mut configs) = config::read(&self.barrier)?;
        match request.operation {
            Operation::Read => {
                let config = configs.get(name).ok_or_else(Error::not_found)?;
                return Ok(Response::data(config.data()).into());
            }
            Operation::Delete => {
                if configs.remove(name).is_none() {
                    return Ok(Response::no_content().into());
                }
            }
            _ if is_update(request) => {
                if !is_name(name) {
                    return Err(Error::invalid(
                        "the name may have letters, digits, '-', '_', '.'",
                    ));
                }
                let config = Config::parse(&request.data, configs.get(name))?;
                configs.insert(name.to_owned(), config);
            }
            _ => return Err(Error::unsupported_operation()),
        }
        let mut outcome = Outcome::from(Response::no_content());
        config::put(&self.barrier, &mut outcome.batch, revision, configs)?;
        Ok(outcome)
    }
}
