"""Servers whose seal real providers keep: see `run`."""

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

COFFER, BAO, MOTO = os.environ["COFFER"], os.environ["BAO"], os.environ["MOTO"]
PORT = 18700
PEER_PORT = 18790
PATIENCE_S = 60
CHECKS = 0


def check(found, what):
    global CHECKS
    CHECKS += 1
    assert found, what


def until(what, wanted, within=PATIENCE_S):
    deadline = time.monotonic() + within
    while True:
        found = wanted()
        if found:
            return found
        assert time.monotonic() < deadline, f"not within {within} s: {what}"
        time.sleep(0.1)


def ask(port, method, path, body=None, token=""):
    """(status, JSON or text) of a request; (0, why) where nobody answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    body = None if body is None else json.dumps(body)
    try:
        connection.request(method, f"/v1/{path}", body, {"X-Vault-Token": token})
        answer = connection.getresponse()
        text = answer.read().decode()
        return answer.status, json.loads(text) if text[:1] == "{" else text
    except (OSError, http.client.HTTPException) as error:
        return 0, str(error)
    finally:
        connection.close()


class Program:
    """A process that is stopped with the part that started it."""

    running = []

    def __init__(self, log, *command, env=None):
        self.log = log
        with open(log, "ab") as out:
            self.process = subprocess.Popen(
                command, stdout=out, stderr=out, env={**os.environ, **(env or {})})
        Program.running.append(self)

    def stop(self, how=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(30)
        if self in Program.running:
            Program.running.remove(self)

    def said(self):
        with open(self.log, errors="replace") as log:
            return log.read()


class Node:
    """One coffer."""

    def __init__(self, folder, name="n1", port=PORT, joins=None):
        self.folder, self.name, self.port, self.joins = folder, name, port, joins
        self.config = os.path.join(folder, f"{name}.hcl")
        self.data = os.path.join(folder, name)
        self.token, self.program = "", None
        os.makedirs(self.data, exist_ok=True)

    def start(self, seal, env=None):
        join = f'retry_join {{ leader_api_addr = "http://127.0.0.1:{self.joins}" }}' \
            if self.joins else ""
        with open(self.config, "w") as config:
            config.write(f"""
