"""The fifth seed's join: two listeners on each node, retry_join with leader_tls_servername, and the
log lines that tell how it goes."""

import re

from check import BAO, COFFER, SERVER, free_port, server_binary, wait
from nodes import CLUSTER_DEADLINE_S, ClusterNode, Commands, shared_port

HOSTS = ["127.0.0.5", "127.0.0.6"]
LEADER, JOINER = "sense", "wallpi"


def run(report):
    clients = [("bao", BAO)]
    if SERVER == "coffer" or COFFER:
        clients.append(("our coffer", COFFER))
    for name, binary in clients:
        report.section(f"cluster004 by {name}")
        port = shared_port(HOSTS)
        leader = f"http://{HOSTS[0]}:{port}"
        retry = (
            "  retry_join {\n"
            '    leader_tls_servername = "sense.station"\n'
            f'    leader_api_addr       = "{leader}"\n'
            "  }\n"
        )
        nodes = [
            ClusterNode(server_binary(), node, host, port, storage, free_port())
            for node, host, storage in zip((LEADER, JOINER), HOSTS, ("", retry))
        ]
        try:
            steps(report, Commands(report, binary, nodes), *nodes)
        finally:
            for node in nodes:
                node.__exit__()


def steps(report, commands, leader, joiner):
    # The joiner is up first, and finds nobody.
    joiner.start()
    banner(report, joiner)
    logged = lambda text: wait(text, lambda: re.search(text, joiner.log()), CLUSTER_DEADLINE_S)
    logged("raft retry join initiated")
    status = commands.fails("alone it is not initialized", 2, JOINER, "status")
    report.matches("and says so", status.out, r"^Initialized\s+false$", r"^Sealed\s+true$")
    address = re.escape(leader.address)
    logged(rf"attempting to join possible raft leader node: leader_addr={address}")
    logged("join attempt failed|failed to retry join raft cluster|failed to get raft challenge")
    leader.start()
    made = commands.ok("init", LEADER, "operator", "init")
    keys = re.findall(r"^Unseal Key \d+: (\S+)$", made.out, re.MULTILINE)[:3]
    for key in keys:
        commands.ok("unseal the leader", LEADER, "operator", "unseal", key)
    wait("the leader is active", lambda: leader.health() == 200)
    commands.login(re.search(r"^Initial Root Token: (\S+)$", made.out, re.MULTILINE).group(1))
    commands.ok("enable kv", LEADER, "secrets", "enable", "-path=kv", "kv-v2")
    put = lambda: commands.clis[LEADER]("kv", "put", "kv/secret", "epic_win=true").code == 0
    wait("kv serves", put)

    sealed = [
        r"^Seal Type\s+shamir$",
        r"^Initialized\s+true$",
        r"^Sealed\s+true$",
        r"^Total Shares\s+5$",
        r"^Threshold\s+3$",
        r"^Unseal Progress\s+0/3$",
        r"^Unseal Nonce\s+n/a$",
        r"^Storage Type\s+raft$",
        r"^HA Enabled\s+true$",
    ]

    def knows():
        status = commands.clis[JOINER]("status")
        return status if "Threshold          3" in status.out else None

    status = wait("the joiner found the leader", knows, CLUSTER_DEADLINE_S)
    report.matches("it waits for its keys", status.out, *sealed)
    report.equal("sealed is exit code 2", status.code, 2)
    local = f"http://127.0.0.1:{joiner.local_port}"
    status = commands.fails("by its other listener", 2, JOINER, "status", f"-address={local}")
    report.matches("it says the same", status.out, *sealed)
    logged("waiting for unseal keys to be supplied")
    for key in keys:
        commands.ok("unseal the joiner", JOINER, "operator", "unseal", key)
    wait("the joiner serves", lambda: joiner.health() == 429, CLUSTER_DEADLINE_S)
    lines = [
        rf"successfully joined the raft cluster: leader_addr={address}",
        r"vault is unsealed",
    ]
    # Vault and coffer say this; OpenBao does not any more.
    lines += ["entering standby mode"] if SERVER != "bao" else []
    for line in lines:
        logged(line)
        report.ok(line, True)
    rows = [
        (LEADER, leader.cluster, "leader", "true"),
        (JOINER, joiner.cluster, "follower", "true"),
    ]
    try:
        wait("both vote", lambda: commands.peers(JOINER) == rows, CLUSTER_DEADLINE_S)
    except TimeoutError:
        pass
    report.equal("both vote", commands.peers(JOINER), rows)
    got = commands.ok("read from the joiner", JOINER, "kv", "get", "-field=epic_win", "kv/secret")
    report.equal("the secret", got.out.strip(), "true")


def banner(report, node):
    for number, host, port in ((1, "127.0.0.1", node.local_port), (2, node.host, node.port)):
        report.matches(
            f"listener {number} in the banner",
            node.log(),
            rf'Listener {number}: tcp \(addr: "{host}:{port}", cluster address: "{host}:{port + 1}", ',
        )
    report.matches(
        "addresses in the banner",
        node.log(),
        rf"Api Address: http://{node.host}:{node.port}$",
        rf"Cluster Address: https://{node.host}:{node.port + 1}$",
        r"Storage: raft \(HA available\)$",
    )
