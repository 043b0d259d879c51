"""The parts that the suites share: counting, servers under test, and command lines."""

import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

BAO = os.environ["BAO"]
COFFER = os.environ.get("COFFER", "")
SERVER = os.environ.get("SERVER", "coffer")
DEADLINE_S = 20


class Report:
    """Counts checks; a failing one does not end the suite."""

    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.where = ""

    def section(self, name):
        self.where = name
        print(f"== {name}", flush=True)

    def ok(self, name, condition, detail=""):
        if condition:
            self.passed += 1
        else:
            self.fail(name, detail)
        return bool(condition)

    def equal(self, name, found, expected):
        return self.ok(name, found == expected, f"expected {expected!r}, found {found!r}")

    def matches(self, name, text, *patterns):
        missing = [p for p in patterns if not re.search(p, text, re.MULTILINE)]
        return self.ok(name, not missing, f"no {missing} in:\n{text}")

    def fail(self, name, detail):
        self.failed += 1
        print(f"FAIL {self.where}: {name}\n     " + str(detail).replace("\n", "\n     "), flush=True)

    def skip(self, name, reason):
        self.skipped += 1
        print(f"skip {self.where}: {name}: {reason}", flush=True)

    @contextlib.contextmanager
    def raises(self, name, kind, *texts):
        """The block must raise `kind`, whose text contains all of `texts`."""
        try:
            yield
        except kind as error:
            missing = [text for text in texts if text not in str(error)]
            self.ok(name, not missing, f"no {missing} in {error!r}")
        except Exception as error:
            self.fail(name, f"raised {error!r}, not {kind.__name__}")
        else:
            self.fail(name, f"raised nothing, not {kind.__name__}")


def free_port():
    """A port with a free one after it."""
    while True:
        with socket.socket() as one, socket.socket() as two:
            one.bind(("127.0.0.1", 0))
            port = one.getsockname()[1]
            try:
                two.bind(("127.0.0.1", port + 1))
            except (OSError, OverflowError):
                continue
            return port


def call(port, method, path, body=None, headers=None, token="root", host="127.0.0.1"):
    """One request; (status, headers, body bytes)."""
    connection = http.client.HTTPConnection(host, port, timeout=DEADLINE_S)
    sent = dict(headers or {})
    if token:
        sent.setdefault("X-Vault-Token", token)
    connection.request(method, path, body, sent)
    response = connection.getresponse()
    answer = (response.status, response.headers, response.read())
    connection.close()
    return answer


def wait(what, condition, deadline_s=DEADLINE_S):
    end = time.monotonic() + deadline_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise TimeoutError(what)
        time.sleep(0.05)


class Process:
    """A server process with its own home, log and port."""

    def __init__(self, binary, host="127.0.0.1", port=None):
        self.binary, self.host = binary, host
        self.folder = tempfile.mkdtemp(prefix="clients-")
        self.port = port or free_port()
        self.address = f"http://{host}:{self.port}"
        self.process = None

    def launch(self, *arguments):
        env = {"HOME": self.folder, "PATH": os.environ["PATH"]}
        log = open(os.path.join(self.folder, "server.log"), "ab")
        self.process = subprocess.Popen(
            [self.binary, *arguments], stdout=log, stderr=log, env=env, cwd=self.folder
        )
        wait("the server answers", self.answers)

    def answers(self):
        if self.process.poll() is not None:
            raise RuntimeError("the server ended:\n" + self.log()[-2000:])
        try:
            status = call(self.port, "GET", "/v1/sys/seal-status", token=None, host=self.host)
            return status[0] == 200
        except OSError:
            return False

    def log(self):
        with open(os.path.join(self.folder, "server.log")) as log:
            return log.read()

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


class DevServer(Process):
    """`server -dev`, with the root token `root`."""

    def start(self):
        self.launch(
            "server",
            "-dev",
            f"-dev-listen-address=127.0.0.1:{self.port}",
            "-dev-root-token-id=root",
        )
        wait("the dev server is active", lambda: self.health() == 200)
        return self

    def health(self):
        return call(self.port, "GET", "/v1/sys/health", token=None)[0]


class SeedServer(Process):
    """The first seed's server-a-1, with its path and addresses made local."""

    CONFIG = """storage "raft" {{
  path    = "{path}"
  node_id = "server-a-1"
}}
listener "tcp" {{
  address = "127.0.0.1:{port}"
  cluster_address = "127.0.0.1:{cluster_port}"
  tls_disable = "true"
  disable_unauthed_rekey_endpoints = false
}}
api_addr = "http://127.0.0.1:{port}"
cluster_addr = "http://127.0.0.1:{cluster_port}"
disable_mlock = true
ui = true
"""

    def start(self):
        path = os.path.join(self.folder, "server")
        os.makedirs(path, exist_ok=True)
        self.config = os.path.join(self.folder, "server-a-1.hcl")
        with open(self.config, "w") as config:
            config.write(
                self.CONFIG.format(path=path, port=self.port, cluster_port=self.port + 1)
            )
        self.launch("server", f"-config={self.config}")
        return self


def server_binary():
    return BAO if SERVER == "bao" else COFFER


class Result:
    """A command's output and its exit code."""

    def __init__(self, done):
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr
        self.text = self.out + self.err

    def json(self):
        return json.loads(self.out)


class Cli:
    """A command line client with a home of its own."""

    def __init__(self, binary, server):
        self.binary, self.server = binary, server
        self.env = {
            "HOME": tempfile.mkdtemp(dir=server.folder, prefix="home-"),
            "PATH": os.environ["PATH"],
            "VAULT_ADDR": server.address,
            "BAO_ADDR": server.address,
            "NO_COLOR": "1",
        }

    def __call__(self, *arguments, stdin="", **env):
        done = subprocess.run(
            [self.binary, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            env={**self.env, **env},
            timeout=60,
        )
        return Result(done)
