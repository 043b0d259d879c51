//! Reads an archive: once whole to check it, and once more for its records.

use super::gather::Contents;
use super::records::{Header, RecordsReader};
use super::{ArchiveError, META, SEALED, STATE, SUMS};
use crate::store::Key;
use bytes::Bytes;
use flate2::bufread::GzDecoder;
use ring::digest::{Context, SHA256};
use serde::Deserialize;
use std::io::{self, BufRead, BufReader, Read};

/// The most bytes that are read of a small member.
const SMALL_BYTES_MAX: u64 = 256 << 10;
/// The bytes that are read from the file at once.
const BUFFER_BYTES: usize = 64 << 10;
/// The most zeros with which tar may pad its end.
const TAIL_BYTES_MAX: usize = 1 << 20;
/// The number of these zeros that are read at once.
const TAIL_BLOCK_BYTES: usize = 4 << 10;

/// The fields of `meta.json` that a reader needs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Meta {
    /// The version of the archive's layout.
    pub version: u64,
    /// The id of the snapshot.
    #[serde(rename = "ID", default)]
    pub id: String,
    /// The index of the last entry that is in it.
    #[serde(default)]
    pub index: u64,
    /// Raft's term of that entry.
    #[serde(default)]
    pub term: u64,
    /// The bytes of `state.bin`.
    #[serde(default)]
    pub size: u64,
}

/// An archive that is whole: every member is there and has the right sum.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// The contents of `meta.json`.
    pub meta: Meta,
    /// The state's header and contents; `None` when another program wrote it.
    pub state: Option<(Header, Contents)>,
    /// The bytes of `SHA256SUMS`.
    pub sums: Vec<u8>,
    /// The bytes of `SHA256SUMS.sealed`.
    pub sealed: Vec<u8>,
}

impl Checked {
    /// Returns the state's header, when the state is one of coffer's.
    pub fn header(&self) -> Result<&Header, ArchiveError> {
        let state = self.state.as_ref().ok_or(ArchiveError::Foreign)?;
        Ok(&state.0)
    }
}

/// Reads all of an archive and checks that it is whole.
pub fn check(input: impl Read) -> Result<Checked, ArchiveError> {
    let mut gzip = GzDecoder::new(BufReader::with_capacity(BUFFER_BYTES, input));
    let mut found = Found::default();
    let mut archive = tar::Archive::new(&mut gzip);
    let entries = archive
        .entries()
        .map_err(ArchiveError::reading("a header"))?;
    let mut expected = [META, STATE, SUMS, SEALED].into_iter();
    // Raw: a name that needs more room than the header has is no name of ours.
    for entry in entries.raw(true) {
        let entry = entry.map_err(tar_error)?;
        let name = entry.path_bytes().into_owned();
        let known = expected.next().filter(|known| known.as_bytes() == name);
        let known = known.ok_or_else(|| {
            let name = String::from_utf8_lossy(&name);
            ArchiveError::Layout(format!("unexpected file {name:?}"))
        })?;
        found.take(known, entry)?;
    }
    let checked = found.compare()?;
    ensure_end(gzip)?;
    Ok(checked)
}

/// Reads the archive to its end: the zeros that tar ends with, then gzip's own checksum, and no
/// byte more. Bytes that no sum covers could be anything, and other programs may read them.
fn ensure_end(mut gzip: GzDecoder<impl BufRead>) -> Result<(), ArchiveError> {
    let more = || ArchiveError::Layout("data after its end".into());
    let reading = ArchiveError::reading("its end");
    let (mut block, mut tail) = ([0; TAIL_BLOCK_BYTES], 0);
    loop {
        let count = gzip.read(&mut block).map_err(&reading)?;
        if count == 0 {
            break;
        }
        tail += count;
        let read = block.get(..count).unwrap_or_default();
        if tail > TAIL_BYTES_MAX || read.iter().any(|byte| *byte != 0) {
            return Err(more());
        }
    }
    match gzip.into_inner().fill_buf().map_err(&reading)?.is_empty() {
        true => Ok(()),
        false => Err(more()),
    }
}

/// Hands each record of an archive to `each`, in order. The archive was [`check`]ed before, but is
/// checked again as far as the records go.
pub fn restore<E: From<ArchiveError>>(
    input: impl Read,
    mut each: impl FnMut(Key, Bytes) -> Result<(), E>,
) -> Result<(), E> {
    let gzip = GzDecoder::new(BufReader::with_capacity(BUFFER_BYTES, input));
    let mut archive = tar::Archive::new(gzip);
    let entries = archive
        .entries()
        .map_err(ArchiveError::reading("a header"))?;
    for entry in entries.raw(true) {
        let entry = entry.map_err(tar_error)?;
        if entry.path_bytes().as_ref() != STATE.as_bytes() {
            continue;
        }
        let mut records = RecordsReader::begin(entry)?;
        while let Some((key, value)) = records.next()? {
            each(key, value)?;
        }
        return Ok(());
    }
    Err(ArchiveError::Truncated(STATE).into())
}

