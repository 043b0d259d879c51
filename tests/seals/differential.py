"""The same requests to coffer and to a real OpenBao with the same seal: `static`, `transit` and, for
rekey, none. Status codes, fields and their types, error texts and scalars are compared; each
difference is printed, and must have a reason in `seal_differences.py`."""

import base64
import concurrent.futures
import os
import re
import shutil
import signal
import sys
import tempfile
import time

from providers import Providers
from seal_differences import DIFFERENCES
from suite import BAO, COFFER, Program, ask, until

PORT = 19000
CONFIG = """
storage "raft" {{
  path    = "{data}"
  node_id = "n1"
}}
listener "tcp" {{
  address         = "127.0.0.1:{port}"
  cluster_address = "127.0.0.1:{cluster}"
  tls_disable     = true
  disable_unauthed_rekey_endpoints         = false
  disable_unauthed_generate_root_endpoints = false
}}
api_addr      = "http://127.0.0.1:{port}"
cluster_addr  = "http://127.0.0.1:{cluster}"
disable_mlock = true
{seal}
"""
# What is another one on each server: nonces, tokens, keys, times, names.
OWN = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|[sbr]\.[A-Za-z0-9]{20,}|[0-9a-f]{40,}"
                 r"|[A-Za-z0-9+/]{40,}=*|\d{4}-\d\d-\d\dT[0-9:.]+Z|127\.0\.0\.1:\d+")
# Scalars of such fields differ by nature: counters, sizes, versions.
FREE = re.compile(r"version|_id$|_name$|nonce|otp$|token|index|_time|date|commit|request_id|active"
                  r"|accessor|keys|encryptions|_addr|cluster|rotat|expiry|verification_nonce")


class Server:
    """One of the two, with what the walk learns of it."""

    def __init__(self, folder, name, binary, seal, port):
        self.name, self.port, self.token, self.keys, self.log = name, port, "", [], []
        self.home, self.binary, self.stanza = os.path.join(folder, name), binary, seal
        os.makedirs(os.path.join(self.home, "data"))
        self.start(seal)

    def start(self, seal):
        home, port = self.home, self.port
        path = os.path.join(home, "config.hcl")
        with open(path, "w") as file:
            file.write(CONFIG.format(data=os.path.join(home, "data"), port=port, cluster=port + 1,
                                     seal=seal))
        clean = {key: "" for key in os.environ if key.startswith(("VAULT_", "BAO_", "AWS_"))}
        self.program = Program(os.path.join(home, "log"), self.binary, "server",
                               f"-config={path}", env={**clean, "HOME": home})
        until(f"{self.name} answers", lambda: ask(port, "GET", "sys/seal-status")[0] == 200)

    def ask(self, what, method, path, body=None, token=None):
        """Sends, and notes the answer under the words of `what`."""
        token = self.token if token is None else token
        status, found = ask(self.port, method, path, body, token)
        self.log.append((f"{what}: {method} {path}", status, found))
        return found if isinstance(found, dict) else {}

    def opened(self):
        until(f"{self.name} is active", lambda: ask(self.port, "GET", "sys/health")[0] == 200)


def bad_keys(server, what, path, more):
    """Everything that is no key of this cluster."""
    for name, body in {
        "no key": {}, "an empty key": {"key": ""}, "junk": {"key": "no key!"},
        "short": {"key": "abcd"}, "a number": {"key": 5}, "null": {"key": None},
        "another cluster's": {"key": "11" * 33},
    }.items():
        server.ask(f"{what}, {name}", "PUT", path, {**body, **more})


