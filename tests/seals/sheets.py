"""Sheets of paper: their codes are read by a real decoder (zbar) from the rendered page, their words
from the text of the document, and both are given to a real node; and shares that Debian's age opens."""

import json
import os
import re
import shutil
import subprocess

from suite import COFFER, Node, check

TOOLS = ("age", "pdftoppm", "pdftotext", "ssh-keygen", "zbarimg")
KEY = "ab" * 32
STATIC = f'seal "static" {{\n  current_key_id = "k"\n  current_key = "{KEY}"\n}}'


def run(node, *words, stdin=None, wanted=0):
    env = {**os.environ, "VAULT_ADDR": f"http://127.0.0.1:{node.port}", "VAULT_TOKEN": node.token}
    done = subprocess.run([COFFER, "operator", *words], input=stdin, env=env, text=True,
                          capture_output=True)
    check(done.returncode == wanted, f"{words}: {done.returncode} {done.stdout} {done.stderr}")
    return done.stdout or done.stderr


def words_of(sheet):
    text = subprocess.run(["pdftotext", "-layout", sheet, "-"], check=True, text=True,
                          capture_output=True).stdout
    found = {int(at): word for at, word in re.findall(r"\b(\d{1,2}) {2,}([a-z]+)\b", text)}
    check(sorted(found) == list(range(1, 28)), f"{sheet} has 27 words: {sorted(found)}")
    return " ".join(found[at] for at in range(1, 28)), text


def code_of(sheet):
    page = f"{sheet}-page"
    subprocess.run(["pdftoppm", "-r", "110", "-png", "-singlefile", sheet, page], check=True)
    return subprocess.run(["zbarimg", "-q", "--raw", f"{page}.png"], check=True, text=True,
                          capture_output=True).stdout.strip()


def sheets(folder, kind, shares, generation):
    paths = [os.path.join(folder, f"{kind}-key-{at}-of-{shares}-generation-{generation}.pdf")
             for at in range(1, shares + 1)]
    for path in paths:
        check(os.stat(path).st_mode & 0o777 == 0o600, f"{path} is for its owner alone")
    return paths


def unseal_keys(folder):
    node = Node(folder).start("")
    run(node, "init", "-n", "3", "-t", "2", f"-sheet={folder}")
    first = sheets(folder, "unseal", 3, 1)
    words, text = words_of(first[0])
    check("Unseal key 1 of 3" in text and "2 of the 3 keys" in text, text)
    code = code_of(first[1])
    check(len(code) == 44, f"the code is a share in base64: {code}")
    run(node, "unseal", code)
    run(node, "unseal", "-", stdin=words)
    check(not node.status()["sealed"], "a code and words unseal")
    check(node.status()["cluster_id"] in text, "the sheet has the cluster's id")
    check("key 1 of 3" in run(node, "drill", "-", stdin=words), "the drill knows the share")
    begun = run(node, "rekey", "-init", "-n", "2", "-t", "2", "-format=json")
    nonce = re.search(r'"nonce": "([^"]+)"', begun)[1]
    give = ("rekey", f"-nonce={nonce}", f"-sheet={folder}")
    run(node, *give, code)
    run(node, *give, "-", stdin=words)
    second = sheets(folder, "unseal", 2, 2)
    said = run(node, "drill", code, wanted=2)
    check("Old" in said and "from before" in said, said)
    check("generation 2" in run(node, "drill", code_of(second[1])), "the new one is in force")
    node.stop()


def recovery_keys(folder):
    node = Node(folder).start(STATIC)
    run(node, "init", "-recovery-shares=2", "-recovery-threshold=2", f"-sheet={folder}")
    node.opens()
    paths = sheets(folder, "recovery", 2, 1)
    words, text = words_of(paths[0])
    check("Recovery key 1 of 2" in text and "They open nothing" in text, text)
    check("recovery key 1 of 2" in run(node, "drill", "-", stdin=words), "recovery keys are drilled")
    nonce = re.search(r'"nonce": "([^"]+)"', run(node, "generate-root", "-init", "-format=json"))[1]
    run(node, "generate-root", f"-nonce={nonce}", code_of(paths[1]))
    done = run(node, "generate-root", f"-nonce={nonce}", "-", stdin=words)
    check(re.search(r"Complete +true", done), done)
    node.stop()