storage "raft" {{
  path    = "{self.data}"
  node_id = "{self.name}"
  {join}
}}
listener "tcp" {{
  address         = "127.0.0.1:{self.port}"
  cluster_address = "127.0.0.1:{self.port + 1}"
  tls_disable     = true
}}
api_addr      = "http://127.0.0.1:{self.port}"
cluster_addr  = "http://127.0.0.1:{self.port + 1}"
disable_mlock = true
{seal}
""")
        clean = {name: "" for name in os.environ if name.startswith(("VAULT_", "BAO_", "AWS_"))}
        self.program = Program(os.path.join(self.folder, f"{self.name}.log"), COFFER, "server",
                               f"-config={self.config}", env={**clean, **(env or {})})
        until("it answers", lambda: ask(self.port, "GET", "sys/seal-status")[0] == 200
              or self.program.process.poll() is not None)
        return self

    def stop(self, how=signal.SIGTERM):
        self.program.stop(how)

    def ask(self, method, path, body=None):
        return ask(self.port, method, path, body, self.token)

    def must(self, wanted, method, path, body=None):
        status, found = self.ask(method, path, body)
        check(status == wanted, f"{method} {path}: {status} {found}, not {wanted}")
        return found

    def status(self):
        return ask(self.port, "GET", "sys/seal-status")[1]

    def opens(self, within=PATIENCE_S):
        until(f"{self.name} is open: {self.status()}",
              lambda: ask(self.port, "GET", "sys/health?standbyok=true")[0] == 200, within)

    def found(self):
        made = self.must(200, "PUT", "sys/init", INIT)
        self.token = made["root_token"]
        self.opens()
        self.must(204, "POST", "sys/mounts/secret", {"type": "kv"})
        self.must(204, "POST", "secret/a", {"value": "kept"})

    def reads(self):
        self.opens()
        # An open standby answers 500 while nobody is active.
        until("somebody is active", lambda: self.ask("GET", "secret/a")[0] != 500)
        found = self.must(200, "GET", "secret/a")
        check(found["data"]["value"] == "kept", found)

    def warns(self, words, within=PATIENCE_S):
        return until(f"{words!r} in the status", lambda: words in str(
            self.status().get("warnings")), within)


# How a cluster whose seal a provider keeps is made.
INIT = {}


class Nonsense:
    """A server that answers each request with the same bytes, or has another port answer it."""

    def __init__(self, text, port=None):
        self.port, self.asked = port, 0
        self.text, self.socket = text, socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                client, _ = self.socket.accept()
                self.asked += 1
                with client:
                    sent = client.recv(1 << 16)
                    client.sendall(self.text if self.port is None else self.passed_on(sent))
            except OSError:
                return

    def passed_on(self, sent):
        """The answer to a request that came in one piece, as small ones do."""
        head, body = sent.split(b"\r\n\r\n", 1)
        lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"connection:")]
        with socket.create_connection(("127.0.0.1", self.port), 10) as peer:
            peer.sendall(b"\r\n".join([*lines, b"connection: close", b"", body]))
            return b"".join(iter(lambda: peer.recv(1 << 16), b""))


def nonsense(node, seal_of):
    """Whatever answers in a provider's place: the node stays sealed, says so, and goes on trying."""
    def answer(body, status="200 OK"):
        return (f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\n"
                f"connection: close\r\n\r\n{body}").encode()
    for text in (answer("<html>"), answer("{}"), answer("[1"), b"", b"SSH-2.0-x\r\n",
                 answer('{"data": {"plaintext": "AAAA"}, "Plaintext": "AAAA"}'),
                 answer("{}", "302 Found\r\nlocation: http://127.0.0.1:1/"),
                 answer("x" * 100_000), answer("gone", "410 Gone")):
        server = Nonsense(text)
        seal, env = seal_of(server.url)
        node.start(seal, env)
        node.warns("it ")
        check(node.status()["sealed"] is True, node.status())
        node.stop()
        server.socket.close()


def sealed_by_hand(folder, node, seal_of):
    """An operator's seal lasts although the provider would answer: while another node, whose provider
    answers nonsense, asks again and again, this one asks nothing."""
    other = Node(folder, "other", PORT + 60).start(seal_of(f"http://127.0.0.1:{PEER_PORT}"))
    other.found()
    other.stop()
    here, there = Nonsense(b"", PEER_PORT), Nonsense(b"")
    node.start(seal_of(here.url)).reads()
    check(here.asked > 0, "it opened without asking")
    node.must(204, "PUT", "sys/seal")
    until("it is sealed", lambda: node.status()["sealed"])
    asked = here.asked
    other.start(seal_of(there.url))
    until("the other one has asked three times", lambda: there.asked >= 3)
    check(node.status()["sealed"] is True, node.status())
    check(here.asked == asked, f"it asked {here.asked - asked} times after it was sealed")
    for each, server in ((other, there), (node, here)):
        each.stop()
        server.socket.close()


def refused_start(node, seal, words, env=None):
    """The server ends and says why."""
    node.start(seal, env)
    check(node.program.process.wait(30) != 0, "it ended well")
    said = node.program.said()
    check(words in said, said[-600:])
    node.stop()