def first(server, seal):
    """Before and at init."""
    auto = seal != "shamir"
    for path in ("sys/seal-status", "sys/health", "sys/init", "sys/leader", "sys/rekey/init",
                 "sys/generate-root/attempt", "sys/rekey-recovery-key/init"):
        server.ask("new", "GET", path)
    server.ask("new", "PUT", "sys/unseal", {"key": "11" * 33})
    server.ask("new", "PUT", "sys/seal")
    word, other = ("recovery", "secret") if auto else ("secret", "recovery")
    for name, body in {
        "the other kind": {f"{other}_shares": 3, f"{other}_threshold": 2},
        "one only": {f"{word}_shares": 3},
        "too high": {f"{word}_shares": 2, f"{word}_threshold": 3},
        "threshold of one": {f"{word}_shares": 3, f"{word}_threshold": 1},
        "negative": {f"{word}_shares": -1, f"{word}_threshold": -1},
        "a text": {f"{word}_shares": "x", f"{word}_threshold": 2},
        "too many": {f"{word}_shares": 256, f"{word}_threshold": 2},
        "junk for PGP": {f"{word}_shares": 1, f"{word}_threshold": 1,
                         "recovery_pgp_keys" if auto else "pgp_keys": ["junk"]},
        "junk for the root token": {f"{word}_shares": 1, f"{word}_threshold": 1,
                                    "root_token_pgp_key": "junk"},
    }.items():
        if server.name == "bao" and (name == "junk for the root token" or auto and
                                     name == "negative"):
            continue  # It is initialised by these, and nobody has its keys.
        found = server.ask(f"init, {name}", "PUT", "sys/init", body)
        assert "root_token" not in found, f"{server.name} took {name}"
    made = server.ask("init", "PUT", "sys/init", {f"{word}_shares": 3, f"{word}_threshold": 2})
    server.token = made["root_token"]
    server.keys = made["recovery_keys" if auto else "keys"]
    if not auto:
        server.ask("sealed", "GET", "sys/seal-status")
        bad_keys(server, "unseal", "sys/unseal", {})
        server.ask("unseal", "PUT", "sys/unseal", {"reset": True})
        for key in (*server.keys[:1] * 2, server.keys[1]):
            server.ask("unseal", "PUT", "sys/unseal", {"key": key})
    server.opened()
    server.ask("open", "PUT", "sys/init", {f"{word}_shares": 1, f"{word}_threshold": 1})
    for path in ("sys/seal-status", "sys/health", "sys/init", "sys/leader", "sys/key-status",
                 "sys/seal-backend-status"):
        server.ask("open", "GET", path)
    server.ask("open", "PUT", "sys/unseal", {"key": server.keys[0]})
    server.ask("open", "PUT", "sys/unseal", {"reset": True})


def root(server):
    """A root token by the keys."""
    where = "sys/generate-root"
    server.ask("root", "GET", f"{where}/attempt")
    server.ask("root, nothing begun", "PUT", f"{where}/update", {"key": server.keys[0]})
    server.ask("root, a short password", "PUT", f"{where}/attempt", {"otp": "abc"})
    begun = server.ask("root", "PUT", f"{where}/attempt", {})
    server.ask("root, again", "PUT", f"{where}/attempt", {})
    nonce = {"nonce": begun.get("nonce", "")}
    bad_keys(server, "root", f"{where}/update", nonce)
    server.ask("root, no nonce", "PUT", f"{where}/update", {"key": server.keys[0]})
    server.ask("root, another", "PUT", f"{where}/update", {"key": server.keys[0], "nonce": "x"})
    begun = again(server, where, "attempt", {})
    for key in server.keys[:2]:
        last = server.ask("root", "PUT", f"{where}/update", {"key": key, **begun})
    server.ask("root", "DELETE", f"{where}/attempt")
    server.ask("root", "GET", f"{where}/attempt")
    assert last.get("encoded_token") or last.get("encoded_root_token"), (server.name, last)


def again(server, where, last, body):
    """Gives up what is begun, and begins anew."""
    now = ask(server.port, "GET", f"{where}/{last}", token=server.token)[1]
    now = now.get("data") or now
    server.ask("given up", "DELETE", f"{where}/{last}", {"nonce": now.get("nonce", "")})
    begun = server.ask("begun anew", "PUT", f"{where}/{last}", body)
    return {"nonce": (begun.get("data") or begun).get("nonce", "")}


