"""A cluster of three processes is moved from seal to seal, node by node, while a client writes.

Standbys first, the active node last, as Vault's documentation has it; nodes are killed at each
step. `bao operator unseal -migrate` and our own command line give the shares by turns.
"""

import os
import random
import signal
import subprocess
import threading
import time

from suite import BAO, COFFER, PORT, Node, ask, check, transit_keeper, until

SHARES, NEEDED = 3, 2


class Writer:
    """A client that writes to whichever node serves, and remembers what was acknowledged."""

    def __init__(self, nodes):
        self.nodes, self.done, self.kept = nodes, False, []
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        at, node = 0, 0
        while not self.done:
            status, _ = self.nodes[node].ask("POST", f"secret/w{at}", {"value": str(at)})
            if status == 204:
                self.kept.append(at)
                at += 1
                time.sleep(0.02)
            else:
                node = (node + 1) % len(self.nodes)

    def goes_on(self):
        """Some more writes are acknowledged."""
        before = len(self.kept)
        until("writes go on", lambda: len(self.kept) > before + 3)

    def stop(self):
        self.done = True
        self.thread.join(60)
        return self.kept


def give(program, node, share, *flags):
    """`operator unseal` by that program: (exit code, what it says)."""
    found = subprocess.run(
        [program, "operator", "unseal", *flags, share], capture_output=True, text=True,
        env={**os.environ, "VAULT_ADDR": f"http://127.0.0.1:{node.port}",
             "BAO_ADDR": f"http://127.0.0.1:{node.port}"})
    return found.returncode, found.stdout + found.stderr


def known(node):
    until(f"{node.name} knows its seal", lambda: node.status()["initialized"])


def allow(node, shares, program=BAO):
    """Gives enough shares with -migrate."""
    known(node)
    for share in shares[:NEEDED]:
        code, said = give(program, node, share, "-migrate")
        check(code == 0, said)
    node.opens()


def unseal(node, shares):
    known(node)
    for share in shares[:NEEDED]:
        check(give(COFFER, node, share)[0] == 0, "a share is refused")
    node.opens()


def is_kept_by(node, kind):
    until(f"{node.name} has seal {kind}: {node.status()}",
          lambda: (lambda told: told["type"] == kind and not told["migration"]
                   and not told["sealed"] and not told.get("warnings"))(node.status()))


def active(nodes):
    def found():
        return next((node for node in nodes
                     if ask(node.port, "GET", "sys/leader")[1:] and
                     ask(node.port, "GET", "sys/health")[0] == 200), None)
    return until("a node is active", found)


def refused(node, share, words, *flags):
    known(node)
    for program in (BAO, COFFER):
        code, said = give(program, node, share, *flags)
        check(code == 2 and words in said, f"{program}: {code} {said}")


def move(nodes, shares, seal, kind, old):
    """Moves the cluster to `seal`, with a kill at each step; `old` is the configuration before."""
    first = active(nodes)
    others = [node for node in nodes if node is not first]
    for node, program in zip(others, (BAO, COFFER)):
        node.stop()
        node.start(seal)
        known(node)
        told = node.status()
        check(told["migration"] is True and told["type"] == kind and told["sealed"], told)
        refused(node, shares[0], "migrate option not provided and seal migration is pending")
        check(give(program, node, shares[0], "-migrate")[0] == 0, "a share")
        check(node.status()["progress"] == 1, node.status())
        # What a node was given goes with it, and nothing else does.
        node.stop(signal.SIGKILL)
        node.start(seal)
        known(node)
        check(node.status()["progress"] == 0, node.status())
        allow(node, shares, program)
        node.stop(signal.SIGKILL)
        node.start(seal)
        allow(node, shares, program)
        check(node.status()["migration"] is True, "a standby changes nothing")
    check(active(nodes) is first, "the old configuration leads")
    first.must(204, "PUT", "sys/step-down")
    # The new active node is killed within the moment of its migration, or just after it.
    second = active(others)
    second.stop(signal.SIGKILL)
    second.start(seal)
    for node in others:
        def opens(node=node):
            told = node.status()
            if told["sealed"] and (told["migration"] or kind == "shamir"):
                # The entry of the migration may arrive between two of them.
                for share in shares[:NEEDED]:
                    give(BAO, node, share, *(["-migrate"] if told["migration"] else []))
            return not node.status()["sealed"]
        until(f"{node.name} is open again: {node.status()}", opens)
    if active(nodes) is first:
        first.must(204, "PUT", "sys/step-down")
    for node in others:
        is_kept_by(node, kind)
    # Its configuration names a provider where people are to keep the key: a migration back, which
    # nobody allows.
    told = until("the last node follows", lambda: (first.status()["type"] == kind or (
        kind == "shamir" and first.status()["migration"])) and first.status())
    check(not told["sealed"], told)
    first.stop()
    # As it was configured before it opens no more, and says so.
    first.start(old)
    known(first)
    until("it knows", lambda: first.status()["sealed"] and (
        first.status()["migration"] or first.status().get("warnings")))
    first.stop()
    first.start(seal)
    if kind == "shamir":
        for node in nodes:
            if node.status()["sealed"]:
                unseal(node, shares)
    for node in nodes:
        node.opens()
        is_kept_by(node, kind)


