"""Every seal with every act, on real processes: prints the table of docs/seals.md, or what fails.

The five seals are tried side by side, each with a cluster of its own. An act builds on those before
it, so the ones after a failed act are not tried, and count as failed.
"""

import base64
import concurrent.futures
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import suite
from providers import Providers
from suite import COFFER, Node, Program, ask, check, until

SEALS = ["shamir", "static", "file", "transit", "awskms"]
PORT = 18900
DOCS = os.path.join(os.path.dirname(__file__), "..", "..", "docs", "seals.md")


class Cluster:
    """Two nodes with one seal, and the keys that their operators have."""

    def __init__(self, folder, seal, providers, port):
        self.seal, self.providers, self.stanza = seal, providers, providers.seal(seal)
        self.folder = os.path.join(folder, seal)
        os.makedirs(self.folder)
        self.first = Node(self.folder, "n1", port)
        self.second = Node(self.folder, "n2", port + 2, joins=port)
        self.keys, self.needed, self.is_auto = [], 0, seal != "shamir"

    def opens(self, node):
        """By itself, or by the shares that people give."""
        if not self.is_auto:
            until("it knows its cluster", lambda: node.status()["initialized"])
            check(node.status()["sealed"], "it opened without keys")
            for key in self.keys[:self.needed]:
                node.must(200, "PUT", "sys/unseal", {"key": key})
        until("it is open", lambda: not node.status()["sealed"])

    def again(self, node, how=signal.SIGKILL):
        node.stop(how)
        node.start(self.stanza)
        self.opens(node)

    # The acts, in order.

    def init(self):
        node = self.first.start(self.stanza)
        check(node.status()["type"] == self.seal, node.status())
        word = "recovery" if self.is_auto else "secret"
        other = "secret" if self.is_auto else "recovery"
        status, found = node.ask("PUT", "sys/init", {f"{other}_shares": 3, f"{other}_threshold": 2})
        check(status == 400 and "not applicable to seal type" in str(found), f"{status} {found}")
        check(not node.status()["initialized"], "a refused init made something")
        made = node.must(200, "PUT", "sys/init",
                         {f"{word}_shares": 3, f"{word}_threshold": 2})
        self.keys = made["recovery_keys" if self.is_auto else "keys"]
        check(len(self.keys) == 3, made.keys())
        check(not self.is_auto or not made["keys"], "shares beside recovery keys")
        self.needed, node.token = 2, made["root_token"]
        self.opens(node)
        node.opens()
        self.tells(node, 2, 3)
        node.must(204, "POST", "sys/mounts/secret", {"type": "kv"})
        node.must(204, "POST", "secret/a", {"value": "kept"})
        status, _ = node.ask("PUT", "sys/init", {f"{word}_shares": 1, f"{word}_threshold": 1})
        check(status == 400, "initialised twice")

    def tells(self, node, threshold, shares):
        status = node.status()
        found = [status[key] for key in ("type", "recovery_seal", "sealed", "t", "n")]
        check(found == [self.seal, self.is_auto, False, threshold, shares], status)

    def restart(self):
        for how in (signal.SIGKILL, signal.SIGTERM):
            self.again(self.first, how)
            self.first.reads()

    def join(self):
        node = self.second.start(self.stanza)
        node.token = self.first.token
        self.opens(node)
        self.tells(node, 2, 3)
        node.reads()
        until("it votes", lambda: [server["voter"] for server in self.servers(self.first)]
              == [True, True])

    @staticmethod
    def servers(node):
        status, found = node.ask("GET", "sys/storage/raft/configuration")
        return found["data"]["config"]["servers"] if status == 200 else []

    def standby(self):
        self.again(self.second)
        check(self.second.must(200, "GET", "sys/leader")["is_self"] is False, "it leads")
        self.second.must(204, "POST", "secret/b", {"value": "by the standby"})
        self.first.must(204, "PUT", "sys/step-down")
        until("the standby took over", lambda: self.second.status()["sealed"] is False and
              ask(self.second.port, "GET", "sys/health")[0] == 200)
        self.second.reads()
        self.first.reads()
        until("somebody is active", lambda: 200 in (
            ask(node.port, "GET", "sys/health")[0] for node in (self.first, self.second)))

    @staticmethod
    def leads(node):
        return ask(node.port, "GET", "sys/health")[0] == 200

    def rekey(self):
        """New keys for the operators; with a provider also a new key that it keeps."""
        node, old = self.first, self.keys
        targets = ["rekey-recovery-key", "rekey"] if self.is_auto else ["rekey"]
        for target in targets:
            self.replaces(node, target, old)
        for each in (self.first, self.second):
            until(f"{each.name} tells the new counts", lambda each=each: (
                each.status()["t"], each.status()["n"]) == (3, 4))
        self.needed = 3
        # Nothing is written between this and a cut of all power, and nobody leads after it.
        both = (self.first, self.second)
        for each in both:
            each.stop(signal.SIGKILL)
        for each in both:
            each.start(self.stanza)
            if not self.is_auto:
                check(each.status()["n"] == 4, each.status())
                for key in old:
                    each.ask("PUT", "sys/unseal", {"key": key})
                check(each.status()["sealed"], "old shares open")
                each.ask("PUT", "sys/unseal", {"reset": True})
        for each in both:
            self.opens(each)
        for each in both:
            each.reads()
        if self.is_auto:
            check(not self.allows(old), "old recovery keys allow")
            check(self.allows(self.keys[:3]), "new recovery keys do not allow")

    def replaces(self, node, target, old):
        given = self.keys if target == "rekey" and self.is_auto else old
        shares, threshold = (4, 3) if target != "rekey" or not self.is_auto else (1, 1)
        begun = node.must(200, "PUT", f"sys/{target}/init",
                          {"secret_shares": shares, "secret_threshold": threshold})
        for key in given[:begun["required"]]:
            made = node.must(200, "PUT", f"sys/{target}/update",
                             {"key": key, "nonce": begun["nonce"]})
        check(made["complete"], made)
        if shares == 4:
            self.keys = made["keys"]
            check(len(self.keys) == 4, made.keys())

    def allows(self, keys):
        """Whether those keys make a root token."""
        node = self.first if self.leads(self.first) else self.second
        node.ask("DELETE", "sys/generate-root/attempt")
        begun = node.must(200, "PUT", "sys/generate-root/attempt", {})
        last = {}
        for key in keys:
            status, last = node.ask("PUT", "sys/generate-root/update",
                                    {"key": key, "nonce": begun["nonce"]})
            if status != 200:
                return False
        token = decoded(last.get("encoded_token", ""), begun["otp"])
        return ask(node.port, "GET", "auth/token/lookup-self", token=token)[0] == 200

    def recovery(self):
        """`server -recovery`: enough keys make a token that sees the raw storage."""
        node = self.first
        leader = node if self.leads(node) else self.second
        leader.must(204, "POST", "sys/storage/raft/remove-peer", {"server_id": "n2"})
        self.second.stop()
        until("it leads alone", lambda: self.leads(node))
        node.stop()
        node.program = Program(os.path.join(self.folder, "recovery.log"), COFFER, "server",
                               "-recovery", f"-config={node.config}")
        where = "sys/generate-recovery-token"
        until("it answers", lambda: ask(node.port, "GET", f"{where}/attempt")[0] == 200)
        begun = node.must(200, "PUT", f"{where}/attempt", {})
        for key in self.keys[:self.needed]:
            last = node.must(200, "PUT", f"{where}/update", {"key": key, "nonce": begun["nonce"]})
        check(last["complete"], last)
        root, node.token = node.token, decoded(last["encoded_token"], begun["otp"])
        node.must(200, "LIST", "sys/raw/sys")
        check(ask(node.port, "LIST", "sys/raw/sys", token=root)[0] == 403, "the root token lists")
        node.token = root
        node.stop()
        node.start(self.stanza)
        self.opens(node)
        node.reads()


    def migration(self):
        """To another provider, and back from there."""
        other = "transit" if self.seal != "transit" else "static"
        home, away = self.stanza, self.providers.seal(other)
        for seal, stanza, left in ((other, away, home), (self.seal, home, away)):
            self.moves(seal, stanza, left)

    def moves(self, seal, stanza, left):
        node, was = self.first, self.seal
        disabled = left.replace("{\n", '{\n  disabled = "true"\n', 1)
        node.stop()
        node.start(stanza + disabled)
        check(node.status()["sealed"] and node.status()["migration"], node.status())
        for key in self.keys[:self.needed]:
            status, found = node.ask("PUT", "sys/unseal", {"key": key})
            check(status == 400 and "migrat" in str(found), f"{status} {found}")
            node.must(200, "PUT", "sys/unseal", {"key": key, "migrate": True})
        until(f"its seal is {seal}", lambda: [
            node.status()[key] for key in ("type", "migration", "sealed")] == [seal, False, False])
        node.reads()
        # The seal that it left is no seal any more, and its keys are what the new one has.
        self.is_auto, self.stanza = seal != "shamir", stanza
        node.stop(signal.SIGKILL)
        node.start(left)
        check(node.status()["sealed"], f"{was} opens it still")
        self.again(node)
        node.reads()
        check(self.allows(self.keys[:self.needed]), "the keys allow nothing")


