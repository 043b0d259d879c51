"""coffer's HTTP API, for the role's action plugin. Runs on the controller only.

Tokens and unseal keys are held by this process alone: nothing here is a module, so nothing is
copied to a host, and no error text repeats a request's body.
"""

from __future__ import annotations

import hashlib
import http.client
import io
import json
import os
import socket
import ssl
import tarfile
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

# Where a node stands, from what it answers. The first five are no answers of a node.
UNREACHABLE, ABSENT, UNTRUSTED, FOREIGN = "unreachable", "absent", "untrusted", "foreign"
# Untrusted for its date alone: new certificates mend that.
EXPIRED = "expired"
UNINITIALISED, SEALED, STANDBY, ACTIVE = "uninitialised", "sealed", "standby", "active"
# Those that say whether they belong to a cluster.
ANSWERS = (UNINITIALISED, SEALED, STANDBY, ACTIVE)
MEMBERS = (SEALED, STANDBY, ACTIVE)
SERVING = (STANDBY, ACTIVE)

ANSWER_BYTES_MAX = 8 * 1024 * 1024
# OpenSSL's X509_V_ERR_CERT_HAS_EXPIRED.
CERT_HAS_EXPIRED = 10


class ApiError(Exception):
    """A call that came to nothing; `state` is one of the first five above."""

    def __init__(self, state, why):
        super().__init__(why)
        self.state = state


class Refusal(Exception):
    """The node answered, and said no."""

    def __init__(self, status, errors):
        super().__init__("; ".join(errors) or f"status {status}")
        self.status = status


class _Https(http.client.HTTPSConnection):
    """Connects to an address, and expects the certificate of a name."""

    def __init__(self, host, port, timeout, context, server_name):
        super().__init__(host, port, timeout=timeout, context=context)
        self._name = server_name

    def connect(self):
        plain = socket.create_connection((self.host, self.port), self.timeout)
        try:
            self.sock = self._context.wrap_socket(plain, server_hostname=self._name)
        except BaseException:
            plain.close()
            raise


class Node:
    """One member of the group, and how to reach it."""

    def __init__(self, host, node_id, url, server_name=None, ca_file=None):
        self.host, self.node_id, self.url = host, node_id, url.rstrip("/")
        self.server_name, self.ca_file = server_name, ca_file
        self.votes = True

    def _connection(self, timeout):
        parts = urlsplit(self.url)
        port = parts.port or 8200
        if parts.scheme == "http":
            return http.client.HTTPConnection(parts.hostname, port, timeout=timeout)
        context = ssl.create_default_context(cafile=self.ca_file or None)
        name = self.server_name or parts.hostname
        return _Https(parts.hostname, port, timeout, context, name)

    def request(self, method, path, body=None, token=None, timeout=10, sink=None):
        """The status and the body's bytes, or what `sink` was given of it. Follows nothing:
        a redirect would carry the token elsewhere."""
        headers = {"X-Vault-Request": "true"}
        if token:
            headers["X-Vault-Token"] = token
        data = None if body is None else json.dumps(body)
        try:
            connection = self._connection(timeout)
        except (OSError, ssl.SSLError) as error:
            raise ApiError(UNTRUSTED, f"the authority {self.ca_file}: {error}") from None
        try:
            connection.request(method, "/v1/" + path, data, headers)
            answer = connection.getresponse()
            if sink and answer.status == 200:
                while chunk := answer.read(65536):
                    sink(chunk)
                return answer.status, b""
            return answer.status, answer.read(ANSWER_BYTES_MAX)
        except ConnectionRefusedError:
            raise ApiError(ABSENT, "nothing listens there") from None
        except ssl.SSLCertVerificationError as error:
            state = EXPIRED if error.verify_code == CERT_HAS_EXPIRED else UNTRUSTED
            raise ApiError(state, error.verify_message or str(error)) from None
        except ssl.SSLError as error:
            raise ApiError(FOREIGN, f"it does not speak TLS ({error.reason})") from None
        except http.client.HTTPException as error:
            raise ApiError(FOREIGN, f"it does not speak HTTP ({type(error).__name__})") from None
        except OSError as error:
            raise ApiError(UNREACHABLE, str(error) or type(error).__name__) from None
        finally:
            connection.close()

    def call(self, method, path, body=None, token=None, timeout=10, fine=(200, 204)):
        """The answer's object. A status that is not `fine` is a `Refusal` with its errors."""
        status, text = self.request(method, path, body, token, timeout)
        try:
            found = json.loads(text) if text.strip() else {}
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise ApiError(FOREIGN, f"it answers {path} with status {status} and no object")
        if status not in fine:
            errors = found.get("errors") or []
            raise Refusal(status, [str(error) for error in errors])
        return found

    def look(self, timeout=5):
        """Returns the node's present state, with the reason."""
        seen = {"host": self.host, "url": self.url}
        try:
            health = self.call("GET", "sys/health", timeout=timeout, fine=(200, 429, 501, 503))
        except ApiError as error:
            return {**seen, "state": error.state, "why": str(error)}
        except Refusal as refusal:
            return {**seen, "state": FOREIGN, "why": f"it answers sys/health with {refusal}"}
        if not isinstance(health.get("sealed"), bool):
            return {**seen, "state": FOREIGN, "why": "its answer to sys/health is not a vault's"}
        state = ACTIVE
        if not health.get("initialized"):
            state = UNINITIALISED
        elif health["sealed"]:
            state = SEALED
        elif health.get("standby"):
            state = STANDBY
        kept = {key: health.get(key) or "" for key in ("cluster_id", "version")}
        return {**seen, **kept, "state": state, "why": ""}

    def seal_status(self):
        return self.call("GET", "sys/seal-status")

    def certificate(self):
        """The one it shows, whether it is trusted or not."""
        parts = urlsplit(self.url)
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        at, name = (parts.hostname, parts.port or 8200), self.server_name or parts.hostname
        try:
            with socket.create_connection(at, 5) as plain:
                with context.wrap_socket(plain, server_hostname=name) as shown:
                    return shown.getpeercert(binary_form=True)
        except OSError as error:
            raise ApiError(UNREACHABLE, str(error) or type(error).__name__) from None

    def leader(self):
        return self.call("GET", "sys/leader")

    def configuration(self, token):
        found = self.call("GET", "sys/storage/raft/configuration", token=token)
        return found["data"]["config"]["servers"]

    def autopilot(self, token):
        return self.call("GET", "sys/storage/raft/autopilot/state", token=token)["data"]


