"""The seeds' walks with seals that providers keep, by the real `bao` client and by our own: 000's
recovery mode with a recovery key, 001's and 003's `status` with awskms, to the letter."""

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
from suite import BAO, COFFER, Node, Program, ask, check, until

PORT = 18970
# What `status` of seed 003 shows of the active node, in its order, and of a standby. Its "Build
# Date" is missing: our binaries are the same whenever they are built, and tell none.
COMMON = ["Seal Type", "Recovery Seal Type", "Initialized", "Sealed", "Total Recovery Shares",
          "Threshold", "Version", "Storage Type", "Cluster Name", "Cluster ID",
          "HA Enabled", "HA Cluster", "HA Mode"]
ENDS = {"active": ["Active Since"], "standby": ["Active Node Address"]}
RAFT = ["Raft Committed Index", "Raft Applied Index"]


class Client:
    """A command line, with a server and a token."""

    def __init__(self, binary, port, folder):
        self.binary, self.folder = binary, folder
        self.env = {"HOME": folder, "PATH": os.environ["PATH"]}
        for prefix in ("VAULT", "BAO"):
            self.env[f"{prefix}_ADDR"] = f"http://127.0.0.1:{port}"

    def told(self, token):
        self.env["VAULT_TOKEN"] = self.env["BAO_TOKEN"] = token

    def __call__(self, *words, stdin="", code=0):
        done = subprocess.run([self.binary, *words], input=stdin, env=self.env, text=True,
                              capture_output=True, timeout=60)
        check(done.returncode == code, f"{words} exits {done.returncode}: {done.stdout}"
                                       f"{done.stderr}")
        return done.stdout


def rows(text):
    """Keys and values, in their order; `status` and some others give them a head."""
    lines = [re.split(r"\s{2,}", line.rstrip(), maxsplit=1) for line in text.splitlines()]
    if lines[0] == ["Key", "Value"]:
        check(set(lines[1][0]) == {"-"}, text)
        lines = lines[2:]
    return dict(lines)


def has(found, **wanted):
    for key, value in wanted.items():
        key = key.replace("_", " ")
        check(re.fullmatch(value, found.get(key, "")), f"{key}: {found.get(key)!r}, not {value!r}")


def seed_000(providers, folder):
    """Transit auto-unseal, one recovery key, a server in recovery mode."""
    for number, binary in enumerate((BAO, COFFER)):
        here = os.path.join(folder, f"seed-000-{number}")
        os.makedirs(here)
        node, seal = Node(here, "vault_3", PORT + 10 * number), providers.seal("transit")
        cli = Client(binary, node.port, here)
        node.start(seal)
        made = cli("operator", "init", "-recovery-shares=1", "-recovery-threshold=1")
        key = re.search(r"^Recovery Key 1: (\S+)$", made, re.M).group(1)
        check("Unseal Key" not in made, made)
        check(re.search(r"^Initial Root Token: \S+$", made, re.M), made)
        check("Success! Vault is initialized" in made, made)
        node.opens()
        node.token = re.search(r"^Initial Root Token: (\S+)$", made, re.M).group(1)
        node.must(204, "PUT", "sys/policies/acl/app", {"policy": 'path "kv/*" {}'})
        node.stop()
        node.program = Program(os.path.join(here, "recovery.log"), COFFER, "server", "-recovery",
                               f"-config={node.config}")
        until("it answers", lambda: ask(
            node.port, "GET", "sys/generate-recovery-token/attempt")[0] == 200)
        check("Recovery Mode: true" in node.program.said(), node.program.said())

        generate = ("operator", "generate-root", "-recovery-token")
        otp = cli("operator", "generate-root", "-generate-otp", "-recovery-token").strip()
        check(len(otp) == 26, otp)
        begun = rows(cli("operator", "generate-root", "-init", f"-otp={otp}", "-recovery-token"))
        check(list(begun) == ["Nonce", "Started", "Progress", "Complete", "OTP Length"], begun)
        has(begun, Started="true", Progress="0/1", Complete="false", OTP_Length="26")
        last = rows(cli(*generate, f"-nonce={begun['Nonce']}", "-", stdin=key + "\n"))
        check(list(last) == ["Nonce", "Started", "Progress", "Complete", "Encoded Token"], last)
        has(last, Started="true", Progress="1/1", Complete="true", Nonce=begun["Nonce"])
        token = cli("operator", "generate-root", f"-decode={last['Encoded Token']}",
                    f"-otp={otp}", "-recovery-token").strip()
        check(re.fullmatch(r"(hv)?r\.[0-9A-Za-z]{24}", token), "no recovery token")
        cli.told(token)
        listed = cli("list", "sys/raw/sys").splitlines()
        check(listed[:2] == ["Keys", "----"] and {"policy/", "token/"} <= set(listed), listed)
        said = cli("delete", "sys/raw/sys/counters")
        check(said.strip() == "Success! Data deleted (if it existed) at: sys/raw/sys/counters", said)
        node.stop()