def wrong_stanzas(node, shares, fresh, strange):
    """Seals that do not fit the cluster's: refused, and the old one opens afterwards."""
    node.stop()
    for seal, to in (("", "Shamir"), (fresh, '"transit"')):
        node.start(seal)
        known(node)
        words = f'cannot seal migrate from "static" to {to}, no disabled seal in configuration'
        refused(node, shares[0], words, "-migrate")
        refused(node, shares[0], words)
        check(words in str(node.status()["warnings"]), node.status())
        said = node.program.said()
        check("no disabled seal in configuration" in said, said[-900:])
        node.stop()
    node.start(f"{fresh}\n{strange}")
    known(node)
    check(give(BAO, node, shares[0], "-migrate")[0] == 0, "a share")
    code, said = give(BAO, node, shares[1], "-migrate")
    check(code == 2 and "failed to verify recovery key" in said, said)
    check(node.status()["sealed"] is True, node.status())
    node.stop()


def killed(folder, static, disabled):
    """A lone node is moved to and fro, and killed at a random moment of each migration."""
    seed = int(os.environ.get("SEED", time.time_ns() % 1_000_000))
    print(f"kills by SEED={seed}")
    chance = random.Random(seed)
    node = Node(folder, "lone", PORT + 50).start("")
    made = node.must(200, "PUT", "sys/init",
                     {"secret_shares": SHARES, "secret_threshold": NEEDED})
    node.token, shares = made["root_token"], made["keys_base64"]
    unseal(node, shares)
    node.must(204, "POST", "sys/mounts/secret", {"type": "kv"})
    node.must(204, "POST", "secret/a", {"value": "kept"})
    cut = 0
    for to, seal in [("static", static), ("shamir", disabled)] * 6:
        node.stop()
        node.start(seal)
        known(node)
        give(COFFER, node, shares[0], "-migrate")
        last = threading.Thread(target=give, args=(COFFER, node, shares[1], "-migrate"))
        last.start()
        time.sleep(chance.uniform(0, 0.08))
        node.stop(signal.SIGKILL)
        last.join()
        node.start(seal)
        known(node)
        if to == "static":
            # Either it opens by itself, or it waits for shares.
            until("one or the other", lambda: not node.status()["sealed"]
                  or node.status()["migration"])
        if node.status()["migration"] and node.status()["sealed"]:
            cut += 1
            allow(node, shares)
        elif node.status()["sealed"]:
            unseal(node, shares)
        is_kept_by(node, to)
        node.reads()
    print(f"{cut} of 12 migrations were cut short, and made again")
    node.stop()


def part(folder):
    peer, must, transit = transit_keeper(folder)

    def static(key):
        return f'seal "static" {{\n  current_key = "{key}"\n  current_key_id = "1"\n}}'

    def disabled(seal):
        return seal.replace("{\n", '{\n  disabled = "true"\n', 1)
    key, other = os.urandom(32).hex(), os.urandom(32).hex()
    killed(folder, static(key), disabled(static(key)))
    nodes = [Node(folder, "n1", PORT)]
    nodes += [Node(folder, f"n{at + 1}", PORT + at * 10, joins=PORT) for at in (1, 2)]
    nodes[0].start("")
    made = nodes[0].must(200, "PUT", "sys/init",
                         {"secret_shares": SHARES, "secret_threshold": NEEDED})
    shares = made["keys_base64"]
    refused(nodes[0], shares[0], "can't perform a seal migration, no migration seal found",
            "-migrate")
    for node in nodes:
        node.token = made["root_token"]
        if node is not nodes[0]:
            node.start("")
        unseal(node, shares)
    nodes[0].must(204, "POST", "sys/mounts/secret", {"type": "kv"})
    until("all vote", lambda: all(one["voter"] for one in nodes[0].must(
        200, "GET", "sys/storage/raft/configuration")["data"]["config"]["servers"]))
    for node in nodes:
        node.joins = None
    writer = Writer(nodes)
    writer.goes_on()

    move(nodes, shares, static(key), "static", "")
    writer.goes_on()
    check(nodes[0].status()["recovery_seal"] is True, nodes[0].status())
    standby = next(node for node in nodes if node is not active(nodes))
    wrong_stanzas(standby, shares, transit, disabled(static(other)))
    standby.start(static(key)).opens()
    writer.goes_on()

    both = f"{transit}\n{disabled(static(key))}"
    move(nodes, shares, both, "transit", static(key))
    writer.goes_on()
    found = nodes[0].must(200, "GET", "sys/seal-backend-status")
    check(found["disabled"] == ["static"] and found["fully_wrapped"] is True, found)
    # The old provider is needed no more.
    standby = next(node for node in nodes if node is not active(nodes))
    standby.stop(signal.SIGKILL)
    standby.start(transit).opens()

    move(nodes, shares, disabled(transit), "shamir", transit)
    writer.goes_on()
    kept = writer.stop()
    check(len(kept) > 20, kept)
    peer.stop()
    for node in nodes:
        node.stop()
        node.start("")
        unseal(node, shares)
    leader = active(nodes)
    for at in kept:
        found = leader.must(200, "GET", f"secret/w{at}")
        check(found["data"]["value"] == str(at), found)
