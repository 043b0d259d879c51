//! Writes an archive.

use super::records::{Header, RecordsWriter};
use super::{ArchiveError, META, SEALED, STATE, SUMS};
use crate::store::Key;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use ring::digest::{Context, SHA256};
use serde_json::json;
use std::io::{self, Write};

/// The size of tar's blocks, in bytes.
const BLOCK_BYTES: usize = 512;
const FILE_MODE: u32 = 0o600;

/// The size of the state, known before it is written, because tar wants it first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// The number of records.
    pub records: u64,
    /// The bytes of their keys and values.
    pub bytes: u64,
}

/// Writes the archive of `records` to `out`: as many as `header` names, in order of their keys.
/// `seal` gets SHA256SUMS and returns SHA256SUMS.sealed.
pub fn write<W, E>(
    out: W,
    header: &Header,
    records: impl Iterator<Item = Result<(Key, Bytes), E>>,
    seal: impl FnOnce(&[u8]) -> io::Result<Vec<u8>>,
) -> Result<W, ArchiveError>
where
    W: Write,
    E: std::error::Error + Send + Sync + 'static,
{
    let time_s = header.time_floor.as_secs();
    let mut archive = Archive {
        // Stored as they are: the contents are ciphertext, which does not get smaller.
        gzip: GzEncoder::new(out, Compression::none()),
        time_s,
    };
    let meta = meta(header)?;
    let meta_sum = archive.member(META, &meta)?;
    let state_sum = archive.state(header, records)?;
    let sums = sums(&[(META, meta_sum), (STATE, state_sum)]);
    archive.member(SUMS, sums.as_bytes())?;
    let sealed = seal(sums.as_bytes()).map_err(ArchiveError::Io)?;
    archive.member(SEALED, &sealed)?;
    archive.finish().map_err(ArchiveError::Io)
}

type Sum = [u8; 32];

fn sums(members: &[(&str, Sum)]) -> String {
    let lines = members
        .iter()
        .map(|(name, sum)| format!("{}  {name}\n", hex::encode(sum)));
    lines.collect()
}

/// Returns `meta.json` as raft's tools know it, without the members of the cluster.
fn meta(header: &Header) -> Result<Vec<u8>, ArchiveError> {
    let meta = json!({
        "Version": 1,
        "ID": format!("coffer-{}-{}", header.term, header.index),
        "Index": header.index,
        "Term": header.term,
        "Peers": null,
        "Configuration": {"Servers": []},
        "ConfigurationIndex": 0,
        "Size": header.state_bytes()?,
    });
    Ok(format!("{meta}\n").into_bytes())
}

struct Archive<W: Write> {
    gzip: GzEncoder<W>,
    time_s: u64,
}

impl<W: Write> Archive<W> {
    fn member(&mut self, name: &str, bytes: &[u8]) -> Result<Sum, ArchiveError> {
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.begin(name, length).map_err(ArchiveError::Io)?;
        let mut hashed = Hashed::new(&mut self.gzip);
        hashed.write_all(bytes).map_err(ArchiveError::Io)?;
        let (sum, written) = hashed.finish();
        self.pad(written).map_err(ArchiveError::Io)?;
        Ok(sum)
    }

    fn state<E: std::error::Error + Send + Sync + 'static>(
        &mut self,
        header: &Header,
        records: impl Iterator<Item = Result<(Key, Bytes), E>>,
    ) -> Result<Sum, ArchiveError> {
        let length = header.state_bytes()?;
        self.begin(STATE, length).map_err(ArchiveError::Io)?;
        let mut hashed = Hashed::new(&mut self.gzip);
        let mut writer = RecordsWriter::begin(&mut hashed, header)?;
        for record in records {
            let (key, value) = record.map_err(|error| ArchiveError::Io(io::Error::other(error)))?;
            writer.record(&key, &value)?;
        }
        writer.end()?;
        let (sum, written) = hashed.finish();
        if written != length {
            return Err(ArchiveError::State("it changed while it was written"));
        }
        self.pad(written).map_err(ArchiveError::Io)?;
        Ok(sum)
    }

    fn begin(&mut self, name: &str, length: u64) -> io::Result<()> {
        let mut header = tar::Header::new_gnu();
        header.set_path(name)?;
        header.set_size(length);
        header.set_mode(FILE_MODE);
        header.set_mtime(self.time_s);
        header.set_entry_type(tar::EntryType::Regular);
        header.set_cksum();
        self.gzip.write_all(header.as_bytes())
    }

    fn pad(&mut self, written: u64) -> io::Result<()> {
        let over = usize::try_from(written % BLOCK_BYTES as u64).unwrap_or(0);
        let missing = (BLOCK_BYTES - over) % BLOCK_BYTES;
        let zeros = [0; BLOCK_BYTES];
        self.gzip
            .write_all(zeros.get(..missing).unwrap_or_default())
    }

    fn finish(mut self) -> io::Result<W> {
        self.gzip.write_all(&[0; 2 * BLOCK_BYTES])?;
        self.gzip.finish()
    }
}

/// Passes bytes on, and computes their sum.
struct Hashed<W> {
    out: W,
    hash: Context,
    written: u64,
}

impl<W: Write> Hashed<W> {
    fn new(out: W) -> Self {
        Self {
            out,
            hash: Context::new(&SHA256),
            written: 0,
        }
    }

    fn finish(self) -> (Sum, u64) {
        let digest = self.hash.finish();
        (digest.as_ref().try_into().unwrap_or_default(), self.written)
    }
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write_all(bytes)?;
        self.hash.update(bytes);
        self.written += u64::try_from(bytes.len()).unwrap_or(0);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