def part_static(folder):
    one, two = os.urandom(32), os.urandom(32)
    path = os.path.join(folder, "one.key")
    with open(path, "wb") as key:
        key.write(one)
    os.chmod(path, 0o600)
    first = f'seal "static" {{\n current_key = "file://{path}"\n current_key_id = "1"\n}}'
    node = Node(folder).start(first)
    check(node.status()["type"] == "static" and not node.status()["initialized"], node.status())
    status, found = node.ask("PUT", "sys/init", {"secret_shares": 1, "secret_threshold": 1})
    check(status == 400 and "not applicable to seal type static" in str(found), found)
    node.found()
    check(node.status()["recovery_seal"] is True, node.status())
    node.stop(signal.SIGKILL)
    node.start(first).reads()
    # The key comes later than the node, as on a medium that is not mounted yet.
    node.stop()
    os.rename(path, path + ".away")
    node.start(first)
    node.warns("one.key")
    check(node.status()["sealed"] is True, node.status())
    os.rename(path + ".away", path)
    node.reads()
    # Another key under the same id, and a new one without the old one.
    node.stop()
    with open(path, "wb") as key:
        key.write(two)
    node.start(first)
    node.warns("is not the one")
    with open(path, "wb") as key:
        key.write(one)
    node.reads()
    second = f'current_key = "{two.hex()}"\n current_key_id = "2"'
    node.stop()
    node.start(f'seal "static" {{\n {second}\n}}')
    node.warns("previous_key")
    node.stop()
    node.start(f'seal "static" {{\n {second}\n previous_key = "{one.hex()}"\n'
               ' previous_key_id = "1"\n}')
    node.reads()
    until("the seal key is kept anew", lambda: "keep this cluster's key anew"
          in node.program.said())
    node.stop()
    node.start(f'seal "static" {{\n {second}\n}}').reads()
    check(node.must(200, "GET", "sys/seal-backend-status")["fully_wrapped"] is True, "")
    # The variables alone.
    node.stop()
    node.start("", {"VAULT_SEAL_TYPE": "static", "BAO_STATIC_SEAL_CURRENT_KEY": two.hex(),
                    "BAO_STATIC_SEAL_CURRENT_KEY_ID": "2"}).reads()
    node.stop()
    node.start(f'seal "static" {{\n disabled = "true"\n {second}\n}}')
    check("entering seal migration mode" in node.program.said(), node.program.said()[-600:])
    check(node.status()["sealed"] and node.status()["migration"] is True, node.status())
    node.stop()
    node.start(f'seal "static" {{\n {second}\n}}').reads()
    joined(folder, node, f'seal "static" {{\n {second}\n}}')
    node.stop()
    for seal, words in [
            ('seal "static" {\n current_key = "junk"\n current_key_id = "1"\n}', "32 bytes"),
            ('seal "static" {\n current_key_id = "1"\n}', "needs current_key"),
            ('seal "static" {\n kye = "1"\n}', "kye is not a key"),
            ('seal "pkcs11" {\n}', "is not in this build"),
            (f'seal "static" {{\n {second}\n}}\nseal "static" {{\n {second}\n}}',
             "a name and a priority")]:
        refused_start(Node(folder, "bad", PORT + 20), seal, words)


def joined(folder, first, seal):
    """A second node with the same seal joins, and opens after a restart without the first."""
    second = Node(folder, "n2", first.port + 10, joins=first.port)
    second.token = first.token
    second.start(seal).opens()
    second.stop(signal.SIGKILL)
    second.start(seal).opens()
    first.must(204, "POST", "sys/storage/raft/remove-peer", {"server_id": "n2"})
    second.stop()


def transit_server(folder, server=BAO):
    """Starts a server for a transit key; returns the program and its root token."""
    token = "root-of-the-peer"
    peer = Program(os.path.join(folder, "peer.log"), server, "server", "-dev",
                   f"-dev-listen-address=127.0.0.1:{PEER_PORT}", f"-dev-root-token-id={token}",
                   env={"HOME": folder})
    until("the peer answers", lambda: ask(PEER_PORT, "GET", "sys/health")[0] == 200)

    def must(method, path, body=None):
        status, found = ask(PEER_PORT, method, path, body, token)
        assert status in (200, 204), f"{path}: {status} {found}"
        return found
    return peer, token, must


def transit_keeper(folder):
    """A server with a key for a seal: the program, a way to ask it, and the stanza."""
    peer, root, must = transit_server(folder)
    must("POST", "sys/mounts/keys", {"type": "transit"})
    must("POST", "keys/keys/coffer")
    return peer, must, f"""seal "transit" {{
  address    = "http://127.0.0.1:{PEER_PORT}"
  token      = "{root}"
  key_name   = "coffer"
  mount_path = "keys/"
}}"""


