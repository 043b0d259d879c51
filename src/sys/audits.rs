//! `sys/audit` and `sys/audit-hash`.

use super::field;
use super::system::{System, doubled, expect_update, is_update};
use crate::audit::{DeviceSpec, HeaderRule};
use crate::engine::{Error, Operation, Outcome, Request};
use serde_json::{Map, json};

impl System {
    /// `sys/audit[/<path>]`.
    pub(super) fn audit_devices(&self, request: &Request, path: &str) -> Result<Outcome, Error> {
        let mut outcome = Outcome::default();
        match (request.operation, path) {
            (Operation::Read, "") => return self.list_devices(),
            (_, "") => return Err(Error::unsupported_operation()),
            (Operation::Delete, path) => self.audit.disable(&mut outcome.batch, path)?,
            (_, path) if is_update(request) => {
                let kind = field::text(&request.data, "type")?.unwrap_or_default();
                if kind.is_empty() {
                    return Err(Error::invalid("missing audit type"));
                }
                let options = field::texts(&request.data, "options")?.unwrap_or_default();
                let mut spec = DeviceSpec::new(path, &kind, options);
                spec.description = field::text(&request.data, "description")?.unwrap_or_default();
                spec.local = field::flag(&request.data, "local")?.unwrap_or(false);
                self.audit.enable(&mut outcome.batch, spec)?;
            }
            _ => return Err(Error::unsupported_operation()),
        }
        Ok(outcome)
    }

    fn list_devices(&self) -> Result<Outcome, Error> {
        let mut data = Map::new();
        for (spec, _) in self.audit.list()? {
            let row = json!({
                "path": spec.path,
                "type": spec.kind,
                "description": spec.description,
                "local": spec.local,
                "options": spec.options,
            });
            data.insert(spec.path, row);
        }
        Ok(doubled(data))
    }

    /// `sys/audit-hash/<path>`.
    pub(super) fn audit_hash(&self, request: &Request, path: &str) -> Result<Outcome, Error> {
        expect_update(request)?;
        let input = field::text(&request.data, "input")?.unwrap_or_default();
        if input.is_empty() {
            return Err(Error::invalid("the \"input\" parameter is empty"));
        }
        let mut data = Map::new();
        data.insert("hash".into(), json!(self.audit.hash(path, &input)?));
        Ok(doubled(data))
    }

    /// `sys/config/auditing/request-headers[/<name>]`.
    pub(super) fn audited_headers(&self, request: &Request, name: &str) -> Result<Outcome, Error> {
        let headers = self.audit.headers()?;
        let mut outcome = Outcome::default();
        let batch = &mut outcome.batch;
        let mut data = Map::new();
        match (request.operation, name) {
            (Operation::Read, "") => {
                data.insert("headers".into(), json!(headers));
            }
            (_, "") => return Err(Error::unsupported_operation()),
            (Operation::Read, name) => {
                let rule = headers.get(&name.to_lowercase());
                let rule = rule.ok_or_else(|| Error::invalid("Could not find header in config"))?;
                data.insert(name.into(), json!(rule));
            }
            (Operation::Delete, name) => {
                self.audit.set_header(batch, name, None)?;
                return Ok(outcome);
            }
            (_, name) if is_update(request) => {
                let hmac = field::flag(&request.data, "hmac")?.unwrap_or(false);
                self.audit
                    .set_header(batch, name, Some(HeaderRule { hmac }))?;
                return Ok(outcome);
            }
            _ => return Err(Error::unsupported_operation()),
        }
        Ok(doubled(data))
    }
}
