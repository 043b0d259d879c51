"""The questions of tests/ansible/run to the cluster, as a client: states, members, and a writer.

    fleet.py HOSTS CA state                  a line `HOST STATE` for each host
    fleet.py HOSTS CA members                a line `NODE_ID voter|non-voter [leader]` for each
    fleet.py HOSTS CA write STOP ACKNOWLEDGED  writes until the file STOP is there
    fleet.py HOSTS CA verify ACKNOWLEDGED    reads all of those back
    fleet.py HOSTS CA calls STOP             calls each node until STOP is there; none may fail
    fleet.py expire TLS_DIR NAME...          makes those certificates of TLS_DIR end yesterday

HOSTS is name=address,...; the token is VAULT_TOKEN. CA is a file, or `none` for plain HTTP. With
ANY_NAME set, certificates need not have the addresses.
"""

import datetime
import http.client
import itertools
import json
import os
import ssl
import sys
import threading
import time

WRITERS = 3
PATIENCE_S = 60
PUT_TIMEOUT_S = 10


class Fleet:
    def __init__(self, hosts, ca):
        self.hosts = dict(pair.split("=") for pair in hosts.split(","))
        self.tls = ca != "none" and ssl.create_default_context(cafile=ca)
        if self.tls and os.environ.get("ANY_NAME"):
            self.tls.check_hostname = False
        self.kept, self.took = threading.local(), None
        self.token = os.environ.get("VAULT_TOKEN", "")

    def connection(self, host, timeout):
        address = self.hosts[host]
        if not self.tls:
            return http.client.HTTPConnection(address, 8200, timeout=timeout)
        return http.client.HTTPSConnection(address, 8200, timeout=timeout, context=self.tls)

    def ask(self, host, method, path, body=None, timeout=5):
        """Status and object; status 0 is no answer. A thread keeps a connection to each host."""
        kept = self.kept.__dict__
        at = kept.pop(host, None) or self.connection(host, timeout)
        try:
            data = None if body is None else json.dumps(body)
            at.request(method, "/v1/" + path, data, {"X-Vault-Token": self.token})
            answer = at.getresponse()
            found = answer.status, json.loads(answer.read() or b"{}")
        except (OSError, ValueError, http.client.HTTPException):
            at.close()
            return 0, {}
        kept[host] = at
        return found

    def anywhere(self, method, path, body=None, hosts=None):
        """From one node to the next until one of them takes it; without an order of its own, first
        the one that took the last."""
        end = time.monotonic() + PATIENCE_S
        known = sorted(self.hosts, key=lambda host: host != self.took)
        for host in itertools.cycle(hosts or known):
            status, found = self.ask(host, method, path, body, PUT_TIMEOUT_S)
            if status in (200, 204):
                self.took = host
                return found
            if time.monotonic() > end:
                sys.exit(f"{method} {path}: nobody took it for {PATIENCE_S} s: {status} {found}")
            time.sleep(0.05)


def state(fleet):
    names = {200: "active", 429: "standby", 501: "uninitialised", 503: "sealed", 0: "absent"}
    for host in fleet.hosts:
        status, _ = fleet.ask(host, "GET", "sys/health")
        print(host, names.get(status, status))


def members(fleet):
    found = fleet.anywhere("GET", "sys/storage/raft/configuration")
    for server in found["data"]["config"]["servers"]:
        leads = " leader" if server["leader"] else ""
        print(server["node_id"], "voter" if server["voter"] else "non-voter", end=f"{leads}\n")


