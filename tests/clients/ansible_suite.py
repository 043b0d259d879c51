"""Ansible's community.hashi_vault lookups and modules."""


def run(report):
    report.skip("ansible", "not built yet")
