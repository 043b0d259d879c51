"""The first seed from "Create an HA cluster" to "Add vault_4 back": three nodes on 127.0.0.2-4, by
command lines, the real `bao` and our own."""

import os
import re

from check import BAO, COFFER, SERVER, server_binary, wait
from nodes import CLUSTER_DEADLINE_S, ClusterNode, Commands, shared_port

SECRET = "ABB39KKPTWOR832JGNLS02"
HOSTS = ["127.0.0.2", "127.0.0.3", "127.0.0.4"]
ONE, TWO, THREE = NAMES = ["server-a-1", "server-a-2", "server-a-3"]


def run(report):
    clients = [("bao", BAO)]
    if SERVER == "coffer" or COFFER:
        clients.append(("our coffer", COFFER))
    for name, binary in clients:
        report.section(f"cluster000 by {name}")
        nodes = make_nodes()
        try:
            Steps(report, binary, nodes).run()
        finally:
            for node in nodes:
                node.__exit__()


def make_nodes():
    port = shared_port(HOSTS)
    leaders = [f"http://{host}:{port}" for host in HOSTS[:2]]
    retry = "".join(f'  retry_join {{\n    leader_api_addr = "{leader}"\n  }}\n' for leader in leaders)
    storage = {THREE: retry}
    return [
        ClusterNode(server_binary(), name, host, port, storage.get(name, ""))
        for name, host in zip(NAMES, HOSTS)
    ]