def write(fleet, stop, acknowledged):
    mounted, _ = fleet.ask(next(iter(fleet.hosts)), "GET", "sys/mounts/load")
    if mounted != 200:
        fleet.anywhere("POST", "sys/mounts/load", {"type": "kv", "options": {"version": "1"}})
    lock, rows, gap = threading.Lock(), [], [0.0]

    def writer(number):
        hosts = list(fleet.hosts)
        for count in itertools.count():
            if os.path.exists(stop):
                return
            key, value = f"{os.getpid()}-{number}-{count}", os.urandom(16).hex()
            # Each writer has a node of its own to begin with, and goes on with the others.
            turn = hosts[number % len(hosts):] + hosts[: number % len(hosts)]
            began = time.monotonic()
            fleet.anywhere("PUT", f"load/{key}", {"value": value}, turn)
            with lock:
                rows.append(f"{key} {value}\n")
                gap[0] = max(gap[0], time.monotonic() - began)
            time.sleep(0.1)

    threads = [threading.Thread(target=writer, args=(number,)) for number in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with open(acknowledged, "a") as file:
        file.writelines(rows)
    print(f"{len(rows)} writes acknowledged; the longest took {gap[0]:.1f} s with its retries")


def verify(fleet, acknowledged):
    with open(acknowledged) as file:
        rows = [line.split() for line in file]
    lost = []
    for key, value in rows:
        found = fleet.anywhere("GET", f"load/{key}")
        if found.get("data", {}).get("value") != value:
            lost.append(key)
    if lost or not rows:
        sys.exit(f"of {len(rows)} acknowledged writes {len(lost)} are lost: {lost[:5]}")
    print(f"{len(rows)} acknowledged writes read back, 0 lost")


def calls(fleet, stop):
    """To each node over a kept connection, and over a new one for each call: a call that is not
    answered, or not well, is lost. The seconds between two calls tell of a gap."""
    if fleet.ask(next(iter(fleet.hosts)), "GET", "sys/mounts/load")[0] != 200:
        fleet.anywhere("POST", "sys/mounts/load", {"type": "kv", "options": {"version": "1"}})
    lock, total, lost = threading.Lock(), [0], []

    def caller(host, keeps):
        for count in itertools.count():
            if os.path.exists(stop):
                return
            path, value = f"load/{host}-{keeps}", {"value": str(count)}
            wrote, _ = fleet.ask(host, "PUT", path, value, PUT_TIMEOUT_S)
            read, found = fleet.ask(host, "GET", path)
            if not keeps:
                fleet.kept.__dict__.pop(host).close()
            with lock:
                total[0] += 2
                if wrote != 204 or read != 200 or found["data"] != value:
                    lost.append((host, keeps, count, wrote, read))
            time.sleep(0.05)

    callers = [(host, keeps) for host in fleet.hosts for keeps in (True, False)]
    threads = [threading.Thread(target=caller, args=each) for each in callers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if lost:
        sys.exit(f"{len(lost)} of {total[0]} calls lost: {lost[:5]}")
    print(f"{total[0]} calls to {len(fleet.hosts)} nodes, 0 lost")


def expire(folder, names):
    """Signed by the authority's key, as they are, but for the dates."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization

    def read(name):
        with open(os.path.join(folder, name), "rb") as file:
            return file.read()

    key = serialization.load_pem_private_key(read("ca.key"), None)
    day = datetime.timedelta(days=1)
    for name in names:
        old = x509.load_pem_x509_certificate(read(f"{name}.crt"))
        new = x509.CertificateBuilder(old.issuer, old.subject, old.public_key(), old.serial_number)
        now = datetime.datetime.now(datetime.timezone.utc)
        new = new.not_valid_before(now - 2 * day).not_valid_after(now - day)
        for extension in old.extensions:
            new = new.add_extension(extension.value, extension.critical)
        pem = new.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        with open(os.path.join(folder, f"{name}.crt"), "wb") as file:
            file.write(pem)


if __name__ == "__main__" and sys.argv[1] == "expire":
    expire(sys.argv[2], sys.argv[3:])
elif __name__ == "__main__":
    verbs = {
        "state": state, "members": members, "write": write, "verify": verify, "calls": calls,
    }
    verbs[sys.argv[3]](Fleet(sys.argv[1], sys.argv[2]), *sys.argv[4:])