def status(node, cli, mode, **wanted):
    found = rows(cli("status"))
    check(list(found) == [*COMMON, *ENDS[mode], *RAFT], list(found))
    has(found, Seal_Type="awskms", Recovery_Seal_Type="shamir", Initialized="true", Sealed="false",
        Total_Recovery_Shares="5", Threshold="3", Storage_Type="raft", HA_Enabled="true",
        Cluster_ID="[0-9a-f-]{36}", HA_Mode=mode, Raft_Committed_Index=r"\d+",
        Raft_Applied_Index=r"\d+", **wanted)
    return found


def sealed_status(cli):
    """Before init and where the provider does not answer: exit code 2, the same words."""
    found = rows(cli("status", code=2))
    check(list(found)[:4] == COMMON[:4], found)
    has(found, Seal_Type="awskms", Recovery_Seal_Type="shamir", Sealed="true")
    return found


def seed_003(providers, folder):
    """Two nodes, `vault-1` and `vault-2`, auto-unsealed by AWS."""
    seal = providers.seal("awskms")
    one, two = Node(folder, "vault-1", PORT), Node(folder, "vault-2", PORT + 10, joins=PORT)
    one.start(seal)
    clients = [Client(binary, one.port, folder) for binary in (BAO, COFFER)]
    for cli in clients:
        has(sealed_status(cli), Initialized="false")
    made = clients[0]("operator", "init")
    check(len(re.findall(r"^Recovery Key \d: \S+$", made, re.M)) == 5, made)
    one.token = re.search(r"^Initial Root Token: (\S+)$", made, re.M).group(1)
    one.opens()
    for cli in clients:
        cli.told(one.token)
        status(one, cli, "active", Cluster_Name=r"vault-cluster-[0-9a-f]{8}",
               HA_Cluster=f"https://127.0.0.1:{one.port + 1}",
               Active_Since=r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z")
    two.start(seal).opens()
    for cli in (Client(binary, two.port, folder) for binary in (BAO, COFFER)):
        until("it knows who is active", lambda cli=cli: "Active Node Address" in cli("status"))
        status(two, cli, "standby", Active_Node_Address=f"http://127.0.0.1:{one.port}",
               HA_Cluster=f"https://127.0.0.1:{one.port + 1}")
    for cli in clients:
        listed = [line.split() for line in cli("operator", "raft", "list-peers").splitlines()]
        check(listed[0] == ["Node", "Address", "State", "Voter"], listed)
        check([row[0::2][:2] for row in listed[2:]] == [["vault-1", "leader"],
                                                         ["vault-2", "follower"]], listed)
    two.stop()
    one.stop()


def seed_001(providers, folder):
    """The seed's stanza as it stands, its comma included; what it leaves to variables is there."""
    keys = providers.awskms()
    seal = f'seal "awskms" {{\n  region = "us-east-1"\n  kms_key_id = "{keys["kms_key_id"]}",\n}}\n'
    more = 'cluster_name = "vault-prod-us-east-1"\nui = true\nlog_level = "INFO"\n'
    env = {"AWS_KMS_ENDPOINT": keys["endpoint"], "AWS_ACCESS_KEY_ID": "id",
           "AWS_SECRET_ACCESS_KEY": "secret"}
    node = Node(folder, "node-a.hcvop.com", PORT)
    node.start(seal + more, env)
    node.must(200, "PUT", "sys/init", {})
    node.opens()
    for binary in (BAO, COFFER):
        cli = Client(binary, node.port, folder)
        status(node, cli, "active", Cluster_Name="vault-prod-us-east-1")
    # AWS is away at the next start: the seed's server says so, and is back by itself.
    node.stop(signal.SIGKILL)
    providers.moto.process.send_signal(signal.SIGSTOP)
    node.start(seal + more, env)
    for binary in (BAO, COFFER):
        has(sealed_status(Client(binary, node.port, folder)), Initialized="true",
            Total_Recovery_Shares="5", Threshold="3")
    providers.moto.process.send_signal(signal.SIGCONT)
    node.opens()
    node.stop()


SEEDS = {"000": seed_000, "001": seed_001, "003": seed_003}


def main():
    folder, failed = tempfile.mkdtemp(prefix="coffer-seeds-"), 0
    try:
        providers = Providers(folder, PORT + 20)
        for seed, walk in SEEDS.items():
            here, begun = os.path.join(folder, seed), time.monotonic()
            os.makedirs(here)
            try:
                walk(providers, here)
                print(f"ok seed {seed} ({time.monotonic() - begun:.1f} s)")
            except (AssertionError, AttributeError, KeyError, IndexError, ValueError,
                    subprocess.SubprocessError) as error:
                failed += 1
                print(f"FAILED seed {seed}: {type(error).__name__}: {error}")
                for program in set(Program.running) - {providers.bao, providers.moto}:
                    program.stop(signal.SIGKILL)
    finally:
        for program in list(Program.running):
            program.stop(signal.SIGKILL)
        shutil.rmtree(folder, ignore_errors=True)
    print(f"seeds: {len(SEEDS) - failed} passed, {failed} failed ({suite.CHECKS} checks)")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