def emergency_keys(folder):
    node = Node(folder).start(STATIC)
    said = run(node, "init", "-recovery-shares=1", "-recovery-threshold=1", "-emergency-shares=2",
               "-emergency-threshold=2", f"-sheet={folder}")
    node.token = re.search(r"Initial Root Token: (\S+)", said)[1]
    node.opens()
    paths = sheets(folder, "emergency", 2, 2)
    check(all(f"Emergency Key {at}: on {path}\n" in said for at, path in enumerate(paths, 1)), said)
    words, text = words_of(paths[0])
    check("Emergency key 1 of 2" in text and "provider of its seal is gone" in text, text)
    check("generation 2" in run(node, "drill", "-", stdin=words), "the sheet's generation")
    recovery = code_of(sheets(folder, "recovery", 1, 1)[0])
    check("generation 1" in run(node, "drill", recovery), "the other sheet's generation")
    begun = run(node, "rekey", "-init", "-emergency-shares=3", "-emergency-threshold=2",
                "-format=json")
    nonce = json.loads(begun)["nonce"]
    said = run(node, "rekey", f"-nonce={nonce}", f"-sheet={folder}", "-format=json", recovery)
    third = json.loads(said)["sheets"][2]
    check("emergency-key-3-of-3-generation-3" in third and json.loads(said)["keys"] == [], said)
    run(node, "drill", code_of(third))
    run(node, "drill", "-", stdin=words, wanted=2)
    # The provider is gone: the sheets open.
    node.stop()
    node.start(STATIC.replace(KEY, "cd" * 32))
    for path in json.loads(said)["sheets"][:2]:
        run(node, "unseal", code_of(path))
    check(not node.status()["sealed"], "the sheets' shares open without the provider")
    node.stop()


