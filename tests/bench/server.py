"""A server under test on a loop-mounted ext4 of its own, and the load that it is put under.

Device bytes and flushes are the loop device's own counters, CPU and memory the server process's
from /proc; load comes from wrk.
"""

import base64
import http.client
import json
import os
import secrets as chance
import signal
import subprocess
import sys
import time

TICKS = os.sysconf("SC_CLK_TCK")
HERE = os.path.dirname(os.path.abspath(__file__))
VALUE = base64.b64encode(chance.token_bytes(768)).decode()
assert len(VALUE) == 1024


class Disk:
    """An ext4 of its own on a loop device."""

    def __init__(self, name, folder, gigabytes=2, options="noatime"):
        self.image = os.path.join(folder, name + ".img")
        self.mount = os.path.join(folder, name)
        os.makedirs(self.mount, exist_ok=True)
        with open(self.image, "wb") as image:
            image.truncate(gigabytes << 30)
        # A node has some dozens of files: tables for more only take time to write.
        run("mkfs.ext4", "-q", "-F", "-N", "65536", "-E", "lazy_itable_init=0,lazy_journal_init=0",
            self.image)
        self.device = run("losetup", "--find", "--show", self.image).strip()
        run("mount", "-o", options, self.device, self.mount)

    def counters(self):
        """(bytes written, flushes) since the device was made."""
        run("sync", "-f", self.mount)
        with open(f"/sys/block/{os.path.basename(self.device)}/stat") as stat:
            fields = [int(field) for field in stat.read().split()]
        return fields[6] * 512, fields[15]

    def used(self):
        """Bytes that the file system has given to files below data/."""
        # coffer's reserve is the same for every store, and no data. A file that goes while du looks
        # is a complaint, not a failure.
        told = subprocess.run(["du", "-s", "--block-size=1", "--exclude=reserve",
                               os.path.join(self.mount, "data")],
                              check=False, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              text=True)
        return int(told.stdout.split()[0])

    def close(self):
        subprocess.run(["umount", self.mount], check=False)
        subprocess.run(["losetup", "-d", self.device], check=False)
        os.unlink(self.image)


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