def rekey(server, where, keys):
    """One ceremony with all that goes wrong; returns the new keys."""
    begin, give = f"{where}/init", f"{where}/update"
    server.ask("rekey", "GET", begin)
    server.ask("rekey, nothing begun", "PUT", give, {"key": keys[0], "nonce": "x"})
    server.ask("rekey, nothing begun", "DELETE", begin)
    server.ask("rekey, nothing begun", "GET", f"{where}/verify")
    for name, body in {
        "nothing": {}, "too high": {"secret_shares": 2, "secret_threshold": 3},
        "threshold of one": {"secret_shares": 3, "secret_threshold": 1},
        "too many": {"secret_shares": 256, "secret_threshold": 2},
        "negative": {"secret_shares": -2, "secret_threshold": -1},
        "PGP keys too few": {"secret_shares": 3, "secret_threshold": 2, "pgp_keys": ["x"]},
        "junk for PGP": {"secret_shares": 1, "secret_threshold": 1, "pgp_keys": ["junk"]},
        "a backup without PGP": {"secret_shares": 3, "secret_threshold": 2, "backup": True},
    }.items():
        server.ask(f"rekey, {name}", "PUT", begin, body)
        now = ask(server.port, "GET", begin, token=server.token)[1]
        now = now.get("data") or now
        if now.get("started"):
            ask(server.port, "DELETE", begin, {"nonce": now["nonce"]}, server.token)
    begun = server.ask("rekey", "PUT", begin, {"secret_shares": 4, "secret_threshold": 3})
    server.ask("rekey, again", "PUT", begin, {"secret_shares": 3, "secret_threshold": 2})
    server.ask("rekey", "GET", begin)
    nonce = {"nonce": (begun.get("data") or begun).get("nonce", "")}
    bad_keys(server, "rekey", give, nonce)
    server.ask("rekey, another nonce", "PUT", give, {"key": keys[0], "nonce": "x"})
    server.ask("rekey, another nonce", "DELETE", begin, {"nonce": "x"})
    nonce = again(server, where, "init", {"secret_shares": 4, "secret_threshold": 3})
    for key in (*keys[:1] * 2, *keys[1:2]):
        made = server.ask("rekey", "PUT", give, {"key": key, **nonce})
    made = made.get("data") or made
    new = made["keys"]
    server.ask("rekey, over", "GET", begin)
    server.ask("rekey, over", "GET", where.replace("/init", "") + "/backup")
    # With a verification: wrong, given up, right.
    body = {"secret_shares": 3, "secret_threshold": 2, "require_verification": True}
    begun = server.ask("verified", "PUT", begin, body)
    nonce = {"nonce": (begun.get("data") or begun).get("nonce", "")}
    for key in new[:3]:
        made = server.ask("verified", "PUT", give, {"key": key, **nonce})
    made = made.get("data") or made
    shown = {"nonce": made.get("verification_nonce", "")}
    server.ask("verified", "GET", f"{where}/verify")
    server.ask("verified, another nonce", "PUT", f"{where}/verify",
               {"key": made["keys"][0], "nonce": "x"})
    server.ask("verified, old key", "PUT", f"{where}/verify", {"key": new[0], **shown})
    server.ask("verified", "GET", f"{where}/verify")
    gone = server.ask("verified, from the start", "DELETE", f"{where}/verify", shown)
    shown = {"nonce": (gone.get("data") or gone).get("nonce") or shown["nonce"]}
    for key in made["keys"][:2]:
        last = server.ask("verified", "PUT", f"{where}/verify", {"key": key, **shown})
    server.ask("verified, over", "GET", f"{where}/verify")
    server.ask("counts", "GET", "sys/seal-status")
    assert (last.get("data") or last).get("complete"), (server.name, last)
    return made["keys"]


def sealed(server, seal):
    """Sealed by hand; keys that open nothing where a provider does."""
    server.ask("seal", "PUT", "sys/seal")
    until("it is sealed", lambda: ask(server.port, "GET", "sys/health")[0] == 503)
    for path in ("sys/seal-status", "sys/health", "sys/leader", "sys/key-status", "sys/mounts",
                 "sys/rekey/init", "sys/generate-root/attempt", "sys/seal-backend-status"):
        server.ask("sealed", "GET", path)
    server.ask("sealed", "PUT", "sys/rekey/init", {"secret_shares": 1, "secret_threshold": 1})
    if seal == "shamir":
        for key in server.keys[:2]:
            server.ask("opened", "PUT", "sys/unseal", {"key": key})
        server.opened()


def moved(server, what, stanza):
    """To another seal: with all that goes wrong, and then by the keys."""
    server.program.stop()
    server.start(stanza)
    until("it knows its seal", lambda: ask(server.port, "GET", "sys/seal-status")[1].get(
        "migration"))
    for path in ("sys/seal-status", "sys/health", "sys/init", "sys/leader"):
        server.ask(what, "GET", path)
    server.ask(f"{what}, unsaid", "PUT", "sys/unseal", {"key": server.keys[0]})
    bad_keys(server, what, "sys/unseal", {"migrate": True})
    server.ask(what, "PUT", "sys/unseal", {"reset": True, "migrate": True})
    server.ask(what, "PUT", "sys/unseal", {"key": server.keys[0], "migrate": True})
    server.ask(f"{what}, twice", "PUT", "sys/unseal", {"key": server.keys[0], "migrate": True})
    wrong = f"{'00' * 32}01"
    server.ask(f"{what}, wrong", "PUT", "sys/unseal", {"key": wrong, "migrate": True})
    server.ask(f"{what}, wrong", "GET", "sys/seal-status")
    for key in server.keys[:2]:
        ask(server.port, "PUT", "sys/unseal", {"key": key, "migrate": True})
    server.opened()
    until("it is moved", lambda: ask(server.port, "GET", "sys/seal-status")[1].get(
        "migration") is False)
    server.ask(f"{what}, done", "GET", "sys/seal-status")
    server.ask(f"{what}, done", "PUT", "sys/unseal", {"key": server.keys[0]})