def age_keys(folder):
    """A holder of a key of age, of one and of another of SSH, and one of two keys in a file."""
    node, files = Node(folder).start(""), {}
    for name in ("own", "more"):
        files[name] = os.path.join(folder, name)
        subprocess.run(["age-keygen", "-o", files[name]], check=True, capture_output=True)
        with open(files[name] + ".pub", "wb") as public:
            public.write(subprocess.run(["age-keygen", "-y", files[name]], check=True,
                                        capture_output=True).stdout)
    for name, kind in (("ed25519", ("ed25519",)), ("rsa", ("rsa", "-b", "3072")),
                       ("ecdsa", ("ecdsa",)), ("long", ("rsa", "-b", "8192"))):
        files[name] = os.path.join(folder, name)
        subprocess.run(["ssh-keygen", "-q", "-t", *kind, "-N", "", "-C", "holder, of a key",
                        "-f", files[name]], check=True)

    def public(name):
        with open(files[name] + ".pub") as file:
            return file.read().strip()

    def opened(file, name):
        done = subprocess.run(["age", "-d", "-i", files[name]], input=file, text=True,
                              capture_output=True)
        return done.stdout if done.returncode == 0 else None
    with open(os.path.join(folder, "team"), "w") as file:
        file.write(f"# one holder's\n{public('own')}\n{public('more')}\n")
    at_ssh = f"@{files['rsa']}.pub"
    ssh = " ".join(public("ed25519").split()[:2])
    wanted = f"{public('own')},{ssh},{at_ssh},@{folder}/team"
    # Each holder that cannot be used is named, and nothing is made.
    for given, said in (
            (f"{wanted},{public('own')}", "names 5 holders, and there will be 4 keys"),
            (at_ssh, "names 1 holders"),
            (wanted.replace(at_ssh, f"@{files['ecdsa']}.pub"), "line 1: ECDSA keys of SSH are not"),
            (wanted.replace(at_ssh, f"@{files['ecdsa']}"), "it is a private key"),
            (wanted.replace(at_ssh, "@/none"), "no such file"),
            (wanted.replace(at_ssh, public("own")[:-1]), "its checksum does not fit")):
        refused = run(node, "init", "-n", "4", "-t", "2", f"-age-recipients={given}", wanted=1)
        check(said in refused, f"{said}: {refused}")
    refused = run(node, "init", "-n", "4", "-t", "2", f"-age-recipients={wanted}",
                  "-pgp-keys=none", wanted=1)
    check("-age-recipients and -pgp-keys do not go together" in refused or "none" in refused,
          refused)
    long = wanted.replace(at_ssh, f"@{files['long']}.pub")
    refused = run(node, "init", "-n", "4", "-t", "2", f"-age-recipients={long}",
                  f"-sheet={folder}", wanted=1)
    check("a sheet has room for" in refused, refused)
    check(not node.must(200, "GET", "sys/init")["initialized"], "nothing is made")
    made = json.loads(run(node, "init", "-n", "4", "-t", "2", f"-age-recipients={wanted}",
                          "-format=json"))
    check(made["unseal_keys_b64"] == made["unseal_keys_hex"] == [], "no key is shown in clear")
    node.token = made["root_token"]
    shares = made["unseal_keys_age"]
    keys = [opened(share, name) for share, name in
            zip(shares, ("own", "ed25519", "rsa", "more"))]
    check(all(keys) and len(set(keys)) == 4, "each holder opens a share")
    check(opened(shares[3], "own") == keys[3], "either key of a file opens")
    check(opened(shares[0], "more") is None, "no other key opens")
    run(node, "unseal", "-", stdin=keys[0])
    run(node, "unseal", keys[2].strip())
    check(not node.status()["sealed"], "the shares unseal")
    # New keys, on sheets.
    begun = ("rekey", "-init", "-n", "2", "-t", "2", "-format=json")
    refused = run(node, *begun, f"-age-recipients={wanted}", wanted=1)
    check("-age-recipients goes with the keys" in refused, refused)
    nonce = json.loads(run(node, *begun))["nonce"]
    two = f"-age-recipients={public('own')},{at_ssh}"
    give = ("rekey", f"-nonce={nonce}", f"-sheet={folder}")
    refused = run(node, *give, f"-age-recipients={public('own')}", "-", stdin=keys[1], wanted=1)
    check("names 1 holders, and there will be 2 keys" in refused, refused)
    run(node, *give, two, "-", stdin=keys[1])
    said = run(node, *give, two, "-", stdin=keys[3])
    check("AGE ENCRYPTED" not in said, said)
    codes = [code_of(path) for path in sheets(folder, "unseal", 2, 2)]
    for code, name in zip(codes, ("own", "rsa")):
        key = opened(code + "\n", name)
        check(key and "generation 2" in run(node, "drill", "-", stdin=key), f"{name}: {code}")
    # Printed, one by one.
    nonce = json.loads(run(node, *begun))["nonce"]
    run(node, "rekey", f"-nonce={nonce}", "-", stdin=opened(codes[0] + "\n", "own"))
    said = run(node, "rekey", f"-nonce={nonce}", two, "-", stdin=opened(codes[1] + "\n", "rsa"))
    printed = re.findall(r"Key \d: ?\n(-----BEGIN AGE.*?\n-----END[^\n]*\n)", said, re.DOTALL)
    check([bool(opened(*pair)) for pair in zip(printed, ("own", "rsa"))] == [True, True], said)
    node.stop()


def part(folder):
    missing = [tool for tool in TOOLS if not shutil.which(tool)]
    if missing:
        print(f"skipped sheets: {', '.join(missing)} not installed (age, openssh-client, poppler-utils, zbar-tools)")
        return
    for name, play in (("unseal", unseal_keys), ("recovery", recovery_keys), ("age", age_keys),
                       ("emergency", emergency_keys)):
        below = os.path.join(folder, name)
        os.mkdir(below)
        play(below)