class Server:
    """One server under test: started, initialised, unsealed, with kv v2 at bench/."""

    def __init__(self, name, binary, port, disk, environment=None):
        self.name, self.binary, self.port, self.disk = name, binary, port, disk
        self.environment = {**os.environ, **(environment or {})}
        data = os.path.join(disk.mount, "data")
        os.makedirs(data)
        self.config = os.path.join(os.path.dirname(disk.image), name + ".hcl")
        with open(self.config, "w") as config:
            # All clients come from one address here, and 256 are as many as coffer takes from it.
            config.write(f'''
storage "raft" {{
  path    = "{data}"
  node_id = "{name}"
}}
listener "tcp" {{
  address         = "127.0.0.1:{port}"
  cluster_address = "127.0.0.1:{port + 1}"
  tls_disable     = true
  http_max_conns_per_client = 0
}}
api_addr      = "http://127.0.0.1:{port}"
cluster_addr  = "http://127.0.0.1:{port + 1}"
disable_mlock = true
''')
        self.url = f"http://127.0.0.1:{port}"
        self.process = None
        self.token = ""
        self.keys = []

    def start(self):
        """Starts the process; returns seconds until it answers sys/health."""
        log = open(self.config + ".log", "ab")
        begin = time.monotonic()
        self.process = subprocess.Popen(
            [self.binary, "server", "-config=" + self.config], stdout=log, stderr=log,
            env=self.environment)
        self.wait_health({200, 429, 501, 503})
        return time.monotonic() - begin

    def wait_health(self, wanted):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                code = self.process.returncode
                sys.exit(f"{self.name} exited with {code}: see {self.config}.log")
            try:
                if self.call("GET", "sys/health")[0] in wanted:
                    return
            except OSError:
                pass
            time.sleep(0.0005)
        sys.exit(f"{self.name} did not reach health {wanted} within 60 s")

    def call(self, method, path, body=None, timeout=60):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        headers = {"X-Vault-Token": self.token} if self.token else {}
        connection.request(method, "/v1/" + path, json.dumps(body) if body else None, headers)
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        return answer.status, json.loads(text) if text else None

    def snapshot(self, path=os.devnull):
        """Takes a snapshot into a file; returns its size in bytes."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        connection.request("GET", "/v1/sys/storage/raft/snapshot",
                           headers={"X-Vault-Token": self.token})
        answer = connection.getresponse()
        assert answer.status == 200, (self.name, answer.status, answer.read())
        size = 0
        with open(path, "wb") as out:
            while piece := answer.read(1 << 20):
                size += out.write(piece)
        connection.close()
        return size

    def restore(self, path):
        """Restores a snapshot of this server, and waits until it serves again."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        with open(path, "rb") as snapshot:
            connection.request("POST", "/v1/sys/storage/raft/snapshot", snapshot,
                               {"X-Vault-Token": self.token,
                                "Content-Length": str(os.path.getsize(path))})
            answer = connection.getresponse()
        assert answer.status in (200, 204), (self.name, answer.status, answer.read())
        connection.close()
        self.wait_health({200})

    def prepare(self):
        status, answer = self.call("PUT", "sys/init", {"secret_shares": 5, "secret_threshold": 3})
        assert status == 200, (self.name, status, answer)
        self.keys, token = answer["keys"], answer["root_token"]
        self.unseal()
        self.token = token
        status, answer = self.call("POST", "sys/mounts/bench",
                                   {"type": "kv", "options": {"version": "2"}})
        assert status in (200, 204), (self.name, status, answer)
        # A new mount of bao's takes a moment until it serves.
        deadline = time.monotonic() + 20
        while self.call("POST", "bench/data/get-0", {"data": {"value": VALUE}})[0] != 200:
            assert time.monotonic() < deadline, self.name
            time.sleep(0.1)
        for number in range(100):
            self.put(f"get-{number}")
            self.put(f"folder/name-{number}")

    def put(self, name):
        status, answer = self.call("POST", f"bench/data/{name}", {"data": {"value": VALUE}})
        assert status == 200, (self.name, name, status, answer)

    def unseal(self):
        for key in self.keys[:3]:
            status, answer = self.call("PUT", "sys/unseal", {"key": key})
            assert status == 200, (self.name, status, answer)
        self.wait_health({200})

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(120)
        except subprocess.TimeoutExpired:
            self.kill()

    def cpu(self):
        with open(f"/proc/{self.process.pid}/stat") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def memory(self, field):
        with open(f"/proc/{self.process.pid}/status") as status:
            for line in status:
                if line.startswith(field + ":"):
                    return int(line.split()[1]) / 1024
        raise KeyError(field)

    def begin(self, kind, clients, seconds, prefix="x", secrets=(0, 1)):
        """Begins a load of one kind of request (see load.lua); `finish` waits for its end."""
        # One thread, but where each client has to know its own last answer.
        threads = clients if kind == "patch" else 1
        return subprocess.Popen(
            ["wrk", "-t", str(threads), "-c", str(clients), "-d", f"{seconds}s", "--timeout", "20s",
             "-s", os.path.join(HERE, "load.lua"), self.url, "--",
             self.token, kind, VALUE, prefix, str(secrets[0]), str(secrets[1])],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def finish(self, running):
        """Returns the figures of a load: requests, their rate, and milliseconds of waiting."""
        out = []
        for line in running.stdout:
            out.append(line)
            if line == "FULL\n":
                running.send_signal(signal.SIGINT)
        running.wait()
        out = "".join(out)
        lines = [line for line in out.splitlines() if line.startswith("RESULT")]
        if running.returncode or not lines:
            sys.exit(f"{self.name}: wrk failed:\n{out}")
        count, micros, errors, p50, p99, longest = (int(word) for word in lines[0].split()[1:])
        if errors:
            print(f"note: {self.name}: {errors} errors of {count}")
        count = max(count - errors, 1)
        return {"count": count, "errors": errors, "rate": count / (micros / 1e6),
                "p50_ms": p50 / 1000, "p99_ms": p99 / 1000, "max_ms": longest / 1000}

    def load(self, kind, clients, seconds, prefix="x", secrets=(0, 1)):
        """One load; returns its figures for each request, with those of device and processor."""
        before, cpu = self.disk.counters(), self.cpu()
        figures = self.finish(self.begin(kind, clients, seconds, prefix, secrets))
        cpu = self.cpu() - cpu
        after = self.disk.counters()
        count = figures["count"]
        return {**figures, "cpu_ms": cpu * 1000 / count,
                "bytes": (after[0] - before[0]) / count, "flushes": (after[1] - before[1]) / count}

    def metric(self, name):
        """One of the server's own numbers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("GET", "/v1/sys/metrics?format=prometheus",
                           headers={"X-Vault-Token": self.token})
        for line in connection.getresponse().read().decode().splitlines():
            if line.startswith(name + " "):
                return float(line.split()[1])
        raise KeyError(name)


def close(servers):
    """Kills what still runs and gives the disks back."""
    for server in servers:
        if server.process and server.process.poll() is None:
            server.kill()
        server.disk.close()
    servers.clear()