def walk(server, seal):
    first(server, seal)
    root(server)
    classic = "sys/rekey-recovery-key" if seal != "shamir" else "sys/rekey"
    rotate = "sys/rotate/recovery" if seal != "shamir" else "sys/rotate/root"
    server.keys = rekey(server, classic, server.keys)
    server.ask("without a token", "GET", f"{rotate}/init", token="")
    server.keys = rekey(server, rotate, server.keys)
    if seal != "shamir":
        server.ask("the seal key", "GET", "sys/rekey/init")
        server.ask("the seal key", "PUT", "sys/rekey/init",
                   {"secret_shares": 3, "secret_threshold": 2})
    sealed(server, seal)
    disabled = server.stanza.replace("{\n", '{\n  disabled = "true"\n', 1)
    static = f'seal "static" {{\n  current_key = "{"5a" * 32}"\n  current_key_id = "other"\n}}'
    if seal == "transit":
        moved(server, "to a static seal", f"{static}\n{disabled}")
    elif seal == "static":
        moved(server, "to unseal keys", disabled)
    else:
        moved(server, "from unseal keys", static)


# The comparison.

def told(text):
    return OWN.sub("<own>", str(text)).strip()


def kind(value):
    return {bool: "bool", int: "number", float: "number", str: "text", list: "list",
            type(None): "null", dict: "object"}[type(value)]


def fields(found, before=""):
    """Each field with its type, and its scalar where both should have the same."""
    for key, value in found.items():
        name = f"{before}{key}"
        if isinstance(value, dict):
            yield name, "object"
            yield from fields(value, f"{name}.")
        elif FREE.search(name) or isinstance(value, list):
            yield name, kind(value)
        else:
            yield name, f"{kind(value)} {told(value)}"


def lines(what, ours, theirs):
    """What differs between two answers."""
    (status, found), (status2, found2) = ours, theirs
    if status != status2:
        yield f"{what}: status {status}, theirs {status2}"
    if not isinstance(found, dict) or not isinstance(found2, dict):
        if told(found) != told(found2):
            yield f"{what}: {told(found)[:120]!r}, theirs {told(found2)[:120]!r}"
        return
    errors, errors2 = (list(map(told, it.pop("errors", []) or [])) for it in (found, found2))
    if errors != errors2:
        yield f"{what}: errors {errors}, theirs {errors2}"
    if status != status2:
        return  # An error has other fields than an answer.
    mine, other = dict(fields(found)), dict(fields(found2))
    for name in sorted(mine.keys() | other.keys()):
        a, b = mine.get(name), other.get(name)
        if a != b:
            yield f"{what}: {name} {a or 'missing'}, theirs {b or 'missing'}"


def compared(seal, folder, stanza, port):
    """All differences, and the number of requests."""
    pair = [Server(folder, name, binary, stanza, port + offset)
            for name, binary, offset in (("coffer", COFFER, 0), ("bao", BAO, 2))]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda server: walk(server, seal), pair))
    for server in pair:
        server.program.stop()
    ours, theirs = ({}, {})
    for server, notes in zip(pair, (ours, theirs)):
        for what, status, found in server.log:
            notes.setdefault(what, []).append((status, found))
    differing, requests = [], 0
    for what, mine in ours.items():
        for number, (one, other) in enumerate(zip(mine, theirs.get(what, []))):
            requests += 1
            mark = f" ({number + 1})" if len(mine) > 1 else ""
            differing.append(list(lines(f"{seal}: {what}{mark}", one, other)))
    return requests, [it for it in differing if it]


def main():
    folder, begun = tempfile.mkdtemp(prefix="coffer-differential-"), time.monotonic()
    try:
        providers = Providers(folder, PORT + 60)
        jobs = []
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            for number, seal in enumerate(("static", "transit", "shamir")):
                home = os.path.join(folder, f"of-{seal}")
                os.makedirs(home)
                jobs.append(pool.submit(compared, seal, home, providers.seal(seal),
                                        PORT + 10 * number))
        results = [job.result() for job in jobs]
    finally:
        for program in list(Program.running):
            program.stop(signal.SIGKILL)
        shutil.rmtree(folder, ignore_errors=True)
    requests = sum(count for count, _ in results)
    differing = sum(len(found) for _, found in results)
    every = [line for _, found in results for group in found for line in group]
    left, used = list(every), 0
    for reason, patterns in DIFFERENCES.items():
        fits = [line for line in left if any(pattern.search(line) for pattern in patterns)]
        idle = [pattern.pattern for pattern in patterns
                if not any(pattern.search(line) for line in every)]
        left = [line for line in left if line not in fits]
        print(f"kept: {reason}: {len(fits)}")
        for line in fits if os.environ.get("ALL") else fits[:1]:
            print(f"      {line[:200]}")
        for pattern in idle:
            used += 1
            print(f"FAILED no difference is like {pattern!r} any more")
    for line in left:
        print(f"FAILED {line[:400]}")
    print(f"requests {requests}, differing {differing}; {len(left)} lines without a reason "
          f"({time.monotonic() - begun:.1f} s)")
    sys.exit(1 if left or used else 0)


if __name__ == "__main__":
    main()
