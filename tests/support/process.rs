//! The server as an operator runs it.

use super::{Client, reaches, wait};
use serde_json::json;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Longest wait for a server to start or stop.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running server; killed when dropped.
pub struct Server {
    child: Child,
    /// The output before the log.
    pub banner: String,
    /// The address of the first listener.
    pub address: String,
}

impl Server {
    /// Starts `coffer server <args>` and waits until it says that it has started.
    #[track_caller]
    pub fn start(args: &[&str], home: &Path) -> Self {
        Self::start_with(args, &[], home)
    }

    /// Starts a server as [`Self::start`] does, with `variables` in its environment.
    #[track_caller]
    pub fn start_with(args: &[&str], variables: &[(&str, &str)], home: &Path) -> Self {
        let mut command = command(args, home);
        command.envs(variables.iter().copied());
        Self::spawn(command, args, home)
    }

    /// Starts a server as [`Self::raft`] does, from a shell that runs `commands` in `folder` first
    /// (`ulimit`, `umask`).
    #[track_caller]
    pub fn raft_after(commands: &[&str], folder: &Path) -> Self {
        let config = write_config(folder, "tls_disable = true");
        let args = ["-config", config.to_str().unwrap()];
        let set: String = commands
            .iter()
            .map(|command| format!("{command} && "))
            .collect();
        let mut command = Command::new("/bin/sh");
        command.current_dir(folder);
        command.args(["-c", &format!("{set}exec \"$0\" server \"$@\"")]);
        command.arg(env!("CARGO_BIN_EXE_coffer")).args(args);
        command.env_clear().env("HOME", folder).stdin(Stdio::null());
        Self::spawn(command, &args, folder)
    }

    #[track_caller]
    fn spawn(mut command: Command, args: &[&str], home: &Path) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(log(home))
            .spawn()
            .unwrap();
        let stdout = child.stdout.take().unwrap();
        let (send, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    return;
                }
            }
        });
        let mut banner = String::new();
        let deadline = Instant::now() + PATIENCE;
        let last = if args.contains(&"-dev") {
            "\nRoot Token: "
        } else {
            "server started!"
        };
        while !banner.contains(last) {
            let left = deadline.saturating_duration_since(Instant::now());
            match lines.recv_timeout(left) {
                Ok(line) => banner.push_str(&format!("{line}\n")),
                Err(_) => panic!("did not start: {banner}{}", read_log(home)),
            }
        }
        let address = banner
            .lines()
            .find_map(|line| line.trim().strip_prefix("Listener 1: tcp (addr: \""))
            .and_then(|rest| rest.split('"').next())
            .unwrap_or_else(|| panic!("no listener in {banner}"))
            .to_owned();
        Self {
            child,
            banner,
            address,
        }
    }

    /// Starts on `folder`/data with raft storage, writing the configuration first.
    #[track_caller]
    pub fn raft(folder: &Path) -> Self {
        let config = write_config(folder, "tls_disable = true");
        Self::start(&["-config", config.to_str().unwrap()], folder)
    }

    pub fn client(&self) -> Client {
        Client::new(&self.address)
    }

    /// Returns a line of `/proc/<pid>/limits`: the soft limit and the hard one.
    pub fn limit(&self, name: &str) -> (u64, u64) {
        let path = format!("/proc/{}/limits", self.child.id());
        let text = std::fs::read_to_string(path).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        let mut numbers = line.unwrap().split_whitespace().map(str::parse);
        let mut next = || numbers.next().unwrap().unwrap();
        (next(), next())
    }

    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let done = Command::new("kill").args([name, &id]).status().unwrap();
        assert!(done.success());
    }

    /// Returns the process's id.
    #[allow(dead_code, reason = "not every suite looks at the process")]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Kills the server with `kill -9`.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Stops the server with SIGTERM; returns the exit code.
    pub fn stop(mut self) -> Option<i32> {
        self.signal("-TERM");
        let mut status = None;
        wait(PATIENCE, "it stops", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.and_then(|status| status.code())
    }

    /// Initialises with one share and unseals; returns the share and the root token.
    #[track_caller]
    pub fn initialize(&self) -> (String, String) {
        let request = json!({"secret_shares": 1, "secret_threshold": 1});
        let made = self.client().put("sys/init", request).expect(200).json();
        let key = made["keys_base64"][0].as_str().unwrap().to_owned();
        let token = made["root_token"].as_str().unwrap().to_owned();
        self.unseal(&key);
        (key, token)
    }

    #[track_caller]
    pub fn unseal(&self, key: &str) {
        let status = self.client().put("sys/unseal", json!({"key": key}));
        assert_eq!(status.expect(200).json()["sealed"], false);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A server that was stopped already cannot be killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs `coffer server <args>`, which must end by itself; returns the exit code, and both outputs
/// together.
#[track_caller]
pub fn exit_of(args: &[&str], home: &Path) -> (i32, String) {
    let mut child = command(args, home)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut status = None;
    let ends = || {
        status = child.try_wait().unwrap();
        status.is_some()
    };
    if !reaches(PATIENCE, ends) {
        child.kill().unwrap();
        panic!("did not end: {args:?}");
    }
    let mut text = String::new();
    child.stdout.unwrap().read_to_string(&mut text).unwrap();
    child.stderr.unwrap().read_to_string(&mut text).unwrap();
    (status.unwrap().code().unwrap(), text)
}

/// Writes a configuration with raft storage at `folder`/data and one listener on a free port.
pub fn write_config(folder: &Path, listener: &str) -> PathBuf {
    let path = folder.join("coffer.hcl");
    let text = format!(
        "storage \"raft\" {{\n  path = \"{}\"\n  node_id = \"n1\"\n}}\n\
         listener \"tcp\" {{\n  address = \"127.0.0.1:0\"\n  {listener}\n}}\n\
         cluster_addr = \"https://127.0.0.1:0\"\ndisable_mlock = true\n",
        folder.join("data").display()
    );
    std::fs::write(&path, text).unwrap();
    path
}

/// Returns the server's log so far.
pub fn read_log(home: &Path) -> String {
    std::fs::read_to_string(home.join("log")).unwrap_or_default()
}

fn log(home: &Path) -> Stdio {
    let file = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(home.join("log"));
    Stdio::from(file.unwrap())
}

fn command(args: &[&str], home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_coffer"));
    command.arg("server").args(args).env_clear();
    command.env("HOME", home).stdin(Stdio::null());
    command
}
