//! Several servers in processes of their own, on loopback addresses, joined into one cluster.

use super::http::Connection;
use super::wait::reaches;
use serde_json::{Value, json};
use std::fs::{File, OpenOptions};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering::Relaxed};
use std::time::Duration;

/// Longest wait for a step of a healthy cluster.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// Longest wait for one answer.
const ANSWER: Duration = Duration::from_secs(15);

/// One server.
pub struct Node {
    pub name: String,
    pub address: SocketAddr,
    folder: PathBuf,
    /// The program that it runs: [`binary`], or another release.
    pub binary: String,
    child: Option<Child>,
    /// The words before the server's command line: `ip netns exec NAME`.
    prefix: Vec<String>,
}

/// All nodes, with their keys and the root token.
pub struct Fleet {
    pub nodes: Vec<Node>,
    pub keys: Vec<String>,
    pub token: String,
}

/// The address of a node, and the beginning of its command line.
pub struct Place {
    pub ip: String,
    pub port: u16,
    pub prefix: Vec<String>,
}

impl Fleet {
    /// Starts `count` nodes on 127.0.0.1 and joins them.
    pub fn start(folder: &Path, count: usize) -> Self {
        Self::start_with(folder, count, &binary())
    }

    /// Starts nodes as [`Fleet::start`] does, with another release's program.
    pub fn start_with(folder: &Path, count: usize, binary: &str) -> Self {
        let ip = own_address();
        let places = free_ports(&ip, count).into_iter().map(|port| Place {
            ip: ip.clone(),
            port,
            prefix: Vec::new(),
        });
        Self::at_with(folder, places.collect(), binary)
    }

    /// Starts a node at each place; the first is initialised, the others join it.
    pub fn at(folder: &Path, places: Vec<Place>) -> Self {
        Self::at_with(folder, places, &binary())
    }

    fn at_with(folder: &Path, places: Vec<Place>, binary: &str) -> Self {
        let apis: Vec<String> = places
            .iter()
            .map(|place| format!("http://{}:{}", place.ip, place.port))
            .collect();
        let mut nodes = Vec::new();
        for (number, place) in places.into_iter().enumerate() {
            let name = format!("n{}", number + 1);
            let folder = folder.join(&name);
            std::fs::create_dir_all(&folder).unwrap();
            write_config(&folder, &name, &place, &apis);
            let address = format!("{}:{}", place.ip, place.port).parse().unwrap();
            nodes.push(Node {
                name,
                address,
                folder,
                binary: binary.to_owned(),
                child: None,
                prefix: place.prefix,
            });
        }
        let mut fleet = Self {
            nodes,
            keys: Vec::new(),
            token: String::new(),
        };
        fleet.nodes[0].start();
        let made = fleet.nodes[0].call(
            "PUT",
            "sys/init",
            "",
            json!({"secret_shares": 1, "secret_threshold": 1}),
        );
        fleet.keys = vec![made["keys_base64"][0].as_str().unwrap().to_owned()];
        fleet.token = made["root_token"].as_str().unwrap().to_owned();
        fleet.unseal(0);
        for number in 1..fleet.nodes.len() {
            fleet.nodes[number].start();
            fleet.unseal(number);
        }
        fleet.wait_voters(fleet.nodes.len());
        fleet
    }

    /// Unseals a node, as soon as it can be, and waits until it serves.
    pub fn unseal(&self, number: usize) {
        let node = &self.nodes[number];
        node.wait("it is initialised, or has found whom to join", || {
            let status = node.ask("GET", "sys/seal-status", "", None);
            status.is_some_and(|(_, status)| status["initialized"] == true)
        });
        node.wait("it is unsealed", || {
            node.ask("PUT", "sys/unseal", "", Some(json!({"key": self.keys[0]})));
            node.health().is_some_and(|code| code == 200 || code == 429)
        });
    }

    /// Returns the number of the active node, as any node reports it.
    pub fn active(&self) -> Option<usize> {
        let alive = |at: &usize| self.nodes[*at].child.is_some();
        let mut alive = (0..self.nodes.len()).filter(alive);
        alive.find(|at| self.nodes[*at].health() == Some(200))
    }

    /// Waits for a node that is active.
    pub fn wait_active(&self) -> usize {
        let mut found = None;
        wait("a node is active", || {
            found = self.active();
            found.is_some()
        });
        found.unwrap()
    }

    /// Waits until that many members vote.
    pub fn wait_voters(&self, count: usize) {
        let active = self.wait_active();
        self.nodes[active].wait(&format!("{count} members vote"), || {
            self.peers(active)
                .iter()
                .filter(|peer| peer["voter"] == true)
                .count()
                == count
        });
    }

    /// Returns the answer of a node to `list-peers`.
    pub fn peers(&self, number: usize) -> Vec<Value> {
        let path = "sys/storage/raft/configuration";
        let answer = self.nodes[number].ask("GET", path, &self.token, None);
        let servers = answer.map(|(_, body)| body["data"]["config"]["servers"].clone());
        servers
            .and_then(|servers| servers.as_array().cloned())
            .unwrap_or_default()
    }

    /// Calls a node and expects success.
    pub fn call(&self, number: usize, method: &str, path: &str, body: Value) -> Value {
        self.nodes[number].call(method, path, &self.token, body)
    }

    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.nodes.iter().map(|node| node.address).collect()
    }
}

