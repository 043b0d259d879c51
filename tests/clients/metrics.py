"""`sys/metrics` as Prometheus reads it: its own parser takes every line, and nothing is said twice."""

import json
import os

from prometheus_client.parser import text_string_to_metric_families

from check import COFFER, Process, call

CONFIG = """storage "raft" {{
  path    = "{path}"
  node_id = "a"
}}
listener "tcp" {{
  address = "127.0.0.1:{port}"
  tls_disable = true
  telemetry {{ unauthenticated_metrics_access = true }}
}}
api_addr = "http://127.0.0.1:{port}"
cluster_addr = "http://127.0.0.1:{cluster_port}"
disable_mlock = true
"""
SCRAPE = "/v1/sys/metrics?format=prometheus"


class Scraped(Process):
    """A node whose listener gives its numbers to everyone."""

    def start(self):
        data = os.path.join(self.folder, "data")
        os.makedirs(data)
        config = os.path.join(self.folder, "coffer.hcl")
        with open(config, "w") as file:
            file.write(CONFIG.format(path=data, port=self.port, cluster_port=self.port + 1))
        self.launch("server", f"-config={config}")
        return self


def run(report):
    if not COFFER:
        report.skip("metrics", "OpenBao's numbers are its own")
        return
    report.section("metrics")
    with Scraped(COFFER) as server:
        server.start()
        families(report, server, "before init", unsealed=0)
        init = json.dumps({"secret_shares": 1, "secret_threshold": 1})
        made = json.loads(call(server.port, "PUT", "/v1/sys/init", init, token=None)[2])
        key, token = json.dumps({"key": made["keys"][0]}), made["root_token"]
        call(server.port, "PUT", "/v1/sys/unseal", key, token=None)
        found = families(report, server, "unsealed", unsealed=1)
        for name in ("vault_token_count", "vault_expire_num_leases", "vault_raft_peers"):
            report.ok(name, name in found, sorted(found))
        call(server.port, "PUT", "/v1/sys/seal", token=token)
        families(report, server, "sealed", unsealed=0)


def families(report, server, when, unsealed):
    """The families by name, after looking at each."""
    status, _, text = call(server.port, "GET", SCRAPE, token=None)
    report.equal(f"{when}: status", status, 200)
    found = {}
    for family in text_string_to_metric_families(text.decode()):
        report.ok(f"{when}: {family.name} once", family.name not in found)
        report.ok(f"{when}: {family.name} has help", len(family.documentation) > 5)
        report.ok(f"{when}: {family.name} has a type", family.type != "unknown")
        found[family.name] = [sample.value for sample in family.samples]
    report.equal(f"{when}: unsealed", found.get("vault_core_unsealed"), [unsealed])
    return found