class Steps(Commands):
    def __init__(self, report, binary, nodes):
        super().__init__(report, binary, nodes)
        self.is_bao = binary == BAO
        self.nodes = dict(zip(NAMES, nodes))

    def run(self):
        self.set_up()
        self.examine_the_leader()
        self.join()
        self.retry_join()
        self.patch_and_read()
        self.snapshot()
        self.step_down()
        self.remove()
        self.add_back()
        if SERVER != "bao":  # It does as it is told, and the cluster is down.
            self.arithmetic()

    def row(self, name, state, voter):
        return (name, self.nodes[name].cluster, state, voter)

    def becomes(self, name, node, *rows):
        """list-peers at `node` comes to show these rows."""
        try:
            wait(name, lambda: self.peers(node) == list(rows), CLUSTER_DEADLINE_S)
        except TimeoutError:
            pass
        self.report.equal(name, self.peers(node), list(rows))

    def unseal(self, name):
        for key in self.keys[:3]:
            result = self.ok(f"unseal {name}", name, "operator", "unseal", key)
        return result

    def serves(self, name):
        wait(f"{name} serves", lambda: self.nodes[name].health() in (200, 429), CLUSTER_DEADLINE_S)

    def set_up(self):
        for node in (ONE, TWO):
            self.nodes[node].start()
        made = self.ok("init", ONE, "operator", "init")
        self.keys = re.findall(r"^Unseal Key \d+: (\S+)$", made.out, re.MULTILINE)
        self.unseal(ONE)
        wait("the first node is active", lambda: self.nodes[ONE].health() == 200)
        self.login(re.search(r"^Initial Root Token: (\S+)$", made.out, re.MULTILINE).group(1))
        self.ok("enable kv", ONE, "secrets", "enable", "-path=kv", "kv-v2")
        wait("kv serves", lambda: self.clis[ONE]("kv", "put", "kv/apikey", f"webapp={SECRET}").code == 0)
        facts = r"^Initialized\s+{}$", r"^Sealed\s+{}$", r"^HA Enabled\s+{}$"
        status = self.ok("status of the first", ONE, "status")
        expected = [fact.format(value) for fact, value in zip(facts, ("true", "false", "true"))]
        self.report.matches("the first is initialized and unsealed", status.out, *expected)
        status = self.fails("status of the second", 2, TWO, "status")
        expected = [fact.format(value) for fact, value in zip(facts, ("false", "true", "true"))]
        self.report.matches("the second is neither", status.out, *expected)

    def examine_the_leader(self):
        listed = self.ok("list-peers", ONE, "operator", "raft", "list-peers")
        lines = [line.split() for line in listed.out.splitlines()]
        heads = [["Node", "Address", "State", "Voter"], ["----", "-------", "-----", "-----"]]
        self.report.equal("its heads", lines[:2], heads)
        self.report.equal("one node", lines[2:], [list(self.row(ONE, "leader", "true"))])

    def join(self):
        joined = self.ok("join", TWO, "operator", "raft", "join", self.nodes[ONE].address)
        self.report.matches("joined", joined.out, r"^Key\s+Value$", r"^Joined\s+true$")
        status = self.fails("joined, it is sealed", 2, TWO, "status")
        self.report.matches(
            "with the leader's seal",
            status.out,
            r"^Initialized\s+true$",
            r"^Sealed\s+true$",
            r"^Total Shares\s+5$",
            r"^Threshold\s+3$",
            r"^Unseal Progress\s+0/3$",
        )
        self.unseal(TWO)
        self.serves(TWO)
        self.becomes(
            "two peers, both voting",
            TWO,
            self.row(ONE, "leader", "true"),
            self.row(TWO, "follower", "true"),
        )
        status = self.ok("status of the second", TWO, "status")
        self.report.matches(
            "it is a standby",
            status.out,
            r"^Sealed\s+false$",
            r"^HA Mode\s+standby$",
            rf"^Active Node Address\s+{re.escape(self.nodes[ONE].address)}$",
        )
        got = self.ok("read from the second", TWO, "kv", "get", "kv/apikey")
        self.report.matches(
            "the secret",
            got.out,
            r"^=+ Metadata =+$",
            r"^deletion_time\s+n/a$",
            r"^version\s+1$",
            r"^=+ Data =+$",
            rf"^webapp\s+{SECRET}$",
        )
        again = self.ok("join again", TWO, "operator", "raft", "join", self.nodes[ONE].address)
        self.report.matches("is harmless", again.out, r"^Joined\s+true$")

    def retry_join(self):
        self.nodes[THREE].start()
        wait(
            "the third has asked to join",
            lambda: re.search(r"^Initialized\s+true$", self.clis[THREE]("status").out, re.MULTILINE),
            CLUSTER_DEADLINE_S,
        )
        self.unseal(THREE)
        self.serves(THREE)
        self.becomes("three peers, all voting", THREE, *self.three(ONE))

    def three(self, leader):
        states = [(name, "leader" if name == leader else "follower") for name in NAMES]
        return [self.row(name, state, "true") for name, state in states]

    def patch_and_read(self):
        done = self.ok("patch from the third", THREE, "kv", "patch", "kv/apikey", "expiration=365 days")
        self.report.matches("makes version 2", done.out, r"^version\s+2$", r"^destroyed\s+false$")
        if SERVER == "bao":  # Its standbys answer from what they have.
            get = lambda: self.clis[TWO]("kv", "get", "-field=expiration", "kv/apikey").code == 0
            wait("the patch arrives", get)
        got = self.ok("read from the second", TWO, "kv", "get", "kv/apikey")
        self.report.matches(
            "shows it at once", got.out, r"^expiration\s+365 days$", rf"^webapp\s+{SECRET}$", r"^version\s+2$"
        )

    def snapshot(self):
        path = os.path.join(self.nodes[ONE].folder, "demo.snapshot")
        self.ok("snapshot save", ONE, "operator", "raft", "snapshot", "save", path)
        self.ok("the secret exists", ONE, "kv", "get", "kv/apikey")
        self.ok("delete it", ONE, "kv", "metadata", "delete", "kv/apikey")
        gone = ["No value found at kv/data/apikey"]
        for name in NAMES:
            self.fails("it is gone", 2, name, "kv", "get", "kv/apikey", texts=gone)
        self.ok("snapshot restore", ONE, "operator", "raft", "snapshot", "restore", path)

        def back():
            return all(self.clis[name]("kv", "get", "kv/apikey").code == 0 for name in NAMES)

        wait("the secret is back everywhere", back, CLUSTER_DEADLINE_S)
        for name in NAMES:
            got = self.ok("read again", name, "kv", "get", "kv/apikey")
            self.report.matches(
                "it is what it was",
                got.out,
                r"^version\s+2$",
                r"^expiration\s+365 days$",
                rf"^webapp\s+{SECRET}$",
            )

    def leader(self, node):
        return next((row[0] for row in self.peers(node) if row[2] == "leader"), None)

    def step_down(self):
        before = wait("somebody leads", lambda: self.leader(TWO), CLUSTER_DEADLINE_S)
        done = self.ok("step-down", before, "operator", "step-down")
        address = self.nodes[before].address
        self.report.equal("it says", done.out.strip(), f"Success! Stepped down: {address}")
        other = next(name for name in NAMES if name != before)

        def moved():
            leader = self.leader(other)
            return leader if leader != before else None

        after = wait("another leads", moved, CLUSTER_DEADLINE_S)
        self.becomes("all others follow", other, *self.three(after))
        wait("it is active", lambda: self.nodes[after].health() == 200, CLUSTER_DEADLINE_S)
        self.report.equal("the old one stands by", self.nodes[before].health(), 429)
        self.active = after

    def remove(self):
        self.leaving = next(name for name in reversed(NAMES) if name != self.active)
        self.staying = [name for name in NAMES if name != self.leaving]
        asked = self.active
        done = self.ok("remove-peer", asked, "operator", "raft", "remove-peer", self.leaving)
        self.report.equal("it says", done.out.strip(), "Peer removed successfully!")
        for name in self.staying:
            self.becomes("two are left", name, *self.two())
            got = self.ok("the cluster serves", name, "kv", "get", "-field=webapp", "kv/apikey")
            self.report.equal("what it has", got.out.strip(), SECRET)
        self.ok("and takes writes", asked, "kv", "put", "kv/after", "removal=done")
        again = self.ok("again", asked, "operator", "raft", "remove-peer", self.leaving)
        self.report.equal("does no harm", again.out.strip(), "Peer removed successfully!")
        self.becomes("two are still left", asked, *self.two())

    def two(self):
        return [row for row in self.three(self.active) if row[0] in self.staying]

    def add_back(self):
        node = self.nodes[self.leaving]
        node.kill()
        node.wipe()
        node.start()
        if self.leaving != THREE:
            self.ok(
                "join by hand", self.leaving, "operator", "raft", "join", self.nodes[self.active].address
            )
        wait(
            "it has asked to join",
            lambda: re.search(r"^Initialized\s+true$", self.clis[node.name]("status").out, re.MULTILINE),
            CLUSTER_DEADLINE_S,
        )
        self.unseal(self.leaving)
        self.serves(self.leaving)
        self.becomes("it is back and votes", self.active, *self.three(self.active))
        got = self.ok("it reads", self.leaving, "kv", "get", "-field=removal", "kv/after")
        self.report.equal("what was written meanwhile", got.out.strip(), "done")

    def arithmetic(self):
        """Beyond the seed: nobody is removed whom the others need, and who is not needed goes."""
        dead, living = (name for name in reversed(NAMES) if name != self.active)
        self.fails(
            "a voter is none to promote", 2, self.active, "operator", "raft", "promote", living,
            texts=["server is not a non-voter"],
        )
        self.nodes[dead].kill()
        numbers = "of the 2 voters that would be left 1 can be reached, and 2 must agree"

        def missed():
            state = self.clis[self.active]("operator", "raft", "autopilot", "state", "-format=json")
            return not state.json()["Servers"][dead]["Healthy"]

        wait("the dead one is missed", missed, CLUSTER_DEADLINE_S)
        for verb in ("remove-peer", "demote"):
            self.fails(
                f"{verb} of a voter that is needed", 2, self.active, "operator", "raft", verb, living,
                texts=["Code: 400", numbers],
            )
        self.becomes("nobody went", self.active, *self.three(self.active))
        self.ok("the dead one goes", self.active, "operator", "raft", "remove-peer", dead)
        self.ok("a vote is taken", self.active, "operator", "raft", "demote", living)
        self.becomes(
            "one votes", self.active,
            *sorted([self.row(self.active, "leader", "true"), self.row(living, "follower", "false")]),
        )
        forced = [] if self.is_bao else [["remove-peer", "-force"]]
        for arguments in [["remove-peer"], ["demote"], *forced]:
            self.fails(
                f"{arguments} of the last voter", 2, self.active,
                "operator", "raft", *arguments, self.active, texts=["is the last voter"],
            )
        self.ok("a vote is given", self.active, "operator", "raft", "promote", living)
        self.ok("the active one goes", self.active, "operator", "raft", "remove-peer", self.active)
        if SERVER == "coffer":
            wait("which seals itself", lambda: self.nodes[self.active].health() == 503, CLUSTER_DEADLINE_S)
        self.becomes("the other leads", living, self.row(living, "leader", "true"))
        wait("and is active", lambda: self.nodes[living].health() == 200, CLUSTER_DEADLINE_S)
        got = self.ok("it reads", living, "kv", "get", "-field=removal", "kv/after")
        self.report.equal("all that there was", got.out.strip(), "done")
        self.ok("and writes", living, "kv", "put", "kv/last", "word=kept")