def part_transit(folder, server=BAO):
    peer, root, must = transit_server(folder, server)
    must("POST", "sys/mounts/keys", {"type": "transit"})
    must("POST", "keys/keys/coffer")
    rules = 'path "keys/encrypt/coffer" { capabilities = ["update"] }\n' \
            'path "keys/decrypt/coffer" { capabilities = ["update"] }'
    must("PUT", "sys/policies/acl/seal", {"policy": rules})

    def token(**bounds):
        made = must("POST", "auth/token/create-orphan", {"policies": ["seal"], **bounds})
        return made["auth"]["client_token"]
    path = os.path.join(folder, "token")
    with open(path, "w") as file:
        file.write(token(period="10s") + "\n")
    os.chmod(path, 0o600)
    seal = f"""seal "transit" {{
  address    = "http://127.0.0.1:{PEER_PORT}"
  token      = "file://{path}"
  key_name   = "coffer"
  mount_path = "keys/"
}}"""
    node = Node(folder).start(seal)
    node.found()
    check(node.status()["type"] == "transit", node.status())
    # The token lives for ten seconds at a time, and is renewed.
    begun = time.monotonic()
    with open(path) as file:
        mine = file.read().strip()
    until("two lifetimes of the token are over", lambda: time.monotonic() - begun > 22)
    check(ask(PEER_PORT, "GET", "auth/token/lookup-self", token=mine)[0] == 200, "not renewed")
    # A newer version of the key takes over, and the old one may go.
    must("POST", "keys/keys/coffer/rotate")
    node.stop(signal.SIGKILL)
    node.start(seal).reads()
    until("the seal key is kept anew", lambda: "keep this cluster's key anew"
          in node.program.said())
    must("POST", "keys/keys/coffer/config", {"min_decryption_version": 2})
    node.stop()
    node.start(seal).reads()
    # The server is away when the node starts: sealed, with the reason, until it is back.
    with open(path, "w") as file:
        file.write(token(ttl="1h"))
    peer.process.send_signal(signal.SIGSTOP)
    node.stop(signal.SIGKILL)
    begun = time.monotonic()
    node.start(seal)
    check(time.monotonic() - begun < 5, "a server that hangs held the start up")
    node.warns("no answer")
    check(ask(node.port, "GET", "sys/health")[0] == 503, "it is not sealed")
    begun = time.monotonic()
    peer.process.send_signal(signal.SIGCONT)
    node.reads()
    print(f"transit: {time.monotonic() - begun:.1f} s after the server answers, the node serves")
    # Refusals are told, and tried again, too.
    node.stop()
    with open(path, "w") as file:
        file.write("s.none")
    node.start(seal)
    node.warns("permission denied")
    with open(path, "w") as file:
        file.write(token(ttl="1h"))
    node.reads()
    joined(folder, node, seal)
    node.stop()
    # Variables: the key's name goes before the stanza's.
    other = seal.replace('"coffer"', '"none"')
    node.start(other, {"VAULT_TRANSIT_SEAL_KEY_NAME": "coffer"}).reads()
    node.stop()
    # What is no transit engine.
    node.start(seal.replace("keys/", "secret"))
    node.warns("it refuses")
    node.stop()
    # Another cluster's key, by its own blob: what the record has does not open there.
    must("POST", "keys/keys/other")
    must("PUT", "sys/policies/acl/seal", {"policy": rules.replace("coffer", "+")})
    node.start(seal.replace('"coffer"', '"other"'))
    node.warns("it refuses")
    node.stop()
    node.start(seal).reads()
    node.stop()
    def at(url):
        return seal.replace(f"http://127.0.0.1:{PEER_PORT}", url)
    nonsense(node, lambda url: (at(url), {}))
    sealed_by_hand(folder, node, at)
    # Two seals: either opens when the other is away.
    one = os.urandom(32).hex()
    both = seal.replace("{\n", '{\n  name = "far"\n  priority = 2\n', 1) + f"""
seal "static" {{
  name = "near"
  priority = 1
  current_key = "{one}"
  current_key_id = "1"
}}"""
    two = Node(folder, "two", PORT + 40).start(both)
    peer.process.send_signal(signal.SIGSTOP)
    status, found = two.ask("PUT", "sys/init", INIT)
    check(status == 400 and "far" in str(found), f"{status} {found}")
    peer.process.send_signal(signal.SIGCONT)
    two.found()
    two.stop(signal.SIGKILL)
    peer.process.send_signal(signal.SIGSTOP)
    two.start(both).reads()
    peer.process.send_signal(signal.SIGCONT)
    two.stop()
    two.start(both.replace(one, os.urandom(32).hex())).reads()
    until("far is said to be well and near to be ill", lambda: [
        backend["healthy"] for backend in two.must(200, "GET", "sys/seal-backend-status")["backends"]
    ] in ([True, True], [False, True]))
    two.stop()
    node.stop()
    peer.stop()