impl Node {
    pub fn start(&mut self) {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.folder.join("log"))
            .unwrap();
        let words: Vec<String> = self
            .prefix
            .iter()
            .cloned()
            .chain([
                self.binary.clone(),
                "server".into(),
                format!("-config={}", self.folder.join("coffer.hcl").display()),
            ])
            .collect();
        let child = Command::new(&words[0])
            .args(&words[1..])
            .env_clear()
            .env("HOME", &self.folder)
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .stdin(Stdio::null())
            .stdout(Stdio::from(log.try_clone().unwrap()))
            .stderr(Stdio::from(log))
            .spawn()
            .unwrap();
        self.child = Some(child);
        self.wait("it answers", || self.health().is_some());
    }

    /// Kills the server with `kill -9`.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Stops the server as an operator does.
    pub fn stop(&mut self) {
        self.signal("-TERM");
        if let Some(mut child) = self.child.take() {
            child.wait().unwrap();
        }
    }

    pub fn signal(&self, name: &str) {
        let id = self.id().to_string();
        let done = Command::new("kill").args([name, &id]).status().unwrap();
        assert!(done.success());
    }

    /// Returns the id of the server's process (`ip netns exec` becomes it).
    pub fn id(&self) -> u32 {
        self.child.as_ref().map(Child::id).expect("it runs")
    }

    /// Returns true if the server's process lives.
    pub fn is_running(&mut self) -> bool {
        let child = self.child.as_mut();
        child.is_some_and(|child| child.try_wait().unwrap().is_none())
    }

    /// Returns the data directory.
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Returns the log.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// Returns the resident memory, in megabytes.
    pub fn resident_mb(&self) -> f64 {
        self.megabytes("VmRSS:")
    }

    /// Returns the most resident memory since the start, in megabytes.
    pub fn peak_mb(&self) -> f64 {
        self.megabytes("VmHWM:")
    }

    fn megabytes(&self, field: &str) -> f64 {
        let path = format!("/proc/{}/status", self.id());
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix(field));
        let words = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
        words.unwrap_or_default() / 1024.0
    }

    pub fn health(&self) -> Option<u16> {
        let mut connection = Connection::new(self.address, Duration::from_secs(2));
        let answer = connection.send("GET", "sys/health", "", None);
        answer.ok().map(|(status, _)| status)
    }

    /// Makes one call; returns `None` if there is no answer.
    pub fn ask(
        &self,
        method: &str,
        path: &str,
        token: &str,
        body: Option<Value>,
    ) -> Option<(u16, Value)> {
        let mut connection = Connection::new(self.address, ANSWER);
        connection.send(method, path, token, body.as_ref()).ok()
    }

    /// Makes one call that must succeed.
    pub fn call(&self, method: &str, path: &str, token: &str, body: Value) -> Value {
        let answer = self.ask(method, path, token, Some(body));
        let Some((status, body)) = answer else {
            panic!("{}: no answer to {path}\n{}", self.name, self.tail());
        };
        assert!(
            status < 300,
            "{}: {path}: {status} {body}\n{}",
            self.name,
            self.tail()
        );
        body
    }

    /// Waits, and shows the end of the log when the wait was in vain.
    pub fn wait(&self, what: &str, reached: impl FnMut() -> bool) {
        if !reaches(PATIENCE, reached) {
            panic!("{}: not reached: {what}\n{}", self.name, self.tail());
        }
    }

    fn tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Waits for a condition.
pub fn wait(what: &str, reached: impl FnMut() -> bool) {
    assert!(reaches(PATIENCE, reached), "not reached: {what}");
}

/// Returns the binary under test: `COFFER`, or the one that was built beside this test.
pub fn binary() -> String {
    std::env::var("COFFER").unwrap_or_else(|_| env!("CARGO_BIN_EXE_coffer").into())
}

fn write_config(folder: &Path, name: &str, place: &Place, apis: &[String]) {
    use std::io::Write;
    let (ip, port) = (&place.ip, place.port);
    let own = format!("http://{ip}:{port}");
    let joins: String = apis
        .iter()
        .filter(|api| **api != own && name != "n1")
        .map(|api| format!("  retry_join {{\n    leader_api_addr = \"{api}\"\n  }}\n"))
        .collect();
    let text = format!(
        "storage \"raft\" {{\n  path = \"{}\"\n  node_id = \"{name}\"\n{joins}}}\n\
         listener \"tcp\" {{\n  address = \"{ip}:{port}\"\n  cluster_address = \"{ip}:{}\"\n  \
         tls_disable = true\n}}\n\
         api_addr = \"{own}\"\ncluster_addr = \"https://{ip}:{}\"\ndisable_mlock = true\n",
        folder.join("data").display(),
        port + 1,
        port + 1,
    );
    let mut file = File::create(folder.join("coffer.hcl")).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

/// The ports of nodes, below those that the kernel gives to connecting clients: a node that is
/// killed finds its own free again.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// Returns a loopback address that only this process uses: two processes that looked for free ports
/// at one address could both find the same.
fn own_address() -> String {
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    format!("127.{}.{middle}.{low}", 1 + high % 250)
}

/// Returns ports at an address, with a free one after each. No two calls get the same.
fn free_ports(ip: &str, count: usize) -> Vec<u16> {
    static NEXT: AtomicU16 = AtomicU16::new(PORTS.start);
    let mut ports = Vec::new();
    let mut held = Vec::new();
    while ports.len() < count {
        let port = NEXT.fetch_add(2, Relaxed);
        assert!(PORTS.contains(&port), "no free ports are left");
        let both = [port, port + 1].map(|port| std::net::TcpListener::bind((ip, port)));
        if let [Ok(one), Ok(two)] = both {
            ports.push(port);
            held.push((one, two));
        }
    }
    ports
}
