"""Nodes of a cluster on loopback addresses of their own, and a command line for each."""

import contextlib
import os
import shutil
import socket

from check import Cli, Process, call

# Joining, elections and the ten seconds until a learner votes.
CLUSTER_DEADLINE_S = 60


def shared_port(hosts):
    """A port that is free on all of `hosts`, with a free one after it."""
    while True:
        with contextlib.ExitStack() as held:
            first = held.enter_context(socket.socket())
            first.bind((hosts[0], 0))
            port = first.getsockname()[1]
            pairs = [(host, port + more) for host in hosts for more in (0, 1)][1:]
            try:
                for pair in pairs:
                    held.enter_context(socket.socket()).bind(pair)
            except (OSError, OverflowError):
                continue
        return port


class ClusterNode(Process):
    """A node of the seeds: `{storage}` stands for what the storage stanza says besides."""

    CONFIG = """storage "raft" {{
  path    = "{path}"
  node_id = "{name}"
{storage}}}
{listeners}api_addr = "http://{host}:{port}"
cluster_addr = "http://{host}:{cluster_port}"
disable_mlock = true
ui = true
"""
    LISTENER = """listener "tcp" {{
  address = "{host}:{port}"
  cluster_address = "{host}:{cluster_port}"
  tls_disable = "true"
}}
"""

    def __init__(self, binary, name, host, port, storage="", local_port=None):
        super().__init__(binary, host, port)
        self.name, self.storage, self.local_port = name, storage, local_port
        self.cluster = f"{host}:{port + 1}"
        self.data = os.path.join(self.folder, "data")

    def start(self):
        os.makedirs(self.data, exist_ok=True)
        own = {"host": self.host, "port": self.port, "cluster_port": self.port + 1}
        listeners = self.LISTENER.format(**own)
        if self.local_port:
            local = {"host": "127.0.0.1", "port": self.local_port}
            local["cluster_port"] = self.local_port + 1
            listeners = self.LISTENER.format(**local) + listeners
        config = os.path.join(self.folder, f"{self.name}.hcl")
        with open(config, "w") as file:
            file.write(
                self.CONFIG.format(
                    path=self.data, name=self.name, storage=self.storage,
                    listeners=listeners, **own,
                )
            )
        self.launch("server", f"-config={config}")
        return self

    def wipe(self):
        shutil.rmtree(self.data)

    def health(self):
        return call(self.port, "GET", "/v1/sys/health", token=None, host=self.host)[0]


class Commands:
    """One client's command lines, node by node, with their expectations."""

    def __init__(self, report, binary, nodes):
        self.report = report
        self.clis = {node.name: Cli(binary, node) for node in nodes}

    def login(self, token):
        for cli in self.clis.values():
            cli.env.update(VAULT_TOKEN=token, BAO_TOKEN=token)

    def ok(self, name, node, *arguments, **options):
        """The command succeeds; returns its result."""
        result = self.clis[node](*arguments, **options)
        self.report.ok(name, result.code == 0, f"{arguments} exits {result.code}: {result.text}")
        return result

    def fails(self, name, code, node, *arguments, texts=(), **options):
        result = self.clis[node](*arguments, **options)
        self.report.ok(name, result.code == code, f"exits {result.code}: {result.text}")
        for text in texts:
            self.report.ok(f"{name}: {text}", text in result.text, result.text)
        return result

    def peers(self, node):
        """(name, address, state, voter) of each row of list-peers; empty when it fails."""
        result = self.clis[node]("operator", "raft", "list-peers")
        if result.code:
            return []
        return [tuple(line.split()) for line in result.out.splitlines()[2:] if line.strip()]