def part_awskms(folder):
    moto = Program(os.path.join(folder, "moto.log"), MOTO, "-H", "127.0.0.1", "-p",
                   str(PEER_PORT), env={"HOME": folder})
    kms = f"http://127.0.0.1:{PEER_PORT}"

    def call(action, body):
        connection = http.client.HTTPConnection("127.0.0.1", PEER_PORT, timeout=30)
        sent = {"X-Amz-Target": f"TrentService.{action}",
                "Content-Type": "application/x-amz-json-1.1",
                "Authorization": "AWS4-HMAC-SHA256 Credential=a/20200101/us-east-1/kms/"
                                 "aws4_request, SignedHeaders=host, Signature=x"}
        try:
            connection.request("POST", "/", json.dumps(body), sent)
            return json.loads(connection.getresponse().read())
        except OSError:
            return None
        finally:
            connection.close()
    made = until("moto answers", lambda: call("CreateKey", {}))
    key = made["KeyMetadata"]["KeyId"]
    # Seed 001's stanza as it stands, the comma at its end included.
    seal = f'seal "awskms" {{\n  region = "us-east-1"\n  kms_key_id = "{key}",\n}}'
    env = {"AWS_KMS_ENDPOINT": kms, "AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret"}
    node = Node(folder).start(seal, env)
    node.found()
    check(node.status()["type"] == "awskms", node.status())
    node.stop(signal.SIGKILL)
    node.start(seal, env).reads()
    joined_env = dict(env)
    node.stop()
    # Credentials of a shared file, and the endpoint of the stanza.
    shared = os.path.join(folder, "credentials")
    with open(shared, "w") as file:
        file.write("[pi]\naws_access_key_id = id\naws_secret_access_key = secret\n")
    os.chmod(shared, 0o600)
    filed = seal.replace(",\n}", f'\n  endpoint = "{kms}"\n  shared_creds_filename = "{shared}"\n'
                         '  shared_creds_profile = "pi"\n}')
    node.start(filed).reads()
    node.stop()
    node.start(seal, {**joined_env, "VAULT_AWSKMS_SEAL_KEY_ID": key}).reads()
    node.stop()
    # No credentials: told, and never asked of a metadata server that is not there.
    node.start(seal, {"AWS_KMS_ENDPOINT": kms, "AWS_EC2_METADATA_DISABLED": "true"})
    node.warns("no credentials for AWS are found")
    node.stop()
    # The server is away, and what answers in its place makes no sense.
    moto.process.send_signal(signal.SIGSTOP)
    node.start(seal, env)
    node.warns("no answer")
    moto.process.send_signal(signal.SIGCONT)
    node.reads()
    node.stop()
    nonsense(node, lambda url: (seal, {**env, "AWS_KMS_ENDPOINT": url}))
    node.start(seal, env).reads()
    node.stop()
    moto.stop()


