//! The process that uses a data directory, found without touching its lock.

use crate::block::Machine;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

const LOCK_FILE: &str = "coffer.lock";

/// A running server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Server {
    /// The process.
    pub pid: u32,
}

impl Server {
    /// Returns the process that holds the lock of the data directory `data`. The kernel's list of
    /// locks is read: to try the lock could keep a server from its start.
    pub fn of(machine: &Machine, data: &Path) -> Option<Self> {
        let lock = fs::metadata(data.join(LOCK_FILE)).ok()?;
        let (major, minor) = (rustix::fs::major(lock.dev()), rustix::fs::minor(lock.dev()));
        let place = format!("{major:02x}:{minor:02x}:{}", lock.ino());
        let locks = machine.text("proc/locks")?;
        let holder = locks.lines().find_map(|line| {
            let mut words = line.split_whitespace().skip_while(|word| *word != "FLOCK");
            let pid = words.nth(3)?.parse().ok()?;
            (words.next()? == place).then_some(pid)
        });
        holder.map(|pid| Self { pid })
    }

    /// Returns true when this user may not look for the lock of `data`, and so cannot know whether
    /// a server uses it.
    pub fn is_hidden(data: &Path) -> bool {
        let looked = fs::metadata(data.join(LOCK_FILE));
        looked.is_err_and(|error| error.kind() == std::io::ErrorKind::PermissionDenied)
    }

    /// Returns true when the process listens on the TCP port; `None` when that cannot be seen,
    /// because it takes root or the server's user.
    pub fn listens_on(&self, machine: &Machine, port: u16) -> Option<bool> {
        let pid = self.pid;
        let listening: Vec<String> = ["tcp", "tcp6"]
            .iter()
            .filter_map(|table| machine.text(format!("proc/{pid}/net/{table}")))
            .flat_map(|table| sockets(&table, port))
            .collect();
        let files = fs::read_dir(machine.path(format!("proc/{pid}/fd"))).ok()?;
        let mut links = files
            .flatten()
            .filter_map(|file| fs::read_link(file.path()).ok());
        Some(links.any(|link| {
            let link = link.to_string_lossy();
            let socket = link
                .strip_prefix("socket:[")
                .and_then(|rest| rest.strip_suffix(']'));
            socket.is_some_and(|socket| listening.iter().any(|inode| inode == socket))
        }))
    }

    /// Returns a line of the process's `limits`: the soft and the hard limit; `u64::MAX` for none.
    pub fn limit(&self, machine: &Machine, name: &str) -> Option<(u64, u64)> {
        limit(&machine.text(format!("proc/{}/limits", self.pid))?, name)
    }

    /// Returns a number of the process's `status`, such as `VmLck` in KiB.
    pub fn status(&self, machine: &Machine, name: &str) -> Option<u64> {
        status(&machine.text(format!("proc/{}/status", self.pid))?, name)
    }
}

/// Returns the inodes of the sockets of a table of `/proc/net` that listen on `port`.
fn sockets(table: &str, port: u16) -> Vec<String> {
    const LISTENS: &str = "0A";
    let rows = table.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let local = fields.get(1)?.rsplit_once(':')?.1;
        let is_it = u16::from_str_radix(local, 16) == Ok(port) && fields.get(3) == Some(&LISTENS);
        is_it.then(|| fields.get(9).map(|inode| (*inode).to_owned()))?
    });
    rows.collect()
}

/// Returns the soft and the hard limit of a text as `/proc/*/limits`.
pub(super) fn limit(text: &str, name: &str) -> Option<(u64, u64)> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let mut words = line.split_whitespace().map(|word| match word {
        "unlimited" => Some(u64::MAX),
        word => word.parse().ok(),
    });
    Some((words.next()??, words.next()??))
}

/// Returns a number of a text as `/proc/*/status`.
pub(super) fn status(text: &str, name: &str) -> Option<u64> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holder_of_the_lock_is_found_in_the_kernels_list() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        fs::create_dir_all(&data).unwrap();
        fs::create_dir_all(folder.path().join("proc")).unwrap();
        let machine = Machine::at(folder.path());
        assert_eq!(Server::of(&machine, &data), None, "no lock file");
        fs::write(data.join(LOCK_FILE), "").unwrap();
        let meta = fs::metadata(data.join(LOCK_FILE)).unwrap();
        let (major, minor) = (rustix::fs::major(meta.dev()), rustix::fs::minor(meta.dev()));
        let text = format!(
            "1: POSIX  ADVISORY  WRITE 77 {major:02x}:{minor:02x}:{} 0 EOF\n\
             2: FLOCK  ADVISORY  WRITE 88 00:1b:99 0 EOF\n\
             3: FLOCK  ADVISORY  WRITE 99 {major:02x}:{minor:02x}:{} 0 EOF\n",
            meta.ino(),
            meta.ino()
        );
        fs::write(folder.path().join("proc/locks"), text).unwrap();
        assert_eq!(Server::of(&machine, &data), Some(Server { pid: 99 }));
        fs::write(folder.path().join("proc/locks"), "").unwrap();
        assert_eq!(Server::of(&machine, &data), None);
    }

    #[test]
    fn a_listening_socket_belongs_to_its_process() {
        let folder = tempfile::tempdir().unwrap();
        let machine = Machine::at(folder.path());
        for made in ["proc/9/net", "proc/9/fd"] {
            fs::create_dir_all(folder.path().join(made)).unwrap();
        }
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when uid\n\
             0: 0100007F:2008 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 4242 1\n\
             1: 0100007F:2008 0100007F:9999 01 00000000:00000000 00:00000000 00000000 0 0 4243 1\n";
        fs::write(folder.path().join("proc/9/net/tcp"), table).unwrap();
        let server = Server { pid: 9 };
        assert_eq!(server.listens_on(&machine, 8200), Some(false));
        std::os::unix::fs::symlink("socket:[4242]", folder.path().join("proc/9/fd/5")).unwrap();
        assert_eq!(server.listens_on(&machine, 8200), Some(true));
        assert_eq!(server.listens_on(&machine, 8201), Some(false));
        assert_eq!(Server { pid: 8 }.listens_on(&machine, 8200), None);
    }

    #[test]
    fn limits_are_read() {
        let text = "Limit                     Soft Limit           Hard Limit           Units\n\
                    Max locked memory         8388608              unlimited            bytes\n";
        assert_eq!(
            limit(text, "Max locked memory"),
            Some((8_388_608, u64::MAX))
        );
        assert_eq!(limit(text, "Max open files"), None);
        assert_eq!(status("VmLck:\t  12 kB\n", "VmLck"), Some(12));
    }
}
