//! Writes every line to every device.

use super::device::Device;
use super::line::{Exchange, Form};
use super::refusals::{Refusals, SUM_INTERVAL, Told};
use super::{AuditError, DeviceSpec, HEADERS_MAX, HeaderRule};
use crate::barrier::{BarrierError, Batch, Codec, Slot, Unsealed, View};
use crate::clock::Timestamp;
use crate::engine::{Client, Error, Response};
use crate::store::{Key, Observer, Revision};
use crate::telemetry::Tally;
use arc_swap::ArcSwap;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// Most devices.
pub const DEVICES_MAX: usize = 16;
const RECORD: &str = "audit";
const HEADERS: &str = "audited-headers";

/// The operator's settings.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The devices of the configuration; always present, and not to be disabled over the API.
    pub devices: Vec<DeviceSpec>,
    /// The directories for files of devices that are enabled over the API.
    pub directories: Vec<PathBuf>,
}

/// The stored form; the variant is the version.
#[derive(Serialize, Deserialize)]
enum DevicesRecord {
    V1(Vec<DeviceSpec>),
}

/// Returns the codec that shows the record `name`, below `core/`, as text.
pub fn codec(name: &str) -> Option<Codec> {
    match name {
        RECORD => Some(Codec::of::<DevicesRecord>()),
        HEADERS => Some(Codec::of::<BTreeMap<String, HeaderRule>>()),
        _ => None,
    }
}

/// The room in the log that a request without a good token reserved. It is spent when this is
/// dropped without [`Broker::settle`].
#[derive(Debug)]
pub struct Reserve {
    address: Option<SocketAddr>,
    bytes: u64,
}

/// The devices of one moment, with their keys.
pub struct Devices(Arc<Setup>);

/// All devices.
pub struct Broker {
    barrier: Arc<Unsealed>,
    view: View,
    options: Options,
    current: ArcSwap<Setup>,
    loading: Mutex<()>,
    refusals: Refusals,
    watch: Arc<Watch>,
    requests: Tally,
    responses: Tally,
}

#[derive(Default)]
struct Setup {
    generation: u64,
    devices: Vec<Arc<Device>>,
    headers: BTreeMap<String, HeaderRule>,
}

struct Watch {
    keys: [Key; 2],
    generation: AtomicU64,
}

impl Observer for Watch {
    fn applied(&self, _revision: Revision, keys: &[Key]) {
        if keys.is_empty() || keys.iter().any(|key| self.keys.contains(key)) {
            self.generation.fetch_add(1, Ordering::AcqRel);
        }
    }
}

impl Broker {
    /// Builds the broker with the devices of `barrier` and of the configuration. A configured
    /// device with wrong options is an error; a file that cannot be opened is one once a line needs
    /// it.
    pub fn new(barrier: &Arc<Unsealed>, options: Options) -> Result<Self, AuditError> {
        let view = barrier.view("core/");
        let watch = Arc::new(Watch {
            keys: [view.key(RECORD)?, view.key(HEADERS)?],
            generation: AtomicU64::new(1),
        });
        barrier.storage().observe(Arc::downgrade(&watch) as _);
        for spec in &options.devices {
            spec.parse()?;
        }
        Ok(Self {
            barrier: Arc::clone(barrier),
            view,
            options,
            current: ArcSwap::default(),
            loading: Mutex::new(()),
            refusals: Refusals::new(),
            watch,
            requests: Tally::new(
                (
                    "audit.log_request",
                    "Milliseconds that all audit devices took for the line about a request.",
                ),
                (
                    "audit.log_request_failure",
                    "Requests that no audit device could write a line about, and that failed \
                     for it.",
                ),
            ),
            responses: Tally::new(
                (
                    "audit.log_response",
                    "Milliseconds that all audit devices took for the line about an answer.",
                ),
                (
                    "audit.log_response_failure",
                    "Answers that no audit device could write a line about, and that failed \
                     for it.",
                ),
            ),
        })
    }

    /// Writes the line about a request; returns its bytes on all devices. `error` is set if no
    /// engine will be asked.
    pub fn request(
        &self,
        exchange: &Exchange<'_>,
        error: Option<&Error>,
    ) -> Result<u64, AuditError> {
        let write = || self.each(|form| form.request(exchange, error));
        self.requests.run(write)
    }

    /// Writes the line about an answer; returns its bytes on all devices. `devices` are those
    /// that the request's line was written to, where the request may have taken the keys away
    /// that the present ones would be read with.
    pub fn response(
        &self,
        exchange: &Exchange<'_>,
        result: Result<&Response, &Error>,
        devices: Option<&Devices>,
    ) -> Result<u64, AuditError> {
        let line = |form: &Form<'_>| form.response(exchange, result);
        self.responses.run(|| match devices {
            Some(Devices(setup)) => write_to(setup, line),
            None => self.each(line),
        })
    }

    /// Returns the devices as they are now.
    pub fn devices(&self) -> Result<Devices, AuditError> {
        self.setup().map(Devices)
    }