def look_at(nodes, timeout=5):
    """All at once, by host, in the order of the inventory."""
    with ThreadPoolExecutor(max_workers=16) as pool:
        seen = pool.map(lambda node: node.look(timeout), nodes)
        return {one["host"]: one for one in seen}


class TakeOver:
    """One node is to step down for another one; remembers what was seen meanwhile."""

    def __init__(self, node, others):
        self._node, self._others = node, others
        self._began, self._seen = time.monotonic(), []

    def ask(self, token):
        """Raises what the node refuses for good; that it cannot now is only noted."""
        try:
            self._node.call("PUT", "sys/step-down", token=token)
            self._note(f"{self._node.host} stepped down")
        except ApiError as error:
            self._note(f"{self._node.host} was {error.state}: {error}")
        except Refusal as refusal:
            if refusal.status < 500:
                raise
            self._note(f"{self._node.host} answered {refusal.status}: {refusal}")

    def look(self):
        """Returns true if another node is active."""
        seen = look_at([*self._others, self._node])
        self._note(", ".join(f"{host} is {one['state']}" for host, one in seen.items()))
        return any(seen[other.host]["state"] == ACTIVE for other in self._others), ""

    def _note(self, what):
        if not self._seen or self._seen[-1][1] != what:
            self._seen.append((time.monotonic() - self._began, what))

    @property
    def told(self):
        return "; ".join(f"after {at:.1f} s {what}" for at, what in self._seen)


def sha256(file):
    digest = hashlib.sha256()
    while chunk := file.read(65536):
        digest.update(chunk)
    return digest.hexdigest()


def download_snapshot(node, token, handle, path):
    """To `handle`, which is `path` opened to write: why it is no whole snapshot, or None."""
    with os.fdopen(handle, "wb") as file:
        where = "sys/storage/raft/snapshot"
        status, text = node.request("GET", where, None, token, 120, file.write)
        if status != 200:
            said = text.decode(errors="replace").strip()[:400]
            return (
                f"{node.host} gave none (status {status}): {said}. The token needs read on {where}"
            )
        file.flush()
        os.fsync(file.fileno())
    problem = check_snapshot(path)
    return problem and f"that of {node.host} was not kept: {problem}. Run this again."


def check_snapshot(path):
    """Returns the reason why the file is no whole snapshot, or None."""
    sums, said = {}, None
    try:
        with tarfile.open(path, "r:gz") as archive:
            for member in archive:
                content = archive.extractfile(member) or io.BytesIO()
                if member.name == "SHA256SUMS":
                    said = content.read(65536).decode()
                    continue
                sums[member.name] = sha256(content)
    except (OSError, EOFError, tarfile.TarError, ValueError) as error:
        return f"it is no whole archive ({error})"
    if not said:
        return "it has no SHA256SUMS"
    for line in said.splitlines():
        wanted, _blank, name = line.partition("  ")
        if sums.get(name.strip()) != wanted.strip():
            return f"{name.strip()} in it is damaged"
    return None
