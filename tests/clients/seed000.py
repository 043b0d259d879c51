"""The first seed's steps on one node, by command lines: the real `bao`, and our own under the names
coffer, vault and bao."""

import json
import os
import re
import tempfile
import time

from check import BAO, COFFER, SERVER, Cli, SeedServer, server_binary, wait

SECRET = "ABB39KKPTWOR832JGNLS02"


def run(report):
    clients = [("bao", BAO)]
    if SERVER == "coffer" or COFFER:
        clients.append(("our coffer", COFFER))
    for name, binary in clients:
        report.section(f"seed000 by {name}")
        with SeedServer(server_binary()) as server:
            Steps(report, server, binary, name == "bao").run()
    if len(clients) > 1:
        links(report)


def links(report):
    """Under the name of vault or bao our binary behaves the same."""
    report.section("seed000 by our links")
    with SeedServer(server_binary()) as server:
        server.start()
        texts = []
        for name in ("coffer", "vault", "bao"):
            link = os.path.join(server.folder, name)
            os.symlink(COFFER, link)
            result = Cli(link, server)("status")
            report.equal(f"{name} status exits 2", result.code, 2)
            texts.append(result.out)
        report.ok("all print the same", len(set(texts)) == 1, texts)


class Steps:
    def __init__(self, report, server, binary, is_bao):
        self.report, self.server, self.is_bao = report, server, is_bao
        self.cli = Cli(binary, server)

    def ok(self, name, *arguments, **options):
        """The command succeeds; returns its result."""
        result = self.cli(*arguments, **options)
        self.report.ok(name, result.code == 0, f"{arguments} exits {result.code}: {result.text}")
        return result

    def fails(self, name, code, *arguments, texts=(), **options):
        result = self.cli(*arguments, **options)
        self.report.ok(name, result.code == code, f"exits {result.code}: {result.text}")
        for text in texts:
            self.report.ok(f"{name}: {text}", text in result.text, result.text)
        return result

    def run(self):
        self.unreachable()
        self.server.start()
        self.initialise()
        self.unseal("first")
        self.login()
        self.enable()
        self.put_get_patch()
        self.versions()
        self.metadata()
        self.generic()
        self.policies()
        self.tokens()
        self.wrapping()
        self.operator()
        self.snapshots()
        self.kill_and_return()
        self.seal()

    def unreachable(self):
        self.fails("status of nothing exits 1", 1, "status")
        self.fails("read from nothing exits 2", 2, "read", "a/b", VAULT_TOKEN="x", BAO_TOKEN="x")

    def initialise(self):
        before = self.fails("status before init exits 2", 2, "status")
        self.report.matches(
            "status before init",
            before.out,
            r"^Seal Type\s+shamir$",
            r"^Initialized\s+false$",
            r"^Sealed\s+true$",
            r"^Total Shares\s+0$",
            r"^Threshold\s+0$",
            r"^Unseal Progress\s+0/0$",
            r"^Unseal Nonce\s+n/a$",
            r"^Version\s+\S+",
            r"^Storage Type\s+raft$",
            r"^HA Enabled\s+true$",
        )
        self.fails("init -status exits 2", 2, "operator", "init", "-status")
        made = self.ok("init", "operator", "init")
        self.keys = re.findall(r"^Unseal Key \d+: (\S+)$", made.out, re.MULTILINE)
        self.report.equal("init prints five keys", len(self.keys), 5)
        token = re.search(r"^Initial Root Token: (\S+)$", made.out, re.MULTILINE)
        self.report.ok("init prints the root token", token, made.out)
        self.token = token.group(1)
        self.report.matches("init says how to go on", made.out, "5 key shares", "threshold of 3")
        self.ok("init -status exits 0", "operator", "init", "-status")
        self.fails("a second init is refused", 2, "operator", "init", texts=["already initialized"])

    def unseal(self, when):
        sealed = self.fails(f"{when}: status while sealed exits 2", 2, "status")
        self.report.matches(
            f"{when}: status while sealed",
            sealed.out,
            r"^Initialized\s+true$",
            r"^Sealed\s+true$",
            r"^Total Shares\s+5$",
            r"^Threshold\s+3$",
            r"^Unseal Progress\s+0/3$",
        )
        one = self.ok(f"{when}: unseal 1", "operator", "unseal", self.keys[0])
        self.report.matches(
            f"{when}: progress", one.out, r"^Unseal Progress\s+1/3$", r"^Unseal Nonce\s+[0-9a-f-]{36}$"
        )
        again = self.ok(f"{when}: the same key", "operator", "unseal", self.keys[0])
        self.report.matches(f"{when}: counts once", again.out, r"^Unseal Progress\s+1/3$")
        reset = self.ok(f"{when}: reset", "operator", "unseal", "-reset")
        self.report.matches(f"{when}: reset progress", reset.out, r"^Unseal Progress\s+0/3$")
        for key in self.keys[2:5]:
            last = self.ok(f"{when}: unseal", "operator", "unseal", key)
        self.report.matches(f"{when}: unsealed", last.out, r"^Sealed\s+false$")
        wait("the node is active", lambda: "active" in self.cli("status").out)
        status = self.ok(f"{when}: status exits 0", "status")
        self.report.matches(
            f"{when}: status when active",
            status.out,
            r"^Sealed\s+false$",
            r"^Cluster Name\s+\S+",
            r"^Cluster ID\s+[0-9a-f-]{36}$",
            r"^HA Mode\s+active$",
            r"^Active Since\s+\S+",
            r"^Raft Committed Index\s+\d+$",
            r"^Raft Applied Index\s+\d+$",
        )
        fields = self.ok(f"{when}: status as JSON", "status", "-format=json").json()
        self.report.equal(f"{when}: sealed in JSON", fields["sealed"], False)
        self.report.equal(f"{when}: storage in JSON", fields["storage_type"], "raft")

    def login(self):
        self.fails("without a token nothing is told", 2, "secrets", "list", texts=["Code: 403"])
        self.fails("a bad token cannot log in", 2, "login", "s.nonsense", texts=["403"])
        done = self.ok("login", "login", self.token)
        self.report.matches("login says so", done.text, "Success! You are now authenticated")
        self.report.equal("print token", self.ok("print", "print", "token").out.strip(), self.token)
        self.ok("token from stdin", "login", "-no-print", "-", stdin=self.token)
        peers = self.cli("operator", "raft", "list-peers")
        if peers.code == 0:
            self.report.matches("list-peers", peers.out, r"^server-a-1\s+127\S+\s+leader\s+true$")
        else:
            self.report.skip("list-peers", "comes with clusters")

    def enable(self):
        done = self.ok("enable kv", "secrets", "enable", "-path=kv", "kv-v2")
        self.report.matches("says where", done.out, "Success! Enabled the kv-v2 secrets engine at: kv/")
        self.fails(
            "enable twice", 2, "secrets", "enable", "-path=kv", "kv-v2", texts=["path is already in use"]
        )
        self.fails("an unknown engine", 2, "secrets", "enable", "nonsense")
        listed = self.ok("secrets list", "secrets", "list")
        self.report.matches("lists kv", listed.out, r"^kv/\s+kv\s+kv_[0-9a-f]{8}\s", r"^sys/\s+system\s")
        fields = self.ok("secrets list -format=json", "secrets", "list", "-format=json").json()
        self.report.equal("its version", fields["kv/"]["options"], {"version": "2"})
        self.ok("tune", "secrets", "tune", "-description=seed", "kv/")
        self.ok("enable v1", "secrets", "enable", "-path=old", "-version=1", "kv")
        self.ok("move", "secrets", "move", "old/", "older/")
        self.ok("disable", "secrets", "disable", "older/")
        self.ok("enable v1 again", "secrets", "enable", "-path=grown", "-version=1", "kv")
        self.ok("put there", "kv", "put", "grown/a/b", "x=y")
        self.ok("upgrade it", "kv", "enable-versioning", "grown/")

        def upgraded():
            got = self.cli("kv", "get", "-format=json", "grown/a/b")
            return got.code == 0 and got.json()

        got = wait("the upgrade is done", upgraded)
        self.report.equal("its secret is version 1", got["data"]["metadata"]["version"], 1)
        self.report.equal("with its data", got["data"]["data"], {"x": "y"})

    def put_get_patch(self):
        made = self.ok("kv put", "kv", "put", "kv/apikey", f"webapp={SECRET}")
        self.report.matches(
            "kv put prints the metadata",
            made.out,
            r"^created_time\s+\d{4}-\d\d-\d\dT[\d:.]+Z$",
            r"^deletion_time\s+n/a$",
            r"^destroyed\s+false$",
            r"^version\s+1$",
        )
        got = self.ok("kv get", "kv", "get", "kv/apikey")
        self.report.matches("kv get", got.out, r"=+ Metadata =+", r"^=+ Data =+$", rf"^webapp\s+{SECRET}$")
        flagged = self.ok("kv get -mount", "kv", "get", "-mount=kv", "apikey")
        self.report.matches("kv get -mount", flagged.out, rf"^webapp\s+{SECRET}$")
        field = self.ok("kv get -field", "kv", "get", "-field=webapp", "kv/apikey")
        self.report.equal("-field prints the value alone", field.out.rstrip("\n"), SECRET)
        patched = self.ok("kv patch", "kv", "patch", "kv/apikey", "expiration=365 days")
        self.report.matches("kv patch makes version 2", patched.out, r"^version\s+2$")
        data = self.ok("kv get -format=json", "kv", "get", "-format=json", "kv/apikey").json()["data"]
        self.report.equal("both keys", data["data"], {"webapp": SECRET, "expiration": "365 days"})
        self.report.equal("version", data["metadata"]["version"], 2)
        self.fails("cas mismatch", 2, "kv", "put", "-cas=1", "kv/apikey", "a=b", texts=["did not match"])
        self.ok("cas match", "kv", "put", "-cas=2", "kv/apikey", "a=b")
        self.fails("get nothing", 2, "kv", "get", "kv/none", texts=["No value found at kv/data/none"])
        path = os.path.join(self.server.folder, "value")
        with open(path, "w") as value:
            value.write("from a file")
        self.ok("values from file and stdin", "kv", "put", "kv/in", f"file=@{path}", "in=-", stdin="x")
        both = self.ok("get them", "kv", "get", "-format=json", "kv/in").json()["data"]["data"]
        self.report.equal("values from file and stdin", both, {"file": "from a file", "in": "x"})
        self.fails("usage error exits 1", 1, "kv", "put", "kv/in")

    def versions(self):
        old = self.ok("an old version", "kv", "get", "-version=1", "-format=json", "kv/apikey").json()
        self.report.equal("its data", old["data"]["data"], {"webapp": SECRET})
        back = self.ok("rollback", "kv", "rollback", "-version=1", "kv/apikey")
        self.report.matches("rollback makes version 4", back.out, r"^version\s+4$")
        gone = self.ok("delete", "kv", "delete", "kv/apikey")
        self.report.matches("delete says so", gone.out, "Success! Data deleted")
        got = self.cli("kv", "get", "kv/apikey")
        self.report.matches("a deleted version shows its metadata", got.text, r"^deletion_time\s+2\d{3}-")
        self.report.ok("and not its data", SECRET not in got.text, got.text)
        self.ok("undelete", "kv", "undelete", "-versions=4", "kv/apikey")
        field = self.ok("it is back", "kv", "get", "-field=webapp", "kv/apikey")
        self.report.equal("with its value", field.out.rstrip("\n"), SECRET)
        self.ok("destroy", "kv", "destroy", "-versions=2,3", "kv/apikey")
        shown = self.ok("metadata", "kv", "metadata", "get", "-format=json", "kv/apikey").json()["data"]
        destroyed = [number for number, v in shown["versions"].items() if v["destroyed"]]
        self.report.equal("destroyed versions", sorted(destroyed), ["2", "3"])

    def metadata(self):
        self.ok(
            "metadata put",
            "kv", "metadata", "put", "-max-versions=5", "-delete-version-after=3h25m19s",
            "-custom-metadata=owner=anna", "kv/meta",
        )
        self.ok("metadata patch", "kv", "metadata", "patch", "-custom-metadata=team=home", "kv/meta")
        shown = self.ok("metadata get", "kv", "metadata", "get", "kv/meta")
        self.report.matches(
            "metadata get",
            shown.out,
            r"^max_versions\s+5$",
            r"^delete_version_after\s+3h25m19s$",
            r"^custom_metadata\s+map\[owner:anna team:home\]$",
        )
        for path in ("kv/list/a", "kv/list/b/c"):
            self.ok("put for the list", "kv", "put", path, "x=y")
        listed = self.ok("kv list", "kv", "list", "kv/list")
        self.report.equal("kv list", listed.out.split(), ["Keys", "----", "a", "b/"])
        names = self.ok("as JSON", "kv", "list", "-format=json", "kv/list").json()
        self.report.equal("a bare array", names, ["a", "b/"])
        self.fails("list nothing", 2, "kv", "list", "kv/none", texts=["No value found at kv/metadata/none"])
        self.ok("metadata delete", "kv", "metadata", "delete", "kv/list/a")
        self.fails("it is gone", 2, "kv", "get", "kv/list/a", texts=["No value found at kv/data/list/a"])

    def generic(self):
        self.ok("write", "write", "cubbyhole/mine", "a=b", "n=1")
        got = self.ok("read", "read", "cubbyhole/mine")
        self.report.matches("read", got.out, r"^Key\s+Value$", r"^a\s+b$", r"^n\s+1$")
        self.report.equal("list", self.ok("list", "list", "-format=json", "cubbyhole/").json(), ["mine"])
        self.ok("delete", "delete", "cubbyhole/mine")
        self.fails("read nothing", 2, "read", "cubbyhole/mine", texts=["No value found at cubbyhole/mine"])
        shown = self.ok("yaml", "read", "-format=yaml", "kv/data/apikey")
        self.report.matches("yaml", shown.out, r"^data:", rf"webapp: {SECRET}")
        curl = self.ok("curl string", "kv", "get", "-output-curl-string", "kv/apikey")
        self.report.matches("curl string", curl.out, r"^curl .*/v1/kv/data/apikey")
        policy = self.ok("policy", "kv", "get", "-output-policy", "kv/apikey")
        self.report.matches("output policy", policy.out, r'path "kv/data/apikey"', r'"read"')
        nothing = ["No value found at nowhere/at/all"]
        self.fails("an unknown path", 2, "read", "nowhere/at/all", texts=nothing)

    def policies(self):
        rules = 'path "kv/data/apikey" { capabilities = ["read"] }'
        self.ok("policy write", "policy", "write", "reader", "-", stdin=rules)
        names = self.ok("policy list", "policy", "list").out.split()
        self.report.ok("policy list", {"default", "reader", "root"} <= set(names), names)
        shown = self.ok("policy read", "policy", "read", "reader")
        self.report.equal("policy read", shown.out.strip(), rules)
        self.fails("a broken policy", 2, "policy", "write", "broken", "-", stdin='path "x" {')
        self.ok("policy delete", "policy", "delete", "nothing")
        self.fails("root stays", 2, "policy", "delete", "root")
        path = os.path.join(self.server.folder, "p.hcl")
        with open(path, "w") as policy:
            policy.write('path "a"{capabilities=["read"]}')
        self.ok("policy fmt", "policy", "fmt", path)

    def tokens(self):
        made = self.ok(
            "token create", "token", "create", "-policy=reader", "-ttl=1h", "-format=json"
        ).json()["auth"]
        self.report.equal("its policies", made["policies"], ["default", "reader"])
        self.report.ok("its ttl", 3590 <= made["lease_duration"] <= 3600, made)
        token = made["client_token"]
        as_reader = {"VAULT_TOKEN": token, "BAO_TOKEN": token}
        self.ok("the reader reads", "kv", "get", "kv/apikey", **as_reader)
        denied = ["permission denied"]
        self.fails("and writes not", 2, "kv", "put", "kv/apikey", "a=b", texts=denied, **as_reader)
        self.fails("nor lists", 2, "kv", "list", "kv/", texts=denied, **as_reader)
        found = self.ok("token lookup", "token", "lookup", token)
        self.report.matches("token lookup", found.out, r"^policies\s+\[default reader\]$", r"^ttl\s+\S+")
        can = self.ok("capabilities", "token", "capabilities", token, "kv/data/apikey")
        self.report.equal("capabilities", can.out.strip(), "read")
        self.ok("renew", "token", "renew", token)
        self.ok("renew by increment", "token", "renew", "-increment=30m", token)
        by_accessor = self.ok("lookup by accessor", "token", "lookup", "-accessor", made["accessor"])
        self.report.matches("accessor hides the id", by_accessor.out, r"^id\s+n/a$")
        self.ok("revoke", "token", "revoke", token)
        self.fails("a revoked token is no one", 2, "kv", "get", "kv/apikey", texts=["403"], **as_reader)
        once = self.ok("two uses", "token", "create", "-use-limit=2", "-field=token").out.strip()
        limited = {"VAULT_TOKEN": once, "BAO_TOKEN": once}
        self.ok("first use", "token", "lookup", **limited)
        self.ok("second use", "token", "lookup", **limited)
        self.fails("no third", 2, "token", "lookup", texts=["403"], **limited)
        batch = self.ok(
            "batch token", "token", "create", "-type=batch", "-policy=reader", "-field=token"
        ).out.strip()
        self.ok("it reads", "kv", "get", "kv/apikey", VAULT_TOKEN=batch, BAO_TOKEN=batch)

    def wrapping(self):
        wrapped = self.ok(
            "wrap", "kv", "get", "-wrap-ttl=5m", "-format=json", "kv/apikey"
        ).json()["wrap_info"]
        self.report.equal("its ttl", wrapped["ttl"], 300)
        opened = self.ok("unwrap", "unwrap", "-format=json", wrapped["token"]).json()
        self.report.equal("what was wrapped", opened["data"]["data"], {"webapp": SECRET})
        self.fails(
            "not twice", 2, "unwrap", wrapped["token"],
            texts=["wrapping token is not valid or does not exist"],
        )

    def operator(self):
        self.ok("key-status", "operator", "key-status")
        self.ok("rotate", "operator", "rotate")
        status = self.ok("key-status again", "operator", "key-status")
        self.report.matches("term 2", status.out, r"^Key Term\s+2$")
        field = self.ok("old data under the new term", "kv", "get", "-field=webapp", "kv/apikey")
        self.report.equal("old data under the new term", field.out.rstrip("\n"), SECRET)

    def snapshots(self):
        """Deletes a secret with all its versions, and brings it back."""
        with tempfile.TemporaryDirectory() as folder:
            saved = os.path.join(folder, "demo.snapshot")
            self.ok("snapshot save", "operator", "raft", "snapshot", "save", saved)
            mode = os.stat(saved).st_mode & 0o777
            self.report.equal("the snapshot is private", mode, 0o600)
            self.ok("delete for good", "kv", "metadata", "delete", "kv/apikey")
            self.fails("it is gone", 2, "kv", "get", "kv/apikey")
            with open(saved, "rb") as whole, open(saved + ".cut", "wb") as cut:
                cut.write(whole.read()[:-100])
            restore = ("operator", "raft", "snapshot", "restore")
            self.fails("a cut one is refused", 2, *restore, saved + ".cut", texts=["truncated"])
            self.ok("snapshot restore", *restore, saved)
            back = self.ok("it is back", "kv", "get", "-version=1", "-field=webapp", "kv/apikey")
            self.report.equal("with all versions", back.out.rstrip("\n"), SECRET)

    def kill_and_return(self):
        self.ok("a last put", "kv", "put", "kv/last", "word=kept")
        self.server.kill()
        self.server.start()
        self.unseal("after kill -9")
        last = self.ok("the last put is there", "kv", "get", "-field=word", "kv/last")
        self.report.equal("the last put is there", last.out.rstrip("\n"), "kept")
        old = self.ok("the first version too", "kv", "get", "-version=1", "-field=webapp", "kv/apikey")
        self.report.equal("the first version too", old.out.rstrip("\n"), SECRET)
        self.ok("policies too", "policy", "read", "reader")

    def seal(self):
        done = self.ok("seal", "operator", "seal")
        self.report.matches("seal says so", done.text, "Success!.* is sealed")
        self.fails("sealed", 2, "kv", "get", "kv/apikey", texts=["503", "sealed"])
        self.fails("status exits 2", 2, "status")