def decoded(text, otp):
    raw = base64.b64decode(text + "=" * (-len(text) % 4))
    return bytes(one ^ other for one, other in zip(raw, otp.encode())).decode(errors="replace")


ACTS = {"init": Cluster.init, "restart": Cluster.restart, "join": Cluster.join,
        "standby": Cluster.standby, "rekey": Cluster.rekey, "recovery mode": Cluster.recovery,
        "migration": Cluster.migration}


def tried(cluster):
    """Act by act: True, a reason, or None for those after a failed one."""
    found, goes_on = {}, True
    for name, act in ACTS.items():
        if not goes_on:
            found[name] = None
            continue
        try:
            act(cluster)
            found[name] = True
        except (AssertionError, KeyError, TypeError, ValueError, OSError,
                subprocess.SubprocessError) as error:
            found[name], goes_on = f"{type(error).__name__}: {error}", False
    return found


def table(found):
    rows = [["seal", *ACTS], ["---"] * (len(ACTS) + 1)]
    for seal, acts in found.items():
        rows.append([f"`{seal}`", *("yes" if acts[act] is True else "NO" for act in ACTS)])
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def main():
    folder, begun = tempfile.mkdtemp(prefix="coffer-matrix-"), time.monotonic()
    try:
        providers = Providers(folder, PORT + 60)
        clusters = [Cluster(folder, seal, providers, PORT + 10 * index)
                    for index, seal in enumerate(SEALS)]
        with concurrent.futures.ThreadPoolExecutor(len(SEALS)) as pool:
            found = dict(zip(SEALS, pool.map(tried, clusters)))
    finally:
        for program in list(Program.running):
            program.stop(signal.SIGKILL)
        kept = os.environ.get("KEEP") or shutil.rmtree(folder, ignore_errors=True)
        print(f"kept: {folder}") if kept else None
    print(table(found), end="")
    cells = [(seal, act, result) for seal, acts in found.items() for act, result in acts.items()]
    for seal, act, result in cells:
        if result is not True:
            print(f"FAILED {seal}, {act}: {result or 'not tried'}")
    failed = sum(result is not True for _, _, result in cells)
    with open(DOCS) as docs:
        shown = re.findall(r"^\| (?:seal|---|`\w+`) \| (?:init|---|yes) \|.*\n", docs.read(), re.M)
    if not failed and "".join(shown) != table(found):
        failed += 1
        print("FAILED docs/seals.md has another table")
    print(f"matrix: {len(cells) - failed} passed, {failed} failed "
          f"({suite.CHECKS} checks, {time.monotonic() - begun:.1f} s)")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