/// Translates an error of tar, which says `other` for an archive that is cut short within a header,
/// and so on.
fn tar_error(error: io::Error) -> ArchiveError {
    match error.kind() {
        io::ErrorKind::Other => match error.to_string() {
            text if text.contains("failed to read entire block") => {
                ArchiveError::Truncated("a header")
            }
            text => ArchiveError::Layout(text),
        },
        _ => ArchiveError::reading("a header")(error),
    }
}

type Sum = [u8; 32];
type StatePart = Option<(Header, Contents)>;

/// The members that were read so far.
#[derive(Default)]
struct Found {
    meta: Option<(Vec<u8>, Sum)>,
    state: Option<(Result<StatePart, ArchiveError>, Sum)>,
    sums: Option<Vec<u8>>,
    sealed: Option<Vec<u8>>,
}

impl Found {
    fn take(&mut self, name: &'static str, entry: impl Read) -> Result<(), ArchiveError> {
        match name {
            META => self.meta = Some(small(entry, META)?),
            STATE => self.state = Some(state(entry)?),
            SUMS => self.sums = Some(small(entry, SUMS)?.0),
            _ => self.sealed = Some(small(entry, SEALED)?.0),
        }
        Ok(())
    }

    /// Checks that every member is there, with the sum in SHA256SUMS. Damage is reported by the sum
    /// first, and only then by its effect on the state.
    fn compare(self) -> Result<Checked, ArchiveError> {
        let (meta, meta_sum) = self.meta.ok_or(ArchiveError::Truncated(META))?;
        let (state, state_sum) = self.state.ok_or(ArchiveError::Truncated(STATE))?;
        let sums = self.sums.ok_or(ArchiveError::Truncated(SUMS))?;
        let sealed = self.sealed.filter(|sealed| !sealed.is_empty());
        let sealed = sealed.ok_or(ArchiveError::Truncated(SEALED))?;
        let text = String::from_utf8_lossy(&sums);
        for (name, sum) in [(META, meta_sum), (STATE, state_sum)] {
            let sum = hex::encode(sum);
            let stands = |line: &str| line.split_once("  ") == Some((sum.as_str(), name));
            if !text.lines().any(stands) {
                return Err(ArchiveError::Sum(name));
            }
        }
        let unreadable = |_| ArchiveError::Layout(String::from("meta.json cannot be read"));
        Ok(Checked {
            meta: serde_json::from_slice(&meta).map_err(unreadable)?,
            state: state?,
            sums,
            sealed,
        })
    }
}

fn small(entry: impl Read, name: &'static str) -> Result<(Vec<u8>, Sum), ArchiveError> {
    let mut bytes = Vec::new();
    let mut hashed = Hashed::new(entry);
    let read = (&mut hashed)
        .take(SMALL_BYTES_MAX + 1)
        .read_to_end(&mut bytes);
    read.map_err(ArchiveError::reading(name))?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > SMALL_BYTES_MAX) {
        return Err(ArchiveError::Layout(format!("{name} is too large")));
    }
    Ok((bytes, hashed.finish()))
}

fn state(entry: impl Read) -> Result<(Result<StatePart, ArchiveError>, Sum), ArchiveError> {
    let mut hashed = Hashed::new(entry);
    let state = match read_state(&mut hashed) {
        Ok(state) => Ok(Some(state)),
        Err(ArchiveError::Foreign) => Ok(None),
        Err(error @ (ArchiveError::State(_) | ArchiveError::Version(_))) => Err(error),
        Err(error) => return Err(error),
    };
    let rest = io::copy(&mut hashed, &mut io::sink());
    let rest = rest.map_err(ArchiveError::reading(STATE))?;
    let state = match state {
        Ok(Some(_)) if rest > 0 => Err(ArchiveError::State("data after its end")),
        state => state,
    };
    Ok((state, hashed.finish()))
}

fn read_state(input: impl Read) -> Result<(Header, Contents), ArchiveError> {
    let mut records = RecordsReader::begin(input)?;
    let mut contents = Contents::default();
    while let Some((key, value)) = records.next()? {
        contents.count(&key, &value);
    }
    Ok((records.header, contents))
}

/// Passes bytes on, and computes their sum.
struct Hashed<R> {
    input: R,
    hash: Context,
}

impl<R> Hashed<R> {
    fn new(input: R) -> Self {
        let hash = Context::new(&SHA256);
        Self { input, hash }
    }

    fn finish(self) -> Sum {
        let digest = self.hash.finish();
        digest.as_ref().try_into().unwrap_or_default()
    }
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(into)?;
        self.hash.update(into.get(..count).unwrap_or_default());
        Ok(count)
    }
}
