"""Requests to a node from the host, and a load that knows what must be there after a power cut."""

import hashlib
import http.client
import json
import os
import socket
import subprocess
import threading
import time

PORT = 8200
# Load may wait for an election, and an emulated Pi is slow; a machine whose plug was pulled answers
# nothing, so whoever waits for it needs an end.
CALL_DEADLINE_S = 15


class Refused(Exception):
    """An answer with another status than the one expected."""


class Client:
    """A connection to one node, which is kept."""

    def __init__(self, address, token=None, deadline_s=CALL_DEADLINE_S):
        self.address, self.token, self.deadline_s = address, token, deadline_s
        self.connection = None

    def call(self, method, path, body=None):
        """One request; (status, decoded body). Any failure closes the connection."""
        if self.connection is None:
            self.connection = http.client.HTTPConnection(
                self.address, PORT, timeout=self.deadline_s)
            self.connection.connect()
            self.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        headers = {"X-Vault-Token": self.token} if self.token else {}
        try:
            text = None if body is None else json.dumps(body)
            self.connection.request(method, "/v1/" + path, text, headers)
            response = self.connection.getresponse()
            content = response.read()
        except BaseException:
            self.close()
            raise
        return response.status, json.loads(content) if content else None

    def ok(self, method, path, body=None):
        status, answer = self.call(method, path, body)
        if status not in (200, 204):
            raise Refused(f"{method} {path} on {self.address}: {status} {answer}")
        return answer

    def health(self):
        """The status of `sys/health`, or nothing when nobody answers."""
        try:
            return self.call("GET", "sys/health")[0]
        except (OSError, http.client.HTTPException):
            return None

    def unseal(self, keys):
        for key in keys:
            answer = self.ok("PUT", "sys/unseal", {"key": key})
        return answer

    def close(self):
        if self.connection is not None:
            self.connection.close()
        self.connection = None


class Cli:
    """A command line client against one node."""

    def __init__(self, binary, folder, address):
        self.binary = binary
        url = f"http://{address}:{PORT}"
        self.env = {"HOME": folder, "PATH": os.environ["PATH"], "NO_COLOR": "1",
                    "VAULT_ADDR": url, "BAO_ADDR": url, "VAULT_CLIENT_TIMEOUT": "60s"}

    def login(self, token):
        self.env.update(VAULT_TOKEN=token, BAO_TOKEN=token)

    def __call__(self, *words):
        done = subprocess.run([self.binary, *words], env=self.env, capture_output=True, text=True,
                              timeout=90, check=False)
        if done.returncode:
            raise Refused(f"{os.path.basename(self.binary)} {' '.join(words)} exits "
                          f"{done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout


def value_of(key, count):
    """1,024 characters that nobody could have made of parts of others."""
    block = hashlib.sha256(f"{key} {count}".encode()).hexdigest()
    return f"{key} {count} " + (block * 16)[: 1024 - len(key) - len(str(count)) - 2]


class Load:
    """Writers on kv v2 that overwrite their own keys, and what each of them was told.

    Of each key: `acknowledged[key]` is how many of its writes were answered, which is its version;
    `doubtful` has the keys whose last write had no answer, so it may have happened or not."""

    MOUNT = "load"
    KEYS_EACH = 8

    def __init__(self, addresses, token, writers=4):
        self.addresses, self.token, self.writers = addresses, token, writers
        self.acknowledged, self.doubtful = {}, set()
        self.lock = threading.Lock()
        self.latest = 0.0
        self.answered = self.refused = 0
        self.stopping = threading.Event()
        self.threads = []

    def start(self):
        self.stopping.clear()
        self.threads = [threading.Thread(target=self.write, args=(number,), daemon=True)
                        for number in range(self.writers)]
        for thread in self.threads:
            thread.start()

    def write(self, number):
        client = Client(self.addresses[number % len(self.addresses)], self.token)
        turn = 0
        while not self.stopping.is_set():
            key = f"w{number}-{turn % self.KEYS_EACH}"
            turn += 1
            if key in self.doubtful:
                continue
            count = self.acknowledged.get(key, 0) + 1
            body = {"data": {"value": value_of(key, count)}}
            try:
                status, answer = client.call("POST", f"{self.MOUNT}/data/{key}", body)
            except (OSError, http.client.HTTPException, ValueError):
                if self.nothing_left(number, key):
                    return
                continue
            if status == 200:
                if answer["data"]["version"] != count:
                    raise AssertionError(f"{key}: version {answer['data']['version']}, not {count}")
                with self.lock:
                    self.acknowledged[key] = count
                    self.answered += 1
                    self.latest = time.monotonic()
            else:
                self.refused += 1
                if self.nothing_left(number, key):
                    return
        client.close()

    def nothing_left(self, number, key):
        """Notes that `key` is in doubt; whether all keys of its writer are, or the load ends."""
        with self.lock:
            self.doubtful.add(key)
            own = sum(1 for other in self.doubtful if other.startswith(f"w{number}-"))
        return own >= self.KEYS_EACH or self.stopping.wait(0.05)

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    def check(self, client):
        """Reads all keys back; a list of what is wrong. Afterwards nothing is in doubt."""
        wrong = []
        for key in sorted(set(self.acknowledged) | self.doubtful):
            known = self.acknowledged.get(key, 0)
            allowed = {known, known + 1} if key in self.doubtful else {known}
            status, answer = client.call("GET", f"{self.MOUNT}/data/{key}")
            if status == 404:
                found, value = 0, None
            elif status == 200:
                found = answer["data"]["metadata"]["version"]
                value = answer["data"]["data"]["value"]
            else:
                wrong.append(f"{key}: {status} {answer}")
                continue
            if found not in allowed:
                wrong.append(f"{key}: version {found}, acknowledged {known}")
            elif found and value != value_of(key, found):
                wrong.append(f"{key}: version {found} has another value: {value[:80]}")
            if found > 1:
                before = client.ok("GET", f"{self.MOUNT}/data/{key}?version={found - 1}")
                if before["data"]["data"]["value"] != value_of(key, found - 1):
                    wrong.append(f"{key}: version {found - 1} has another value")
            self.acknowledged[key] = found
        self.doubtful.clear()
        return wrong


def rate(addresses, token, verb, seconds, workers, keys):
    """Requests a second: `workers` connections that put or get `keys` secrets of 1 KiB."""
    done = [0] * workers
    end = time.monotonic() + seconds

    def work(number):
        client = Client(addresses[number % len(addresses)], token)
        while time.monotonic() < end:
            key = f"{Load.MOUNT}/data/rate-{(done[number] * workers + number) % keys}"
            if verb == "put":
                client.ok("POST", key, {"data": {"value": value_of(key, done[number])}})
            else:
                client.ok("GET", key)
            done[number] += 1
        client.close()

    begin = time.monotonic()
    threads = [threading.Thread(target=work, args=(number,)) for number in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(done) / (time.monotonic() - begin)
