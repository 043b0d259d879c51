"""A cluster of three, put together by hand and by configuration, as the seeds do it."""

import json
import os

from check import BAO, COFFER, SERVER, Cli, Process, server_binary, wait

CONFIG = """storage "raft" {{
  path    = "{path}"
  node_id = "{name}"
{stanza}
}}
listener "tcp" {{
  address = "127.0.0.1:{port}"
  cluster_address = "127.0.0.1:{cluster_port}"
  tls_disable = true
}}
api_addr = "http://127.0.0.1:{port}"
cluster_addr = "http://127.0.0.1:{cluster_port}"
disable_mlock = true
"""


class Node(Process):
    """One node of three."""

    def start(self, name, stanza=""):
        path = os.path.join(self.folder, "data")
        os.makedirs(path, exist_ok=True)
        config = os.path.join(self.folder, "node.hcl")
        with open(config, "w") as file:
            file.write(
                CONFIG.format(
                    path=path,
                    name=name,
                    stanza=stanza,
                    port=self.port,
                    cluster_port=self.port + 1,
                )
            )
        self.launch("server", f"-config={config}")
        return self


def run(report):
    clients = [("bao", BAO)]
    if SERVER != "bao":
        clients.append(("coffer", COFFER))
    for name, client in clients:
        binary = server_binary()
        with Node(binary) as one, Node(binary) as two, Node(binary) as three:
            Steps(report, name, client, one, two, three).run()


class Steps:
    def __init__(self, report, name, client, one, two, three):
        self.report, self.name = report, name
        self.nodes = (one, two, three)
        self.one, self.two, self.three = (Cli(client, node) for node in self.nodes)

    def equal(self, what, found, expected):
        self.report.equal(f"{self.name}: {what}", found, expected)

    def matches(self, what, text, *patterns):
        self.report.matches(f"{self.name}: {what}", text, *patterns)

    def run(self):
        one, two, three = self.nodes
        one.start("node-1")
        two.start("node-2")
        three.start(
            "node-3", f'  retry_join {{\n    leader_api_addr = "{one.address}"\n  }}'
        )
        self.found_a_cluster()
        self.join_by_hand()
        self.join_by_configuration()

    def found_a_cluster(self):
        made = self.one("operator", "init", "-n", "3", "-t", "2", "-format=json")
        made = made.json()
        self.keys, self.token = made["unseal_keys_b64"][:2], made["root_token"]
        self.unseal(self.one)
        wait("node-1 is active", lambda: self.one("status").code == 0)
        done = self.one("secrets", "enable", "-path=kv", "kv", **self.root())
        self.equal("kv is enabled", done.code, 0)
        done = self.one("kv", "put", "kv/a", "b=c", **self.root())
        self.equal("node-1 takes a write", done.code, 0)

    def join_by_hand(self):
        dead = self.two("operator", "raft", "join", "http://127.0.0.1:1")
        self.equal("joining nobody fails", dead.code, 2)
        self.matches("and says so", dead.text, "failed to join raft cluster")
        joined = self.two("operator", "raft", "join", self.nodes[0].address)
        self.equal("node-2 joins", joined.code, 0)
        self.matches("and says so in a table", joined.out, r"Joined +true")
        self.waits_for_keys(self.two)
        self.unseal(self.two)
        self.serves(self.two, ["node-1", "node-2"])
        again = self.two("operator", "raft", "join", "-format=json", "http://127.0.0.1:1")
        self.equal("a member stays where it is", again.json(), {"joined": True})

    def join_by_configuration(self):
        wait("node-3 finds the cluster", lambda: "   3\n" in self.three("status").out)
        self.waits_for_keys(self.three)
        self.matches(
            "node-3 logs its attempt",
            self.nodes[2].log(),
            "attempting to join possible raft leader node: leader_addr="
            + self.nodes[0].address,
        )
        self.unseal(self.three)
        self.serves(self.three, ["node-1", "node-2", "node-3"])

    def waits_for_keys(self, node):
        status = node("status", "-format=json")
        self.equal("a joiner is sealed", status.code, 2)
        status = status.json()
        shown = [status[key] for key in ("initialized", "sealed", "n", "t", "progress")]
        self.equal("and shows the leader's seal", shown, [True, True, 3, 2, 0])

    def serves(self, node, expected):
        wait("the joiner is unsealed", lambda: node("status").code == 0)
        read = lambda: node("kv", "get", "-field=b", "kv/a", **self.root())
        wait("the joiner reads", lambda: read().code == 0)
        self.equal("what was written is there", read().out, "c")
        peers = self.one("operator", "raft", "list-peers", "-format=json", **self.root())
        servers = json.loads(peers.out)["data"]["config"]["servers"]
        names = sorted(server["node_id"] for server in servers)
        self.equal("the members are listed", names, expected)

    def unseal(self, node):
        for key in self.keys:
            done = node("operator", "unseal", key)
            self.equal("a key is taken", done.code, 0)

    def root(self):
        return {"VAULT_TOKEN": self.token, "BAO_TOKEN": self.token}
