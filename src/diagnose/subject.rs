//! The things that checks look at.

use super::server::Server;
use crate::block::Machine;
use crate::config::{Config, Notice, Raft, Storage};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The parts of the world that are no files: a running server's answers, and the time.
pub trait World {
    /// Reads `path` (`sys/health`) of the server that the command line's client is set to, or lists
    /// it with `?list=true` at the end. The error says why there is no answer and what would help.
    fn ask(&self, path: &str) -> Result<Value, String>;

    /// Returns the wall clock.
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    /// Returns true when the kernel's clock is synchronised, by the account of its time service;
    /// `None` where nothing tells.
    fn is_synchronised(&self) -> Option<bool>;
}

/// A configuration, and the machine that it is for.
pub struct Examined<'a> {
    /// The machine.
    pub machine: Machine,
    /// The configuration.
    pub config: Config,
    /// The remarks about it.
    pub remarks: Vec<Notice>,
    /// The rest of the world.
    pub world: &'a dyn World,
    server: Option<Server>,
    server_is_hidden: bool,
}

impl<'a> Examined<'a> {
    /// Puts a subject together, and looks whether a server uses the data directory.
    pub fn new(
        machine: Machine,
        config: Config,
        remarks: Vec<Notice>,
        world: &'a dyn World,
    ) -> Self {
        let data = match &config.storage {
            Some(Storage::Raft(raft)) => Some(raft.path.clone()),
            _ => None,
        };
        let server_is_hidden = data.as_deref().is_some_and(Server::is_hidden);
        let server = data.and_then(|data| Server::of(&machine, &data));
        Self {
            machine,
            config,
            remarks,
            world,
            server,
            server_is_hidden,
        }
    }

    /// Returns the storage stanza; `None` where nothing lasts.
    pub fn raft(&self) -> Option<&Raft> {
        match &self.config.storage {
            Some(Storage::Raft(raft)) => Some(raft),
            _ => None,
        }
    }

    /// Returns the server that uses the data directory.
    pub(super) fn server(&self) -> Option<&Server> {
        self.server.as_ref()
    }

    /// Returns true when this user cannot know whether a server runs.
    pub(super) const fn server_is_hidden(&self) -> bool {
        self.server_is_hidden
    }

    /// Returns the data directory, or the deepest folder above it that exists.
    pub(super) fn place(&self) -> Option<PathBuf> {
        let raft = self.raft()?;
        let mut above = raft.path.ancestors();
        let found = above.find(|folder| folder.is_dir())?;
        match found == Path::new("") {
            true => Some(PathBuf::from(".")),
            false => Some(found.to_path_buf()),
        }
    }
}
