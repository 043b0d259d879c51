//! `sys/internal`: what the web UI and the command line ask for.

use super::system::{System, expect};
use crate::engine::{Error, Operation, Outcome, Request};

impl System {
    pub(super) fn internal(&self, request: &Request, rest: &str) -> Result<Outcome, Error> {
        let Some(rest) = rest.strip_prefix("ui/") else {
            return Err(Error::unsupported_path());
        };
        let (what, path) = rest.split_once('/').unwrap_or((rest, ""));
        match what {
            "mounts" => self.visible_mounts(request, path),
            "resultant-acl" if path.is_empty() => {
                expect(request, Operation::Read)?;
                self.resultant_acl(request)
            }
            _ => Err(Error::unsupported_path()),
        }
    }
}
