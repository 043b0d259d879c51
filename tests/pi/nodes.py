"""Nodes of coffer: their configurations, those on the host, and a store that is filled there."""

import os
import shutil
import subprocess
import threading

import net
from client import Client, Load, value_of
from pi import until

SHARES, THRESHOLD = 5, 3
START_DEADLINE_S = 60

CONFIG = """storage "raft" {{
  path    = "{data}"
  node_id = "pi-{number}"
{storage}}}
listener "tcp" {{
  address         = "{listen}:8200"
  cluster_address = "{listen}:8201"
  tls_disable     = true
}}
api_addr      = "http://{address}:8200"
cluster_addr  = "https://{address}:8201"
disable_mlock = true
{more}"""


def config(number, data="/var/lib/coffer", listen="0.0.0.0", storage="", more=""):
    return CONFIG.format(data=data, number=number, listen=listen, address=net.address(number),
                         storage=storage, more=more)


def init(client):
    """Initialises and unseals the client's node; (unseal keys, root token)."""
    body = {"secret_shares": SHARES, "secret_threshold": THRESHOLD}
    answer = client.ok("PUT", "sys/init", body)
    keys, client.token = answer["keys"][:THRESHOLD], answer["root_token"]
    client.unseal(keys)
    active(client)
    return keys, client.token


def active(client, deadline_s=START_DEADLINE_S):
    until(f"{client.address} is active", lambda: client.health() == 200, deadline_s)


class HostNode:
    """coffer on the host, under the address and with the configuration of a Pi."""

    def __init__(self, binary, folder, number):
        self.number = number
        self.folder = os.path.join(folder, f"host-{number}")
        self.data = os.path.join(self.folder, "data")
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.data)
        self.file = os.path.join(self.folder, "coffer.hcl")
        with open(self.file, "w") as file:
            file.write(config(number, self.data, net.address(number)))
        self.binary, self.process = binary, None

    def __enter__(self):
        net.borrow(self.number)
        log = open(os.path.join(self.folder, "log"), "ab")
        command = [self.binary, "server", f"-config={self.file}"]
        self.process = subprocess.Popen(command, stdout=log, stderr=log,
                                        env={"HOME": self.folder, "PATH": os.environ["PATH"]})
        client = Client(net.address(self.number))
        until("the host's node answers", lambda: client.health() is not None, START_DEADLINE_S)
        return client

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        net.give_back(self.number)


def fill(client, count, workers=16):
    """Puts `count` secrets of 100 to 1,000 characters into kv v2 at the load's mount."""
    def work(first):
        own = Client(client.address, client.token)
        for number in range(first, count, workers):
            value = value_of(f"s{number}", 0)[: 100 + number % 900]
            own.ok("POST", f"{Load.MOUNT}/data/app-{number % 100}/s{number}",
                   {"data": {"value": value}})
        own.close()

    threads = [threading.Thread(target=work, args=(first,)) for first in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def mount(client):
    client.ok("POST", f"sys/mounts/{Load.MOUNT}", {"type": "kv", "options": {"version": "2"}})