    /// Reserves room in the log for a request of `bytes` that needs no token and came without a
    /// good one. Returns `None` if its sender has used up its share; the request is counted, and
    /// must not be executed. Without a device there is room for every request.
    pub fn admit(
        self: &Arc<Self>,
        client: &Client,
        bytes: u64,
        time: Timestamp,
    ) -> Result<Option<Reserve>, AuditError> {
        let address = client.address;
        if self.setup()?.devices.is_empty() {
            return Ok(Some(Reserve { address, bytes: 0 }));
        }
        Ok(self.told(bytes, address, time).map(|reserved| Reserve {
            address,
            bytes: reserved,
        }))
    }

    /// Gives back the rest of `reserve` after lines of `bytes`.
    pub fn settle(&self, reserve: Reserve, bytes: u64) {
        self.refusals.settle(reserve.address, reserve.bytes, bytes);
    }

    /// Writes both lines about a request of `bytes` that is refused with `error` because it came
    /// without a good token, or counts it when such requests have used up their share of the log.
    pub fn refusal(
        self: &Arc<Self>,
        exchange: &Exchange<'_>,
        error: &Error,
        bytes: u64,
    ) -> Result<(), AuditError> {
        let address = exchange.client.address;
        if let Some(reserved) = self.told(bytes, address, exchange.time) {
            let first = self.request(exchange, Some(error))?;
            let second = self.response(exchange, Err(error), None)?;
            let written = first.saturating_add(second);
            self.refusals.settle(address, reserved, written);
        }
        Ok(())
    }

    /// Records a request without a good token. Returns the bytes reserved for its lines, or `None`
    /// if the request is summed up with others; then the line about them is scheduled here.
    fn told(
        self: &Arc<Self>,
        bytes: u64,
        address: Option<SocketAddr>,
        time: Timestamp,
    ) -> Option<u64> {
        match self.refusals.take(bytes, address, time, Instant::now()) {
            Told::Alone { reserved } => return Some(reserved),
            Told::Summed { is_first: true } => {
                let broker = Arc::downgrade(self);
                crate::task::spawn(async move {
                    tokio::time::sleep(SUM_INTERVAL).await;
                    if let Some(broker) = broker.upgrade() {
                        broker.sum_up(time.plus(SUM_INTERVAL));
                    }
                });
            }
            Told::Summed { is_first: false } => {}
        }
        None
    }

    /// Writes the line about the requests that were summed up. No request waits for it, so a
    /// failure is told only in the log.
    fn sum_up(&self, now: Timestamp) {
        if let Some(line) = self.refusals.sum(now) {
            // The reason of a failure is in the log already.
            drop(self.each(|_| line.clone()));
        }
    }

    /// Opens all files anew, after they were rotated.
    pub fn reopen(&self) {
        for device in &self.current.load().devices {
            device.release();
        }
    }

    /// Returns all devices by path, each with true if it is of the configuration.
    pub fn list(&self) -> Result<Vec<(DeviceSpec, bool)>, AuditError> {
        let devices = &self.setup()?.devices;
        Ok(devices
            .iter()
            .map(|d| (d.spec.clone(), d.configured))
            .collect())
    }

    /// Adds "enable `spec`" to `batch`, if its file can be opened.
    pub fn enable(&self, batch: &mut Batch, spec: DeviceSpec) -> Result<(), AuditError> {
        crate::path::check(&spec.path).map_err(BarrierError::from)?;
        crate::path::check_ends(&spec.path).map_err(BarrierError::from)?;
        let (slot, mut specs) = self.read()?;
        let present = || self.options.devices.iter().chain(&specs);
        let taken =
            |d: &DeviceSpec| d.path.starts_with(&spec.path) || spec.path.starts_with(&d.path);
        if present().any(taken) {
            return Err(AuditError::InUse);
        }
        if present().count() >= DEVICES_MAX {
            return Err(AuditError::TooMany);
        }
        let device = self.device(spec.clone(), false)?;
        if !device.options.prefix.is_empty() {
            let message = "prefix can be set in the configuration only";
            return Err(AuditError::Option(message.into()));
        }
        if !device.lies_in(&self.options.directories) {
            let message = "file_path lies outside the directories allowed for audit files";
            return Err(AuditError::Option(message.into()));
        }
        let opened = device.probe();
        opened.map_err(|error| AuditError::Option(format!("cannot open file_path: {error}")))?;
        specs.push(spec);
        Ok(batch.replace_record(&slot, &DevicesRecord::V1(specs))?)
    }

    /// Adds "disable this device" to `batch`; does nothing where there is none.
    pub fn disable(&self, batch: &mut Batch, path: &str) -> Result<(), AuditError> {
        let path = format!("{}/", path.trim_matches('/'));
        if self.options.devices.iter().any(|spec| spec.path == path) {
            return Err(AuditError::Configured);
        }
        let (slot, mut specs) = self.read()?;
        let before = specs.len();
        specs.retain(|spec| spec.path != path);
        if specs.len() == before {
            return Ok(());
        }
        Ok(batch.replace_record(&slot, &DevicesRecord::V1(specs))?)
    }

