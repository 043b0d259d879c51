"""The first seed's last part: a node in recovery mode, by command lines, with keys from a pipe."""

import re

from check import BAO, COFFER, SERVER, Cli, SeedServer, call, server_binary


class RecoverySeedServer(SeedServer):
    """Stopped and started again with `-recovery`."""

    recovering = False

    def recover(self):
        self.process.terminate()
        self.process.wait()
        self.recovering = True
        self.launch("server", "-recovery", f"-config={self.config}")

    def answers(self):
        if not self.recovering:
            return super().answers()
        if self.process.poll() is not None:
            raise RuntimeError("the server ended:\n" + self.log()[-2000:])
        path = "/v1/sys/generate-recovery-token/attempt"
        try:
            return call(self.port, "GET", path, token=None)[0] == 200
        except OSError:
            return False


def run(report):
    clients = [("bao", BAO)]
    if SERVER == "coffer" or COFFER:
        clients.append(("our coffer", COFFER))
    for name, binary in clients:
        report.section(f"recovery by {name}")
        with RecoverySeedServer(server_binary()) as server:
            steps(report, server, Cli(binary, server))


def steps(report, server, cli):
    def ok(name, *arguments, **options):
        result = cli(*arguments, **options)
        report.ok(name, result.code == 0, f"{arguments} exits {result.code}: {result.text}")
        return result

    def generate(*arguments, **options):
        return ok(
            f"generate-root {arguments[0]}",
            "operator",
            "generate-root",
            "-recovery-token",
            *arguments,
            **options,
        )

    server.start()
    made = ok("init", "operator", "init", "-key-shares=3", "-key-threshold=2").out
    keys = re.findall(r"^Unseal Key \d: (.*)$", made, re.MULTILINE)
    server.recover()
    report.ok("the banner says so", "Recovery Mode: true" in server.log(), server.log())
    report.ok("status fails", cli("status").code != 0)
    report.ok("no token, no list", cli("list", "sys/raw/sys").code == 2)

    length = 28 if SERVER == "bao" else 26
    otp = generate("-generate-otp").out.strip()
    report.equal("the password's length", len(otp), length)
    begun = generate("-init", f"-otp={otp}").out
    lines = [r"^Started +true$", r"^Progress +0/2$", r"^Complete +false$"]
    report.matches("begun", begun, *lines, rf"^OTP Length +{length}$")
    nonce = re.search(r"^Nonce +(.*)$", begun, re.MULTILINE).group(1)
    first = generate(f"-nonce={nonce}", "-", stdin=keys[0] + "\n").out
    report.matches("one key", first, r"^Progress +1/2$", r"^Complete +false$")
    last = generate(f"-nonce={nonce}", "-", stdin=keys[2] + "\n").out
    report.matches("two keys", last, r"^Progress +2/2$", r"^Complete +true$")
    encoded = re.search(r"^Encoded Token +(.*)$", last, re.MULTILINE).group(1)
    token = generate(f"-decode={encoded}", f"-otp={otp}").out.strip()
    report.matches("the token", token, r"^(r|hvr)\.[0-9A-Za-z]{24}$")

    cli.env["VAULT_TOKEN"] = cli.env["BAO_TOKEN"] = token
    listed = ok("list", "list", "sys/raw/sys").out
    report.matches("what is listed", listed, r"^Keys$", r"^token/$")
    deleted = ok("delete", "delete", "sys/raw/sys/counters")
    if SERVER != "bao":
        said = "Success! Data deleted (if it existed) at: sys/raw/sys/counters"
        report.ok("the seed's words", said in deleted.out, deleted.text)
        ok("write", "write", "sys/raw/test/x", "value=hello")
        read = ok("read", "read", "-field=value", "sys/raw/test/x").out
        report.equal("what was written", read, "hello")
    report.ok("the keyring is out of reach", cli("read", "sys/raw/core/keyring").code == 2)
    cli.env["VAULT_TOKEN"] = cli.env["BAO_TOKEN"] = token[:-1] + "!"
    report.ok("another token", cli("list", "sys/raw/sys").code == 2)
