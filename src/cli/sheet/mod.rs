//! Sheets of paper for the holders of keys, one each: the key in words and as a QR code, and what
//! to do with it.
//!
//! A sheet is a PDF: it prints in its right size wherever it is opened, on one page, which browsers
//! do not promise of an SVG. The code has the key in base64, as servers and stock clients take it.
//! Everything happens in the client: the server never sees a sheet.

mod files;
mod page;
mod pdf;
mod place;
mod words;

use page::{BLOCK_LINES_MAX, SheetSet};
pub use page::{ClusterName, KeyCover, SheetKey, SheetKind};
pub use words::{WORDS, count as count_words, share_of_words};

use crate::block::Machine;
use crate::cli::call::Call;
use crate::cli::failure::Failure;
use crate::cli::output::wrap;
use crate::cli::verb::{Flag, FlagKind, flag};
use crate::clock;
use files::ReservedFiles;
use serde_json::Value;
use std::path::Path;

/// The flag that asks for sheets.
pub const SHEET: Flag = flag(
    "sheet",
    FlagKind::Text,
    "Directory for a printable sheet for each holder, a PDF, in place of printing the keys: each \
     key in words and as a QR code, and what to do with it. Best in memory (/dev/shm) or on a \
     stick.",
);

/// The sheets of a set of keys that is to be made. Their files are there already.
pub struct Sheets {
    set: SheetSet,
    files: ReservedFiles,
}

/// The sheets that were written, if any were wanted.
#[derive(Default)]
pub struct WrittenSheets {
    /// A path for each key; `None` where it has no sheet.
    paths: Vec<Option<String>>,
    /// The reason why a key has none.
    fault: Option<String>,
}

/// The keys that are asked for.
#[derive(Clone, Copy)]
pub struct WantedKeys {
    pub kind: SheetKind,
    pub shares: u64,
    pub threshold: u64,
    /// See [`SheetSet::generation`].
    pub generation: Option<u64>,
    /// The lines of the longest key, where it is known before: of a file of age.
    pub lines: usize,
}

impl Sheets {
    /// Makes the files of sheets in the directory that the flag `-sheet` names, if it is given, and
    /// warns of a disk that stays in the machine.
    ///
    /// # Errors
    /// The directory or a file in it cannot be used; nothing is left behind.
    pub fn reserve(call: &mut Call, wanted: WantedKeys) -> Result<Option<Self>, Failure> {
        let folder = call.flags.text("sheet").unwrap_or_default().to_owned();
        if folder.is_empty() {
            return Ok(None);
        }
        let wrong = |why: String| {
            Failure::usage(format!("invalid value {folder:?} for flag -sheet: {why}"))
        };
        let set = SheetSet {
            kind: wanted.kind,
            shares: wanted.shares,
            threshold: wanted.threshold,
            generation: wanted.generation,
            made: clock::wall_clock(),
            cluster: ClusterName::default(),
            address: call.client()?.address().to_owned(),
        };
        let shares = usize::try_from(set.shares).unwrap_or_default();
        if !(1..=255).contains(&shares) {
            return Err(wrong("there is a sheet for each of 1 to 255 keys".into()));
        }
        if wanted.lines > BLOCK_LINES_MAX {
            return Err(wrong(format!(
                "an encrypted key has {} lines, and a sheet has room for {BLOCK_LINES_MAX}: \
                 encrypt it to fewer or shorter keys, or print the keys",
                wanted.lines
            )));
        }
        let names: Vec<String> = (1..=shares).map(|number| set.file_name(number)).collect();
        let files = ReservedFiles::make(Path::new(&folder), &names).map_err(wrong)?;
        if let Some(warning) = place::warning(&Machine::default(), Path::new(&folder)) {
            call.err(&wrap(&warning, 0));
        }
        Ok(Some(Self { set, files }))
    }

    /// Writes the sheets of these keys, of `cluster`.
    pub fn write(mut self, cluster: ClusterName, keys: &[SheetKey<'_>]) -> WrittenSheets {
        self.set.cluster = cluster;
        let mut fault = None;
        let mut paths = Vec::new();
        for (at, key) in keys.iter().enumerate() {
            let sheet = self.set.sheet(at + 1, *key);
            let written = self.files.fill(at, sheet.expose());
            let written = written.map(|path| path.display().to_string());
            paths.push(written.map_err(|why| fault.get_or_insert(why).clone()).ok());
        }
        if let Err(error) = self.files.finish() {
            fault.get_or_insert(error.to_string());
        }
        WrittenSheets { paths, fault }
    }
}

impl WrittenSheets {
    /// Returns true when each key is on a sheet, and none is printed.
    pub fn has_all(&self) -> bool {
        self.fault.is_none() && !self.paths.is_empty()
    }

    /// Returns a text about keys that are printed, as it is true for these.
    pub fn named(&self, text: &str) -> String {
        match self.has_all() {
            true => text.replace("key shares printed above", "sheets named above"),
            false => text.to_owned(),
        }
    }

    /// Adds the paths of the sheets to an output, if any were wanted.
    pub fn tell(&self, output: &mut Value) {
        if let (Some(fields), false) = (output.as_object_mut(), self.paths.is_empty()) {
            let paths: Vec<&str> = self.paths.iter().flatten().map(String::as_str).collect();
            let told = fields
                .entry("sheets")
                .or_insert_with(|| Value::Array(Vec::new()));
            if let Some(told) = told.as_array_mut() {
                told.extend(paths.into_iter().map(Value::from));
            }
        }
    }

    /// Returns what is shown of the key at a place, which is `key`: the sheet that has it, or the
    /// key.
    pub fn shown(&self, at: usize, key: &str) -> String {
        match self.paths.get(at) {
            Some(Some(path)) => format!("on {path}"),
            _ => key.to_owned(),
        }
    }

    /// Returns the failure where a key has no sheet and was printed, after everything is printed.
    pub fn outcome(&self) -> Result<u8, Failure> {
        match &self.fault {
            None => Ok(0),
            Some(why) => Err(Failure::Local(format!(
                "A sheet could not be written, and its key is printed in place of it: {why}"
            ))),
        }
    }
}

impl ClusterName {
    /// Reads them from a server's answer; empty where it does not tell.
    pub fn of(answer: &Value) -> Self {
        let text = |name| answer.get(name).and_then(Value::as_str).unwrap_or_default();
        Self {
            name: text("cluster_name").to_owned(),
            id: text("cluster_id").to_owned(),
        }
    }
}