def part_file(folder):
    key, seal = os.path.join(folder, "key"), 'seal "file" {\n label = "KEYS"\n}'
    made = subprocess.run([COFFER, "operator", "seal-key", key], capture_output=True, text=True)
    check(made.returncode == 0 and "Success!" in made.stdout, made)
    again = subprocess.run([COFFER, "operator", "seal-key", key], capture_output=True, text=True)
    check(again.returncode != 0 and "exists" in again.stderr, again)
    # By its whole path, as where something else mounts the stick.
    node = Node(folder).start(f'seal "file" {{\n path = "{key}"\n}}')
    node.found()
    os.rename(key, key + ".away")
    node.stop(signal.SIGKILL)
    node.start(f'seal "file" {{\n path = "{key}"\n}}')
    node.warns("No such file")
    os.rename(key + ".away", key)
    node.reads()
    node.stop()
    # The card alone, with a key that is no other's half.
    subprocess.run([COFFER, "operator", "seal-key", key + ".other"], check=True,
                   capture_output=True)
    node.start(f'seal "file" {{\n path = "{key}.other"\n}}')
    node.warns("put in the other stick")
    node.stop()
    sticks = []
    try:
        sticks.append(Stick(folder, "one", key))
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"skipped: file on a stick needs root and loop devices ({error})")
        return
    try:
        # Mounted read-only by the server for the moment, and nothing is left of it.
        node.start(seal).reads()
        with open("/proc/self/mountinfo") as mounts:
            check("coffer-seal-" not in mounts.read(), "a mount is left behind")
        node.stop()
        sticks[0].pull()
        node.start(seal)
        node.warns("no medium has the label")
        sticks[0].put_in()
        node.reads()
        # It is pulled out while the node serves: nothing happens but a note.
        sticks[0].pull()
        node.must(204, "POST", "secret/b", {"value": "1"})
        node.stop()
        # Found mounted, by its UUID.
        sticks[0].put_in()
        with sticks[0].mounted():
            node.start(f'seal "file" {{\n uuid = "{sticks[0].uuid}"\n}}').reads()
            node.stop()
        # Two sticks of one label.
        sticks.append(Stick(folder, "two", key))
        node.start(seal)
        node.warns("several media have the label")
        sticks[1].pull()
        node.reads()
        joined(folder, node, seal)
        node.stop()
    finally:
        for stick in sticks:
            stick.pull()


class Stick:
    """A FAT file system with the label KEYS on a loop device."""

    def __init__(self, folder, name, key):
        self.image, self.device = os.path.join(folder, f"{name}.img"), None
        self.folder = os.path.join(folder, f"{name}.mount")
        os.makedirs(self.folder)
        with open(self.image, "wb") as image:
            image.truncate(4 << 20)
        # What mkfs.vfat would do may not be here; ext4 is on every Debian.
        subprocess.run(["mkfs.ext4", "-q", "-F", "-L", "KEYS", self.image], check=True,
                       capture_output=True)
        shown = subprocess.run(["blkid", "-o", "value", "-s", "UUID", self.image], check=True,
                               capture_output=True, text=True)
        self.uuid = shown.stdout.strip()
        self.put_in()
        with self.mounted():
            shutil.copy(key, os.path.join(self.folder, "coffer-seal.key"))

    @contextlib.contextmanager
    def mounted(self):
        subprocess.run(["mount", self.device, self.folder], check=True, capture_output=True)
        try:
            yield
        finally:
            subprocess.run(["umount", self.folder], check=True)

    def put_in(self):
        made = subprocess.run(["losetup", "--show", "-f", self.image], check=True,
                              capture_output=True, text=True)
        self.device = made.stdout.strip()

    def pull(self):
        if self.device:
            subprocess.run(["losetup", "-d", self.device], check=True)
            self.device = None


PARTS = {"static": part_static, "file": part_file, "transit": part_transit,
         "transit-of-coffer": lambda folder: part_transit(folder, COFFER), "awskms": part_awskms}


def main():
    names, failed = sys.argv[1:] or list(PARTS), 0
    for name in names:
        folder, begun = tempfile.mkdtemp(prefix="coffer-seals-"), time.monotonic()
        try:
            PARTS[name](folder)
            print(f"ok {name} ({time.monotonic() - begun:.1f} s)")
        except AssertionError as error:
            failed += 1
            print(f"FAILED {name}: {error}")
            for program in Program.running:
                print(f"--- {program.log}\n{program.said()[-1500:]}")
        finally:
            for program in list(Program.running):
                program.stop(signal.SIGKILL)
            shutil.rmtree(folder, ignore_errors=True)
    print(f"{len(names) - failed} passed, {failed} failed ({CHECKS} checks)")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    sys.modules["suite"] = sys.modules["__main__"]
    import emergency
    import migration
    import sheets
    PARTS |= {"migration": migration.part, "emergency": emergency.part,
              "sheets": sheets.part}
    main()