    /// Returns `input` as the device at `path` would write it.
    pub fn hash(&self, path: &str, input: &str) -> Result<String, AuditError> {
        let path = format!("{}/", path.trim_matches('/'));
        let setup = self.setup()?;
        let device = setup.devices.iter().find(|device| device.spec.path == path);
        let device = device.ok_or(AuditError::Unknown(path))?;
        Ok(device.hasher.always(input))
    }

    /// Returns the rules about request headers, by lower-case name.
    pub fn headers(&self) -> Result<BTreeMap<String, HeaderRule>, AuditError> {
        Ok(self.setup()?.headers.clone())
    }

    /// Adds "treat the header `name` by `rule`" (`None`: leave it out) to `batch`.
    pub fn set_header(
        &self,
        batch: &mut Batch,
        name: &str,
        rule: Option<HeaderRule>,
    ) -> Result<(), AuditError> {
        let (slot, mut headers) = self.read_headers()?;
        let name = name.to_lowercase();
        match rule {
            Some(rule) => headers.insert(name, rule),
            None => headers.remove(&name),
        };
        if headers.len() > HEADERS_MAX {
            let message = format!("at most {HEADERS_MAX} headers can be audited");
            return Err(AuditError::Option(message));
        }
        Ok(batch.replace_record(&slot, &headers)?)
    }

    /// Writes a line to each device; returns its bytes on all of them.
    fn each(&self, line: impl Fn(&Form<'_>) -> serde_json::Value) -> Result<u64, AuditError> {
        write_to(&*self.setup()?, line)
    }

    fn setup(&self) -> Result<Arc<Setup>, AuditError> {
        let current = self.current.load_full();
        if current.generation == self.watch.generation.load(Ordering::Acquire) {
            return Ok(current);
        }
        let _one = self.loading.lock().unwrap_or_else(PoisonError::into_inner);
        let generation = self.watch.generation.load(Ordering::Acquire);
        let current = self.current.load_full();
        let mut devices = Vec::new();
        let configured = self.options.devices.iter().map(|spec| (spec, true));
        let (_, stored) = self.read()?;
        for (spec, configured) in configured.chain(stored.iter().map(|spec| (spec, false))) {
            let known = current.devices.iter().find(|device| device.spec == *spec);
            devices.push(match known {
                Some(device) => Arc::clone(device),
                None => Arc::new(self.device(spec.clone(), configured)?),
            });
        }
        devices.sort_by(|a, b| a.spec.path.cmp(&b.spec.path));
        let setup = Arc::new(Setup {
            generation,
            devices,
            headers: self.read_headers()?.1,
        });
        self.current.store(Arc::clone(&setup));
        Ok(setup)
    }

    /// Opens a device. Its key follows from its uuid, so no secret is stored for it.
    fn device(&self, spec: DeviceSpec, configured: bool) -> Result<Device, AuditError> {
        let name = if configured { &spec.path } else { &spec.uuid };
        let key = self.barrier.mac("audit device", name.as_bytes())?;
        Device::new(spec, configured, &key)
    }

    fn read(&self) -> Result<(Slot, Vec<DeviceSpec>), AuditError> {
        let slot = self.view.read(RECORD)?;
        let record = slot.record("audit devices")?;
        let specs = record.map_or_else(Vec::new, |DevicesRecord::V1(specs)| specs);
        Ok((slot, specs))
    }

    fn read_headers(&self) -> Result<(Slot, BTreeMap<String, HeaderRule>), AuditError> {
        let slot = self.view.read(HEADERS)?;
        let headers = slot.record("audited headers")?.unwrap_or_default();
        Ok((slot, headers))
    }
}

/// Writes a line to each device of `setup`; returns its bytes on all of them.
fn write_to(
    setup: &Setup,
    line: impl Fn(&Form<'_>) -> serde_json::Value,
) -> Result<u64, AuditError> {
    let mut failed = None;
    let mut is_full = true;
    let mut bytes = 0;
    let mut written = setup.devices.is_empty();
    for device in &setup.devices {
        let form = Form {
            hasher: &device.hasher,
            elide_lists: device.options.elide_lists,
            headers: &setup.headers,
        };
        let line = line(&form).to_string();
        match device.write(line.as_bytes()) {
            Ok(()) => {
                written = true;
                bytes += line.len() as u64;
            }
            Err(error) => {
                tracing::error!(device = %device.spec.path, %error, "audit device failed");
                is_full &= is_no_space(&error);
                failed = Some(error.to_string());
            }
        }
    }
    match (written, failed.unwrap_or_default()) {
        (true, _) => Ok(bytes),
        (false, failed) if is_full => Err(AuditError::NoSpace(failed)),
        (false, failed) => Err(AuditError::NoDevice(failed)),
    }
}

fn is_no_space(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}
