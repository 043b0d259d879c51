"""The seals of coffer_seals: their stanzas, and the places of what is secret in them.

A secret that is given as a value never stands in a stanza: it is written to a file of its own in
coffer_seal_secrets_dir, and the stanza has `file://` and its path. One that lies on the disk of the
data is told at each run, because who takes that card has all that opens it.
"""

from __future__ import annotations

import re

# What opens a node, or lets one ask for it.
SECRETS = {
    "transit": ("token",),
    "awskms": ("secret_key", "session_token"),
    "static": ("current_key", "previous_key"),
    "file": (),
}
# The same in a text of HCL, and in the service's variables.
IN_HCL = re.compile(
    r'^\s*(token|secret_key|session_token|current_key|previous_key)\s*=\s*"(?!file://|env://|")', re.M
)
IN_VARIABLES = re.compile(r"(TOKEN|SECRET_ACCESS_KEY|_SEAL_(CURRENT|PREVIOUS)_KEY)$")
ELSEWHERE = ("file://", "env://")
KEY_FILE = "coffer-seal.key"


class BadSeal(Exception):
    """A fault of coffer_seals; repeats no value."""


def check(seals):
    """Returns the seals as dictionaries of texts and numbers."""
    if not isinstance(seals, (list, tuple)):
        raise BadSeal("coffer_seals is a list of dictionaries")
    names = []
    for seal in seals:
        if not isinstance(seal, dict):
            raise BadSeal("coffer_seals is a list of dictionaries, each with a type")
        kind = seal.get("type")
        if kind not in SECRETS:
            raise BadSeal(
                f"coffer_seals: {kind or 'a seal without type'} is none of {', '.join(SECRETS)}"
            )
        names.append(seal.get("name"))
    if len(names) > 1 and (len(set(names)) < len(names) or None in names):
        raise BadSeal("coffer_seals: several seals need a name and a priority each")
    return [dict(seal) for seal in seals]


def _file_of(seal, key):
    words = [seal["type"], str(seal.get("name") or ""), key]
    return re.sub(r"[^A-Za-z0-9_.-]", "_", "-".join(word for word in words if word))


def _is_value(seal, key):
    text = str(seal.get(key) or "")
    return bool(text) and not text.startswith(ELSEWHERE)


def stanzas(seals, folder, medium):
    """What the configuration says; nothing in it is secret. `medium` is where one is mounted."""
    made = []
    for seal in seals:
        stanza = dict(seal)
        for key in SECRETS[seal["type"]]:
            if _is_value(seal, key):
                stanza[key] = f"file://{folder}/{_file_of(seal, key)}"
        if seal["type"] == "file" and medium and not {"path", "label", "uuid"} & set(seal):
            stanza["path"] = f"{medium}/{KEY_FILE}"
        made.append(stanza)
    return made


def secrets(seals, folder):
    """The files that hold them, with their content."""
    return [
        {"path": f"{folder}/{_file_of(seal, key)}", "content": str(seal[key]).strip()}
        for seal in seals
        for key in SECRETS[seal["type"]]
        if _is_value(seal, key)
    ]


def warnings(who, given, disks, places):
    """What lies beside the data, or will be gone. `given` is seals, variables and HCL; `disks` is
    the module coffer_host's; `places` names the folders of data, configuration and secrets."""
    seals, variables, text = given
    data, configuration, folder = places
    card = disks[data]["disk"]
    beside = "so whoever takes that card opens all that is on it."
    remedy = (
        "Put it on another device (coffer_seal_secrets_dir on one, or file:// on coffer_seal_medium)"
        ", or keep it in memory (coffer_seal_secrets_dir: /run/coffer-seal)."
    )
    told = []
    written = secrets(seals, folder)
    if written and disks[folder]["disk"] == card:
        told.append(
            f"{who}: the seal's secrets in {folder} lie on {card}, as {data} does, {beside} {remedy}"
        )
    if written and disks[folder]["disk"] == "memory":
        told.append(
            f"{who}: the seal's secrets in {folder} are in memory only: after a power cut the node "
            "stays sealed until site.yml has put them there again."
        )
    for path in named(seals):
        if not disks[path]["there"]:
            told.append(f"{who}: {path} is not there yet, and the node stays sealed until it is.")
        elif disks[path]["disk"] == card:
            told.append(f"{who}: {path} lies on {card}, as {data} does, {beside} {remedy}")
    if disks[configuration]["disk"] == card:
        for name in sorted(variables):
            if IN_VARIABLES.search(name) and str(variables[name]):
                told.append(
                    f"{who}: {name} of coffer_environment stands in {configuration}/coffer.env, on "
                    f"{card} as {data} does, {beside} Give it in coffer_seals instead."
                )
        for key in sorted(set(IN_HCL.findall(text))):
            told.append(
                f"{who}: {key} in coffer_extra_config stands in {configuration}/coffer.hcl, on "
                f"{card} as {data} does, {beside} Give the seal in coffer_seals instead."
            )
    return told


def named(seals):
    """Files that the seals name themselves."""
    paths = []
    for seal in seals:
        for key in (*SECRETS[seal["type"]], "path"):
            text = str(seal.get(key) or "")
            if key == "path" and text.startswith("/") and not {"label", "uuid"} & set(seal):
                paths.append(text)
            elif text.startswith("file:///"):
                paths.append(text[len("file://") :])
    return list(dict.fromkeys(paths))
